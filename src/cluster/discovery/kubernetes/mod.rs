//! The nodes that the API of Kubernetes knows: asked for again and again, and watched meanwhile, so
//! that a change is seen at once. [`objects`] is pure.
// spec: Kubernetes, "API Concepts: Efficient detection of changes"

mod api;
mod error;
mod objects;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::future::pending;

use api::Api;
use error::ApiError;
use objects::{Event, List, Naming};
use watch::Watch;

use super::cluster_domain;
use crate::cluster::limits::{PAGE_ITEMS, PAGES_MAX, PEERS_MAX, WATCH_AGE_MIN, WATCH_TIME};
use crate::config::{Kubernetes, KubernetesLookup};

/// See the [module](self).
pub(super) struct Cluster {
    config: Kubernetes,
    api: Api,
    naming: Naming,
    /// Nodes by the name of the object that tells them.
    objects: BTreeMap<String, BTreeSet<String>>,
    /// Where a watch has to start, when one may.
    version: Option<String>,
    watch: Option<Watch>,
    told_no_watch: bool,
}

impl Cluster {
    /// Asks nobody yet.
    pub(super) fn new(config: Kubernetes) -> Self {
        let domain = format!("{}.local", config.kubernetes_cluster_name);
        let account = config.kubernetes_service_account_path.clone();
        let (_, resource) = resource(config.kubernetes_ip_lookup_mode);
        let master = &config.kubernetes_master;
        let api = Api::new(master, &cluster_domain(&domain), account, resource);
        let naming = Naming {
            base: config.kubernetes_node_basename.clone(),
            mode: config.mode,
            service: config.kubernetes_service_name.clone().unwrap_or_default(),
            domain,
        };
        let objects = BTreeMap::new();
        Self { config, api, naming, objects, version: None, watch: None, told_no_watch: false }
    }

    /// The names of the nodes.
    ///
    /// # Errors
    /// Says why they are not known now, and what helps.
    pub(super) async fn list(&mut self) -> Result<BTreeSet<String>, String> {
        if self.watch.is_none() {
            self.refresh().await.map_err(|error| error.to_string())?;
        }
        Ok(self.objects.values().flatten().take(PEERS_MAX).cloned().collect())
    }

    async fn refresh(&mut self) -> Result<(), ApiError> {
        let path = self.path()?;
        if let Some(version) = self.version.take() {
            match self.open(&path, &version).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::debug!(reason = %error, "no watch, the list is read anew"),
            }
        }
        let version = self.read(&path).await?;
        if let (true, Some(version)) = (self.config.watch, version) {
            let opened = self.open(&path, &version).await;
            self.tell(opened.err());
        }
        Ok(())
    }

    /// Where the objects are, up to a first parameter.
    fn path(&self) -> Result<String, ApiError> {
        let namespace = match &self.config.kubernetes_namespace {
            Some(namespace) => namespace.clone(),
            None => self.api.namespace()?,
        };
        let (group, resource) = resource(self.config.kubernetes_ip_lookup_mode);
        let selector = escaped(&self.config.kubernetes_selector);
        Ok(format!("{group}/namespaces/{namespace}/{resource}?labelSelector={selector}"))
    }

    /// Reads the list, page by page; gives its version.
    async fn read(&mut self, path: &str) -> Result<Option<String>, ApiError> {
        let cached = self.config.kubernetes_use_cached_resources;
        let mut from = if cached { "&resourceVersion=0".to_owned() } else { String::new() };
        let (mut objects, mut nameless) = (BTreeMap::new(), 0);
        for _ in 0..PAGES_MAX {
            let page = self.api.whole(&format!("{path}&limit={PAGE_ITEMS}{from}")).await?;
            let List { metadata, items } = serde_json::from_slice(&page)?;
            for object in items {
                let named = self.naming.nodes(&object);
                nameless += named.nameless;
                objects.insert(object.metadata.name, named.nodes);
            }
            match metadata.more.filter(|more| !more.is_empty()) {
                Some(more) => from = format!("&continue={}", escaped(&more)),
                None if nameless > 0 && objects.values().all(BTreeSet::is_empty) => {
                    return Err(ApiError::NoHostname(nameless));
                }
                None => {
                    self.objects = objects;
                    return Ok(metadata.resource_version);
                }
            }
        }
        Err(ApiError::TooLong("2000 objects"))
    }

    async fn open(&mut self, path: &str, version: &str) -> Result<(), ApiError> {
        let seconds = WATCH_TIME.as_secs();
        let path = format!(
            "{path}&watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={}",
            escaped(version)
        );
        let (answer, connection) = self.api.get(&path).await?;
        self.watch = Some(Watch::new(answer.into_body(), connection));
        self.version = Some(version.to_owned());
        Ok(())
    }

    /// A list without a watch is slower to see changes: worth one line.
    fn tell(&mut self, fault: Option<ApiError>) {
        match fault {
            Some(error) if !self.told_no_watch => {
                tracing::warn!(reason = %error, "{self} cannot be watched, it is asked instead");
                self.told_no_watch = true;
            }
            Some(_) => {}
            None => self.told_no_watch = false,
        }
    }

    /// Waits until [`list`](Self::list) would say something else; for ever when nobody tells. Can
    /// be given up at any time.
    pub(super) async fn changed(&mut self) {
        loop {
            let Some(watch) = &mut self.watch else { return pending().await };
            let event = watch.next().await;
            let age = watch.age();
            match event {
                Some(Ok(event)) if event.kind != "ERROR" => {
                    if self.apply(event) {
                        return;
                    }
                    continue;
                }
                // Its time is over; the next one goes on where it was.
                None => {}
                // Mostly 410: the history was cut off. Only a new list helps.
                Some(Ok(event)) => {
                    let code = event.object.code;
                    tracing::debug!(code, "the watch is over, the list is read anew");
                    self.version = None;
                }
                Some(Err(error)) => {
                    tracing::debug!(reason = %error, "the watch is over, the list is read anew");
                    self.version = None;
                }
            }
            self.watch = None;
            // One that ends at once is not opened again at once.
            if age >= WATCH_AGE_MIN {
                return;
            }
        }
    }

    /// Whether the nodes are others now.
    fn apply(&mut self, event: Event) -> bool {
        let object = event.object;
        if let Some(version) = &object.metadata.resource_version {
            self.version = Some(version.clone());
        }
        let named = self.naming.nodes(&object);
        let name = object.metadata.name;
        match event.kind.as_str() {
            "DELETED" => self.objects.remove(&name).is_some_and(|nodes| !nodes.is_empty()),
            "ADDED" | "MODIFIED" => {
                if self.objects.len() >= PEERS_MAX && !self.objects.contains_key(&name) {
                    return false;
                }
                let before = self.objects.insert(name, named.nodes.clone()).unwrap_or_default();
                before != named.nodes
            }
            // A bookmark, or what a later version tells.
            _ => false,
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API of Kubernetes at {}", self.api.authority())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cluster({self})")
    }
}

