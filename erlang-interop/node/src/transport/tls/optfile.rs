//! The file of `-ssl_dist_optfile`: `[{server, [Option]}, {client, [Option]}].`
//!
//! spec: ssl, "Using TLS for Erlang Distribution"

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use erlang_term::{Term, parse_erlang};

use super::error::{TlsConfigError, TlsSide};
use super::options::{self, SideOptions};
use crate::limits::TLS_FILE_BYTES_MAX;

/// The options of both sides.
#[derive(Clone, Debug)]
pub(super) struct DistOptions {
    /// `None`: the file has no such list.
    pub(super) server: Option<SideOptions>,
    pub(super) client: SideOptions,
}

/// Reads and checks an options file.
pub(super) fn read(path: &Path) -> Result<DistOptions, TlsConfigError> {
    let bytes = read_file(path)?;
    let wrong = |reason: String| TlsConfigError::OptFile { path: path.to_owned(), reason };
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    parse(&text).map_err(|error| match error {
        Fault::Form(reason) => wrong(reason),
        Fault::Option(TlsConfigError::Option { side, name, reason }) => {
            wrong(format!("{side} option {name}: {reason}"))
        }
        Fault::Option(other) => other,
    })
}

enum Fault {
    Form(String),
    Option(TlsConfigError),
}

fn parse(text: &str) -> Result<DistOptions, Fault> {
    const EXPECTED: &str = "expected [{server, [Option]}, {client, [Option]}].";
    let term = parse_erlang(text).map_err(|error| Fault::Form(error.to_string()))?;
    let (mut server, mut client) = (None, None);
    for entry in term.list_iter().ok_or_else(|| Fault::Form(EXPECTED.to_owned()))? {
        match entry.as_tuple() {
            Some([Term::Atom(side), list]) if side.as_str() == "server" => {
                server = Some(options::read(TlsSide::Server, list).map_err(Fault::Option)?);
            }
            Some([Term::Atom(side), list]) if side.as_str() == "client" => {
                client = Some(options::read(TlsSide::Client, list).map_err(Fault::Option)?);
            }
            _ => return Err(Fault::Form(format!("{EXPECTED} Found {entry}"))),
        }
    }
    // A file without the list is one with nothing in it.
    let client = match client {
        Some(client) => client,
        None => options::read(TlsSide::Client, &Term::Nil).map_err(Fault::Option)?,
    };
    Ok(DistOptions { server, client })
}

/// Reads a small file whole.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, TlsConfigError> {
    let unreadable = |source: std::io::Error| TlsConfigError::Unreadable {
        path: path.to_owned(),
        source: Arc::new(source),
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(TLS_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > TLS_FILE_BYTES_MAX {
        return Err(TlsConfigError::TooLarge { path: path.to_owned(), max: TLS_FILE_BYTES_MAX });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        file
    }

    #[test]
    fn comments_and_the_final_dot_are_fine() {
        let file = write(
            "% the cluster's\n[{server, [{certfile, \"/s.pem\"}, % ours\n\
             {keyfile, \"/k.pem\"}]},\n {client, [{verify, verify_none}]}].\n",
        );
        let options = read(file.path()).expect("good options");
        assert!(options.server.is_some_and(|server| server.keyfile.is_some()));
        assert!(!options.client.verify_peer);
        let only_client = write("[{client, [{verify, verify_none}]}].");
        assert!(read(only_client.path()).expect("good options").server.is_none());
    }

    #[test]
    fn what_is_wrong_is_named_with_the_file() {
        for (text, expected) in [
            ("[{server, [}].", "line 1, column 12"),
            ("{server, []}.", "expected [{server"),
            ("[{servers, []}].", "Found {servers"),
            ("[{server, [{verify_fun, {m, f, s}}]}].", "server option verify_fun: can't"),
            ("[{server, []}].", "client option cacertfile: verify_peer"),
        ] {
            let file = write(text);
            let error = read(file.path()).expect_err(text).to_string();
            assert!(error.starts_with(&file.path().display().to_string()), "{error}");
            assert!(error.contains(expected), "{error}");
        }
        let error = read(Path::new("/no/such/ssl.conf")).expect_err("absent").to_string();
        assert!(error.contains("cannot read /no/such/ssl.conf"), "{error}");
    }

    #[test]
    fn an_endless_file_is_not_read_to_its_end() {
        let error = read(Path::new("/dev/zero")).expect_err("endless");
        assert!(matches!(error, TlsConfigError::TooLarge { .. }), "{error}");
    }
}
