//! From the graph to a playbook of one play.
// spec: contract 7.1

use crate::data_plane::format::{Options, TransformError, Transformed};
use crate::data_plane::report::{Report, Status};
use crate::data_plane::yaml::{Text, write_items};
use crate::semantic::{Graph, Key, Kind, Map, Operation, Value};

/// Writes a graph as a playbook.
pub(super) fn transform(graph: &Graph, options: &Options) -> Result<Transformed, TransformError> {
    let order = graph.source_order()?;
    let mut report = Report::default();
    let mut tasks = Vec::new();
    for at in order {
        tasks.push(Value::Map(task(&graph.vertices[at], options, &mut report)));
    }
    if tasks.is_empty() {
        return Ok(Transformed { text: "[]\n".to_owned(), report });
    }
    let hosts = options
        .get("hosts")
        .cloned()
        .or_else(|| common_hosts(graph))
        .unwrap_or_else(|| "all".into());
    let mut play = Map::new();
    play.insert(Key::text("hosts"), hosts);
    if options.is_on("become") {
        play.insert(Key::text("become"), true.into());
    }
    play.insert(Key::text("tasks"), tasks.into());
    let mut text = String::new();
    write_items(&mut text, &[play.into()], 0, Text::Literal);
    Ok(Transformed { text, report })
}

/// The hosts that all operations name.
fn common_hosts(graph: &Graph) -> Option<Value> {
    let first = graph.vertices.first()?.target.text("hosts")?;
    graph
        .vertices
        .iter()
        .all(|operation| operation.target.text("hosts") == Some(first))
        .then(|| first.into())
}

/// A task in the making.
struct Task<'a> {
    operation: &'a Operation,
    taken: Vec<&'static str>,
    args: Map,
}

impl Task<'_> {
    fn pass(&mut self, name: &str, from: &[&'static str]) {
        self.taken.extend(from);
        let found = from.iter().find_map(|key| self.operation.params.present(key));
        if let Some(value) =
            found.filter(|value| !matches!(value, Value::List(items) if items.is_empty()))
        {
            self.args.insert(Key::text(name), value.clone());
        }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.args.insert(Key::text(name), value.into());
    }

    fn ownership(&mut self) {
        self.pass("mode", &["mode"]);
        self.pass("owner", &["owner", "user"]);
        self.pass("group", &["group"]);
    }
}

/// Metadata that are keywords of a task, for graphs that came from Ansible.
const KEYWORDS: &[&str] = &[
    "become",
    "become_user",
    "become_method",
    "loop",
    "loop_control",
    "register",
    "notify",
    "listen",
    "tags",
    "environment",
    "vars",
    "delegate_to",
    "run_once",
    "ignore_errors",
    "no_log",
    "changed_when",
    "failed_when",
    "until",
    "retries",
    "delay",
    "async",
    "poll",
];

fn task(operation: &Operation, options: &Options, report: &mut Report) -> Map {
    let mut making = Task { operation, taken: Vec::new(), args: Map::new() };
    let (module, label) = module(&mut making, options);
    let mut task = Map::new();
    let name = operation
        .metadata
        .text("task_name")
        .filter(|name| *name != "Unnamed task")
        .map_or(label, str::to_owned);
    task.insert(Key::text("name"), name.into());
    let lost: Vec<String> = operation
        .params
        .iter()
        .filter(|(_, value)| {
            !value.is_null() && !matches!(value, Value::List(items) if items.is_empty())
        })
        .filter_map(|(key, _)| key.name())
        .filter(|key| !making.taken.contains(key))
        .map(str::to_owned)
        .collect();
    if operation.metadata.text("source") == Some("ansible") {
        // The source's own arguments are Ansible's too.
        for key in &lost {
            if let Some(value) = operation.params.get(key) {
                making.args.insert(Key::text(key), value.clone());
            }
        }
    } else {
        for key in &lost {
            report.about(
                operation,
                Status::Lost,
                key,
                format!("the module {module} has no such argument"),
            );
        }
    }
    task.insert(Key::text(&module), making.args.into());
    if let Some(when) = operation.target.present("when") {
        task.insert(Key::text("when"), when.clone());
    }
    for keyword in KEYWORDS {
        if let Some(value) = operation.metadata.present(keyword) {
            task.insert(Key::text(keyword), value.clone());
        }
    }
    if operation.kind.kind().is_none() && operation.metadata.text("source") != Some("ansible") {
        report.about(
            operation,
            Status::Lost,
            "type",
            format!("Ansible has no module for {}", operation.kind.name()),
        );
    }
    for origin in operation
        .origin
        .iter()
        .flat_map(|origin| &origin.keys)
        .filter(|key| !lost.contains(&key.entry))
    {
        report.about(operation, Status::Kept, &origin.entry, "");
    }
    task
}

