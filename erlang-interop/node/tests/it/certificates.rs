//! Certificates made for a test, and the options files that name them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SerialNumber, date_time_ymd,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A directory of its own for a test's files.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Which days a certificate is valid, from today.
#[derive(Clone, Copy)]
pub(crate) struct Days {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Days {
    pub(crate) const GOOD: Self = Self { from: -1, to: 365 };
    pub(crate) const EXPIRED: Self = Self { from: -30, to: -1 };
    pub(crate) const NOT_YET: Self = Self { from: 2, to: 365 };
}

/// A CA of a test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

fn params(name: &str, hosts: &[&str], days: Days) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("good names");
    params.distinguished_name.push(DnType::CommonName, name);
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let day = |offset: i64| {
        let whole = i64::try_from(today.as_secs()).expect("fits") / 86400 + offset;
        date_time_ymd(1970, 1, 1) + DAY * u32::try_from(whole).expect("after 1970")
    };
    (params.not_before, params.not_after) = (day(days.from), day(days.to));
    params
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let params = Self::params(name);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("signed") }
    }

    /// A CA below this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().expect("a key"));
        Self { issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).expect("signed") }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = params(name, &[], Days::GOOD);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes the CA's certificate.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, self.pem()).expect("written");
        path
    }

    /// A certificate for hosts.
    pub(crate) fn issue(&self, directory: &Path, name: &str, hosts: &[&str], days: Days) -> Pair {
        let mut params = params(name, hosts, days);
        params.serial_number = Some(SerialNumber::from(7));
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("signed");
        let pair = Pair {
            cert: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
        };
        std::fs::write(&pair.cert, cert.pem()).expect("written");
        std::fs::write(&pair.key, key.serialize_pem()).expect("written");
        pair
    }

    /// Writes a list that revokes what [`Authority::issue`] made.
    pub(crate) fn revoke(&self, directory: &Path) -> PathBuf {
        self.revoke_until(directory, 30)
    }

    /// As [`Authority::revoke`], by a list that is to be renewed in so many days.
    pub(crate) fn revoke_until(&self, directory: &Path, days: i64) -> PathBuf {
        let day = |offset| params("crl", &[], Days { from: offset, to: offset }).not_before;
        let revoked = rcgen::RevokedCertParams {
            serial_number: SerialNumber::from(7),
            revocation_time: day(-1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: day(-2),
            next_update: day(days),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let crls = directory.join("crls");
        std::fs::create_dir_all(&crls).expect("made");
        let list = list.signed_by(&self.issuer).expect("signed");
        std::fs::write(crls.join("00000000.r0"), list.pem().expect("PEM")).expect("written");
        crls
    }
}

/// Options that have the certificates of peers looked for in these lists.
pub(crate) fn crl_options(lists: &Path) -> String {
    format!(
        "{{crl_check, peer}}, {{crl_cache, {{ssl_crl_hash_dir, {{internal, [{{dir, {:?}}}]}}}}}}",
        lists.display().to_string()
    )
}

/// Options of one side, as text.
#[derive(Clone, Default)]
pub(crate) struct Side(String);

impl Side {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn option(mut self, text: &str) -> Self {
        let comma = if self.0.is_empty() { "" } else { ", " };
        let _ = write!(self.0, "{comma}{text}");
        self
    }

    fn file(self, name: &str, path: &Path) -> Self {
        self.option(&format!("{{{name}, {:?}}}", path.display().to_string()))
    }

    pub(crate) fn pair(self, pair: &Pair) -> Self {
        self.file("certfile", &pair.cert).file("keyfile", &pair.key)
    }

    /// `verify_peer` with that CA.
    pub(crate) fn trusting(self, ca: &Path) -> Self {
        self.option("{verify, verify_peer}").file("cacertfile", ca)
    }

    /// `verify_none`, which is the default of dialers up to OTP 25 only.
    pub(crate) fn believing(self) -> Self {
        self.option("{verify, verify_none}")
    }

    pub(crate) fn demanding(self) -> Self {
        self.option("{fail_if_no_peer_cert, true}")
    }

    pub(crate) fn version(self, version: &str) -> Self {
        self.option(&format!("{{versions, ['tlsv{version}']}}"))
    }
}

/// Writes an options file.
pub(crate) fn optfile(directory: &Path, name: &str, server: &Side, client: &Side) -> PathBuf {
    let path = directory.join(name);
    let text =
        format!("% made by a test\n[{{server, [{}]}},\n {{client, [{}]}}].\n", server.0, client.0);
    std::fs::write(&path, text).expect("written");
    path
}