/// The group and the plural of what is looked up.
fn resource(lookup: KubernetesLookup) -> (&'static str, &'static str) {
    match lookup {
        KubernetesLookup::Endpoints => ("/api/v1", "endpoints"),
        KubernetesLookup::EndpointSlices => ("/apis/discovery.k8s.io/v1", "endpointslices"),
        KubernetesLookup::Pods => ("/api/v1", "pods"),
    }
}

/// A value in a query.
// spec: RFC 3986, "Unreserved Characters"
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(lookup: &str) -> Cluster {
        let text = format!(
            "{{kubernetes_node_basename: har, kubernetes_selector: 'app=har,env in (a)', \
             kubernetes_namespace: prod, kubernetes_ip_lookup_mode: {lookup}}}"
        );
        Cluster::new(serde_yaml::from_str(&text).expect("a config"))
    }

    fn event(kind: &str, ip: &str) -> Event {
        let text = format!(
            r#"{{"type": "{kind}", "object": {{"metadata": {{"name": "har-0", "resourceVersion": "7"}},
                "status": {{"podIP": "{ip}"}}}}}}"#
        );
        serde_json::from_str(&text).expect("an event")
    }

    #[test]
    fn what_is_asked_for_is_escaped() {
        let path = cluster("pods").path().expect("a path");
        let query = "labelSelector=app%3Dhar%2Cenv%20in%20%28a%29";
        assert_eq!(path, format!("/api/v1/namespaces/prod/pods?{query}"));
        let path = cluster("endpoint_slices").path().expect("a path");
        assert!(path.starts_with("/apis/discovery.k8s.io/v1/namespaces/prod/endpointslices?"));
    }

    #[test]
    fn only_events_that_change_the_nodes_are_news() {
        let mut cluster = cluster("pods");
        assert!(!cluster.apply(event("ADDED", "")));
        assert!(cluster.apply(event("MODIFIED", "10.0.0.1")));
        assert!(!cluster.apply(event("MODIFIED", "10.0.0.1")));
        assert!(!cluster.apply(event("BOOKMARK", "10.0.0.9")));
        assert_eq!(cluster.objects["har-0"].first().map(String::as_str), Some("har@10.0.0.1"));
        assert!(cluster.apply(event("DELETED", "10.0.0.1")));
        assert!(!cluster.apply(event("DELETED", "10.0.0.1")));
        assert_eq!(cluster.version.as_deref(), Some("7"));
    }

    #[test]
    fn events_without_end_are_no_objects_without_end() {
        let mut cluster = cluster("pods");
        for number in 0..PEERS_MAX + 10 {
            let mut one = event("ADDED", "10.0.0.1");
            one.object.metadata.name = number.to_string();
            cluster.apply(one);
        }
        assert_eq!(cluster.objects.len(), PEERS_MAX);
    }
}
