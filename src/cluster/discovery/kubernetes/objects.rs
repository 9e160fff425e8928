//! What the API of Kubernetes says, as names of nodes. Pure.
// spec: Kubernetes API v1: Endpoints, EndpointSlice, Pod, Status, WatchEvent

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::cluster::limits::PEERS_MAX;
use crate::config::KubernetesMode;

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    /// Where the list is in the history, and whether it goes on.
    #[serde(default)]
    pub(super) metadata: Metadata,
    /// Its objects.
    #[serde(default, deserialize_with = "at_most")]
    pub(super) items: Vec<Object>,
}

/// A line of a watch.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The object as it is now; of an error, its description.
    pub(super) object: Object,
}

/// Endpoints, a slice of them, a pod or an error: what of them matters here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Object {
    /// Its name and version.
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default, deserialize_with = "at_most")]
    subsets: Vec<Subset>,
    #[serde(default, deserialize_with = "at_most")]
    endpoints: Vec<Endpoint>,
    // A text in an error.
    #[serde(default)]
    status: Option<serde_json::Value>,
    #[serde(default)]
    spec: Spec,
    /// The HTTP status that an error stands for.
    #[serde(default)]
    pub(super) code: Option<u16>,
    /// What an error says.
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// `metadata` of an object or a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    /// Unique in its namespace.
    pub(super) name: String,
    namespace: Option<String>,
    /// Opaque; a watch starts from it.
    pub(super) resource_version: Option<String>,
    /// Opaque; the rest of a list is asked for by it.
    #[serde(rename = "continue")]
    pub(super) more: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Subset {
    #[serde(default, deserialize_with = "at_most")]
    addresses: Vec<Address>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    ip: String,
    hostname: Option<String>,
    target_ref: Option<TargetRef>,
}

#[derive(Debug, Deserialize)]
struct TargetRef {
    namespace: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default, deserialize_with = "at_most")]
    addresses: Vec<String>,
    conditions: Option<Conditions>,
    hostname: Option<String>,
    target_ref: Option<TargetRef>,
}

#[derive(Debug, Deserialize)]
struct Conditions {
    ready: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    hostname: Option<String>,
}

/// A sequence of no more than [`PEERS_MAX`] things, or null.
fn at_most<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    struct AtMost<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for AtMost<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {PEERS_MAX}")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut taken = Vec::new();
            while let Some(item) = items.next_element()? {
                if taken.len() == PEERS_MAX {
                    return Err(A::Error::invalid_length(PEERS_MAX + 1, &self));
                }
                taken.push(item);
            }
            Ok(taken)
        }
    }
    from.deserialize_any(AtMost(PhantomData))
}

/// How addresses become names.
#[derive(Debug)]
pub(super) struct Naming {
    /// The part before the @.
    pub(super) base: String,
    /// What is behind it.
    pub(super) mode: KubernetesMode,
    /// The headless service of host names.
    pub(super) service: String,
    /// `CLUSTER.local`, whatever the cluster's domain really is: so does libcluster.
    pub(super) domain: String,
}

/// Names of nodes, and how many addresses have none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// The names.
    pub(super) nodes: BTreeSet<String>,
    /// Addresses without the host name that the mode needs.
    pub(super) nameless: usize,
}

impl Naming {
    /// The nodes of an object. As libcluster: of endpoints those that are ready, of pods all that
    /// have an address, also while they start or end.
    pub(super) fn nodes(&self, object: &Object) -> Named {
        let mut named = Named::default();
        let own = object.metadata.namespace.as_deref().unwrap_or_default();
        let of = |target: &Option<TargetRef>| {
            let namespace = target.as_ref().and_then(|target| target.namespace.clone());
            namespace.unwrap_or_else(|| own.to_owned())
        };
        for address in object.subsets.iter().flat_map(|subset| &subset.addresses) {
            let namespace = of(&address.target_ref);
            self.add(&mut named, &address.ip, &namespace, address.hostname.as_deref());
        }
        for endpoint in &object.endpoints {
            let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
            // Unknown counts as ready, says the API.
            for ip in endpoint.addresses.iter().filter(|_| ready != Some(false)) {
                let namespace = of(&endpoint.target_ref);
                self.add(&mut named, ip, &namespace, endpoint.hostname.as_deref());
            }
        }
        let ip = object.status.as_ref().and_then(|status| status["podIP"].as_str());
        if let Some(ip) = ip.filter(|ip| !ip.is_empty()) {
            self.add(&mut named, ip, own, object.spec.hostname.as_deref());
        }
        named
    }