/// Picks the module and fills its arguments; also gives a name for the task.
fn module(task: &mut Task<'_>, options: &Options) -> (String, String) {
    let operation = task.operation;
    let name = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| operation.params.present(key));
        match found {
            Some(Value::List(items)) => {
                items.iter().filter_map(Value::to_text).collect::<Vec<_>>().join(", ")
            }
            Some(value) => value.to_text().unwrap_or_default(),
            None => String::new(),
        }
    };
    let thing = name(&["package", "service", "path", "destination", "name"]);
    let Some(kind) = operation.kind.kind() else { return other(task) };
    match kind {
        Kind::PackageInstall => package(task, options, "present", format!("Install {thing}")),
        Kind::PackageRemove => package(task, options, "absent", format!("Remove {thing}")),
        Kind::PackageUpgrade => package(task, options, "latest", format!("Upgrade {thing}")),
        Kind::ServiceStart => service(task, Some("started"), format!("Start {thing}")),
        Kind::ServiceStop => service(task, Some("stopped"), format!("Stop {thing}")),
        Kind::ServiceRestart => {
            let reload = operation.params.text("state") == Some("reload");
            service(
                task,
                Some(if reload { "reloaded" } else { "restarted" }),
                format!("Restart {thing}"),
            )
        }
        Kind::ServiceEnable => enabled(task, true, format!("Enable {thing}")),
        Kind::ServiceDisable => enabled(task, false, format!("Disable {thing}")),
        Kind::FileWrite | Kind::FileCopy => {
            task.pass("dest", &["destination", "path", "dest", "name"]);
            task.pass("content", &["content", "contents"]);
            task.pass("src", &["source", "src"]);
            task.ownership();
            (
                "copy".to_owned(),
                if kind == Kind::FileWrite {
                    format!("Manage file {thing}")
                } else {
                    format!("Copy file {thing}")
                },
            )
        }
        Kind::FileTemplate => {
            task.pass("src", &["source", "src"]);
            task.pass("dest", &["destination", "path", "dest", "name"]);
            task.ownership();
            ("template".to_owned(), format!("Template file {thing}"))
        }
        Kind::FileDelete | Kind::DirectoryDelete => {
            file(task, "absent", format!("Delete file {thing}"))
        }
        Kind::DirectoryCreate => {
            task.taken.push("makedirs");
            file(task, "directory", format!("Create directory {thing}"))
        }
        Kind::FileTouch => file(task, "touch", format!("Touch {thing}")),
        Kind::FileMode => file(task, "file", format!("Set mode of {thing}")),
        Kind::LinkCreate => {
            task.pass("src", &["source", "src", "target"]);
            file(task, "link", format!("Link {thing}"))
        }
        Kind::UserCreate => user(task, "present", format!("Create user {thing}")),
        Kind::UserDelete => user(task, "absent", format!("Delete user {thing}")),
        Kind::GroupCreate => group(task, "present", format!("Create group {thing}")),
        Kind::GroupDelete => group(task, "absent", format!("Delete group {thing}")),
        Kind::CommandRun => command(task, "command", "Run command"),
        Kind::ShellRun => command(task, "shell", "Run shell command"),
        Kind::CronCreate | Kind::CronDelete => cron(task, kind == Kind::CronCreate),
        Kind::GitClone => {
            task.pass("repo", &["repository", "repo", "name"]);
            task.pass("dest", &["destination", "dest", "target"]);
            task.pass("version", &["revision", "rev", "version"]);
            task.pass("depth", &["depth"]);
            ("git".to_owned(), format!("Clone {thing}"))
        }
        _ => other(task),
    }
}

