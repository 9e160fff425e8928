//! `config` of the strategy that asks the API of Kubernetes.
// spec: libcluster 3.5, Cluster.Strategy.Kubernetes

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::NameDomain;
use super::{check_interval, check_names, poll_ms};

/// `config` of [`Topology::Kubernetes`](super::Topology::Kubernetes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// The part of the nodes' names before the @.
    pub kubernetes_node_basename: String,
    /// Labels of the objects, as `kubectl --selector` takes them.
    pub kubernetes_selector: String,
    /// Their namespace; that of the service account when left out.
    #[serde(default)]
    pub kubernetes_namespace: Option<String>,
    /// What is behind the @.
    #[serde(default)]
    pub mode: KubernetesMode,
    /// Which objects are asked for.
    #[serde(default)]
    pub kubernetes_ip_lookup_mode: KubernetesLookup,
    /// The headless service, for `mode: hostname`.
    #[serde(default)]
    pub kubernetes_service_name: Option<String>,
    /// The first part of the domain of the cluster.
    #[serde(default = "cluster_name")]
    pub kubernetes_cluster_name: String,
    /// Host, or host and port, of the API server; the domain of the cluster is appended to a host
    /// that does not end in it, nor in a dot, and is no address.
    #[serde(default = "master")]
    pub kubernetes_master: String,
    /// Folder with `token`, `ca.crt` and `namespace`.
    #[serde(default = "account")]
    pub kubernetes_service_account_path: PathBuf,
    /// Whether an answer may come from the API server's cache.
    #[serde(default)]
    pub kubernetes_use_cached_resources: bool,
    /// Whether to be told of changes at once, beside asking.
    #[serde(default = "watch")]
    pub watch: bool,
    /// Milliseconds between two questions.
    #[serde(default = "poll_ms")]
    pub polling_interval: u64,
}

/// What is behind the @ of a node's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KubernetesMode {
    /// The address of the pod.
    #[default]
    #[serde(alias = ":ip")]
    Ip,
    /// `1-2-3-4.NAMESPACE.pod.CLUSTER.local`.
    #[serde(alias = ":dns")]
    Dns,
    /// `HOSTNAME.SERVICE.NAMESPACE.svc.CLUSTER.local`.
    #[serde(alias = ":hostname")]
    Hostname,
}

/// Which objects tell the addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KubernetesLookup {
    /// The endpoints of services: pods that are ready.
    #[default]
    #[serde(alias = ":endpoints")]
    Endpoints,
    /// The same as slices, which replace endpoints from Kubernetes 1.33 on; not in libcluster.
    EndpointSlices,
    /// All pods that have an address.
    #[serde(alias = ":pods")]
    Pods,
}

impl Kubernetes {
    pub(super) fn check(&self, domain: NameDomain) -> Result<(), String> {
        let (base_key, base) = ("kubernetes_node_basename", &self.kubernetes_node_basename);
        check_names("kubernetes_master", &self.kubernetes_master, base_key, base, domain)?;
        check_names(
            "kubernetes_cluster_name",
            &self.kubernetes_cluster_name,
            base_key,
            base,
            domain,
        )?;
        if let Some(namespace) = &self.kubernetes_namespace {
            check_label("kubernetes_namespace", namespace)?;
        }
        match (self.mode, &self.kubernetes_service_name) {
            (KubernetesMode::Hostname, None) => {
                return Err("mode: hostname needs kubernetes_service_name".to_owned());
            }
            (_, Some(service)) => check_label("kubernetes_service_name", service)?,
            (_, None) => {}
        }
        if self.kubernetes_selector.is_empty() {
            return Err("kubernetes_selector is empty; every pod would be a node".to_owned());
        }
        check_interval("polling_interval", self.polling_interval)
    }
}

/// Whether `text` can be the name of a namespace or a service.
// spec: RFC 1123, "label"
pub(crate) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn check_label(key: &str, text: &str) -> Result<(), String> {
    if is_label(text) {
        return Ok(());
    }
    Err(format!("{key} `{text}` is no name in Kubernetes (a-z, 0-9, -)"))
}

fn cluster_name() -> String {
    "cluster".to_owned()
}

fn master() -> String {
    "kubernetes.default.svc".to_owned()
}

fn account() -> PathBuf {
    "/var/run/secrets/kubernetes.io/serviceaccount".into()
}

fn watch() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::super::{Topologies, Topology};
    use super::*;

    fn read(more: &str) -> Result<Kubernetes, String> {
        let text = format!(
            "{{k: {{strategy: Cluster.Strategy.Kubernetes, config: {{\
             kubernetes_node_basename: har, kubernetes_selector: 'app=har'{more}}}}}}}"
        );
        let topologies: Topologies = text.parse()?;
        topologies.check(NameDomain::Long)?;
        match &topologies.0["k"] {
            Topology::Kubernetes(kubernetes) => Ok(kubernetes.clone()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_config_of_libcluster_is_carried_over() {
        let plain = read("").expect("valid");
        assert_eq!(plain.mode, KubernetesMode::Ip);
        assert_eq!(plain.kubernetes_ip_lookup_mode, KubernetesLookup::Endpoints);
        assert_eq!(plain.kubernetes_master, "kubernetes.default.svc");
        assert_eq!((plain.polling_interval, plain.watch), (5000, true));
        let full = read(
            ", mode: ':hostname', kubernetes_ip_lookup_mode: pods, kubernetes_service_name: har, \
             kubernetes_namespace: prod, polling_interval: 10000",
        )
        .expect("valid");
        assert_eq!(full.mode, KubernetesMode::Hostname);
        assert_eq!(full.kubernetes_ip_lookup_mode, KubernetesLookup::Pods);
        assert_eq!(full.kubernetes_namespace.as_deref(), Some("prod"));
    }

    #[test]
    fn mistakes_are_named() {
        for (more, named) in [
            (", mode: hostname", "kubernetes_service_name"),
            (", mode: adress", "adress"),
            (", kubernetes_namespace: a/b", "kubernetes_namespace"),
            (", kubernetes_service_name: ''", "kubernetes_service_name"),
            (", kubernetes_master: ''", "kubernetes_master"),
            (", polling_interval: 1", "polling_interval"),
            (", interval: 1", "interval"),
        ] {
            let reason = read(more).expect_err(more);
            assert!(reason.contains(named), "{more}: {reason}");
        }
    }
}
