//! Commands, scripts, schedules, checkouts and containers.

use super::super::draft::Draft;
use crate::data_plane::report::Status;
use crate::semantic::{Key, Kind, Map, Value};

pub(super) fn fill(kind: Kind, draft: &mut Draft<'_>) -> bool {
    match kind {
        Kind::CommandRun => command(draft, false),
        Kind::ShellRun => command(draft, true),
        Kind::ScriptExecute => script(draft),
        Kind::CronCreate => cron(draft, "cron.present"),
        Kind::CronDelete => cron(draft, "cron.absent"),
        Kind::GitClone => git(draft),
        Kind::ContainerRun => container(draft),
        Kind::ContainerRemove => {
            draft.function = "docker_container.absent".to_owned();
            draft.pass("name", &["name"]);
            draft.arg("force", true);
            draft.needless(&["state", "image"]);
        }
        Kind::ContainerImage => image(draft),
        _ => return false,
    }
    true
}

fn command(draft: &mut Draft<'_>, shell: bool) {
    draft.function = "cmd.run".to_owned();
    let argv = draft.take(&["argv"]);
    let command = draft.take(&["command", "cmd", "_raw"]);
    match (command, argv) {
        (Some(command), _) => draft.arg("name", command),
        (None, Some(Value::List(words))) => draft.arg("name", joined(&words)),
        (None, other) => draft.arg("name", other),
    }
    let executable = draft.take(&["executable"]);
    match executable {
        Some(executable) => draft.arg("shell", executable),
        None if shell => draft.arg("shell", "/bin/bash"),
        None => {}
    }
    draft.pass("cwd", &["chdir", "cwd"]);
    draft.pass("creates", &["creates"]);
    draft.pass("runas", &["runas", "user"]);
    draft.pass("unless", &["unless"]);
    draft.pass("onlyif", &["onlyif"]);
    if let Some(path) = draft.take_text(&["removes"]) {
        draft.arg("onlyif", format!("test -e {path}"));
    }
    draft.pass("stdin", &["stdin"]);
    draft.needless(&[
        "warn",
        "stdin_add_newline",
        "strip_empty_ends",
        "expand_argument_vars",
        "refreshonly",
    ]);
    if let Some(Value::List(paths)) = draft.operation.params.get("path") {
        let path = paths.iter().filter_map(Value::as_text).collect::<Vec<_>>().join(":");
        draft.needless(&["path"]);
        draft.arg("env", vec![Map::from_entries(vec![(Key::text("PATH"), path.into())]).into()]);
    }
}

