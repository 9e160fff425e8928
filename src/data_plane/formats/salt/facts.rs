//! Ansible's facts, filters and values in Salt's words.

/// What a fact is in Salt. The flag says whether it means exactly the same.
pub(super) fn grain(fact: &str) -> Option<(&'static str, bool)> {
    Some(match fact {
        "os_family" => ("grains['os_family']", true),
        "distribution" => ("grains['os']", true),
        "distribution_version" => ("grains['osrelease']", true),
        "distribution_major_version" => ("grains['osmajorrelease'] | string", true),
        "distribution_release" | "lsb.codename" => ("grains['oscodename']", true),
        "hostname" => ("grains['host']", true),
        "nodename" => ("grains['nodename']", true),
        "fqdn" => ("grains['fqdn']", true),
        "domain" => ("grains['domain']", true),
        "architecture" | "machine" => ("grains['cpuarch']", true),
        "kernel" => ("grains['kernelrelease']", true),
        "system" => ("grains['kernel']", true),
        "processor_vcpus" | "processor_nproc" | "processor_count" | "processor_cores" => {
            ("grains['num_cpus']", fact != "processor_cores")
        }
        "memtotal_mb" => ("grains['mem_total']", true),
        "swaptotal_mb" => ("grains['swap_total']", true),
        "service_mgr" => ("grains['init']", true),
        "python_version" => ("grains['pythonversion'] | join('.')", false),
        "virtualization_type" => ("grains['virtual']", false),
        "default_ipv4.address" => ("grains['fqdn_ip4'][0]", false),
        "default_ipv6.address" => ("grains['fqdn_ip6'][0]", false),
        "all_ipv4_addresses" => ("grains['ipv4']", false),
        "all_ipv6_addresses" => ("grains['ipv6']", false),
        "selinux.status" => ("('enabled' if grains['selinux']['enabled'] else 'disabled')", true),
        "user_id" => ("grains['username']", true),
        "system_vendor" => ("grains['manufacturer']", true),
        "product_name" => ("grains['productname']", true),
        "bios_version" => ("grains['biosversion']", true),
        "date_time.epoch" => ("salt['cmd.run']('date +%s')", false),
        "date_time.iso8601" => ("salt['cmd.run']('date -u +%FT%TZ')", false),
        _ => return None,
    })
}

/// Magic variables that are no facts.
pub(super) fn magic(name: &str) -> Option<(&'static str, bool)> {
    Some(match name {
        "inventory_hostname" => ("grains['id']", true),
        "inventory_hostname_short" => ("grains['host']", true),
        "ansible_host" => ("grains['fqdn']", false),
        "ansible_user" | "ansible_ssh_user" => ("grains['username']", false),
        "group_names" => ("grains.get('roles', [])", false),
        "ansible_check_mode" => ("opts['test']", true),
        _ => return None,
    })
}

/// A value of `os_family` or `distribution` as Salt spells it.
pub(super) fn os_name(ansible: &str) -> &str {
    match ansible {
        "Archlinux" => "Arch",
        "OracleLinux" => "OEL",
        "SLES" | "SLES_SAP" => "SUSE",
        "openSUSE Leap" => "openSUSE Leap",
        "Darwin" => "MacOS",
        "RedHat" => "RedHat",
        other => other,
    }
}

/// Filters of Jinja itself.
const BUILT_IN: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "default",
    "d",
    "dictsort",
    "escape",
    "e",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "random",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
    "wordwrap",
    "xmlattr",
    "tojson",
];

/// Filters that Salt adds under Ansible's name.
const OF_SALT: &[&str] = &[
    "quote",
    "union",
    "intersect",
    "difference",
    "symmetric_difference",
    "flatten",
    "md5",
    "regex_search",
    "regex_replace",
    "combinations",
    "permutations",
    "product",
    "zip",
    "zip_longest",
    "ipaddr",
    "ipv4",
    "ipv6",
];

/// How a filter is called in Salt's Jinja. The flag says whether it means exactly the same.
/// `None`: Salt has no such filter.
// spec: docs.saltproject.io, "Understanding Jinja"; jinja.palletsprojects.com, "List of Builtin Filters"
pub(super) fn filter(name: &str) -> Option<(&str, bool)> {
    Some(match name {
        "bool" => ("to_bool", true),
        "to_json" => ("json", true),
        "to_nice_json" => ("json", false),
        "to_yaml" | "to_nice_yaml" => ("yaml(False)", false),
        "from_json" => ("load_json", true),
        "from_yaml" => ("load_yaml", true),
        "b64encode" => ("base64_encode", true),
        "b64decode" => ("base64_decode", true),
        "dict2items" => ("dictsort", false),
        "mandatory" => ("string", false),
        "regex_replace" => ("regex_replace", false),
        name if BUILT_IN.contains(&name) || OF_SALT.contains(&name) => {
            (BUILT_IN.iter().chain(OF_SALT).find(|known| **known == name)?, true)
        }
        _ => return None,
    })
}

/// Tests of Jinja itself, which Salt has too.
pub(super) fn is_test(name: &str) -> bool {
    matches!(
        name,
        "defined"
            | "undefined"
            | "none"
            | "string"
            | "number"
            | "integer"
            | "float"
            | "mapping"
            | "iterable"
            | "sequence"
            | "boolean"
            | "true"
            | "false"
            | "even"
            | "odd"
            | "divisibleby"
            | "in"
            | "sameas"
            | "eq"
            | "equalto"
            | "ne"
            | "lt"
            | "le"
            | "gt"
            | "ge"
            | "lower"
            | "upper"
            | "callable"
            | "test"
            | "filter"
            | "match"
            | "search"
    )
}
