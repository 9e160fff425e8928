//! The table of modules: operation type and arguments of each.

use super::args::FREE_TEXT;
use crate::semantic::Kind;

/// What stands in the params when the source does not have the argument.
#[derive(Clone, Copy)]
pub(super) enum Fill {
    Absent,
    Nil,
    False,
    EmptyList,
    Text(&'static str),
}

/// A parameter: canonical name, the module's names for it, what stands for absence.
pub(super) type Param = (&'static str, &'static [&'static str], Fill);

/// How the operation type follows from the arguments.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    Always(Kind),
    Package(Kind),
    Service,
    File,
    /// Created unless `state: absent`.
    Presence(Kind, Kind),
    Mount,
    Container,
    KernelModule,
}

/// What is known of some modules.
pub(super) struct Row {
    pub(super) names: &'static [&'static str],
    pub(super) rule: Rule,
    pub(super) params: &'static [Param],
}

use Fill::{Absent, EmptyList, False, Nil, Text};

const MODE: Param = ("mode", &["mode"], Nil);
const OWNER: Param = ("owner", &["owner"], Nil);
const GROUP: Param = ("group", &["group"], Nil);
const PACKAGE: &[Param] =
    &[("package", &["name", "pkg", "package"], Nil), ("state", &["state"], Absent)];
const SERVICE: &[Param] = &[
    ("service", &["name", "service", "unit"], Nil),
    ("state", &["state"], Nil),
    ("enabled", &["enabled"], Nil),
    ("daemon_reload", &["daemon_reload", "daemon-reload"], Absent),
];
const COMMAND: &[Param] = &[
    ("command", &["cmd", FREE_TEXT], Nil),
    ("argv", &["argv"], Absent),
    ("chdir", &["chdir"], Nil),
    ("creates", &["creates"], Nil),
    ("removes", &["removes"], Absent),
    ("executable", &["executable"], Absent),
    ("stdin", &["stdin"], Absent),
];
const STATE: Param = ("state", &["state"], Text("present"));

/// The modules. To teach a module: a row here, and the state that each transformer makes of its type.
pub(super) const ROWS: &[Row] = &[
    Row {
        names: &["apt"],
        rule: Rule::Package(Kind::PackageInstall),
        params: &[
            PACKAGE[0],
            PACKAGE[1],
            ("update_cache", &["update_cache", "update-cache"], False),
        ],
    },
    Row {
        names: &["yum", "package", "dnf", "dnf5", "zypper", "apk", "pacman", "homebrew", "pkgng"],
        rule: Rule::Package(Kind::PackageInstall),
        params: &[PACKAGE[0], PACKAGE[1], ("update_cache", &["update_cache"], Absent)],
    },
    Row { names: &["pip"], rule: Rule::Package(Kind::PipInstall), params: PACKAGE },
    Row { names: &["npm"], rule: Rule::Package(Kind::NpmInstall), params: PACKAGE },
    Row {
        names: &["service", "systemd", "systemd_service", "sysvinit"],
        rule: Rule::Service,
        params: SERVICE,
    },
    Row {
        names: &["copy"],
        rule: Rule::Always(Kind::FileCopy),
        params: &[
            ("source", &["src"], Nil),
            ("destination", &["dest", "path"], Nil),
            ("content", &["content"], Nil),
            MODE,
            OWNER,
            GROUP,
        ],
    },
    Row {
        names: &["template"],
        rule: Rule::Always(Kind::FileTemplate),
        params: &[("source", &["src"], Nil), ("destination", &["dest"], Nil), MODE, OWNER, GROUP],
    },
    Row {
        names: &["file"],
        rule: Rule::File,
        params: &[
            ("path", &["path", "dest", "name"], Nil),
            ("state", &["state"], Text("file")),
            MODE,
            OWNER,
            GROUP,
            ("source", &["src"], Absent),
        ],
    },
    Row {
        names: &["lineinfile"],
        rule: Rule::Presence(Kind::FileLine, Kind::FileLine),
        params: &[
            ("path", &["path", "dest", "destfile", "name"], Nil),
            ("line", &["line", "value"], Nil),
            ("regexp", &["regexp", "regex"], Nil),
            STATE,
        ],
    },
    Row {
        names: &["blockinfile"],
        rule: Rule::Presence(Kind::FileBlock, Kind::FileBlock),
        params: &[
            ("path", &["path", "dest", "destfile", "name"], Nil),
            ("content", &["block", "content"], Nil),
            STATE,
        ],
    },
    Row {
        names: &["replace"],
        rule: Rule::Always(Kind::FileReplace),
        params: &[
            ("path", &["path", "dest", "destfile", "name"], Nil),
            ("pattern", &["regexp"], Nil),
            ("replacement", &["replace"], Text("")),
        ],
    },
    Row {
        names: &["get_url"],
        rule: Rule::Always(Kind::FileDownload),
        params: &[("source", &["url"], Nil), ("destination", &["dest"], Nil), MODE, OWNER, GROUP],
    },
    Row {
        names: &["unarchive"],
        rule: Rule::Always(Kind::ArchiveExtract),
        params: &[
            ("source", &["src"], Nil),
            ("destination", &["dest"], Nil),
            ("owner", &["owner"], Absent),
            ("group", &["group"], Absent),
        ],
    },
    Row {
        names: &["user"],
        rule: Rule::Presence(Kind::UserCreate, Kind::UserDelete),
        params: &[
            ("name", &["name", "user"], Nil),
            STATE,
            ("shell", &["shell"], Nil),
            ("home", &["home"], Nil),
            ("groups", &["groups"], EmptyList),
        ],
    },
    Row {
        names: &["group"],
        rule: Rule::Presence(Kind::GroupCreate, Kind::GroupDelete),
        params: &[("name", &["name"], Nil), STATE, ("gid", &["gid"], Absent)],
    },
    Row {
        names: &["authorized_key"],
        rule: Rule::Presence(Kind::SshKeyCreate, Kind::SshKeyDelete),
        params: &[("user", &["user"], Nil), ("key", &["key"], Nil), STATE],
    },
    Row { names: &["command", "raw"], rule: Rule::Always(Kind::CommandRun), params: COMMAND },
    Row { names: &["shell"], rule: Rule::Always(Kind::ShellRun), params: COMMAND },
    Row {
        names: &["script"],
        rule: Rule::Always(Kind::ScriptExecute),
        params: &[
            ("source", &["cmd", FREE_TEXT], Nil),
            ("chdir", &["chdir"], Absent),
            ("creates", &["creates"], Absent),
            ("removes", &["removes"], Absent),
            ("executable", &["executable"], Absent),
        ],
    },
    Row {
        names: &["cron"],
        rule: Rule::Presence(Kind::CronCreate, Kind::CronDelete),
        params: &[("name", &["name"], Nil), ("command", &["job"], Nil), STATE],
    },
    Row {
        names: &["git"],
        rule: Rule::Always(Kind::GitClone),
        params: &[
            ("repository", &["repo", "name"], Nil),
            ("destination", &["dest"], Nil),
            ("revision", &["version"], Absent),
            ("depth", &["depth"], Absent),
        ],
    },
    Row {
        names: &["docker_container"],
        rule: Rule::Container,
        params: &[
            ("name", &["name"], Nil),
            ("image", &["image"], Absent),
            ("state", &["state"], Text("started")),
            ("environment", &["env"], Absent),
            ("volumes", &["volumes"], Absent),
            ("ports", &["ports", "published_ports"], Absent),
        ],
    },
    Row {
        names: &["docker_image"],
        rule: Rule::Presence(Kind::ContainerImage, Kind::ContainerImage),
        params: &[("name", &["name"], Nil), ("tag", &["tag"], Absent), STATE],
    },
    Row {
        names: &["mount"],
        rule: Rule::Mount,
        params: &[
            ("path", &["path", "name"], Nil),
            ("device", &["src"], Nil),
            ("fstype", &["fstype"], Nil),
            ("state", &["state"], Nil),
        ],
    },
    Row {
        names: &["hostname"],
        rule: Rule::Always(Kind::HostnameSet),
        params: &[("name", &["name"], Nil)],
    },
    Row {
        names: &["timezone"],
        rule: Rule::Always(Kind::TimezoneSet),
        params: &[("name", &["name"], Nil)],
    },
    Row {
        names: &["locale_gen"],
        rule: Rule::Always(Kind::LocaleSet),
        params: &[("name", &["name"], Nil)],
    },
    Row {
        names: &["sysctl"],
        rule: Rule::Presence(Kind::SysctlSet, Kind::SysctlSet),
        params: &[("name", &["name", "key"], Nil), ("value", &["value", "val"], Nil), STATE],
    },
    Row {
        names: &["modprobe"],
        rule: Rule::KernelModule,
        params: &[("name", &["name"], Nil), STATE],
    },
    Row {
        names: &["apt_repository", "yum_repository"],
        rule: Rule::Presence(Kind::RepositoryCreate, Kind::RepositoryDelete),
        params: &[("name", &["repo", "name"], Nil), STATE],
    },
    Row {
        names: &["alternatives"],
        rule: Rule::Always(Kind::AlternativeSet),
        params: &[("name", &["name"], Nil), ("path", &["path"], Nil)],
    },
    Row {
        names: &["selinux"],
        rule: Rule::Always(Kind::SelinuxMode),
        params: &[("state", &["state"], Nil)],
    },
    Row { names: &["set_fact"], rule: Rule::Always(Kind::VariableSet), params: &[] },
    Row {
        names: &["debug"],
        rule: Rule::Always(Kind::MessageShow),
        params: &[("message", &["msg"], Absent), ("variable", &["var"], Absent)],
    },
    Row {
        names: &["fail"],
        rule: Rule::Always(Kind::RunFail),
        params: &[("message", &["msg"], Text("Failed as requested from task"))],
    },
    Row {
        names: &["assert"],
        rule: Rule::Always(Kind::ConditionAssert),
        params: &[("conditions", &["that"], Nil), ("message", &["fail_msg", "msg"], Absent)],
    },
    Row {
        names: &["wait_for"],
        rule: Rule::Always(Kind::WaitFor),
        params: &[
            ("host", &["host"], Absent),
            ("port", &["port"], Absent),
            ("path", &["path"], Absent),
            ("timeout", &["timeout"], Absent),
            ("state", &["state"], Absent),
        ],
    },
];