/// Words as a command line for the shell.
fn joined(words: &[Value]) -> String {
    let quote = |word: &Value| {
        let text = word.to_text().unwrap_or_default();
        let plain = text.chars().all(|c| c.is_alphanumeric() || "-_./=:,@%+{} ".contains(c))
            && (!text.contains(' ') || text.contains("{{"));
        if plain && !text.is_empty() { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn script(draft: &mut Draft<'_>) {
    draft.function = "cmd.script".to_owned();
    let text = draft.take_text(&["source", "script", "name", "_raw"]).unwrap_or_default();
    let (file, arguments) = text.split_once(' ').unwrap_or((&text, ""));
    let source = if file.contains("://") || file.starts_with('/') {
        file.to_owned()
    } else {
        format!("salt://{file}")
    };
    // The name is the command line, with which Salt runs its copy of the source.
    let line = if arguments.is_empty() { source.clone() } else { format!("{file} {arguments}") };
    draft.arg("name", line);
    draft.arg("source", source);
    if draft.operation.metadata.text("source") == Some("ansible") {
        draft.note(
            Status::Approximated,
            "source",
            format!("put the script into the file roots, to be found as salt://{file}"),
        );
    }
    draft.pass("cwd", &["chdir", "cwd"]);
    draft.pass("creates", &["creates"]);
    draft.pass("shell", &["executable"]);
    if let Some(path) = draft.take_text(&["removes"]) {
        draft.arg("onlyif", format!("test -e {path}"));
    }
    draft.needless(&["decrypt"]);
}

fn cron(draft: &mut Draft<'_>, function: &str) {
    function.clone_into(&mut draft.function);
    let name = draft.take(&["name"]);
    let command = draft.take(&["command", "job"]);
    draft.needless(&["state"]);
    if draft.take_flag(&["env"]) == Some(true) {
        draft.function = function.replace("cron.", "cron.env_");
        draft.arg("name", name);
        draft.arg("value", command);
        draft.pass("user", &["user"]);
        return;
    }
    match command {
        Some(command) => draft.arg("name", command),
        None => draft.arg("name", name.clone()),
    }
    // The identifier ties the entry to Ansible's `#Ansible: name` line of the same meaning.
    draft.arg("identifier", name);
    draft.pass("user", &["user"]);
    for field in ["minute", "hour"] {
        draft.pass(field, &[field]);
    }
    draft.pass("daymonth", &["day", "monthday", "daymonth"]);
    draft.pass("month", &["month"]);
    draft.pass("dayweek", &["weekday", "dayweek"]);
    draft.pass("special", &["special_time", "special"]);
    if draft.take_flag(&["disabled"]) == Some(true) {
        draft.arg("commented", true);
    }
    if draft.take(&["cron_file"]).is_some() {
        draft.note(
            Status::Lost,
            "cron_file",
            "Salt writes the user's crontab; use file.managed for a file in /etc/cron.d",
        );
    }
    draft.needless(&["backup"]);
}

fn git(draft: &mut Draft<'_>) {
    draft.function = "git.latest".to_owned();
    let repository = draft.take(&["repository", "repo", "name"]);
    draft.arg("name", repository);
    draft.pass("target", &["destination", "dest", "target"]);
    match draft.take_text(&["revision", "version"]) {
        Some(revision) if revision == "HEAD" => {}
        Some(revision) => draft.arg("rev", revision),
        None => {}
    }
    draft.pass("depth", &["depth"]);
    draft.pass("identity", &["key_file"]);
    draft.pass("user", &["user"]);
    if draft.take_flag(&["force"]) == Some(true) {
        draft.arg("force_reset", true);
    }
    draft.pass_flag("submodules", &["recursive"]);
    draft.pass("remote", &["remote"]);
    draft.pass_flag("bare", &["bare"]);
    if draft.take_flag(&["update"]) == Some(false) {
        draft.note(
            Status::Lost,
            "update",
            "git.latest brings an existing checkout up to date; use git.cloned to leave it",
        );
    }
    draft.approximated("accept_hostkey", "add an ssh_known_hosts.present state for the server");
    draft.approximated("ssh_opts", "set the options in the user's ssh configuration");
    draft.needless(&["clone", "refspec", "single_branch", "track_submodules", "umask"]);
}

fn container(draft: &mut Draft<'_>) {
    let state = draft.take_text(&["state"]).unwrap_or_default();
    draft.function =
        if state == "stopped" { "docker_container.stopped" } else { "docker_container.running" }
            .to_owned();
    draft.pass("name", &["name"]);
    draft.pass("image", &["image"]);
    if state == "stopped" {
        let rest = draft.leftovers();
        draft.needless(&rest.iter().map(String::as_str).collect::<Vec<_>>());
        return;
    }
    draft.pass("port_bindings", &["ports"]);
    draft.pass("binds", &["volumes"]);
    draft.pass("environment", &["environment", "env"]);
    draft.pass("command", &["command"]);
    draft.pass("entrypoint", &["entrypoint"]);
    match draft.take_text(&["restart_policy", "restart"]) {
        Some(policy) if policy == "no" || policy == "false" => {}
        Some(policy) => {
            let retries = draft.take_text(&["restart_retries"]);
            draft.arg(
                "restart_policy",
                retries.map_or(policy.clone(), |retries| format!("{policy}:{retries}")),
            );
        }
        None => {}
    }
    for name in [
        "hostname",
        "labels",
        "user",
        "privileged",
        "network_mode",
        "dns",
        "working_dir",
        "cap_add",
        "cap_drop",
        "tmpfs",
    ] {
        draft.pass(name, &[name]);
    }
    draft.pass("extra_hosts", &["etc_hosts", "extra_hosts"]);
    draft.pass("mem_limit", &["memory"]);
    draft.pass_flag("force", &["recreate"]);
    draft.pass("networks", &["networks"]);
    draft.needless(&[
        "pull",
        "detach",
        "networks_cli_compatible",
        "comparisons",
        "container_default_behavior",
    ]);
}

fn image(draft: &mut Draft<'_>) {
    let absent = draft.take_text(&["state"]).is_some_and(|state| state == "absent");
    draft.function = if absent { "docker_image.absent" } else { "docker_image.present" }.to_owned();
    draft.pass("name", &["name", "image"]);
    draft.pass("tag", &["tag"]);
    draft.pass_flag("force", &["force_source"]);
    match draft
        .take(&["build"])
        .as_ref()
        .and_then(Value::as_map)
        .and_then(|build| build.text("path"))
        .map(str::to_owned)
    {
        Some(path) => {
            draft.arg("build", path);
        }
        None => draft.needless(&["build"]),
    }
    draft.needless(&["source"]);
}
