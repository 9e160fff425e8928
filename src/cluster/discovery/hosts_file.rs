//! `.hosts.erlang`: names of hosts as Erlang atoms, each with a full stop.
// spec: net_adm, "Files"

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use erlang_interop::term::{Term, parse_erlang};

use crate::cluster::limits::HOSTS_FILE_BYTES_MAX;

/// Its usual name.
pub(super) const NAME: &str = ".hosts.erlang";

/// The hosts in `file`, or in the first of the usual places that has one: here, then at home.
///
/// # Errors
/// Says which file is wrong and how.
pub(super) fn hosts(file: Option<&Path>) -> Result<Vec<String>, String> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(NAME));
    let places = match file {
        Some(file) => vec![file.to_owned()],
        None => [Some(PathBuf::from(NAME)), home].into_iter().flatten().collect(),
    };
    let Some(path) = places.iter().find(|path| path.exists()) else {
        return Err(format!("couldn't find {NAME} file"));
    };
    let wrong = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(|error| wrong(&error))?;
    file.take(HOSTS_FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| wrong(&error))?;
    parse(&text).map_err(|reason| wrong(&reason))
}

/// One host a line. Atoms need quotes when the host has a dot, as in Erlang.
fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut hosts = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('%').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let host = line.strip_suffix('.').and_then(|atom| parse_erlang(atom).ok());
        match host.as_ref().and_then(Term::as_atom) {
            Some(host) => hosts.push(host.as_str().to_owned()),
            None => return Err(format!("line {number}: `{line}` is not like 'host.example.org'.")),
        }
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_atoms_with_a_full_stop() {
        let text = "% ours\n'a.example.org'.\n\n  box. % short\n'10.0.0.1'.\n";
        assert_eq!(parse(text), Ok(["a.example.org", "box", "10.0.0.1"].map(str::to_owned).into()));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert!(parse("'a.b'.\nnot quoted here\n").unwrap_err().starts_with("line 2:"));
        assert!(parse("{a}.\n").is_err());
        assert!(parse("'a.b'\n").is_err());
    }

    #[test]
    fn a_missing_file_is_named() {
        assert!(hosts(Some(Path::new("/nowhere/hosts"))).unwrap_err().contains(NAME));
    }
}
