//! One list of options, `server` or `client`, as typed values.
//!
//! Each option of OTP's is honoured, accepted because it changes nothing here, or refused with the
//! cure. None is dropped in silence. spec: ssl, "Data Types"

use std::fmt;
use std::path::PathBuf;

use erlang_term::Term;
use rustls::{ProtocolVersion, SupportedCipherSuite};

use super::ciphers;
use super::error::{TlsConfigError, TlsSide};
use super::text::text_of;
use crate::limits::TLS_DEPTH_DEFAULT;

/// The options of one side.
#[derive(Clone, Debug)]
pub(super) struct SideOptions {
    pub(super) certfile: Option<PathBuf>,
    pub(super) keyfile: Option<PathBuf>,
    pub(super) cacertfile: Option<PathBuf>,
    pub(super) password: Option<Password>,
    pub(super) verify_peer: bool,
    pub(super) fail_if_no_peer_cert: bool,
    pub(super) versions: Vec<ProtocolVersion>,
    /// `None`: all we have.
    pub(super) ciphers: Option<Vec<SupportedCipherSuite>>,
    /// CAs between the peer's certificate and one of ours, at most.
    pub(super) depth: usize,
    pub(super) crl_check: CrlCheck,
    pub(super) crl_dir: Option<PathBuf>,
    pub(super) reuse_sessions: bool,
    pub(super) server_name: ServerNameOption,
    /// What to tell the user about options that are honoured in part.
    pub(super) notes: Vec<String>,
}

impl Default for SideOptions {
    fn default() -> Self {
        Self {
            certfile: None,
            keyfile: None,
            cacertfile: None,
            password: None,
            verify_peer: false,
            fail_if_no_peer_cert: false,
            versions: vec![ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2],
            ciphers: None,
            depth: TLS_DEPTH_DEFAULT,
            crl_check: CrlCheck::No,
            crl_dir: None,
            reuse_sessions: true,
            server_name: ServerNameOption::Host,
            notes: Vec::new(),
        }
    }
}

/// The password of a key file.
#[derive(Clone)]
pub(super) struct Password(String);

impl Password {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Which certificates must be in no revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrlCheck {
    No,
    /// The peer's and those of its CAs.
    Chain,
    /// The peer's.
    Peer,
    /// As `Chain`, as far as there are lists.
    BestEffort,
}

/// The name a dialer looks for in the peer's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerNameOption {
    /// The host of the node's name.
    Host,
    /// This one.
    Given(String),
    /// None: any certificate of our CAs will do.
    Disabled,
}

/// Options that change nothing here, with OTP's defaults or without.
const WITHOUT_EFFECT: [&str; 14] = [
    // Each renegotiation and each compression is off in rustls.
    "secure_renegotiate",
    "client_renegotiation",
    // Suites with finite-field Diffie-Hellman are not offered.
    "dh",
    "dhfile",
    // Ours are in order of strength already, and a process a connection is a BEAM's matter.
    "honor_cipher_order",
    "honor_ecc_order",
    "hibernate_after",
    "log_level",
    "log_alert",
    "ktls",
    "session_tickets",
    "beast_mitigation",
    "padding_check",
    "middlebox_comp_mode",
];

/// Options that would change what is accepted, and that we can't honour, each with the cure.
const REFUSED: [(&str, &str); 15] = [
    (
        "verify_fun",
        "this node runs no Erlang; remove it here, and let the CA decide: {verify, verify_peer} \
         with a cacertfile of the cluster's own",
    ),
    ("partial_chain", "this node runs no Erlang; put the CA you trust into cacertfile"),
    ("user_lookup_fun", "keys shared in advance are not supported; use certificates"),
    ("psk_identity", "keys shared in advance are not supported; use certificates"),
    ("srp_identity", "SRP is not supported; use certificates"),
    ("sni_fun", "this node runs no Erlang; give one certfile"),
    ("sni_hosts", "a node has one name; give its certfile"),
    ("customize_hostname_check", "this node runs no Erlang; put the host into the certificate"),
    ("cert", "give certfile, the name of a PEM file"),
    ("key", "give keyfile, the name of a PEM file"),
    ("cacerts", "give cacertfile, the name of a PEM file"),
    ("certs_keys", "give certfile and keyfile of the one pair to use"),
    ("cert_keys", "give certfile and keyfile of the one pair to use"),
    ("anti_replay", "early data is never taken; remove it"),
    ("next_protocols_advertised", "distribution negotiates no protocol; remove it"),
];

