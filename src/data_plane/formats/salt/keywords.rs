//! Task keywords (`become_user`, `retries`, `no_log`, …) as arguments of states.

use super::draft::Draft;
use crate::data_plane::report::Status::{self, Approximated, Kept, Lost};
use crate::semantic::{Key, Map, Value};

/// Metadata that every operation has, or that other files of this format deal with.
const NOT_KEYWORDS: &[&str] = &[
    "source",
    "original_task",
    "task_name",
    "module",
    "hosts",
    "section",
    "state_id",
    "function",
    "original_args",
];

/// What one keyword came to.
type Outcome = (Status, String);

/// Applies the keywords of the draft's operation; one finding each.
pub(super) fn apply(draft: &mut Draft<'_>) {
    let operation = draft.operation;
    for (key, value) in operation.metadata.iter() {
        let Some(name) = key.name().filter(|name| !NOT_KEYWORDS.contains(name)) else { continue };
        let (status, detail) = keyword(draft, name, value);
        draft.note(status, name, detail);
    }
}

fn is_command(draft: &Draft<'_>) -> bool {
    matches!(draft.function.as_str(), "cmd.run" | "cmd.script")
}

fn keyword(draft: &mut Draft<'_>, name: &str, value: &Value) -> Outcome {
    let kept = (Kept, String::new());
    let lost = |detail: &str| (Lost, detail.to_owned());
    let on = value.as_flag();
    match name {
        "become" if on == Some(false) => (Approximated, "Salt's minion runs as root".to_owned()),
        "become" | "become_method" | "become_flags" | "become_exe" => {
            (Kept, "Salt's minion runs as root".to_owned())
        }
        "become_user" => become_user(draft, value),
        "register" | "notify" | "listen" | "loop" | "loop_control" | "collections" | "diff"
        | "ignore_unreachable" => kept,
        "vars" => (Kept, "set before the state".to_owned()),
        "tags" => lost("Salt has no tags: choose states by their ids"),
        "environment" => environment(draft, value),
        "ignore_errors" | "failed_when"
            if (name == "ignore_errors") == on.unwrap_or(false) && on.is_some() =>
        {
            draft.args.retain(|(arg, _)| arg != "check_cmd");
            draft.arg("check_cmd", vec![Value::from("/bin/true")]);
            kept
        }
        "ignore_errors" if on == Some(false) => kept,
        "failed_when" => lost("Salt decides by the exit code: list good ones in success_retcodes"),
        "changed_when" if on == Some(false) && !is_command(draft) => kept,
        "changed_when" => {
            lost("a command that ran counts as a change: give it creates, unless or onlyif")
        }
        "until" | "retries" | "delay" => retry(draft, name),
        "no_log" if on == Some(false) => kept,
        "no_log" if draft.function == "cmd.run" => {
            draft.arg("hide_output", true);
            kept
        }
        "no_log" if draft.function == "file.managed" => {
            draft.arg("show_changes", false);
            kept
        }
        "no_log" => lost("what the state writes into the log cannot be hidden"),
        "async" if is_command(draft) => {
            draft.arg("timeout", value.clone());
            (Approximated, "the run waits for the command".to_owned())
        }
        "poll" if value == &Value::Integer(0) && draft.function == "cmd.run" => {
            draft.args.retain(|(arg, _)| arg != "timeout");
            draft.arg("bg", true);
            kept
        }
        "timeout" if is_command(draft) => {
            draft.arg("timeout", value.clone());
            kept
        }
        _ => (Lost, without_counterpart(name)),
    }
}

/// Why keywords are lost that no state can express.
fn without_counterpart(name: &str) -> String {
    match name {
        "delegate_to" | "delegate_facts" => {
            "states act on their own minion: use the orchestrate runner for another"
        }
        "run_once" => "the state runs on every minion it is applied to",
        "connection" | "port" | "remote_user" => "the minion runs the state itself",
        "lookup" => "lookups run on Ansible's controller",
        "check_mode" => "test runs are an option of the run (test=True)",
        "any_errors_fatal" | "throttle" => {
            "that is an option of the run (salt --batch-size, orchestrate)"
        }
        "async" | "poll" | "timeout" => {
            "this state cannot be limited in time or put into the background"
        }
        "module_defaults" => "defaults of modules are not applied",
        _ => "Salt has nothing like it",
    }
    .to_owned()
}

fn become_user(draft: &mut Draft<'_>, user: &Value) -> Outcome {
    if user.as_text() == Some("root") {
        return (Kept, String::new());
    }
    let module = draft.function.split('.').next().unwrap_or_default().to_owned();
    let arg = match module.as_str() {
        "cmd" => "runas",
        "git" | "pip" | "npm" | "cron" | "file" | "archive" => "user",
        _ => return (Lost, "this state always runs as root".to_owned()),
    };
    if !draft.args.iter().any(|(name, _)| name == arg) {
        draft.arg(arg, user.clone());
    }
    if module == "file" {
        (Approximated, "the file belongs to that user; root writes it".to_owned())
    } else {
        (Kept, String::new())
    }
}

fn environment(draft: &mut Draft<'_>, value: &Value) -> Outcome {
    let map = match value {
        Value::Map(map) if is_command(draft) => map,
        Value::Map(_) => {
            return (
                Lost,
                "only commands take an environment; set it with environ.setenv".to_owned(),
            );
        }
        _ => return (Lost, "an environment from a variable is not expanded".to_owned()),
    };
    let entry = |(key, value): (&Key, &Value)| {
        let value = Value::String(value.to_text().unwrap_or_default());
        Value::Map(Map::from_entries(vec![(Key::text(&key.label()), value)]))
    };
    let entries: Vec<Value> = map.iter().map(entry).collect();
    draft.arg("env", entries);
    (Kept, String::new())
}

/// `until`, `retries` and `delay` make one argument; the first of them that comes makes it.
fn retry(draft: &mut Draft<'_>, name: &str) -> Outcome {
    let metadata = &draft.operation.metadata;
    if !metadata.contains("until") {
        return (Kept, "nothing is retried without `until`".to_owned());
    }
    if !draft.args.iter().any(|(arg, _)| arg == "retry") {
        let attempts = metadata.present("retries").cloned().unwrap_or(Value::Integer(3));
        let interval = metadata.present("delay").cloned().unwrap_or(Value::Integer(5));
        draft.arg("retry", Map::new().with("attempts", attempts).with("interval", interval));
    }
    if name == "until" {
        (Approximated, "retried until the state succeeds, whatever the condition says".to_owned())
    } else {
        (Kept, String::new())
    }
}
