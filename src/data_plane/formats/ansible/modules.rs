//! What each module does: its operation type and the canonical names of its arguments.
//!
//! The rows are in [`super::table`]. Arguments outside a module's row stay in the params under their own (binary) names, so that
//! nothing is lost here; the transformers report what they cannot say.

use super::args::{Arg, BARE_LIST, FREE_TEXT};
use super::keywords::short_name;
use super::table::{Fill, ROWS, Row, Rule};
use crate::semantic::{Key, Kind, Map, OperationType, OriginKey, Value};

/// An operation without its place in a graph.
pub(super) struct Mapped {
    pub(super) kind: OperationType,
    pub(super) params: Map,
    pub(super) keys: Vec<OriginKey>,
    /// Findings about arguments that were read in a way worth telling.
    pub(super) notes: Vec<(String, String)>,
}

fn row(module: &str) -> Option<&'static Row> {
    let short = short_name(module);
    ROWS.iter().find(|row| row.names.contains(&short))
}

/// Whether text after a module's name is a command line rather than `key=value` pairs.
pub(super) fn takes_command(module: &str) -> bool {
    matches!(
        short_name(module),
        "command" | "shell" | "raw" | "script" | "win_command" | "win_shell" | "expect"
    )
}

/// The operation that a module with these arguments is.
pub(super) fn map(module: &str, args: Vec<Arg>) -> Mapped {
    let Some(row) = row(module) else {
        return unknown(module, args);
    };
    let mut mapped = Mapped {
        kind: OperationType::Known(Kind::CommandRun),
        params: Map::new(),
        keys: Vec::new(),
        notes: Vec::new(),
    };
    let mut rest = args;
    for (canonical, names, fill) in row.params {
        let at = names.iter().find_map(|name| rest.iter().position(|arg| arg.name == *name));
        match at {
            Some(at) => mapped.take(canonical, rest.remove(at)),
            None => match fill {
                Fill::Absent => {}
                Fill::Nil => mapped.params.set(canonical, Value::Null),
                Fill::False => mapped.params.set(canonical, false),
                Fill::EmptyList => mapped.params.set(canonical, Vec::<Value>::new()),
                Fill::Text(text) => mapped.params.set(canonical, *text),
            },
        }
    }
    mapped.keep_rest(rest);
    mapped.kind =
        kind(row.rule, &mut mapped.params).map_or_else(|| other(module), OperationType::Known);
    mapped
}

fn other(module: &str) -> OperationType {
    OperationType::Other(format!("ansible.{}", short_name(module)))
}

fn unknown(module: &str, args: Vec<Arg>) -> Mapped {
    let mut mapped =
        Mapped { kind: other(module), params: Map::new(), keys: Vec::new(), notes: Vec::new() };
    mapped.keep_rest(args);
    mapped
}

impl Mapped {
    fn take(&mut self, canonical: &str, arg: Arg) {
        self.keys.push(OriginKey {
            entry: canonical.to_owned(),
            source: arg.name.clone(),
            line: arg.line,
        });
        let value = if canonical == "mode" { self.mode(&arg) } else { arg.value };
        self.params.set(canonical, value);
    }

    fn keep_rest(&mut self, rest: Vec<Arg>) {
        for arg in rest {
            self.keys.push(OriginKey {
                entry: arg.name.clone(),
                source: arg.name.clone(),
                line: arg.line,
            });
            let value = if arg.name == "mode" || arg.name == "directory_mode" {
                self.mode(&arg)
            } else {
                arg.value
            };
            self.params.insert(Key::text(&arg.name), value);
        }
    }

    /// Modes as quoted octal text: `0644` (an octal integer to YAML), `"644"` and `644` alike.
    fn mode(&mut self, arg: &Arg) -> Value {
        let text = match (&arg.plain, &arg.value) {
            (Some(plain), Value::Integer(_)) => plain.clone(),
            (_, Value::Integer(number)) => format!("{number:o}"),
            (_, Value::String(text)) => text.clone(),
            _ => return arg.value.clone(),
        };
        let digits = text.trim_start_matches("0o").trim_start_matches('0');
        if digits.len() > 4 || !digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
            return Value::String(text);
        }
        if matches!(arg.value, Value::Integer(_)) && !text.starts_with('0') {
            let detail = format!(
                "{text} without a leading zero is a decimal number to YAML; read as the octal 0{text} that was surely meant"
            );
            self.notes.push((arg.name.clone(), detail));
        }
        Value::String(format!("{digits:0>4}"))
    }
}

