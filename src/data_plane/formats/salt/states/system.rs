//! Settings of the machine: mounts, kernel, names.

use super::super::draft::Draft;
use crate::data_plane::report::Status;
use crate::semantic::{Kind, Value};

pub(super) fn fill(kind: Kind, draft: &mut Draft<'_>) -> bool {
    match kind {
        Kind::MountCreate => mount(draft),
        Kind::MountDelete => unmount(draft),
        Kind::HostnameSet => {
            simple(draft, "network.system");
            draft.args.clear();
            let name = draft.take(&["name"]);
            draft.arg("hostname", name);
            draft.arg("enabled", true);
            draft.arg("apply_hostname", true);
            draft.needless(&["use"]);
        }
        Kind::TimezoneSet => {
            simple(draft, "timezone.system");
            draft.needless(&["hwclock"]);
        }
        Kind::LocaleSet => simple(draft, "locale.present"),
        Kind::SysctlSet => sysctl(draft),
        Kind::KernelModuleLoad | Kind::KernelModuleUnload => {
            module(draft, kind == Kind::KernelModuleLoad)
        }
        Kind::HostEntryCreate => {
            simple(draft, "host.present");
            draft.pass("ip", &["ip"]);
        }
        Kind::AlternativeSet => alternative(draft),
        Kind::SelinuxMode => selinux(draft),
        _ => return false,
    }
    true
}

fn simple(draft: &mut Draft<'_>, function: &str) {
    function.clone_into(&mut draft.function);
    draft.pass("name", &["name"]);
    draft.needless(&["state"]);
}

fn mount(draft: &mut Draft<'_>) {
    let state = draft.take_text(&["state"]).unwrap_or_default();
    draft.function = "mount.mounted".to_owned();
    draft.pass("name", &["path"]);
    draft.pass("device", &["device", "source"]);
    draft.pass("fstype", &["fstype"]);
    draft.pass_list("opts", &["opts", "options"]);
    draft.pass("dump", &["dump"]);
    draft.pass("pass_num", &["passno"]);
    draft.pass("config", &["fstab"]);
    match state.as_str() {
        "present" => draft.arg("mount", false),
        "ephemeral" => draft.arg("persist", false),
        _ => {}
    }
    draft.arg("mkmnt", true);
    if draft.take_flag(&["boot"]) == Some(false) {
        draft.note(Status::Lost, "boot", "add `noauto` to the options");
    }
    draft.needless(&["backup", "opts_no_log"]);
}

fn unmount(draft: &mut Draft<'_>) {
    let state = draft.take_text(&["state"]).unwrap_or_default();
    draft.function = "mount.unmounted".to_owned();
    draft.pass("name", &["path"]);
    draft.pass("device", &["device"]);
    draft.arg("persist", state != "unmounted");
    draft.needless(&["fstype", "opts", "dump", "passno", "fstab", "backup", "boot"]);
}

fn sysctl(draft: &mut Draft<'_>) {
    let absent = draft.take_text(&["state"]).is_some_and(|state| state == "absent");
    if absent {
        draft.function = "file.replace".to_owned();
        let name = draft.take_text(&["name"]).unwrap_or_default();
        let file =
            draft.take_text(&["sysctl_file"]).unwrap_or_else(|| "/etc/sysctl.conf".to_owned());
        draft.arg("name", file);
        draft.arg("pattern", format!("^\\s*{}\\s*=.*\\n?", name.replace('.', "\\.")));
        draft.arg("repl", "");
        draft.arg("ignore_if_missing", true);
        draft.note(
            Status::Approximated,
            "state",
            "the setting leaves the file; the kernel keeps its value until the next boot",
        );
        draft.needless(&["value"]);
    } else {
        simple(draft, "sysctl.present");
        draft.pass("value", &["value"]);
        draft.pass("config", &["sysctl_file"]);
    }
    draft.needless(&["reload", "sysctl_set", "ignoreerrors"]);
}

fn module(draft: &mut Draft<'_>, load: bool) {
    simple(draft, if load { "kmod.present" } else { "kmod.absent" });
    draft.arg("persist", true);
    if draft.take(&["params"]).is_some() {
        draft.note(
            Status::Lost,
            "params",
            "write the options of the module to a file in /etc/modprobe.d",
        );
    }
    match draft.take_text(&["persistent"]).as_deref() {
        Some("disabled") | None => draft.args.retain(|(name, _)| name != "persist"),
        _ => {}
    }
}

fn alternative(draft: &mut Draft<'_>) {
    draft.function = "alternatives.set".to_owned();
    draft.pass("name", &["name"]);
    draft.pass("path", &["path"]);
    if draft.operation.params.present("link").is_some() {
        draft.function = "alternatives.install".to_owned();
        draft.pass("link", &["link"]);
        let priority = draft.take(&["priority"]).unwrap_or(Value::Integer(50));
        draft.arg("priority", priority);
    }
    draft.needless(&["priority", "state", "subcommands"]);
}

fn selinux(draft: &mut Draft<'_>) {
    draft.function = "selinux.mode".to_owned();
    draft.pass("name", &["state"]);
    draft.needless(&["policy", "configfile", "update_kernel_param"]);
}
