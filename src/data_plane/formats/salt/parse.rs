//! From the text of an SLS file to the graph.

use std::collections::HashMap;

use crate::data_plane::format::{Ids, Options, ParseError, Parsed, parsed_metadata};
use crate::data_plane::limits::{KEYS_PER_OPERATION_MAX, OPERATIONS_MAX};
use crate::data_plane::report::{Report, Status};
use crate::data_plane::yaml::{Node, NodeKind, read};
use crate::semantic::{
    Dependency, DependencyType, Graph, Key, Kind, Map, Operation, OperationType, Origin, OriginKey,
    Value,
};

/// Requisites, with the edge each becomes; `_in` forms point the other way.
const REQUISITES: &[(&str, DependencyType)] = &[
    ("require", DependencyType::Requires),
    ("prereq", DependencyType::Requires),
    ("watch", DependencyType::Watches),
    ("onchanges", DependencyType::Watches),
    ("listen", DependencyType::Watches),
];

/// What a requisite names: state module (or `id`), and id or name.
type Target = (String, String);

/// A function's operation type and the canonical names of its arguments.
type Row = (&'static str, Kind, &'static [(&'static str, &'static [&'static str])]);

const ROWS: &[Row] = &[
    (
        "pkg.installed",
        Kind::PackageInstall,
        &[("package", &["pkgs", "name"]), ("version", &["version"]), ("refresh", &["refresh"])],
    ),
    ("pkg.removed", Kind::PackageRemove, &[("package", &["pkgs", "name"])]),
    ("pkg.purged", Kind::PackageRemove, &[("package", &["pkgs", "name"])]),
    ("pkg.latest", Kind::PackageUpgrade, &[("package", &["pkgs", "name"])]),
    (
        "service.running",
        Kind::ServiceStart,
        &[("service", &["name"]), ("enable", &["enable"]), ("reload", &["reload"])],
    ),
    ("service.dead", Kind::ServiceStop, &[("service", &["name"]), ("enable", &["enable"])]),
    ("service.enabled", Kind::ServiceEnable, &[("service", &["name"])]),
    ("service.disabled", Kind::ServiceDisable, &[("service", &["name"])]),
    (
        "file.managed",
        Kind::FileWrite,
        &[
            ("path", &["name"]),
            ("source", &["source"]),
            ("contents", &["contents"]),
            ("mode", &["mode"]),
            ("user", &["user"]),
            ("group", &["group"]),
            ("template", &["template"]),
        ],
    ),
    (
        "file.directory",
        Kind::DirectoryCreate,
        &[
            ("path", &["name"]),
            ("mode", &["mode"]),
            ("user", &["user"]),
            ("group", &["group"]),
            ("makedirs", &["makedirs"]),
        ],
    ),
    ("file.absent", Kind::FileDelete, &[("path", &["name"])]),
    ("file.copy", Kind::FileCopy, &[("destination", &["name"]), ("source", &["source"])]),
    ("file.symlink", Kind::LinkCreate, &[("path", &["name"]), ("source", &["target"])]),
    ("file.append", Kind::FileLine, &[("path", &["name"]), ("line", &["text"])]),
    (
        "user.present",
        Kind::UserCreate,
        &[
            ("name", &["name"]),
            ("uid", &["uid"]),
            ("gid", &["gid"]),
            ("home", &["home"]),
            ("shell", &["shell"]),
            ("groups", &["groups"]),
        ],
    ),
    ("user.absent", Kind::UserDelete, &[("name", &["name"])]),
    ("group.present", Kind::GroupCreate, &[("name", &["name"]), ("gid", &["gid"])]),
    ("group.absent", Kind::GroupDelete, &[("name", &["name"])]),
    (
        "cmd.run",
        Kind::CommandRun,
        &[
            ("command", &["name"]),
            ("cwd", &["cwd"]),
            ("creates", &["creates"]),
            ("unless", &["unless"]),
            ("onlyif", &["onlyif"]),
        ],
    ),
    ("cmd.script", Kind::ScriptExecute, &[("source", &["source", "name"])]),
    ("cron.present", Kind::CronCreate, &[("command", &["name"]), ("name", &["identifier"])]),
    (
        "git.latest",
        Kind::GitClone,
        &[("repository", &["name"]), ("destination", &["target"]), ("revision", &["rev"])],
    ),
];

struct Parser {
    graph: Graph,
    report: Report,
    ids: Ids,
    /// Requisites by the operation that has them: place, argument, entries.
    requisites: Vec<(usize, String, Vec<Target>)>,
}

/// Reads a state file. Jinja is not rendered: a file that needs it to be YAML is an error.
pub(super) fn parse(source: &str, options: &Options) -> Result<Parsed, ParseError> {
    let documents = read(source).map_err(ParseError::Yaml)?;
    let graph = Graph { metadata: parsed_metadata("salt"), ..Graph::default() };
    let mut parser =
        Parser { graph, report: Report::default(), ids: Ids::new(options), requisites: Vec::new() };
    for document in &documents {
        match &document.kind {
            NodeKind::Mapping(entries) => {
                entries.iter().try_for_each(|(id, body)| parser.declaration(id, body))?
            }
            NodeKind::Scalar(..) if document.is_null() => {}
            _ => {
                let message = "a state file is a mapping of ids to states".to_owned();
                return Err(ParseError::Shape { line: document.line, message });
            }
        }
    }
    parser.connect();
    for operation in &parser.graph.vertices {
        for key in operation.origin.iter().flat_map(|origin| &origin.keys) {
            parser.report.about(operation, Status::Kept, &key.entry, "");
        }
    }
    Ok(Parsed { graph: parser.graph, report: parser.report })
}

impl Parser {
    fn declaration(&mut self, id: &Node, body: &Node) -> Result<(), ParseError> {
        let name = id.text().unwrap_or("?").to_owned();
        if matches!(name.as_str(), "include" | "extend" | "exclude") {
            self.report.note(Status::Lost, &name, &name, "other state files are not read", id.line);
            return Ok(());
        }
        match &body.kind {
            NodeKind::Mapping(entries) => {
                for (index, (function, args)) in entries.iter().enumerate() {
                    self.function(
                        &name,
                        function.text().unwrap_or("?"),
                        args,
                        index,
                        function.line,
                    )?;
                }
                Ok(())
            }
            // `id: pkg.installed` and `id: [pkg.installed, …]`
            NodeKind::Scalar(function, _) if !body.is_null() => {
                self.function(&name, function, body, 0, id.line)
            }
            _ => {
                self.report.note(
                    Status::Lost,
                    &name,
                    "state",
                    "not a state: a mapping of functions is expected",
                    id.line,
                );
                Ok(())
            }
        }
    }

    fn function(
        &mut self,
        id: &str,
        function: &str,
        args: &Node,
        index: usize,
        line: u32,
    ) -> Result<(), ParseError> {
        if self.graph.vertices.len() >= OPERATIONS_MAX {
            return Err(ParseError::Limit { what: "states", max: OPERATIONS_MAX });
        }
        let mut entries: Vec<(String, Value, u32)> = Vec::new();
        let mut function = function.to_owned();
        let lists = args.items().unwrap_or(std::slice::from_ref(args));
        for item in lists {
            match &item.kind {
                NodeKind::Mapping(map) => {
                    entries.extend(map.iter().map(|(key, value)| {
                        (key.text().unwrap_or("?").to_owned(), value.value(), key.line)
                    }));
                }
                // The long form: `pkg: [installed, …]`.
                NodeKind::Scalar(text, _) if args.items().is_some() && !function.contains('.') => {
                    function = format!("{function}.{text}")
                }
                _ => {}
            }
        }
        if entries.len() > KEYS_PER_OPERATION_MAX {
            return Err(ParseError::Limit {
                what: "keys of one state",
                max: KEYS_PER_OPERATION_MAX,
            });
        }
        self.operation(id, &function, entries, index, line);
        Ok(())
    }

    fn operation(
        &mut self,
        id: &str,
        function: &str,
        entries: Vec<(String, Value, u32)>,
        index: usize,
        line: u32,
    ) {
        let place = self.graph.vertices.len();
        let original: Map =
            entries.iter().map(|(name, value, _)| (Key::text(name), value.clone())).collect();
        let mut keys = Vec::new();
        let mut args: Vec<(String, Value, u32)> = Vec::new();
        for (name, value, line) in entries {
            let kind = name.strip_suffix("_in").unwrap_or(&name);
            if REQUISITES.iter().any(|(requisite, _)| *requisite == kind)
                || kind == "onfail"
                || kind == "use"
            {
                keys.push(OriginKey { entry: name.clone(), source: name.clone(), line });
                self.requisites.push((place, name, targets(&value)));
            } else {
                args.push((name, value, line));
            }
        }
        if !args.iter().any(|(name, ..)| name == "name") {
            // Salt's rule: the id is the name unless one is given.
            args.push(("name".to_owned(), id.into(), line));
        }
        let (kind, params) = mapped(function, args, &mut keys);
        let safe = |text: &str| {
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
                .collect::<String>()
        };
        let op_id = format!("salt_{}_{function}_{index}_{}", safe(id), self.ids.next());
        let mut operation = Operation::new(op_id, kind, params);
        operation.metadata = Map::new()
            .with("source", Value::atom("salt"))
            .with("state_id", id)
            .with("function", function)
            .with("original_args", original);
        operation.origin = Some(Box::new(Origin { line, scope: id.to_owned(), keys }));
        self.graph.vertices.push(operation);
    }

    /// Resolves requisites by state id, by `id`, and by the name of the thing.
    fn connect(&mut self) {
        let mut by_reference: HashMap<(String, String), usize> = HashMap::new();
        for (at, operation) in self.graph.vertices.iter().enumerate() {
            let module = operation
                .metadata
                .text("function")
                .and_then(|function| function.split('.').next())
                .unwrap_or_default();
            let name = ["package", "service", "path", "command", "name"]
                .iter()
                .find_map(|key| operation.params.text(key));
            let names = [operation.metadata.text("state_id"), name];
            for name in names.into_iter().flatten() {
                for kind in [module, "id", "state"] {
                    by_reference.entry((kind.to_owned(), name.to_owned())).or_insert(at);
                }
            }
        }
        for (at, requisite, targets) in std::mem::take(&mut self.requisites) {
            let inverse = requisite.ends_with("_in");
            let kind = requisite.strip_suffix("_in").unwrap_or(&requisite);
            let edge =
                REQUISITES.iter().find(|(name, _)| *name == kind).map(|(_, edge)| edge.clone());
            let edge = edge.unwrap_or_else(|| DependencyType::Other(kind.to_owned()));
            for (module, name) in targets {
                let Some(&other) = by_reference.get(&(module.clone(), name.clone())) else {
                    let detail = format!("no state `{module}: {name}` in this file");
                    self.report.about(&self.graph.vertices[at], Status::Lost, &requisite, detail);
                    continue;
                };
                let (from, to) = if inverse { (at, other) } else { (other, at) };
                let (from, to) = (&self.graph.vertices[from].id, &self.graph.vertices[to].id);
                let requisite_map = Map::from_entries(vec![(Key::text(&module), name.into())]);
                let metadata = Map::new().with("salt_requisite", requisite_map);
                self.graph.edges.push(Dependency {
                    from: from.clone(),
                    to: to.clone(),
                    kind: edge.clone(),
                    metadata,
                });
            }
        }
    }
}

/// The references in a requisite: `- pkg: nginx` or `- nginx_id`.
fn targets(value: &Value) -> Vec<Target> {
    let mut found = Vec::new();
    for item in value.as_list().unwrap_or(std::slice::from_ref(value)) {
        match item {
            Value::Map(map) => {
                found.extend(
                    map.iter().filter_map(|(key, value)| Some((key.label(), value.to_text()?))),
                );
            }
            Value::String(id) => found.push(("id".to_owned(), id.clone())),
            _ => {}
        }
    }
    found
}

fn mapped(
    function: &str,
    args: Vec<(String, Value, u32)>,
    keys: &mut Vec<OriginKey>,
) -> (OperationType, Map) {
    let row = ROWS.iter().find(|(name, ..)| *name == function);
    let kind = row.map_or_else(
        || OperationType::Other(format!("salt.{function}")),
        |(_, kind, _)| OperationType::Known(*kind),
    );
    let mut params = Map::new();
    let mut rest = args;
    for (canonical, names) in row.map_or(&[][..], |(_, _, names)| *names) {
        let at = names.iter().find_map(|name| rest.iter().position(|(arg, ..)| arg == name));
        let value = match at {
            Some(at) => {
                let (source, value, line) = rest.remove(at);
                keys.push(OriginKey { entry: (*canonical).to_owned(), source, line });
                value
            }
            None => absent(function, canonical),
        };
        params.set(canonical, value);
    }
    // With `pkgs` the name is only the id.
    rest.retain(|(name, ..)| name != "name" || row.is_none());
    for (name, value, line) in rest {
        keys.push(OriginKey { entry: name.clone(), source: name.clone(), line });
        params.insert(Key::text(&name), value);
    }
    (kind, params)
}

/// What stands in the params for an argument that is not there. spec: contract 4.2
fn absent(function: &str, name: &str) -> Value {
    match (function, name) {
        (_, "refresh" | "makedirs") => false.into(),
        (_, "groups") => Vec::<Value>::new().into(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(source: &str) -> Parsed {
        parse(source, &Options { first_id: Some(1), ..Options::default() }).unwrap()
    }

    #[test]
    fn requisites_resolve_by_name_and_by_id() {
        let source = "web:\n  pkg.installed:\n    - name: lighttpd\nconf:\n  file.managed:\n    - name: /etc/x\n    - require:\n      - pkg: web\nsvc:\n  service.running:\n    - name: lighttpd\n    - watch:\n      - file: /etc/x\n      - pkg: lighttpd\n    - require:\n      - gone: x\n";
        let parsed = parsed(source);
        let edges: Vec<_> =
            parsed.graph.edges.iter().map(|edge| (edge.kind.name(), edge.from.as_str())).collect();
        assert_eq!(
            edges,
            [
                ("requires", "salt_web_pkg.installed_0_1"),
                ("watches", "salt_conf_file.managed_0_2"),
                ("watches", "salt_web_pkg.installed_0_1")
            ]
        );
        assert!(
            parsed
                .report
                .entries
                .iter()
                .any(|entry| entry.status == Status::Lost && entry.key == "require")
        );
    }

    #[test]
    fn short_and_long_forms_and_missing_names() {
        let parsed = parsed(
            "nginx: pkg.installed\nvim:\n  pkg:\n    - installed\n/etc/motd:\n  file.absent\n",
        );
        let types: Vec<_> =
            parsed.graph.vertices.iter().map(|operation| operation.kind.name()).collect();
        assert_eq!(types, ["package_install", "package_install", "file_delete"]);
        assert_eq!(parsed.graph.vertices[0].params.text("package"), Some("nginx"));
        assert_eq!(parsed.graph.vertices[2].params.text("path"), Some("/etc/motd"));
    }

    #[test]
    fn odd_shapes_do_not_panic() {
        for source in [
            "",
            "{}",
            "a:\n",
            "a: [1]\n",
            "a:\n  b: 1\n",
            "include:\n  - x\n",
            "a:\n  pkg.installed:\n    - require: [1, {}]\n",
        ] {
            parsed(source);
        }
        assert!(parse("- a", &Options::default()).is_err());
    }
}