    fn add(&self, named: &mut Named, ip: &str, namespace: &str, hostname: Option<&str>) {
        let Self { base, mode, service, domain } = self;
        let node = match (mode, hostname) {
            (KubernetesMode::Ip, _) => format!("{base}@{ip}"),
            (KubernetesMode::Dns, _) => {
                format!("{base}@{}.{namespace}.pod.{domain}", ip.replace(['.', ':'], "-"))
            }
            (KubernetesMode::Hostname, Some(host)) if !host.is_empty() => {
                format!("{base}@{host}.{service}.{namespace}.svc.{domain}")
            }
            (KubernetesMode::Hostname, _) => {
                named.nameless += 1;
                return;
            }
        };
        // A name goes into logs and to the resolver.
        if node.bytes().all(|byte| byte.is_ascii_graphic()) {
            named.nodes.insert(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(mode: KubernetesMode, object: &str) -> (Vec<String>, usize) {
        let (service, domain) = ("har".to_owned(), "cluster.local".to_owned());
        let naming = Naming { base: "har".to_owned(), mode, service, domain };
        let named = naming.nodes(&serde_json::from_str(object).expect("an object"));
        (named.nodes.into_iter().collect(), named.nameless)
    }

    const ENDPOINTS: &str = r#"{"metadata": {"name": "har", "namespace": "prod"}, "subsets": [
        {"addresses": [
            {"ip": "10.0.0.1", "hostname": "har-0", "targetRef": {"namespace": "other"}},
            {"ip": "10.0.0.2"}],
         "notReadyAddresses": [{"ip": "10.0.0.3"}], "ports": [{"port": 4369}]},
        {"notReadyAddresses": [{"ip": "10.0.0.4"}]}]}"#;

    #[test]
    fn ready_addresses_of_endpoints_become_names_as_of_libcluster() {
        let (ip, _) = nodes(KubernetesMode::Ip, ENDPOINTS);
        assert_eq!(ip, ["har@10.0.0.1", "har@10.0.0.2"]);
        let (dns, _) = nodes(KubernetesMode::Dns, ENDPOINTS);
        let wanted = ["10-0-0-1.other", "10-0-0-2.prod"];
        assert_eq!(dns, wanted.map(|host| format!("har@{host}.pod.cluster.local")));
        let host = nodes(KubernetesMode::Hostname, ENDPOINTS);
        assert_eq!(host, (vec!["har@har-0.har.other.svc.cluster.local".to_owned()], 1));
    }

    #[test]
    fn pods_count_when_they_have_an_address() {
        let pod = r#"{"metadata": {"name": "har-0", "namespace": "prod",
            "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"hostname": "har-0"}, "status": {"phase": "Pending", "podIP": "fd00::7"}}"#;
        assert_eq!(nodes(KubernetesMode::Ip, pod).0, ["har@fd00::7"]);
        assert_eq!(nodes(KubernetesMode::Dns, pod).0, ["har@fd00--7.prod.pod.cluster.local"]);
        let host = nodes(KubernetesMode::Hostname, pod).0;
        assert_eq!(host, ["har@har-0.har.prod.svc.cluster.local"]);
        for pod in [r#"{"status": {"phase": "Pending"}}"#, r#"{"status": {"podIP": ""}}"#, "{}"] {
            assert_eq!(nodes(KubernetesMode::Ip, pod), (vec![], 0));
        }
    }

    #[test]
    fn slices_count_what_is_not_known_to_be_unready() {
        let slice = r#"{"metadata": {"namespace": "prod"}, "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
            {"addresses": ["10.0.0.3"], "conditions": {}}, {"addresses": ["10.0.0.4"]}]}"#;
        let wanted = ["har@10.0.0.1", "har@10.0.0.3", "har@10.0.0.4"];
        assert_eq!(nodes(KubernetesMode::Ip, slice).0, wanted);
    }

    #[test]
    fn too_many_things_are_refused_and_none_are_none() {
        let list = |count: usize| format!(r#"{{"items": [{}]}}"#, vec!["{}"; count].join(","));
        let read = |text: &str| serde_json::from_str::<List>(text);
        assert_eq!(read(&list(PEERS_MAX)).expect("allowed").items.len(), PEERS_MAX);
        assert!(read(&list(PEERS_MAX + 1)).is_err());
        assert!(read(r#"{"items": null}"#).expect("allowed").items.is_empty());
        let hostile = r#"{"status": {"podIP": "1\n2026 INFO forged"}}"#;
        assert_eq!(nodes(KubernetesMode::Ip, hostile).0, Vec::<String>::new());
    }
}
