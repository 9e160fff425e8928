//! The cookie: where it comes from, and the care its file needs.
//!
//! Order: `--cookie`, `--cookie-file`, `HAR_COOKIE`, `RELEASE_COOKIE`, `node.cookie_file`,
//! `~/.erlang.cookie`, `$XDG_CONFIG_HOME/erlang/.erlang.cookie`. A file that does not exist is
//! created with mode 0400 and random content; one that others may read is refused.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{ConfigError, Environment};

/// Letters of a made cookie: 26^32 is over 150 bits.
const COOKIE_MADE_LETTERS: usize = 32;
/// The longest cookie: it must fit an atom.
const COOKIE_BYTES_MAX: usize = 255;
/// Bytes read from a cookie file: the longest cookie, its newline, and one to see there is more.
const COOKIE_FILE_BYTES_MAX: u64 = 512;

/// A cookie as text. Neither `Debug` nor any log shows it; it is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ErlangCookie(Zeroizing<String>);

impl ErlangCookie {
    /// Checks `text` for what a cookie may be: 1 to 255 printable ASCII characters, no spaces.
    ///
    /// # Errors
    /// [`ConfigError::CookieMalformed`] naming `origin`, never the text.
    pub fn new(text: &str, origin: &str) -> Result<Self, ConfigError> {
        let refuse = |reason| Err(ConfigError::CookieMalformed { origin: origin.into(), reason });
        if text.is_empty() {
            return refuse("it is empty; write 1 to 255 printable characters on one line");
        }
        if text.len() > COOKIE_BYTES_MAX {
            return refuse("it is longer than 255 characters");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("it holds spaces or unprintable characters; use one line of ASCII");
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The cookie itself. For the handshake only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ErlangCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErlangCookie(********)")
    }
}

/// Where the cookie is to be taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CookieSource {
    /// Given as text by a flag or a variable.
    Given(ErlangCookie),
    /// In this file.
    File(PathBuf),
}

impl CookieSource {
    /// The cookie. A file that does not exist is made, unless `create` is false.
    ///
    /// # Errors
    /// The file cannot be read, made or trusted, or its content is no cookie.
    pub fn cookie(&self, create: bool) -> Result<ErlangCookie, ConfigError> {
        match self {
            Self::Given(cookie) => Ok(cookie.clone()),
            Self::File(path) => read_or_create(path, create),
        }
    }
}

/// The file a BEAM of this user would take, or make.
pub(super) fn default_file(environment: &Environment) -> Option<PathBuf> {
    let home = environment.variable("HOME").map(PathBuf::from);
    let at_home = home.as_ref().map(|home| home.join(".erlang.cookie"));
    if at_home.as_ref().is_some_and(|path| path.exists()) {
        return at_home;
    }
    let configs = environment.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let configs = configs.or_else(|| home.map(|home| home.join(".config")));
    let below_configs = configs.map(|dir| dir.join("erlang").join(".erlang.cookie"));
    below_configs.filter(|path| path.exists()).or(at_home)
}

fn read_or_create(path: &Path, create: bool) -> Result<ErlangCookie, ConfigError> {
    match read(path) {
        Err(ConfigError::CookieUnreadable { source, .. })
            if create && source.kind() == io::ErrorKind::NotFound =>
        {
            make(path)
        }
        outcome => outcome,
    }
}

fn read(path: &Path) -> Result<ErlangCookie, ConfigError> {
    let unreadable = |source| ConfigError::CookieUnreadable { path: path.into(), source };
    // The open file is asked, not the path again: the two could differ by then.
    let file = fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ConfigError::CookieExposed { path: path.into(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(COOKIE_FILE_BYTES_MAX as usize));
    io::Read::read_to_string(&mut io::Read::take(file, COOKIE_FILE_BYTES_MAX), &mut text)
        .map_err(unreadable)?;
    ErlangCookie::new(text.trim_end(), &path.display().to_string())
}

fn make(path: &Path) -> Result<ErlangCookie, ConfigError> {
    let failed = |source| ConfigError::CookieNotCreated { path: path.into(), source };
    let letters = random_letters().map_err(failed)?;
    // Whole before it has its name: others start at the same time, and a crash must leave no empty file.
    let draft = draft_beside(path).map_err(failed)?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o400).open(&draft).map_err(failed)?;
    let written = file.write_all(letters.as_bytes()).and_then(|()| file.sync_all());
    let named = written.and_then(|()| fs::hard_link(&draft, path));
    // It has served, or failed; what stays of it harms nobody.
    let _ = fs::remove_file(&draft);
    match named {
        // Another node of the same user was quicker: take its cookie.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return read(path),
        named => named.map_err(failed)?,
    }
    tracing::info!(file = %path.display(), "made a new cookie");
    ErlangCookie::new(&letters, "a random source")
}

