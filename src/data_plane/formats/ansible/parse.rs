//! From the text of a playbook to the graph.

use super::handlers;
use crate::data_plane::format::{Ids, Options, ParseError, Parsed, parsed_metadata};
use crate::data_plane::limits::OPERATIONS_MAX;
use crate::data_plane::report::{Report, Status};
use crate::data_plane::yaml::{Node, NodeKind, read};
use crate::semantic::{Graph, Map, Operation, Value};

/// Metadata keys of the graph and of operations beside the contract's.
pub(super) const PLAYS: &str = "plays";
pub(super) const SECTION: &str = "section";

/// What a parse works on.
pub(super) struct Parser<'a> {
    pub(super) options: &'a Options,
    pub(super) graph: Graph,
    pub(super) report: Report,
    pub(super) ids: Ids,
    /// Variables and hosts of each play.
    pub(super) plays: Vec<Value>,
    /// The play that is being read, and how many tasks it has had.
    pub(super) play: usize,
    pub(super) task: usize,
}

/// Reads a playbook of any number of documents.
pub(super) fn parse(source: &str, options: &Options) -> Result<Parsed, ParseError> {
    let documents = read(source).map_err(ParseError::Yaml)?;
    let mut parser = Parser {
        options,
        graph: Graph { metadata: parsed_metadata("ansible"), ..Graph::default() },
        report: Report::default(),
        ids: Ids::new(options),
        plays: Vec::new(),
        play: 0,
        task: 0,
    };
    for document in &documents {
        parser.document(document)?;
    }
    parser.finish()
}

impl Parser<'_> {
    fn document(&mut self, document: &Node) -> Result<(), ParseError> {
        match &document.kind {
            NodeKind::Sequence(items) if looks_like_tasks(items) => {
                self.task_file(items, document.line)
            }
            NodeKind::Sequence(items) => items.iter().try_for_each(|item| self.play(item)),
            NodeKind::Mapping(_) => self.play(document),
            NodeKind::Scalar(..) if document.is_null() => Ok(()),
            NodeKind::Scalar(..) => Err(ParseError::Shape {
                line: document.line,
                message: "a playbook is a list of plays, not a single value".to_owned(),
            }),
        }
    }

    /// Adds an operation, within the limit.
    pub(super) fn add(&mut self, operation: Operation) -> Result<(), ParseError> {
        if self.graph.vertices.len() >= OPERATIONS_MAX {
            return Err(ParseError::Limit { what: "tasks", max: OPERATIONS_MAX });
        }
        self.graph.vertices.push(operation);
        Ok(())
    }

    /// The id of the next task.
    pub(super) fn next_id(&mut self) -> String {
        let id = format!("ansible_p{}_t{}_{}", self.play, self.task, self.ids.next());
        self.task += 1;
        id
    }

    fn finish(mut self) -> Result<Parsed, ParseError> {
        let is_task = |operation: &Operation| operation.metadata.text(SECTION) != Some("handlers");
        let order: Vec<usize> = (0..self.graph.vertices.len())
            .filter(|&at| is_task(&self.graph.vertices[at]))
            .collect();
        self.graph.chain(&order, "ansible_task_order");
        handlers::connect(&mut self.graph, &mut self.report)?;
        let tells = |play: &Value| play.as_map().is_some_and(|play| play.contains("vars"));
        if self.plays.iter().any(tells) {
            self.graph.metadata.set(PLAYS, self.plays);
        }
        for operation in &self.graph.vertices {
            if let Some(origin) = operation.origin.as_deref() {
                for key in &origin.keys {
                    self.report.about(operation, Status::Kept, &key.entry, "");
                }
            }
        }
        self.report.entries.sort_by_key(|entry| entry.line);
        Ok(Parsed { graph: self.graph, report: self.report })
    }
}

/// A file of tasks (as in a role) rather than of plays.
fn looks_like_tasks(items: &[Node]) -> bool {
    let is_play = |item: &Node| {
        [
            "hosts",
            "tasks",
            "roles",
            "pre_tasks",
            "post_tasks",
            "import_playbook",
            "ansible.builtin.import_playbook",
        ]
        .iter()
        .any(|key| item.get(key).is_some())
    };
    let has_name_only = |item: &Node| item.entries().is_none_or(|entries| entries.is_empty());
    !items.is_empty() && !items.iter().any(is_play) && !items.iter().all(has_name_only)
}

