//! Operations that tell, check or stop rather than change.

use super::super::draft::Draft;
use super::super::literal::quoted;
use crate::data_plane::report::Status;
use crate::semantic::{Kind, Value};

pub(super) fn fill(kind: Kind, draft: &mut Draft<'_>) -> bool {
    match kind {
        Kind::MessageShow => message(draft),
        Kind::RunFail => {
            draft.function = "test.fail_without_changes".to_owned();
            let text = draft.take(&["message"]).unwrap_or_else(|| "Failed as requested".into());
            draft.arg("name", text);
            draft.arg("failhard", true);
        }
        Kind::ConditionAssert => assertion(draft),
        Kind::WaitFor => wait(draft),
        Kind::VariableSet => {
            // Variables are written before the states that follow; see `variables`.
            let names = draft.leftovers();
            draft.needless(&names.iter().map(String::as_str).collect::<Vec<_>>());
            if draft.operation.params.get("cacheable").and_then(Value::as_flag) == Some(true) {
                draft.note(Status::Approximated, "cacheable", "the value lives in this file only");
            }
        }
        _ => return false,
    }
    true
}

fn message(draft: &mut Draft<'_>) {
    draft.function = "test.show_notification".to_owned();
    let variable = draft.take_text(&["variable"]);
    let text = match (draft.take(&["message"]), variable) {
        (Some(text), _) => text.to_text().unwrap_or_else(|| super::super::literal::literal(&text)),
        (None, Some(variable)) => format!("{variable}: {{{{ {variable} }}}}"),
        (None, None) => "Hello world!".to_owned(),
    };
    draft.arg("text", text);
    draft.needless(&["verbosity"]);
}

/// An assertion fails the state file's run when one of its conditions does not hold.
fn assertion(draft: &mut Draft<'_>) {
    draft.function = "test.configurable_test_state".to_owned();
    let conditions: Vec<String> = match draft.take(&["conditions"]) {
        Some(Value::List(items)) => items.iter().filter_map(Value::to_text).collect(),
        Some(other) => other.to_text().into_iter().collect(),
        None => Vec::new(),
    };
    let message = draft.take_text(&["message"]).unwrap_or_else(|| {
        format!("Assertion: {}", conditions.join(", ").replace("{{", "").replace("}}", ""))
    });
    let all = conditions
        .iter()
        .map(|condition| format!("({condition})"))
        .collect::<Vec<_>>()
        .join(" and ");
    draft.arg("changes", false);
    draft.arg("result", format!("{{{{ ({all}) | bool }}}}"));
    draft.arg(
        "comment",
        if message.contains("{{") {
            message
        } else {
            quoted(&message).trim_matches('\'').to_owned()
        },
    );
    draft.needless(&["success_msg", "quiet"]);
}

fn wait(draft: &mut Draft<'_>) {
    let timeout =
        draft.take(&["timeout"]).unwrap_or(Value::Integer(300)).to_text().unwrap_or_default();
    let host = draft.take_text(&["host"]).unwrap_or_else(|| "127.0.0.1".to_owned());
    let gone = draft
        .take_text(&["state"])
        .is_some_and(|state| state == "absent" || state == "stopped" || state == "drained");
    let test = match (draft.take_text(&["port"]), draft.take_text(&["path"])) {
        (Some(port), _) => format!("(echo > /dev/tcp/{host}/{port}) 2>/dev/null"),
        (None, Some(path)) => format!("test -e {path}"),
        (None, None) => "false".to_owned(),
    };
    let until = if gone { "while" } else { "until" };
    let is_pause = test == "false";
    draft.function = "cmd.run".to_owned();
    draft.arg(
        "name",
        if is_pause {
            format!("sleep {timeout}")
        } else {
            format!("timeout {timeout} bash -c '{until} {test}; do sleep 1; done'")
        },
    );
    if let Some(delay) = draft.take_text(&["delay"])
        && let Some((_, command)) = draft.args.first_mut()
    {
        *command = format!("sleep {delay}; {}", command.to_text().unwrap_or_default()).into();
    }
    if let Some(text) = draft.take(&["search_regex"]).and_then(|text| text.to_text()) {
        draft.note(Status::Lost, "search_regex", format!("the text `{text}` is not looked for"));
    }
    draft.needless(&[
        "sleep",
        "connect_timeout",
        "msg",
        "exclude_hosts",
        "active_connection_states",
    ]);
    draft.note(Status::Approximated, "module", "a loop of the shell waits, and counts as a change");
}
