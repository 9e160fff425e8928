//! The keywords of plays, blocks and tasks. A key of a task that is none of these is its module.
// spec: docs.ansible.com, "Playbook Keywords"

/// Keywords of a task besides `name`, `when`, `args`, `action`, `local_action`, `block` and the
/// loops. Each stays in the operation's metadata under its own name.
pub(super) const TASK: &[&str] = &[
    "any_errors_fatal",
    "async",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "changed_when",
    "check_mode",
    "collections",
    "connection",
    "debugger",
    "delay",
    "delegate_facts",
    "delegate_to",
    "diff",
    "environment",
    "failed_when",
    "ignore_errors",
    "ignore_unreachable",
    "listen",
    "loop_control",
    "module_defaults",
    "no_log",
    "notify",
    "poll",
    "port",
    "register",
    "remote_user",
    "retries",
    "run_once",
    "tags",
    "throttle",
    "timeout",
    "until",
    "vars",
];

/// Keywords that tasks take over from their block and play unless they have their own.
pub(super) const INHERITED: &[&str] = &[
    "any_errors_fatal",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "check_mode",
    "connection",
    "delegate_to",
    "ignore_errors",
    "ignore_unreachable",
    "no_log",
    "remote_user",
    "run_once",
];

/// Keywords of a play that say how Ansible runs it, with what Salt users should know about it.
/// An empty text means that nothing is lost.
pub(super) const PLAY_EXECUTION: &[(&str, &str)] = &[
    ("gather_facts", ""),
    ("gather_subset", ""),
    ("gather_timeout", ""),
    ("collections", ""),
    ("fact_path", "custom facts must become custom grains"),
    (
        "serial",
        "rolling batches are an option of the run (salt --batch-size, or the orchestrate runner)",
    ),
    ("strategy", "the order between hosts is an option of the run"),
    ("order", "the order between hosts is an option of the run"),
    ("max_fail_percentage", "the failure limit is an option of the orchestrate runner"),
    ("any_errors_fatal", "stopping all hosts is an option of the orchestrate runner"),
    ("force_handlers", "handlers do not run after a failure"),
    ("vars_prompt", "nothing asks for values: give them as pillar data"),
    ("module_defaults", "defaults of modules are not applied"),
    ("port", "the way to the host is up to the target"),
    ("throttle", "how many hosts run at once is up to the run"),
    ("timeout", "the run's time limit is up to the run"),
    ("debugger", "there is no task debugger"),
    ("diff", "showing differences is an option of the run"),
    ("user", "the remote user is up to the target"),
];

/// Loop keywords whose values are lists of items.
pub(super) const ITEM_LOOPS: &[&str] = &["loop", "with_items", "with_list", "with_flattened"];

/// The short name of a module: fully qualified names lose their collection.
pub(super) fn short_name(module: &str) -> &str {
    match module.rsplit_once('.') {
        Some((collection, name)) if collection.contains('.') && !name.is_empty() => name,
        _ => module,
    }
}

/// Whether a key is a keyword of a task, block or role entry.
pub(super) fn is_task_keyword(key: &str) -> bool {
    matches!(
        key,
        "name"
            | "when"
            | "args"
            | "action"
            | "local_action"
            | "block"
            | "rescue"
            | "always"
            | "loop"
    ) || key.starts_with("with_")
        || TASK.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualified_names_are_shortened() {
        assert_eq!(short_name("ansible.builtin.apt"), "apt");
        assert_eq!(short_name("community.general.npm"), "npm");
        assert_eq!(short_name("apt"), "apt");
    }
}