/// Reads the options of one side.
pub(super) fn read(side: TlsSide, list: &Term) -> Result<SideOptions, TlsConfigError> {
    let wrong_form = || fault(side, "list", "expected [{Option, Value}, ...]".to_owned());
    // A dialer verifies unless told otherwise, as since OTP 26: what was left unsaid before is too
    // dear a default.
    let mut options = SideOptions { verify_peer: side == TlsSide::Client, ..Default::default() };
    let mut seen: Vec<String> = Vec::new();
    for entry in list.list_iter().ok_or_else(wrong_form)? {
        let (name, value) = match entry.as_tuple() {
            Some([Term::Atom(name), value]) => (name.as_str(), value.clone()),
            // A bare atom is an option that is true.
            _ => match entry.as_atom() {
                Some(name) => (name.as_str(), Term::atom("true")),
                None => return Err(wrong_form()),
            },
        };
        // As in a property list, the first of two wins.
        if !seen.iter().any(|other| other == name) {
            seen.push(name.to_owned());
            options.set(name, &value).map_err(|reason| fault(side, name, reason))?;
        }
    }
    options.checked(side)
}

fn fault(side: TlsSide, name: &str, reason: String) -> TlsConfigError {
    TlsConfigError::Option { side, name: name.to_owned(), reason }
}

impl SideOptions {
    fn set(&mut self, name: &str, value: &Term) -> Result<(), String> {
        match name {
            "certfile" => self.certfile = Some(path(value)?),
            "keyfile" => self.keyfile = Some(path(value)?),
            "cacertfile" => self.cacertfile = Some(path(value)?),
            // OTP's default, and no password.
            "password" if matches!(value, Term::Nil) => {}
            "password" => {
                let text = text_of(value).ok_or("expected a string; funs can't be called here")?;
                self.password = Some(Password(text));
            }
            "verify" => {
                self.verify_peer = choice(value, &[("verify_none", false), ("verify_peer", true)])?;
            }
            "fail_if_no_peer_cert" => self.fail_if_no_peer_cert = boolean(value)?,
            "versions" => self.versions = self.read_versions(value)?,
            "ciphers" => self.ciphers = self.read_ciphers(value)?,
            "depth" => {
                let depth = value.as_integer().and_then(|depth| usize::try_from(depth).ok());
                self.depth = depth.ok_or("expected a whole number from 0")?;
            }
            "crl_check" => {
                self.crl_check = choice(
                    value,
                    &[
                        ("false", CrlCheck::No),
                        ("true", CrlCheck::Chain),
                        ("peer", CrlCheck::Peer),
                        ("best_effort", CrlCheck::BestEffort),
                    ],
                )?;
            }
            "crl_cache" => self.crl_dir = Some(crl_dir(value)?),
            "reuse_sessions" => {
                let choices = [("true", true), ("save", true), ("false", false)];
                self.reuse_sessions = choice(value, &choices)?;
            }
            "server_name_indication" => {
                self.server_name = match text_of(value) {
                    Some(name) => ServerNameOption::Given(name),
                    None => choice(value, &[("disable", ServerNameOption::Disabled)])?,
                };
            }
            _ if WITHOUT_EFFECT.contains(&name) => {}
            _ => return Err(refusal(name)),
        }
        Ok(())
    }

    fn read_versions(&mut self, value: &Term) -> Result<Vec<ProtocolVersion>, String> {
        const EXPECTED: &str = "expected a list of 'tlsv1.2' and 'tlsv1.3'";
        let mut versions = Vec::new();
        for version in value.list_iter().ok_or(EXPECTED)? {
            match version.as_atom().map(|atom| atom.as_str().to_owned()).as_deref() {
                Some("tlsv1.3") => versions.push(ProtocolVersion::TLSv1_3),
                Some("tlsv1.2") => versions.push(ProtocolVersion::TLSv1_2),
                Some(old @ ("tlsv1.1" | "tlsv1" | "sslv3")) => {
                    self.notes.push(format!("{old} is never offered: it is not safe"));
                }
                _ => return Err(format!("{version} is no version; {EXPECTED}")),
            }
        }
        if versions.is_empty() {
            return Err("none of these is offered here; add 'tlsv1.2' or 'tlsv1.3'".to_owned());
        }
        Ok(versions)
    }

