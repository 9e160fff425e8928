//! Certificates for a cluster: a CA, and one certificate a node.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

/// The name of a CA made here. An issuer is known by its name and key, so it never changes.
const CA_NAME: &str = "har cluster CA";
/// Nodes come and go; their CA stays for long.
const CA_DAYS: u32 = 10 * 365;
/// What most verifiers take as the longest for a certificate of a host.
const NODE_DAYS: u32 = 397;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Certificates that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificatesError {
    /// A file could not be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// One of the CA's two files is there and the other is not.
    #[error("{} is missing beside its other half; bring it back, or choose another --dir", path.display())]
    HalfCa {
        /// The file that is missing.
        path: PathBuf,
    },
    /// The node has a certificate already.
    #[error("{} exists already; --renew makes a new one in its place", path.display())]
    Exists {
        /// The certificate.
        path: PathBuf,
    },
    /// Something that can't be in a certificate or a file's name.
    #[error("`{name}` is no name of a node or host: {reason}")]
    Name {
        /// What was given.
        name: String,
        /// Why.
        reason: String,
    },
    /// The CA's key can't be used, or there is no randomness.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The clock stands before 1970.
    #[error("the clock of this host is wrong: it stands before 1970")]
    Clock,
}

/// A node's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, for the owner's eyes only.
    pub key: PathBuf,
    /// The options file that names them: for `--ssl-dist-optfile`, here and on a BEAM.
    pub optfile: PathBuf,
}

/// A directory with a CA.
pub struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    made: bool,
}

impl Authority {
    /// The CA in `directory`, made now if there is none.
    ///
    /// # Errors
    /// Files can't be used, or only half of a CA is there.
    pub fn open(directory: &Path) -> Result<Self, CertificatesError> {
        fs::create_dir_all(directory).map_err(|source| file_error(directory, source))?;
        let directory = directory.canonicalize().map_err(|source| file_error(directory, source))?;
        let (cert, key) = (directory.join("ca.pem"), directory.join("ca.key"));
        match (cert.exists(), key.exists()) {
            (true, true) => {
                let pem = fs::read_to_string(&key).map_err(|source| file_error(&key, source))?;
                let issuer = Issuer::new(ca_params()?, KeyPair::from_pem(&pem)?);
                Ok(Self { directory, issuer, made: false })
            }
            (false, false) => {
                let pair = KeyPair::generate()?;
                write(&key, &pair.serialize_pem(), true)?;
                let ca = CertifiedIssuer::self_signed(ca_params()?, pair)?;
                write(&cert, &ca.pem(), false)?;
                Self::open(&directory).map(|authority| Self { made: true, ..authority })
            }
            (true, false) => Err(CertificatesError::HalfCa { path: key }),
            (false, true) => Err(CertificatesError::HalfCa { path: cert }),
        }
    }

    /// Whether the CA was made by [`Authority::open`].
    #[must_use]
    pub fn was_made(&self) -> bool {
        self.made
    }

    /// The CA's certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// Makes a node's certificate for `hosts`, its key, and the options file that names them.
    ///
    /// # Errors
    /// Files can't be written, or are there and `renew` is false; a host is none.
    pub fn issue(
        &self,
        name: &str,
        hosts: &[String],
        renew: bool,
    ) -> Result<NodeFiles, CertificatesError> {
        if name.starts_with('.')
            || name.contains(['/', '"', '\\'])
            || name.contains(char::is_control)
        {
            let reason = "it would be part of a file's name".to_owned();
            return Err(CertificatesError::Name { name: name.to_owned(), reason });
        }
        let at = |end: &str| self.directory.join(format!("{name}.{end}"));
        let files = NodeFiles { certificate: at("pem"), key: at("key"), optfile: at("conf") };
        if !renew && files.certificate.exists() {
            return Err(CertificatesError::Exists { path: files.certificate });
        }
        let pair = KeyPair::generate()?;
        let certificate = node_params(name, hosts)?.signed_by(&pair, &self.issuer)?;
        write(&files.key, &pair.serialize_pem(), true)?;
        write(&files.certificate, &certificate.pem(), false)?;
        write(&files.optfile, &self.optfile(&files), false)?;
        Ok(files)
    }

