//! Configuration: what was asked for, from the file, the environment and the flags.
//!
//! [`raw`] is the file as written, [`settings`] the one resolved answer the program runs by:
//! flags win over the environment, the environment over the file, the file over the defaults.
//! After [`Settings::resolve`] no text is left that stands for a number or a choice.

mod balancing;
mod cookie;
mod environment;
mod error;
mod file;
mod http_url;
mod lists;
mod node_name;
mod place_name;
mod raw;
mod schema;
mod settings;
mod sources;
mod topologies;

pub use balancing::Balancing;
pub use cookie::{CookieSource, ErlangCookie};
pub use environment::Environment;
pub use error::ConfigError;
pub(crate) use file::read_text;
pub use http_url::HttpUrl;
pub use lists::{Entries, List, NodePattern, PeerCalls, PeerCookie};
pub(crate) use node_name::short_host;
pub use place_name::{PLACE_NAME_BYTES_MAX, PlaceName};
pub use raw::{Commands, LogFormat, NameDomain, ProtoDist, RawConfig};
pub use schema::keys;
pub use settings::{EmbeddedEpmd, Flags, Health, Ops, Origin, Security, Setting, Settings, Traces};
pub use sources::NodeList;
pub(crate) use topologies::is_kubernetes_label;
pub use topologies::{
    DnsPoll, DnsSrv, ErlangHosts, Gossip, Hosts, Kubernetes, KubernetesDns, KubernetesDnsSrv,
    KubernetesLookup, KubernetesMode, LocalEpmd, Secret, Topologies, Topology,
};