    fn read_ciphers(&mut self, value: &Term) -> Result<Option<Vec<SupportedCipherSuite>>, String> {
        if matches!(value, Term::Nil) {
            // As in OTP: the default.
            return Ok(None);
        }
        let expected = || format!("expected a list of names; we have {}", ciphers::names());
        let chosen = ciphers::choose(value).ok_or_else(expected)?;
        if chosen.suites.is_empty() {
            let unknown = chosen.unknown.join(", ");
            return Err(format!("none of {unknown} is offered here; we have {}", ciphers::names()));
        }
        for name in chosen.unknown {
            self.notes.push(format!("cipher {name} is not offered here"));
        }
        Ok(Some(chosen.suites))
    }

    /// What needs several options to be judged.
    fn checked(mut self, side: TlsSide) -> Result<Self, TlsConfigError> {
        if let Some(suites) = &self.ciphers {
            let has = |version: &ProtocolVersion| {
                suites.iter().any(|suite| suite.version().version == *version)
            };
            self.versions.retain(has);
            if self.versions.is_empty() {
                let reason = "none of them is for one of the versions".to_owned();
                return Err(fault(side, "ciphers", reason));
            }
        }
        if self.verify_peer && self.cacertfile.is_none() {
            let reason = match side {
                TlsSide::Server => "verify_peer needs it: the PEM file of the CAs to trust",
                TlsSide::Client => {
                    "verify_peer, the default of a client as since OTP 26, needs it: the PEM file of \
                     the CAs to trust; {verify, verify_none} does without, and takes anyone who \
                     answers for the node"
                }
            };
            return Err(fault(side, "cacertfile", reason.to_owned()));
        }
        if self.fail_if_no_peer_cert && !self.verify_peer {
            let reason = "it needs {verify, verify_peer} beside it".to_owned();
            return Err(fault(side, "fail_if_no_peer_cert", reason));
        }
        if self.crl_check != CrlCheck::No && self.crl_dir.is_none() {
            let reason = "give the lists in a directory: {crl_cache, {ssl_crl_hash_dir, \
                          {internal, [{dir, \"DIR\"}]}}}; none are fetched"
                .to_owned();
            return Err(fault(side, "crl_check", reason));
        }
        if self.keyfile.is_some() && self.certfile.is_none() {
            return Err(fault(side, "certfile", "keyfile needs it".to_owned()));
        }
        Ok(self)
    }
}

fn refusal(name: &str) -> String {
    match REFUSED.iter().find(|(refused, _)| *refused == name) {
        Some((_, cure)) => format!("can't be honoured: {cure}"),
        None => "is not known; correct or remove it".to_owned(),
    }
}

fn path(value: &Term) -> Result<PathBuf, String> {
    text_of(value).map(PathBuf::from).ok_or_else(|| "expected the name of a file".to_owned())
}

fn boolean(value: &Term) -> Result<bool, String> {
    choice(value, &[("true", true), ("false", false)])
}

fn choice<T: Clone>(value: &Term, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| value.is_atom(name));
    found.map(|(_, choice)| choice.clone()).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("expected {}", names.join(" or "))
    })
}

/// The directory in `{ssl_crl_hash_dir, {internal, [{dir, Dir}]}}`.
fn crl_dir(value: &Term) -> Result<PathBuf, String> {
    const EXPECTED: &str = "expected {ssl_crl_hash_dir, {internal, [{dir, \"DIR\"}]}}";
    let found = || {
        let [module, state] = value.as_tuple()? else { return None };
        let [internal, list] = state.as_tuple()? else { return None };
        if !module.is_atom("ssl_crl_hash_dir") || !internal.is_atom("internal") {
            return None;
        }
        list.list_iter()?.find_map(|entry| match entry.as_tuple() {
            Some([key, dir]) if key.is_atom("dir") => text_of(dir),
            _ => None,
        })
    };
    found().map(PathBuf::from).ok_or_else(|| EXPECTED.to_owned())
}

#[cfg(test)]
mod tests {
    use erlang_term::parse_erlang;

    use super::*;

    fn of(side: TlsSide, text: &str) -> Result<SideOptions, String> {
        read(side, &parse_erlang(text).expect("a term")).map_err(|e| e.to_string())
    }