/// A name beside the file that nobody else has.
fn draft_beside(path: &Path) -> io::Result<PathBuf> {
    let random = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{random:016x}"));
    Ok(name.into())
}

fn random_letters() -> io::Result<String> {
    let mut letters = String::with_capacity(COOKIE_MADE_LETTERS);
    let mut bytes = [0_u8; 64];
    while letters.len() < COOKIE_MADE_LETTERS {
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        // 234 = 9 * 26: a byte above would favour the first letters.
        let fair = bytes.iter().filter(|byte| **byte < 234);
        letters.extend(fair.map(|byte| char::from(b'A' + byte % 26)));
    }
    letters.truncate(COOKIE_MADE_LETTERS);
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("exists").permissions().mode() & 0o7777
    }

    #[test]
    fn an_absent_file_is_made_once_and_only_for_its_owner() {
        let dir = tempfile::tempdir().expect("temp dir");
        let source = CookieSource::File(dir.path().join("cookie"));
        assert!(matches!(source.cookie(false), Err(ConfigError::CookieUnreadable { .. })));
        let made = source.cookie(true).expect("made");
        assert_eq!(made.reveal().len(), COOKIE_MADE_LETTERS);
        assert_eq!(mode(&dir.path().join("cookie")), 0o400);
        assert_eq!(source.cookie(true).expect("read"), made);
        let other = CookieSource::File(dir.path().join("other")).cookie(true).expect("made");
        assert_ne!(other, made);
    }

    #[test]
    fn nodes_that_start_together_make_one_cookie() {
        let dir = tempfile::tempdir().expect("temp dir");
        for round in 0..20 {
            let source = CookieSource::File(dir.path().join(format!("cookie{round}")));
            let start = std::sync::Barrier::new(8);
            let cookies: Vec<_> = std::thread::scope(|scope| {
                let one = || {
                    start.wait();
                    source.cookie(true).expect("made or read")
                };
                let nodes: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                nodes.into_iter().map(|node| node.join().expect("no panic")).collect()
            });
            assert!(cookies.iter().all(|cookie| *cookie == cookies[0]));
        }
        let left = fs::read_dir(dir.path()).expect("there").count();
        assert_eq!(left, 20, "no drafts");
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("cookie");
        fs::write(&path, "SECRET\n").expect("write");
        for bits in [0o440, 0o404, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).expect("chmod");
            let error = CookieSource::File(path.clone()).cookie(true).expect_err("exposed");
            assert!(error.to_string().contains("chmod 400"), "{error}");
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        let cookie = CookieSource::File(path).cookie(true).expect("fine");
        assert_eq!(cookie.reveal(), "SECRET");
    }

    #[test]
    fn malformed_cookies_are_refused_without_showing_them() {
        for text in ["", "two words", "line\nline", "\u{e9}t\u{e9}", &"x".repeat(256)] {
            let error = ErlangCookie::new(text, "--cookie").expect_err("malformed").to_string();
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        assert!(ErlangCookie::new(&"x".repeat(255), "--cookie").is_ok());
    }

    #[test]
    fn debug_hides_the_cookie() {
        let cookie = ErlangCookie::new("SECRET", "a test").expect("fine");
        assert!(!format!("{:?}", CookieSource::Given(cookie)).contains("SECRET"));
    }

    #[test]
    fn the_default_file_is_the_one_a_beam_takes() {
        let dir = tempfile::tempdir().expect("temp dir");
        let home = dir.path().to_str().expect("utf-8").to_owned();
        let environment: Environment = [("HOME".to_owned(), home)].into_iter().collect();
        let at_home = dir.path().join(".erlang.cookie");
        assert_eq!(default_file(&environment), Some(at_home.clone()));
        let below_configs = dir.path().join(".config/erlang");
        fs::create_dir_all(&below_configs).expect("mkdir");
        fs::write(below_configs.join(".erlang.cookie"), "X").expect("write");
        assert_eq!(default_file(&environment), Some(below_configs.join(".erlang.cookie")));
        fs::write(&at_home, "Y").expect("write");
        assert_eq!(default_file(&environment), Some(at_home));
        assert_eq!(default_file(&Environment::default()), None);
    }
}