/// The type by the arguments, putting the state into the words of the contract on the way.
fn kind(rule: Rule, params: &mut Map) -> Option<Kind> {
    let state = params.text("state").unwrap_or_default().to_owned();
    match rule {
        Rule::Always(kind) => Some(kind),
        Rule::Package(install) => Some(package(install, &state, params)),
        Rule::Service => Some(service(&state, params)),
        Rule::File => Some(match state.as_str() {
            "directory" => Kind::DirectoryCreate,
            "absent" => Kind::FileDelete,
            "touch" => Kind::FileTouch,
            "link" | "hard" => Kind::LinkCreate,
            _ => Kind::FileMode,
        }),
        Rule::Presence(create, delete) => Some(if state == "absent" { delete } else { create }),
        Rule::Mount => {
            Some(if matches!(state.as_str(), "absent" | "unmounted" | "absent_from_fstab") {
                Kind::MountDelete
            } else {
                Kind::MountCreate
            })
        }
        Rule::Container => {
            Some(if state == "absent" { Kind::ContainerRemove } else { Kind::ContainerRun })
        }
        Rule::KernelModule => {
            Some(if state == "absent" { Kind::KernelModuleUnload } else { Kind::KernelModuleLoad })
        }
    }
}

fn package(install: Kind, state: &str, params: &mut Map) -> Kind {
    let (word, kind) = match state {
        "absent" | "removed" => ("remove", Kind::PackageRemove),
        "latest" => ("upgrade", Kind::PackageUpgrade),
        "" | "present" | "installed" => ("install", Kind::PackageInstall),
        _ => return install,
    };
    params.set("state", Value::atom(word));
    if install == Kind::PackageInstall { kind } else { install }
}

fn service(state: &str, params: &mut Map) -> Kind {
    let (word, kind) = match state {
        "started" => ("start", Kind::ServiceStart),
        "stopped" => ("stop", Kind::ServiceStop),
        "restarted" => ("restart", Kind::ServiceRestart),
        "reloaded" => ("reload", Kind::ServiceRestart),
        "" => {
            return match (params.get("enabled").and_then(Value::as_flag), params.present("service"))
            {
                (Some(false), _) => Kind::ServiceDisable,
                (_, None) => Kind::DaemonReload,
                _ => Kind::ServiceEnable,
            };
        }
        _ => return Kind::ServiceStart,
    };
    params.set("state", Value::atom(word));
    kind
}

/// Whether an argument name is one that this file made up for text without a name.
pub(super) fn is_made_up(name: &str) -> bool {
    name == FREE_TEXT || name == BARE_LIST
}

#[cfg(test)]
mod tests {
    use super::super::args::key_values;
    use super::*;

    fn mapped(module: &str, text: &str) -> Mapped {
        map(module, key_values(text, 1))
    }

    #[test]
    fn states_decide_the_type() {
        let cases = [
            ("apt", "name=x state=absent", Kind::PackageRemove),
            ("ansible.builtin.dnf", "name=x state=latest", Kind::PackageUpgrade),
            ("service", "name=x state=reloaded", Kind::ServiceRestart),
            ("systemd", "name=x enabled=no", Kind::ServiceDisable),
            ("systemd", "daemon_reload=yes", Kind::DaemonReload),
            ("file", "path=/x state=link src=/y", Kind::LinkCreate),
            ("file", "path=/x mode=0600", Kind::FileMode),
            ("user", "name=x state=absent", Kind::UserDelete),
        ];
        for (module, text, kind) in cases {
            assert_eq!(mapped(module, text).kind, OperationType::Known(kind), "{module}: {text}");
        }
    }

    #[test]
    fn unknown_modules_and_arguments_keep_their_names() {
        let unknown = mapped("community.general.ufw", "rule=allow");
        assert_eq!(unknown.kind.name(), "ansible.ufw");
        assert_eq!(
            mapped("apt", "name=x cache_valid_time=60").params.text("cache_valid_time"),
            Some("60")
        );
    }

    #[test]
    fn modes_become_octal_text() {
        for (text, want) in [
            ("0644", "0644"),
            ("644", "0644"),
            ("0o755", "0755"),
            ("02775", "2775"),
            ("u=rw,g=r", "u=rw,g=r"),
            ("0", "0000"),
        ] {
            let args = key_values(&format!("path=/x mode={text}"), 1);
            assert_eq!(map("file", args).params.text("mode"), Some(want), "{text}");
        }
    }
}