    fn options(text: &str) -> Result<SideOptions, String> {
        of(TlsSide::Server, text)
    }

    #[test]
    fn options_are_read_as_otp_reads_them() {
        let options = options(
            r#"[{certfile, "/c.pem"}, {keyfile, <<"/k.pem">>}, {cacertfile, "/ca.pem"},
                {password, "secret"}, {verify, verify_peer}, {fail_if_no_peer_cert, true},
                {versions, ['tlsv1.2']}, {depth, 2}, {secure_renegotiate, true},
                {reuse_sessions, false}, {hibernate_after, 5000}, {depth, 7},
                {crl_check, peer}, {crl_cache, {ssl_crl_hash_dir, {internal, [{dir, "/crls"}]}}},
                {ciphers, ["ECDHE-RSA-AES256-GCM-SHA384", "AES256-SHA"]}]"#,
        )
        .expect("good options");
        assert_eq!(options.certfile.as_deref(), Some("/c.pem".as_ref()));
        assert_eq!(options.keyfile.as_deref(), Some("/k.pem".as_ref()));
        assert!(options.verify_peer && options.fail_if_no_peer_cert && !options.reuse_sessions);
        assert_eq!(options.versions, [ProtocolVersion::TLSv1_2]);
        assert_eq!(options.depth, 2, "the first of two counts");
        assert_eq!(options.crl_check, CrlCheck::Peer);
        assert_eq!(options.crl_dir.as_deref(), Some("/crls".as_ref()));
        assert_eq!(options.ciphers.as_ref().map(Vec::len), Some(1));
        assert_eq!(options.notes, ["cipher AES256-SHA is not offered here"]);
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn a_server_given_nothing_has_both_versions_and_verifies_nobody() {
        let options = options("[]").expect("good options");
        assert!(!options.verify_peer && !options.fail_if_no_peer_cert);
        assert_eq!(options.versions.len(), 2);
    }

    #[test]
    fn a_client_verifies_unless_told_otherwise() {
        let client = |text| of(TlsSide::Client, text);
        assert!(client(r#"[{cacertfile, "/ca.pem"}]"#).expect("a CA").verify_peer);
        assert!(!client("[{verify, verify_none}]").expect("told otherwise").verify_peer);
        let error = client("[{secure_renegotiate, true}]").expect_err("no CA");
        for word in ["client option cacertfile", "OTP 26", "{verify, verify_none}"] {
            assert!(error.contains(word), "{error}");
        }
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn what_cannot_be_honoured_is_named_with_its_cure() {
        for (text, name, cure) in [
            ("[{verify_fun, {mod, f, []}}]", "verify_fun", "runs no Erlang"),
            ("[{certs_keys, []}]", "certs_keys", "certfile and keyfile"),
            ("[{cerfile, \"x\"}]", "cerfile", "not known"),
            ("[{certfile, 5}]", "certfile", "name of a file"),
            ("[{verify, true}]", "verify", "verify_none or verify_peer"),
            ("[{verify, verify_peer}]", "cacertfile", "CAs to trust"),
            ("[{fail_if_no_peer_cert, true}]", "fail_if_no_peer_cert", "verify_peer"),
            ("[{versions, ['tlsv1.1']}]", "versions", "tlsv1.2"),
            ("[{versions, ['tlsv1.9']}]", "versions", "no version"),
            ("[{ciphers, [\"AES256-SHA\"]}]", "ciphers", "ECDHE-RSA-AES256-GCM-SHA384"),
            ("[{crl_check, true}]", "crl_check", "ssl_crl_hash_dir"),
            ("[{crl_cache, {mine, x}}]", "crl_cache", "ssl_crl_hash_dir"),
            ("[{depth, -1}]", "depth", "whole number"),
            ("[{keyfile, \"k\"}]", "certfile", "keyfile needs it"),
            ("[7]", "list", "{Option, Value}"),
        ] {
            let error = options(text).expect_err(text);
            assert!(error.contains(&format!("server option {name}: ")), "{error}");
            assert!(error.contains(cure), "{error}");
        }
        let mixed = r#"[{versions, ['tlsv1.3']}, {ciphers, ["ECDHE-RSA-AES256-GCM-SHA384"]}]"#;
        assert!(options(mixed).expect_err("no suite is left").contains("ciphers"));
    }
}
