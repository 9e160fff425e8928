//! Who may connect, in either direction: lists of node names, certificates and networks.
//!
//! A list that is empty says nothing. A peer that any `deny` list names is refused, whatever else is
//! said of it; then each `allow` list that is not empty must name it.

mod attempts;
mod name_pattern;
mod network;

use std::net::IpAddr;

use erlang_dist::Cookie;
use erlang_term::Atom;
use thiserror::Error;

pub(crate) use attempts::{Attempts, Permit, source};
pub use name_pattern::{NamePattern, NamePatternError};
pub use network::{Network, NetworkError};

/// Peers, by what is known of them before they are let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerLists {
    /// By node name: `har*@10.0.0.*`.
    pub nodes: Vec<NamePattern>,
    /// By a name that their certificate is for: a DNS name, an address, or the common name. A
    /// certificate that nobody verified has no names.
    pub certificates: Vec<NamePattern>,
    /// By address.
    pub networks: Vec<Network>,
}

/// Who may connect, and with which cookie.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Each list that is not empty must name the peer.
    pub allow: PeerLists,
    /// No list may name the peer.
    pub deny: PeerLists,
    /// Cookies for peers of these names, the first that fits. `erlang:set_cookie/2` for one name
    /// goes first.
    pub cookies: Vec<(NamePattern, Cookie)>,
}

/// A peer that wants in, or that we dial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) node: &'a str,
    /// `None`: it came through memory.
    pub(crate) address: Option<IpAddr>,
    /// What its certificate is for, if it has shown one that we verified.
    pub(crate) certificates: &'a [String],
}

/// Which rule keeps a peer out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotAllowed {
    /// Its name is denied.
    #[error("deny_nodes has {rule}")]
    DeniedName {
        /// The pattern.
        rule: NamePattern,
    },
    /// Its certificate is denied.
    #[error("its certificate is for {name}, and deny_certificates has {rule}")]
    DeniedCertificate {
        /// The name in the certificate.
        name: String,
        /// The pattern.
        rule: NamePattern,
    },
    /// Its network is denied.
    #[error("deny_networks has {rule}")]
    DeniedNetwork {
        /// The network.
        rule: Network,
    },
    /// There are allowed names, and its name is not among them.
    #[error("no pattern of allow_nodes is for this name")]
    UnlistedName,
    /// There are allowed certificates, and it has shown another or none.
    #[error("no pattern of allow_certificates is for {}", certificate_text(.names))]
    UnlistedCertificate {
        /// What its certificate is for.
        names: Vec<String>,
    },
    /// There are allowed networks, and its address is in none.
    #[error("no network of allow_networks has this address")]
    UnlistedNetwork,
    /// `net_kernel:allow/1` was called, and not with its name.
    #[error("net_kernel:allow/1 was not called with this name")]
    NotInAllow,
}

fn certificate_text(names: &[String]) -> String {
    match names {
        [] => "a peer without a verified certificate".to_owned(),
        names => format!("its certificate, which is for {}", names.join(", ")),
    }
}

impl Admission {
    /// Whether a peer may connect.
    pub(crate) fn check(&self, peer: &Candidate<'_>) -> Result<(), NotAllowed> {
        self.check_name(peer.node)?;
        self.check_certificates(peer.certificates)?;
        peer.address.map_or(Ok(()), |address| self.check_address(address))
    }

    /// Whether a name may be dialed, as far as its name alone says.
    pub(crate) fn check_name(&self, node: &str) -> Result<(), NotAllowed> {
        if let Some(rule) = named_by(&self.deny.nodes, node) {
            return Err(NotAllowed::DeniedName { rule: rule.clone() });
        }
        match self.allow.nodes.is_empty() || named_by(&self.allow.nodes, node).is_some() {
            true => Ok(()),
            false => Err(NotAllowed::UnlistedName),
        }
    }

    /// Whether an address may be dialed.
    pub(crate) fn check_address(&self, address: IpAddr) -> Result<(), NotAllowed> {
        let holds = |network: &&Network| network.contains(address);
        if let Some(rule) = self.deny.networks.iter().find(holds) {
            return Err(NotAllowed::DeniedNetwork { rule: *rule });
        }
        let allowed = &self.allow.networks;
        match allowed.is_empty() || allowed.iter().any(|network| network.contains(address)) {
            true => Ok(()),
            false => Err(NotAllowed::UnlistedNetwork),
        }
    }

    fn check_certificates(&self, names: &[String]) -> Result<(), NotAllowed> {
        for name in names {
            if let Some(rule) = certified_by(&self.deny.certificates, name) {
                let (name, rule) = (name.clone(), rule.clone());
                return Err(NotAllowed::DeniedCertificate { name, rule });
            }
        }
        let allowed = &self.allow.certificates;
        let listed = |name: &String| certified_by(allowed, name).is_some();
        match allowed.is_empty() || names.iter().any(listed) {
            true => Ok(()),
            false => Err(NotAllowed::UnlistedCertificate { names: names.to_vec() }),
        }
    }

