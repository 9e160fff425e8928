//! The one list of operation types, with the other names that formats and older nodes use.
//!
//! A type outside the list keeps the name its source gave it (`ansible.debug`, `salt.test.ping`).

/// Declares [`Kind`] from rows `Variant "canonical" ["alias", …] "state id prefix"`.
macro_rules! kinds {
    ($($variant:ident $name:literal [$($alias:literal),*] $prefix:literal,)*) => {
        /// A known operation type. [`Kind::name`] is the atom an Elixir caller sees.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
        }

        impl Kind {
            /// All kinds, in the order of the table.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// The canonical name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How ids made for an operation without a task name begin.
            pub fn id_prefix(self) -> &'static str {
                match self { $(Self::$variant => $prefix,)* }
            }

            /// The kind of a canonical name or alias, with the spelling that the table holds.
            fn lookup(name: &str) -> Option<(Self, &'static str)> {
                match name {
                    $($name => Some((Self::$variant, $name)),)*
                    $($($alias => Some((Self::$variant, $alias)),)*)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    PackageInstall "package_install" [] "install_package",
    PackageRemove "package_remove" ["package_delete", "package_purge"] "remove_package",
    PackageUpgrade "package_upgrade" [] "upgrade_package",
    PipInstall "pip_install" ["python_package_install"] "install_pip",
    NpmInstall "npm_install" ["node_package_install"] "install_npm",
    ServiceStart "service_start" [] "start_service",
    ServiceStop "service_stop" [] "stop_service",
    ServiceRestart "service_restart" ["service_reload"] "restart_service",
    ServiceEnable "service_enable" [] "enable_service",
    ServiceDisable "service_disable" [] "disable_service",
    DaemonReload "daemon_reload" [] "reload_daemon",
    FileWrite "file_write" ["file_create"] "manage_file",
    FileCopy "file_copy" [] "copy_file",
    FileTemplate "file_template" [] "template_file",
    FileDelete "file_delete" [] "delete_file",
    FileTouch "file_touch" [] "touch_file",
    FileMode "file_mode" [] "set_mode",
    FileLine "file_line" [] "manage_line",
    FileBlock "file_block" [] "manage_block",
    FileReplace "file_replace" [] "replace_in_file",
    FileDownload "file_download" ["remote_file"] "download_file",
    LinkCreate "link_create" ["symlink_create"] "create_link",
    ArchiveExtract "archive_extract" [] "extract_archive",
    DirectoryCreate "directory_create" [] "create_directory",
    DirectoryDelete "directory_delete" [] "delete_directory",
    UserCreate "user_create" ["user_modify"] "create_user",
    UserDelete "user_delete" [] "delete_user",
    GroupCreate "group_create" [] "create_group",
    GroupDelete "group_delete" [] "delete_group",
    SshKeyCreate "ssh_key_create" ["ssh_authorized_key_create"] "create_ssh_key",
    SshKeyDelete "ssh_key_delete" [] "delete_ssh_key",
    CommandRun "command_run" [] "run_command",
    ShellRun "shell_run" [] "run_shell",
    ScriptExecute "script_execute" [] "execute_script",
    CronCreate "cron_create" [] "create_cron",
    CronDelete "cron_delete" [] "delete_cron",
    GitClone "git_clone" [] "clone_git",
    ContainerRun "container_run" ["docker_container", "docker_container_run", "container_create"] "manage_container",
    ContainerRemove "container_remove" ["docker_container_remove"] "remove_container",
    ContainerImage "docker_image" ["docker_image_pull", "container_image_build", "container_image"] "manage_image",
    MountCreate "mount_create" [] "create_mount",
    MountDelete "mount_delete" [] "delete_mount",
    HostnameSet "hostname_set" [] "set_hostname",
    TimezoneSet "timezone_set" [] "set_timezone",
    LocaleSet "locale_set" [] "set_locale",
    SysctlSet "sysctl_set" [] "set_sysctl",
    KernelModuleLoad "kernel_module_load" [] "load_module",
    KernelModuleUnload "kernel_module_unload" [] "unload_module",
    HostEntryCreate "host_entry_create" [] "create_host_entry",
    RepositoryCreate "repository_create" [] "create_repository",
    RepositoryDelete "repository_delete" [] "delete_repository",
    AlternativeSet "alternative_set" [] "set_alternative",
    SelinuxMode "selinux_mode" [] "set_selinux",
    VariableSet "variable_set" [] "set_variable",
    MessageShow "message_show" [] "show_message",
    RunFail "run_fail" [] "fail_run",
    ConditionAssert "condition_assert" [] "assert_condition",
    WaitFor "wait_for" [] "wait_for",
    FirewallRule "firewall_rule" ["firewall_rule_create", "security_group_create"] "create_firewall_rule",
    ComputeInstanceCreate "compute_instance_create" ["vm_create"] "create_instance",
    StorageBucketCreate "storage_bucket_create" [] "create_bucket",
    StorageVolumeCreate "storage_volume_create" ["storage_pvc_create"] "create_volume",
    DatabaseCreate "database_create" [] "create_database",
    NetworkCreate "network_create" ["network_vpc_create"] "create_network",
    NetworkSubnetCreate "network_subnet_create" [] "create_subnet",
    LoadBalancerCreate "load_balancer_create" [] "create_load_balancer",
    RoleCreate "role_create" ["iam_role_create", "kubernetes_role_create"] "create_role",
    PolicyCreate "policy_create" ["iam_policy_create"] "create_policy",
    FunctionCreate "function_create" [] "create_function",
    ContainerDeploymentCreate "container_deployment_create" ["container_statefulset_create", "container_daemonset_create"] "create_deployment",
    ServiceCreate "service_create" ["kubernetes_service_create"] "create_service",
    ConfigCreate "config_create" [] "create_config",
    SecretCreate "secret_create" [] "create_secret",
    NamespaceCreate "namespace_create" ["kubernetes_namespace_create"] "create_namespace",
}

/// The type of an operation: known, known under another name, or the source's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationType {
    /// A known type under its canonical name.
    Known(Kind),
    /// A known type under another name, which callers get back unchanged.
    Alias(Kind, &'static str),
    /// A type that only its source knows.
    Other(String),
}

impl OperationType {
    /// The type for an atom's text.
    pub fn from_name(name: &str) -> Self {
        match Kind::lookup(name) {
            Some((kind, spelled)) if spelled == kind.name() => Self::Known(kind),
            Some((kind, spelled)) => Self::Alias(kind, spelled),
            None => Self::Other(name.to_owned()),
        }
    }

    /// The atom's text.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(kind) => kind.name(),
            Self::Alias(_, name) => name,
            Self::Other(name) => name,
        }
    }

    /// The known kind, also through an alias.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Known(kind) | Self::Alias(kind, _) => Some(*kind),
            Self::Other(_) => None,
        }
    }
}

impl From<Kind> for OperationType {
    fn from(kind: Kind) -> Self {
        Self::Known(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_names_differ() {
        for kind in Kind::ALL {
            assert_eq!(OperationType::from_name(kind.name()), OperationType::Known(*kind));
        }
    }

    #[test]
    fn aliases_keep_their_spelling_and_unknown_names_stay() {
        let alias = OperationType::from_name("file_create");
        assert_eq!((alias.name(), alias.kind()), ("file_create", Some(Kind::FileWrite)));
        let other = OperationType::from_name("ansible.debug");
        assert_eq!((other.name(), other.kind()), ("ansible.debug", None));
    }
}
