//! Names of cipher suites, as OTP and OpenSSL write them, to those we have.

use erlang_term::Term;
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite as suite;

use super::text::text_of;

/// Name in OpenSSL, name in the standard, ours. spec: ssl, "ciphers"
const SUITES: [(&str, &str, SupportedCipherSuite); 9] = [
    ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", suite::TLS13_AES_128_GCM_SHA256),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
        suite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// What the option asks for: the suites we have, in its order, and the names of the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    pub(super) suites: Vec<SupportedCipherSuite>,
    pub(super) unknown: Vec<String>,
}

/// Reads the value of `ciphers`: a list of names, or one text with colons between them.
///
/// `None`: it is neither. Maps of algorithms are not read.
pub(super) fn choose(value: &Term) -> Option<Chosen> {
    let names: Vec<String> = match text_of(value) {
        Some(text) => text.split(':').map(str::to_owned).collect(),
        None => value.list_iter()?.map(|name| text_of(&name)).collect::<Option<_>>()?,
    };
    let mut chosen = Chosen::default();
    for name in names {
        let found = SUITES.iter().find(|(ours, standard, _)| name == *ours || name == *standard);
        match found {
            Some((_, _, suite)) => chosen.suites.push(*suite),
            None => chosen.unknown.push(name),
        }
    }
    Some(chosen)
}

/// What to write instead of a name we have not.
pub(super) fn names() -> String {
    SUITES.map(|(name, _, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use erlang_term::parse_erlang;

    use super::*;

    #[test]
    fn names_of_openssl_and_of_the_standard_are_known() {
        let text = r#"["ECDHE-RSA-AES256-GCM-SHA384", "TLS_AES_128_GCM_SHA256",
            <<"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256">>, "AES256-SHA"]"#;
        let chosen = choose(&parse_erlang(text).expect("a term")).expect("a list of names");
        assert_eq!(chosen.suites.len(), 3);
        assert_eq!(chosen.suites[1], suite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(chosen.unknown, ["AES256-SHA"]);
    }

    #[test]
    fn colons_stand_between_names_too() {
        let value = Term::charlist("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305");
        assert_eq!(choose(&value).expect("names").suites.len(), 2);
        let maps = parse_erlang("[#{cipher => aes_256_gcm}]").expect("a term");
        assert!(choose(&maps).is_none());
    }
}