    /// The cookie for peers of that name, if their pattern has one.
    pub(crate) fn cookie_for(&self, node: &Atom) -> Option<Cookie> {
        let own = self.cookies.iter().find(|(pattern, _)| pattern.matches(node.as_str()));
        own.map(|(_, cookie)| cookie.clone())
    }
}

fn named_by<'r>(rules: &'r [NamePattern], name: &str) -> Option<&'r NamePattern> {
    rules.iter().find(|rule| rule.matches(name))
}

/// Names in certificates are mostly those of hosts, and a denial must not hang on how one is written.
fn certified_by<'r>(rules: &'r [NamePattern], name: &str) -> Option<&'r NamePattern> {
    rules.iter().find(|rule| rule.matches_in_any_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<NamePattern> {
        list.iter().map(|text| text.parse().expect("a pattern")).collect()
    }

    fn networks(list: &[&str]) -> Vec<Network> {
        list.iter().map(|text| text.parse().expect("a network")).collect()
    }

    fn peer<'a>(node: &'a str, address: &str, certificates: &'a [String]) -> Candidate<'a> {
        Candidate { node, address: Some(address.parse().expect("an address")), certificates }
    }

    #[test]
    fn without_lists_everybody_may_come() {
        assert_eq!(Admission::default().check(&peer("a@h", "10.0.0.1", &[])), Ok(()));
    }

    #[test]
    fn deny_wins_and_each_list_says_which_rule_it_was() {
        let mut rules = Admission::default();
        rules.allow.nodes = patterns(&["a*@*"]);
        rules.deny.nodes = patterns(&["ab*@*"]);
        assert_eq!(rules.check(&peer("a@h", "10.0.0.1", &[])), Ok(()));
        let refused = rules.check(&peer("abc@h", "10.0.0.1", &[])).expect_err("denied");
        assert_eq!(refused.to_string(), "deny_nodes has ab*@*");
        let refused = rules.check(&peer("b@h", "10.0.0.1", &[])).expect_err("not listed");
        assert_eq!(refused, NotAllowed::UnlistedName);
        rules.deny.networks = networks(&["10.0.0.0/24"]);
        let refused = rules.check(&peer("a@h", "10.0.0.9", &[])).expect_err("denied");
        assert_eq!(refused.to_string(), "deny_networks has 10.0.0.0/24");
        // What came through memory has no address to be denied by.
        let inside = Candidate { node: "a@h", address: None, certificates: &[] };
        assert_eq!(rules.check(&inside), Ok(()));
    }

    #[test]
    fn all_lists_that_are_not_empty_must_name_the_peer() {
        let mut rules = Admission::default();
        rules.allow.networks = networks(&["10.1.0.0/16", "fd00::/8"]);
        rules.allow.certificates = patterns(&["*.mesh.example"]);
        let certificate = ["n1.mesh.example".to_owned()];
        assert_eq!(rules.check(&peer("a@h", "10.1.2.3", &certificate)), Ok(()));
        assert_eq!(rules.check(&peer("a@h", "fd00::1", &certificate)), Ok(()));
        let elsewhere = rules.check(&peer("a@h", "10.2.2.3", &certificate));
        assert_eq!(elsewhere, Err(NotAllowed::UnlistedNetwork));
        let bare = rules.check(&peer("a@h", "10.1.2.3", &[])).expect_err("no certificate");
        assert!(bare.to_string().ends_with("a peer without a verified certificate"), "{bare}");
        rules.deny.certificates = patterns(&["n1.*"]);
        for (rule, name) in [("N1.*", "n1.mesh.example"), ("n1.*", "N1.MESH.example")] {
            rules.deny.certificates = patterns(&[rule]);
            let certificate = [name.to_owned()];
            rules.check(&peer("a@h", "10.1.2.3", &certificate)).expect_err("denied");
        }
        let denied = rules.check(&peer("a@h", "10.1.2.3", &certificate)).expect_err("denied");
        assert!(matches!(denied, NotAllowed::DeniedCertificate { .. }));
    }

    #[test]
    fn the_first_pattern_gives_the_cookie() {
        let cookie = |text: &str| Cookie::new(text).expect("a cookie");
        let mut cookies = patterns(&["a*@*", "*@*"]).into_iter().zip([cookie("x"), cookie("y")]);
        let rules = Admission { cookies: cookies.by_ref().collect(), ..Admission::default() };
        let of = |name: &str| rules.cookie_for(&Atom::new(name).expect("short"));
        assert_eq!(of("ab@h"), Some(cookie("x")));
        assert_eq!(of("b@h"), Some(cookie("y")));
        assert_eq!(Admission::default().cookie_for(&Atom::new("a@h").expect("short")), None);
    }
}