/// A type without a row above: its own module when it came from Ansible, else a message.
fn other(task: &mut Task<'_>) -> (String, String) {
    let kind = task.operation.kind.name();
    if let Some(module) = task
        .operation
        .metadata
        .text("module")
        .filter(|_| task.operation.metadata.text("source") == Some("ansible"))
    {
        if let Some(original) = original_args(task.operation, module) {
            for (key, value) in original {
                task.args.insert(key, value);
            }
            task.taken.extend([
                "name",
                "path",
                "source",
                "destination",
                "content",
                "command",
                "message",
                "state",
                "user",
                "repository",
                "device",
                "key",
                "package",
                "pattern",
                "replacement",
                "line",
                "regexp",
                "conditions",
                "variable",
            ]);
        }
        return (module.to_owned(), task.operation.label());
    }
    task.set("msg", format!("Operation {kind} not supported in Ansible transformation"));
    ("debug".to_owned(), format!("Unsupported operation: {kind}"))
}

fn original_args(operation: &Operation, module: &str) -> Option<Map> {
    operation.metadata.get("original_task")?.as_map()?.get(module)?.as_map().cloned()
}

fn package(task: &mut Task<'_>, options: &Options, state: &str, label: String) -> (String, String) {
    let os = options
        .get("os")
        .or_else(|| task.operation.target.present("os"))
        .or_else(|| task.operation.target.present("os_family"));
    let os = os.and_then(Value::as_text).unwrap_or_default().to_lowercase();
    let module = match os.as_str() {
        "debian" | "ubuntu" | "linuxmint" | "pop_os" => "apt",
        "redhat" | "centos" | "rhel" | "oracle" => "yum",
        "fedora" | "rocky" | "almalinux" => "dnf",
        "suse" | "opensuse" | "sles" => "zypper",
        "alpine" => "apk",
        "arch" | "manjaro" => "pacman",
        "freebsd" => "pkgng",
        "darwin" | "macos" => "homebrew",
        "windows" => "win_chocolatey",
        _ => task
            .operation
            .metadata
            .text("module")
            .filter(|_| task.operation.metadata.text("source") == Some("ansible"))
            .unwrap_or("package"),
    }
    .to_owned();
    task.pass("name", &["package", "name", "pkgs"]);
    task.set("state", state);
    task.taken.extend(["state", "update_cache", "refresh"]);
    let refresh = task
        .operation
        .params
        .get("update_cache")
        .or_else(|| task.operation.params.get("refresh"))
        .and_then(Value::as_flag);
    if refresh == Some(true) && matches!(module.as_str(), "apt" | "apk" | "pacman") {
        task.set("update_cache", true);
    }
    (module, label)
}

fn service(task: &mut Task<'_>, state: Option<&str>, label: String) -> (String, String) {
    task.pass("name", &["service", "name"]);
    if let Some(state) = state {
        task.set("state", state);
    }
    task.pass("enabled", &["enabled", "enable"]);
    task.taken.extend(["state", "reload", "watch"]);
    ("service".to_owned(), label)
}

fn enabled(task: &mut Task<'_>, on: bool, label: String) -> (String, String) {
    let result = service(task, None, label);
    task.set("enabled", on);
    result
}

fn file(task: &mut Task<'_>, state: &str, label: String) -> (String, String) {
    task.pass("path", &["path", "name", "dest"]);
    task.set("state", state);
    task.taken.push("state");
    task.ownership();
    ("file".to_owned(), label)
}

fn user(task: &mut Task<'_>, state: &str, label: String) -> (String, String) {
    task.pass("name", &["name"]);
    task.set("state", state);
    for key in ["shell", "home", "groups", "uid", "comment"] {
        task.pass(key, &[key]);
    }
    task.pass("group", &["gid", "group"]);
    task.taken.extend(["state", "ensure"]);
    ("user".to_owned(), label)
}

fn group(task: &mut Task<'_>, state: &str, label: String) -> (String, String) {
    task.pass("name", &["name"]);
    task.set("state", state);
    task.pass("gid", &["gid"]);
    task.taken.extend(["state", "ensure"]);
    ("group".to_owned(), label)
}

fn command(task: &mut Task<'_>, module: &str, label: &str) -> (String, String) {
    task.pass("cmd", &["command", "cmd", "name"]);
    task.pass("chdir", &["chdir", "cwd"]);
    task.pass("creates", &["creates"]);
    (module.to_owned(), label.to_owned())
}

fn cron(task: &mut Task<'_>, create: bool) -> (String, String) {
    task.pass("name", &["name"]);
    task.pass("job", &["command", "job"]);
    for key in ["minute", "hour", "day", "month", "weekday", "user"] {
        task.pass(key, &[key]);
    }
    if !create {
        task.set("state", "absent");
    }
    task.taken.push("state");
    ("cron".to_owned(), if create { "Create cron job" } else { "Delete cron job" }.to_owned())
}
