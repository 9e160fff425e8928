//! Services.

use super::super::draft::Draft;
use crate::data_plane::report::Status;
use crate::semantic::{Kind, Value};

pub(super) fn fill(kind: Kind, draft: &mut Draft<'_>) -> bool {
    let handler = draft.operation.metadata.text("section") == Some("handlers");
    match kind {
        Kind::ServiceStart => named(draft, "service.running", true),
        Kind::ServiceStop => named(draft, "service.dead", true),
        Kind::ServiceEnable => named(draft, "service.enabled", false),
        Kind::ServiceDisable => named(draft, "service.disabled", false),
        // A handler watches what notifies it: the service runs, and restarts on changes.
        Kind::ServiceRestart if handler => {
            named(draft, "service.running", true);
            if is_reload(draft) {
                draft.arg("reload", true);
            }
        }
        Kind::ServiceRestart => {
            let function = if is_reload(draft) { "service.reload" } else { "service.restart" };
            draft.function = "module.run".to_owned();
            draft.arg("name", function);
            let service = draft.take(&["service", "name"]);
            draft.arg("m_name", service);
            enabled_elsewhere(draft);
        }
        Kind::DaemonReload => {
            draft.function = "module.run".to_owned();
            draft.arg("name", "service.systemctl_reload");
            draft.needless(&["service", "state", "enabled", "daemon_reload"]);
        }
        _ => return false,
    }
    rest(draft);
    true
}

fn is_reload(draft: &Draft<'_>) -> bool {
    draft.operation.params.text("state") == Some("reload")
        || draft.operation.kind.name() == "service_reload"
}

fn named(draft: &mut Draft<'_>, function: &str, takes_enable: bool) {
    function.clone_into(&mut draft.function);
    let service = draft.take(&["service", "name"]);
    draft.arg("name", service);
    let enabled = draft.take(&["enabled", "enable"]);
    // The contract writes `enable` only when the source says something truthy about it.
    match enabled {
        Some(value) if takes_enable => match value.as_flag() {
            Some(flag) => draft.arg("enable", flag),
            None => draft.arg("enable", value),
        },
        _ => {}
    }
}

fn enabled_elsewhere(draft: &mut Draft<'_>) {
    if draft.take(&["enabled"]).is_some() {
        draft.note(
            Status::Lost,
            "enabled",
            "a restart does not set whether the service starts at boot",
        );
    }
}

fn rest(draft: &mut Draft<'_>) {
    if let Some(Value::String(state)) = draft.take(&["state"])
        && !matches!(state.as_str(), "started" | "stopped" | "restarted" | "reloaded")
    {
        draft.note(
            Status::Approximated,
            "state",
            format!("the state `{state}` is decided at run time: taken for started"),
        );
    }
    if draft.take_flag(&["daemon_reload"]) == Some(true) && draft.function != "module.run" {
        draft.note(
            Status::Approximated,
            "daemon_reload",
            "Salt reloads systemd by itself when unit files changed",
        );
    }
    draft.pass_flag("no_block", &["no_block"]);
    draft.pass("sig", &["pattern"]);
    draft.pass_flag("reload", &["reload"]);
    if draft.take_flag(&["masked"]) == Some(false) {
        draft.arg("unmask", true);
    } else if draft.operation.params.get("masked").and_then(Value::as_flag) == Some(true) {
        draft.function = "service.masked".to_owned();
        draft.args.retain(|(name, _)| name == "name");
    }
    draft.pass("init_delay", &["sleep"]);
    if let Some(scope) = draft.take_text(&["scope"])
        && scope != "system"
    {
        draft.note(Status::Lost, "scope", "Salt manages the services of the system, not of a user");
    }
    draft.needless(&["use", "runlevel", "daemon_reexec", "force"]);
}