    /// Both sides show a certificate, and demand one of this CA.
    fn optfile(&self, files: &NodeFiles) -> String {
        let both = format!(
            "  {{certfile, {:?}}},\n  {{keyfile, {:?}}},\n  {{cacertfile, {:?}}},\n  \
             {{verify, verify_peer}},\n  {{versions, ['tlsv1.3', 'tlsv1.2']}}",
            files.certificate.display().to_string(),
            files.key.display().to_string(),
            self.certificate().display().to_string(),
        );
        format!(
            "% For erl -proto_dist inet_tls -ssl_dist_optfile FILE, and har --ssl-dist-optfile FILE\n\
             [{{server, [\n{both},\n  {{fail_if_no_peer_cert, true}}\n]}},\n{{client, [\n{both}\n]}}].\n"
        )
    }
}

fn file_error(path: &Path, source: io::Error) -> CertificatesError {
    CertificatesError::File { path: path.to_owned(), source }
}

fn params(name: &str, hosts: &[String], days: u32) -> Result<CertificateParams, CertificatesError> {
    let mut params = CertificateParams::new(hosts.to_vec()).map_err(|error| {
        let name = hosts.join(", ");
        CertificatesError::Name { name, reason: error.to_string() }
    })?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names.extend(addresses_as_names(&params.subject_alt_names)?);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = date_time_ymd(1970, 1, 1) + now.map_err(|_| CertificatesError::Clock)?;
    // Clocks of a cluster differ a little.
    (params.not_before, params.not_after) = (now - DAY, now + DAY * days);
    Ok(params)
}

/// A BEAM that dials looks for the host of a node's name among the DNS names only, be it an address.
fn addresses_as_names(names: &[SanType]) -> Result<Vec<SanType>, CertificatesError> {
    let addresses = names.iter().filter_map(|name| match name {
        SanType::IpAddress(address) => Some(address.to_string()),
        _ => None,
    });
    addresses.map(|address| Ok(SanType::DnsName(address.try_into()?))).collect()
}

fn ca_params() -> Result<CertificateParams, CertificatesError> {
    let mut params = params(CA_NAME, &[], CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn node_params(name: &str, hosts: &[String]) -> Result<CertificateParams, CertificatesError> {
    let mut params = params(name, hosts, NODE_DAYS)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // A node dials and is dialed.
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// Writes whole or not at all: a running node may read at any moment.
fn write(path: &Path, text: &str, secret: bool) -> Result<(), CertificatesError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mode = if secret { 0o600 } else { 0o644 };
    let written = || {
        // A new file, in place of what was left there or put there: an old one would keep its mode.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(|source| file_error(path, source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use erlang_interop::node::transport::tls::Tls;

    use super::*;

    #[test]
    fn what_is_made_can_be_used_and_is_for_the_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        // What an earlier attempt, or somebody else, has left.
        let (left, mine) = (directory.path().join("ca.key.new"), directory.path().join("mine"));
        fs::write(&left, "left").expect("written");
        fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).expect("chmod");
        fs::write(&mine, "mine").expect("written");
        std::os::unix::fs::symlink(&mine, directory.path().join("har@127.0.0.1.key.new"))
            .expect("linked");
        let authority = Authority::open(directory.path()).expect("made");
        assert!(authority.was_made());
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&directory.path().join("ca.key")), 0o600);
        let hosts = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let files = authority.issue("har@127.0.0.1", &hosts, false).expect("made");
        assert_eq!(mode(&files.key), 0o600);
        assert!(!fs::symlink_metadata(&files.key).expect("there").is_symlink());
        assert_eq!(fs::read_to_string(&mine).expect("there"), "mine");
        let tls = Tls::from_optfile(&files.optfile).expect("a good options file");
        assert!(tls.can_accept());
        assert_eq!(tls.certificates().len(), 2, "the node's and the CA's");
    }

    #[test]
    fn a_ca_is_kept_and_a_node_only_renewed_when_asked() {
        let directory = tempfile::tempdir().expect("a directory");
        let hosts = ["h.example".to_owned()];
        let first = Authority::open(directory.path()).expect("made");
        first.issue("a", &hosts, false).expect("made");
        let ca = fs::read(first.certificate()).expect("there");
        let again = Authority::open(directory.path()).expect("opened");
        assert!(!again.was_made());
        assert_eq!(fs::read(again.certificate()).expect("there"), ca);
        let error = again.issue("a", &hosts, false).expect_err("it is there").to_string();
        assert!(error.contains("--renew"), "{error}");
        again.issue("a", &hosts, true).expect("renewed");
        fs::remove_file(directory.path().join("ca.key")).expect("removed");
        let half = Authority::open(directory.path());
        assert!(matches!(half, Err(CertificatesError::HalfCa { .. })));
        for name in ["../a", ".a", "a\"b"] {
            let refused = again.issue(name, &hosts, false);
            assert!(matches!(refused, Err(CertificatesError::Name { .. })), "{name}");
        }
    }
}
