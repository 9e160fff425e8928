//! Operations as Salt states: which function, which arguments.
//!
//! One file a family. A function here takes what it can say from the draft's params; what it leaves
//! is reported as lost by the caller.

mod accounts;
mod commands;
mod files;
mod messages;
mod packages;
mod services;
mod system;

use super::draft::Draft;
use crate::data_plane::report::Status;
use crate::semantic::Value;

/// Fills the draft of an operation. Returns false when Salt has nothing for it.
pub(super) fn fill(draft: &mut Draft<'_>) -> bool {
    let Some(kind) = draft.operation.kind.kind() else { return fill_other(draft) };
    packages::fill(kind, draft)
        || services::fill(kind, draft)
        || files::fill(kind, draft)
        || accounts::fill(kind, draft)
        || commands::fill(kind, draft)
        || system::fill(kind, draft)
        || messages::fill(kind, draft)
}

/// Types that only their source knows, where Salt needs or has something for them.
fn fill_other(draft: &mut Draft<'_>) -> bool {
    let name = draft.operation.kind.name().to_owned();
    if let Some(function) = name.strip_prefix("salt.") {
        function.clone_into(&mut draft.function);
        pass_through(draft);
        return true;
    }
    match name.as_str() {
        "ansible.setup" | "ansible.gather_facts" => {
            let all: Vec<String> = draft.leftovers();
            draft.needless(&all.iter().map(String::as_str).collect::<Vec<_>>());
            true
        }
        "ansible.ping" => {
            draft.function = "test.nop".to_owned();
            draft.needless(&["data"]);
            true
        }
        "ansible.meta" => meta(draft),
        "ansible.stat" => {
            // States that use the result ask by themselves; see `conditions`.
            draft.needless(&[
                "path",
                "get_checksum",
                "get_md5",
                "get_mime",
                "get_attributes",
                "follow",
                "checksum_algorithm",
            ]);
            true
        }
        "ansible.uri" => {
            uri(draft);
            true
        }
        "ansible.pause" => {
            pause(draft);
            true
        }
        _ => false,
    }
}

/// A request whose answer is checked.
fn uri(draft: &mut Draft<'_>) {
    draft.function = "http.query".to_owned();
    draft.pass("name", &["url"]);
    match draft.take(&["status_code"]) {
        Some(Value::List(codes)) => {
            let codes: Vec<String> = codes.iter().filter_map(Value::to_text).collect();
            draft.arg("status", codes.join("|"));
            draft.arg("status_type", "pcre");
        }
        Some(code) => draft.arg("status", code),
        None => draft.arg("status", Value::Integer(200)),
    }
    draft.pass("method", &["method"]);
    draft.pass("data", &["body"]);
    draft.pass("header_dict", &["headers"]);
    draft.pass("username", &["url_username", "user"]);
    draft.pass("password", &["url_password", "password"]);
    if draft.take_flag(&["validate_certs"]) == Some(false) {
        draft.arg("verify_ssl", false);
    }
    draft.needless(&[
        "return_content",
        "follow_redirects",
        "timeout",
        "force_basic_auth",
        "use_proxy",
    ]);
}

fn pause(draft: &mut Draft<'_>) {
    let minutes = draft.take_text(&["minutes"]);
    let seconds = draft.take_text(&["seconds"]);
    if draft.take(&["prompt"]).is_some() {
        draft.note(Status::Lost, "prompt", "nobody is asked during a run");
    }
    if let Some(time) = minutes.map(|minutes| format!("{minutes}m")).or(seconds) {
        draft.function = "cmd.run".to_owned();
        draft.arg("name", format!("sleep {time}"));
        draft.note(Status::Approximated, "module", "a command waits, and counts as a change");
    }
    draft.needless(&["echo"]);
}

fn meta(draft: &mut Draft<'_>) -> bool {
    let action = draft.take_text(&["_raw"]).unwrap_or_default();
    match action.as_str() {
        "flush_handlers" => {
            let detail = "handlers run after all tasks of the play, not here";
            draft.note(Status::Approximated, "_raw", detail);
            true
        }
        "noop" | "refresh_inventory" | "clear_facts" | "clear_host_errors" | "reset_connection" => {
            true
        }
        _ => false,
    }
}

/// All params as arguments under their own names.
fn pass_through(draft: &mut Draft<'_>) {
    let names = draft.leftovers();
    for name in names {
        draft.pass(&name, &[&name]);
    }
}
