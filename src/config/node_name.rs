//! From what the operator typed (`har`, `har@10.0.0.1`) to a full node name.

use super::NameDomain;

/// Characters of a node name, both parts: it must fit an atom.
const NODE_NAME_CHARS_MAX: usize = 255;

/// Completes `typed` with `host` when it has no host part, and checks it as a BEAM would.
///
/// # Errors
/// Says what is wrong and what would be right.
pub(super) fn complete(
    typed: &str,
    domain: NameDomain,
    host: impl FnOnce() -> String,
) -> Result<String, String> {
    let name = match typed.split_once('@') {
        Some(_) => typed.to_owned(),
        None => format!("{typed}@{}", host()),
    };
    check(&name, domain)?;
    Ok(name)
}

/// Checks a full name: `alive@host`, the host dotted exactly when names are long.
///
/// # Errors
/// Says what is wrong and what would be right.
pub(super) fn check(name: &str, domain: NameDomain) -> Result<(), String> {
    let Some((alive, host)) = name.split_once('@') else {
        return Err(format!("`{name}` has no host; write NAME@HOST, such as har@127.0.0.1"));
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if alive.is_empty() || !alive.chars().all(plain) {
        return Err(format!(
            "`{alive}` cannot name a node; use letters, digits, `_` and `-` before the @"
        ));
    }
    if host.is_empty() || host.contains('@') || host.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(format!("`{host}` is no host name; write NAME@HOST, such as har@127.0.0.1"));
    }
    if name.chars().count() > NODE_NAME_CHARS_MAX {
        return Err(format!("the name has more than {NODE_NAME_CHARS_MAX} characters"));
    }
    match (domain, host.contains(['.', ':'])) {
        (NameDomain::Long, false) => Err(format!(
            "long names need a dotted host and `{host}` has no dot; use --sname {alive} or an IP address"
        )),
        (NameDomain::Short, true) => Err(format!(
            "short names need a host without dots and `{host}` has one; use --name {name}"
        )),
        _ => Ok(()),
    }
}

/// The host part of short names: this machine's name up to the first dot.
pub(crate) fn short_host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match name.split('.').next() {
        Some(host) if !host.is_empty() => host.to_owned(),
        _ => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(typed: &str) -> Result<String, String> {
        complete(typed, NameDomain::Long, || "10.0.0.1".to_owned())
    }

    fn short(typed: &str) -> Result<String, String> {
        complete(typed, NameDomain::Short, || "box".to_owned())
    }

    #[test]
    fn a_missing_host_is_completed() {
        assert_eq!(long("har"), Ok("har@10.0.0.1".to_owned()));
        assert_eq!(long("har@h.example"), Ok("har@h.example".to_owned()));
        assert_eq!(short("har"), Ok("har@box".to_owned()));
    }

    #[test]
    fn the_kinds_of_names_do_not_mix() {
        assert!(long("har@box").expect_err("no dot").contains("--sname har"));
        assert!(short("har@a.b").expect_err("a dot").contains("--name har@a.b"));
        assert_eq!(long("har@::1"), Ok("har@::1".to_owned()));
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["", "@h.e", "a b@h.e", "a@", "a@b@c.d", "a@h.e\n", "ä@h.e"] {
            assert!(long(name).is_err(), "{name:?}");
        }
        assert!(long(&format!("{}@h.e", "a".repeat(252))).is_err());
        assert!(long(&format!("{}@h.e", "a".repeat(251))).is_ok());
    }
}
