//! What `har start` prints for who reads it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use crate::config::{CookieSource, NameDomain, ProtoDist, Settings};
use crate::node::HarNode;

/// What is printed when the node is up: its places, and lines to paste into `iex` and into another
/// terminal, wherever that one stands.
pub(super) fn text(settings: &Settings, node: &HarNode) -> String {
    let name = node.node().name().as_str();
    let mut text = String::new();
    let tls = settings.proto_dist.value == ProtoDist::InetTls;
    let (for_erl, flags_of_har) = ways(settings);
    let _ = writeln!(text, "{name} is up");
    if let Some(address) = node.listen_address() {
        let _ = writeln!(text, "  distribution  {address}{}", if tls { " (TLS)" } else { "" });
    }
    let port = settings.epmd_port.value;
    let fixed = settings.dist_port.value;
    let whose = if node.epmd_embedded() { "embedded" } else { "joined" };
    let _ = match fixed {
        0 => writeln!(text, "  epmd          port {port} ({whose})"),
        _ => writeln!(text, "  epmd          none: every node listens on port {fixed}"),
    };
    if let Some(address) = node.ops_address() {
        let _ = writeln!(text, "  ops           http://{address}/metrics /healthz /readyz");
    }
    let (cookie, for_iex, for_har) = cookie(settings);
    let _ = writeln!(text, "  cookie        {cookie}\n");
    let usual = port == 4369 || fixed != 0;
    let environment = if usual { String::new() } else { format!("ERL_EPMD_PORT={port} ") };
    let form = match settings.names.value {
        NameDomain::Long => "--name me@127.0.0.1",
        NameDomain::Short => "--sname me",
    };
    let _ = writeln!(text, "From iex:");
    let _ = writeln!(text, "  {environment}iex {form}{for_iex}{for_erl}");
    let _ = writeln!(text, "  Node.connect(:\"{name}\")");
    let _ = writeln!(text, "  :rpc.call(:\"{name}\", HAR, :version, [])\n");
    let typed = std::env::args_os().next().unwrap_or_else(|| "har".into());
    let har = command(&typed);
    let _ = writeln!(text, "From another terminal:");
    let _ = writeln!(text, "  {environment}{har} ping {name}{for_har}{flags_of_har}");
    let _ = writeln!(
        text,
        "  {environment}{har} rpc {name}{for_har}{flags_of_har} --elixir HAR version '[]'\n"
    );
    text + "Ctrl-C stops it.\n"
}

/// What `iex` and `har` need to be told of how nodes are found and of TLS.
fn ways(settings: &Settings) -> (String, String) {
    let (mut for_erl, mut for_har) = (Vec::new(), String::new());
    if settings.dist_port.value != 0 {
        let port = settings.dist_port.value;
        // It could not listen on the port of this node.
        for_erl.push(format!("-start_epmd false -erl_epmd_port {port} -dist_listen false"));
        let _ = write!(for_har, " --dist-port {port}");
    }
    if settings.proto_dist.value == ProtoDist::InetTls {
        let optfile = absolute(&settings.tls_optfile.value);
        for_erl.push(format!("-proto_dist inet_tls -ssl_dist_optfile {optfile}"));
        let _ = write!(for_har, " --ssl-dist-optfile {}", quoted(&optfile));
    }
    let for_iex = match for_erl.as_slice() {
        [] => String::new(),
        flags => format!(" --erl \"{}\"", flags.join(" ")),
    };
    (for_iex, for_har)
}

/// Where the cookie is, and what `iex` and `har` need to be told to use it.
fn cookie(settings: &Settings) -> (String, String, String) {
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let Some(setting) = &settings.cookie else { return Default::default() };
    match &setting.value {
        CookieSource::File(path)
            if home.is_some_and(|home| home.join(".erlang.cookie") == *path) =>
        {
            (path.display().to_string(), String::new(), String::new())
        }
        CookieSource::File(path) => {
            let path = absolute(path);
            let quoted = quoted(&path);
            let (for_iex, for_har) =
                (format!(" --cookie \"$(cat {quoted})\""), format!(" --cookie-file {quoted}"));
            (path, for_iex, for_har)
        }
        CookieSource::Given(_) => {
            let origin = format!("from {}", setting.origin);
            (origin, " --cookie COOKIE".into(), " --cookie COOKIE".into())
        }
    }
}

/// How another terminal runs the program that was started as `typed`: a name that the shell looks up
/// stays, a path is told from the root.
fn command(typed: &OsStr) -> String {
    if typed.as_encoded_bytes().contains(&b'/') {
        quoted(&absolute(Path::new(typed)))
    } else {
        quoted(&typed.to_string_lossy())
    }
}

/// `path` from the root; as it is when the working directory is not known.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("/etc/har/cookie"), "/etc/har/cookie");
        assert_eq!(quoted("/my file's"), "'/my file'\\''s'");
    }

    #[test]
    fn a_program_started_by_path_is_found_from_anywhere() {
        assert_eq!(command(OsStr::new("har")), "har");
        assert_eq!(command(OsStr::new("/usr/bin/har")), "/usr/bin/har");
        let here = std::env::current_dir().expect("known").display().to_string();
        let told = command(OsStr::new("target/release/har"));
        assert_eq!(told, quoted(&format!("{here}/target/release/har")));
    }
}