/// A play's entry in the graph's metadata.
pub(super) fn play_value(name: &str, hosts: &str, vars: Map) -> Value {
    let mut value = Map::new().with("name", name).with("hosts", hosts);
    if !vars.is_empty() {
        value.set("vars", vars);
    }
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::DependencyType;

    fn parsed(source: &str) -> Parsed {
        parse(source, &Options { first_id: Some(1), ..Options::default() }).unwrap()
    }

    fn types(parsed: &Parsed) -> Vec<&str> {
        parsed.graph.vertices.iter().map(|operation| operation.kind.name()).collect()
    }

    #[test]
    fn every_section_of_every_document_is_read_in_the_order_of_execution() {
        let source = "---\n- hosts: web\n  post_tasks:\n    - command: four\n  handlers:\n    - name: h\n      service: name=x state=restarted\n  tasks:\n    - command: three\n      notify: h\n  pre_tasks:\n    - command: one\n  roles:\n    - common\n---\n- hosts: db\n  tasks:\n    - command: five\n";
        let parsed = parsed(source);
        let commands: Vec<_> =
            parsed.graph.vertices.iter().filter_map(|op| op.params.text("command")).collect();
        assert_eq!(commands, ["one", "three", "four", "five"]);
        assert_eq!(types(&parsed)[1], "ansible.import_role");
        let notifies: Vec<_> = parsed
            .graph
            .edges
            .iter()
            .filter(|edge| edge.kind == DependencyType::Notifies)
            .collect();
        assert_eq!(notifies.len(), 1);
        assert_eq!(notifies[0].from, "ansible_p0_t2_3");
    }

    #[test]
    fn blocks_hand_their_keywords_down() {
        let source = "- hosts: all\n  become: true\n  tasks:\n    - when: a\n      become_user: bob\n      block:\n        - command: x\n          when: b or c\n        - block:\n            - command: y\n      rescue:\n        - command: z\n";
        let parsed = parsed(source);
        let first = &parsed.graph.vertices[0];
        assert_eq!(first.target.text("when"), Some("a and (b or c)"));
        assert_eq!(first.metadata.text("become_user"), Some("bob"));
        assert_eq!(parsed.graph.vertices[1].target.text("when"), Some("a"));
        assert!(
            parsed
                .report
                .entries
                .iter()
                .any(|entry| entry.key == "rescue" && entry.status == Status::Lost)
        );
    }

    #[test]
    fn files_given_along_are_inlined() {
        let files = [
            ("roles/web/tasks/main.yml", "- import_tasks: more.yml\n- command: two\n  notify: h\n"),
            ("roles/web/tasks/more.yml", "- command: one\n"),
            ("roles/web/handlers/main.yml", "- name: h\n  command: handled\n"),
            ("roles/web/defaults/main.yml", "port: 80\n"),
        ];
        let files =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let options = Options { files, ..Options::default() };
        let parsed = parse("- hosts: all\n  roles: [web]\n", &options).unwrap();
        let commands: Vec<_> =
            parsed.graph.vertices.iter().filter_map(|op| op.params.text("command")).collect();
        assert_eq!(commands, ["one", "two", "handled"]);
        assert!(parsed.graph.metadata.contains(PLAYS));
    }

    #[test]
    fn odd_shapes_are_errors_or_empty_but_never_panic() {
        assert!(matches!(parse("just text", &Options::default()), Err(ParseError::Shape { .. })));
        for source in [
            "",
            "[]",
            "{}",
            "- hosts: all\n  tasks:\n",
            "- hosts: all\n  tasks: x\n",
            "- 1\n- [a]\n",
            "- hosts: all\n  tasks: [null, 1, {}, [x]]\n",
            "? [a]\n: b\n",
        ] {
            parse(source, &Options::default())
                .unwrap_or_else(|error| panic!("{source:?}: {error}"));
        }
    }

    #[test]
    fn tasks_with_a_flood_of_keys_are_refused() {
        let mut source = "- hosts: all\n  tasks:\n    - command:\n".to_owned();
        for key in 0..2_000 {
            source.push_str(&format!("        k{key}: 1\n"));
        }
        let refused = parse(&source, &Options::default());
        assert!(matches!(refused, Err(ParseError::Limit { what: "keys of one task", .. })));
    }
}
