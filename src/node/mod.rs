//! Start-up and leaving of a HAR node, from resolved settings.
//!
//! Order: cookie, port mapper, services, listen and register, then the peers in the background. What
//! a peer looks for right after connecting is there before it can connect.

mod guard;
mod port_mapper;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use erlang_interop::node::audit::Auditor;
use erlang_interop::node::transport::Transport;
use erlang_interop::node::transport::tls::{Tls, TlsConfigError};
use erlang_interop::node::{Epmd, Node, NodeConfig, NodeName, SpawnError, StartError};
use erlang_interop::otp::{Functions, StandardOptions, standard};
use erlang_interop::term::{Atom, AtomTooLong, atom};
use tokio::task::JoinHandle;

use crate::backends::Checker;
use crate::cluster::{Cluster, keep_connected};
use crate::config::{ConfigError, ErlangCookie, ProtoDist, Settings, read_text};
use crate::control_plane::ControlPlane;
use crate::ops::{OpsPort, Subject};
use crate::security::{AuditLog, AuditToLog, BackendNetworks};
use crate::services;
use crate::telemetry::trace::Exporter;
use crate::telemetry::{Telemetry, Watch, keep_measuring};

pub use port_mapper::PortMapperError;
use port_mapper::{PortMapper, Wanted};

/// Why a HAR node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartFailure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The name is none after all.
    #[error("`{name}` is no node name: {reason}; write NAME@HOST")]
    Name {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// There is no port mapper.
    #[error(transparent)]
    PortMapper(#[from] PortMapperError),
    /// The one port that peers dial is not free.
    #[error(
        "port {port} on {interface} is in use, and without EPMD peers dial that one only; free it, choose an address of its own for this node by --interface, or another --dist-port for all nodes"
    )]
    DistPortBusy {
        /// The address.
        interface: IpAddr,
        /// The port.
        port: u16,
    },
    /// The routing table cannot be used.
    #[error("cannot use routing table {}: {reason}; correct it or leave out routing.table", path.display())]
    RoutingTable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The audit log can't be written.
    #[error("cannot write audit log {}: {source}; check the path of audit.file or --audit-file", path.display())]
    Audit {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The ops port can't be had.
    #[error(
        "cannot listen on {address} for metrics and probes: {source}; choose another --ops-port or --ops-interface"
    )]
    OpsPort {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A service of every Erlang node could not be started.
    #[error("a standard service did not start: {0}; please report this")]
    Services(#[from] SpawnError),
    /// TLS is wanted and its options can't be used.
    #[error("TLS: {0}")]
    Tls(#[from] TlsConfigError),
    /// The node could not come up.
    #[error(transparent)]
    Node(#[from] StartError),
}

/// A running HAR node.
#[derive(Debug)]
pub struct HarNode {
    node: Node,
    cluster: Cluster,
    epmd_embedded: bool,
    /// Finding peers and staying connected to them.
    joining: Vec<JoinHandle<()>>,
    /// What goes on until the node has left.
    background: Vec<JoinHandle<()>>,
    ops: Option<(SocketAddr, JoinHandle<()>)>,
    audit: Option<Arc<AuditLog>>,
}

impl HarNode {
    /// Brings the node up. When this returns it is registered and takes connections.
    ///
    /// # Errors
    /// [`StartFailure`]; nothing is left running then.
    pub async fn start(settings: &Settings) -> Result<Self, StartFailure> {
        let cookie = settings.erlang_cookie(true)?;
        let mut config = node_config(settings, &cookie)?;
        let peers: Result<Vec<Atom>, _> =
            settings.nodes.value.0.iter().map(|name| atom_of(name)).collect();
        let peers = peers?;
        let audit = guard::audit(&settings.security)?;
        let telemetry = Telemetry::of_node(&settings.name.value);
        config.auditor = Some(Arc::new(Watch {
            telemetry: telemetry.clone(),
            logs: audit.is_some(),
            audit: match &audit {
                Some(log) => Arc::clone(log) as Arc<dyn Auditor>,
                None => Arc::new(AuditToLog),
            },
        }));
        let ops = ops_port(settings).await?;
        let wanted = (settings.dist_port.value == 0).then_some(Wanted {
            port: settings.epmd_port.value,
            embedded: settings.epmd_embedded.value,
            interface: settings.interface.value,
            addresses: settings.epmd_daemon.address.value.0.clone(),
            relaxed_command_check: settings.epmd_daemon.relaxed_command_check.value,
        });
        let mapper = match wanted {
            Some(wanted) => Some((wanted.find().await?, wanted)),
            None => None,
        };
        let epmd_embedded = matches!(mapper, Some((PortMapper::Embedded(_), _)));
        let node = Node::new(config)?;
        let cluster = Cluster::new(settings);
        let traces = settings.traces.endpoint.value.clone().and_then(|endpoint| {
            Exporter::new(&telemetry, endpoint, settings.traces.sample_percent.value)
        });
        let up = match start_services(&node, settings, &cluster, telemetry.clone()) {
            Ok(checker) => match node.listen().await {
                Ok(()) => Ok(checker),
                Err(error) => Err(listen_failure(settings, error)),
            },
            Err(failure) => Err(failure),
        };
        let checker = match up {
            Ok(checker) => checker,
            Err(failure) => {
                node.shutdown().await;
                return Err(failure);
            }
        };
        let ops = ops.map(|port| {
            let (node, departures) = (node.clone(), cluster.departures.clone());
            let is_leaving = Arc::new(move || departures.has_begun());
            let subject = Subject { node, telemetry: telemetry.clone(), is_leaving };
            (port.address(), tokio::spawn(port.serve(subject)))
        });
        let mut joining = cluster.start(&node, settings.epmd_port.value);
        let balancer = cluster.balancer.clone();
        let latencies = move || {
            let measured = balancer.latencies().into_iter();
            measured.map(|(peer, latency)| (peer.as_str().to_owned(), latency)).collect()
        };
        let mut background = vec![
            tokio::spawn(keep_measuring(telemetry, node.clone(), latencies)),
            tokio::spawn(checker.keep_checking()),
        ];
        background.extend(traces.map(|traces| tokio::spawn(traces.run())));
        if let Some((mapper, wanted)) = mapper {
            background.push(tokio::spawn(wanted.keep(mapper)));
        }
        for peer in peers {
            joining.push(tokio::spawn(keep_connected(node.clone(), peer)));
        }
        Ok(Self { node, cluster, epmd_embedded, joining, background, ops, audit })
    }

    /// The Erlang node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Whether this process was the port mapper of its host when it started.
    #[must_use]
    pub fn epmd_embedded(&self) -> bool {
        self.epmd_embedded
    }

    /// Goes on in a new file for the audit log, when the old one was moved away. `false`: there is
    /// no audit log.
    pub fn reopen_audit(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| {
            audit.reopen();
            true
        })
    }

    /// Where the node takes connections.
    #[must_use]
    pub fn listen_address(&self) -> Option<SocketAddr> {
        self.node.listen_address()
    }

    /// Where metrics and probes are.
    #[must_use]
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.as_ref().map(|(address, _)| *address)
    }

    /// Resolves when an operator has told the node to leave, by `HAR.Cluster.leave/0`.
    pub async fn told_to_leave(&self) {
        self.cluster.departures.ordered().await;
    }

    /// Leaves: takes nothing new, finishes what peers have asked for within `drain`, and goes: the
    /// name is free, peers see `nodedown`, then an embedded port mapper ends. Gives how many
    /// processes of peers were not done, and were ended.
    pub async fn leave(mut self, drain: Duration) -> usize {
        // Nobody is dialled any more; who is connected stays so for its answers.
        end_all(self.joining.drain(..)).await;
        let unfinished = if self.node.is_stopping() { 0 } else { self.finish(drain).await };
        self.node.shutdown().await;
        end_all(self.background.into_iter().chain(self.ops.map(|(_, server)| server))).await;
        if let Some(audit) = self.audit {
            audit.close();
        }
        unfinished
    }

    /// Takes nothing new and waits for what is under way.
    async fn finish(&self, drain: Duration) -> usize {
        self.cluster.departures.begin(&self.node).await;
        let (work, begun) = (self.node.peer_processes(), Instant::now());
        tracing::info!(work, drain_s = drain.as_secs(), "no new work is taken");
        // A node that shuts itself down meanwhile has nothing to wait for.
        tokio::select! {
            () = self.node.no_peer_processes() => {}
            () = self.node.stopped() => {}
            () = tokio::time::sleep(drain) => {}
        }
        let unfinished = self.node.peer_processes();
        let ms = begun.elapsed().as_millis();
        if unfinished > 0 {
            tracing::warn!(unfinished, ms, "work of peers is broken off: shutdown.drain_s is over");
        } else {
            tracing::info!(ms, "all that peers have asked for is answered");
        }
        unfinished
    }
}

async fn end_all(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.abort();
        // Aborted, or ended before.
        let _ = task.await;
    }
}

/// A hidden node that dials, but neither listens nor registers: for a command that asks and leaves.
///
/// # Errors
/// As [`HarNode::start`].
pub fn client(settings: &Settings, name: &str) -> Result<Node, StartFailure> {
    let cookie = settings.erlang_cookie(false)?;
    let mut config = node_config(settings, &cookie)?;
    config.name = node_name(name)?;
    config.hidden = true;
    let node = Node::new(config)?;
    node.dial_only()?;
    Ok(node)
}

/// What a peer can call and send to, all there before the first one can connect.
fn start_services(
    node: &Node,
    settings: &Settings,
    cluster: &Cluster,
    telemetry: Telemetry,
) -> Result<Checker, StartFailure> {
    let mut options = StandardOptions::default()
        .task_supervisor(atom!("Elixir.HAR.TaskSupervisor"))
        .diagnostics(settings.diagnostics.value);
    // `global` connects everybody to everybody; a hidden node has no part in that.
    options.global = !settings.hidden.value;
    options.task_gate = cluster.departures.gate();
    let plane = control_plane(settings, cluster)?;
    plane.tell(telemetry);
    let checker = Checker::new(plane.clone(), &settings.health);
    let mut functions = Functions::builder();
    functions.policy(guard::policy(&settings.security));
    services::register(&mut functions, &plane, &checker, cluster);
    let functions = functions.build();
    standard(node, functions.clone(), options)?;
    services::start(node, &plane, &checker, cluster, &functions)?;
    cluster.serve(node)?;
    Ok(checker)
}

async fn ops_port(settings: &Settings) -> Result<Option<OpsPort>, StartFailure> {
    let Some(address) = settings.ops.address() else { return Ok(None) };
    let bound = OpsPort::bind(address).await;
    bound.map(Some).map_err(|source| StartFailure::OpsPort { address, source })
}

/// Whether a node would start with these settings, as far as can be told without starting one: the
/// cookies of some peers, and the routing table with its backends.
///
/// # Errors
/// As [`HarNode::start`].
pub fn check(settings: &Settings) -> Result<(), StartFailure> {
    settings.security.peer_cookies()?;
    control_plane(settings, &Cluster::new(settings)).map(drop)
}

fn control_plane(settings: &Settings, cluster: &Cluster) -> Result<ControlPlane, StartFailure> {
    let networks = BackendNetworks(settings.security.backend_networks.value.0.clone());
    let facts = services::node_facts(&settings.name.value, cluster);
    let plane = ControlPlane::of_node(facts, networks, settings.strict_health.value);
    let path = &settings.routing_table.value;
    if path.as_os_str().is_empty() {
        return Ok(plane);
    }
    let refused = |reason| StartFailure::RoutingTable { path: path.clone(), reason };
    let text = read_text(path).map_err(|error| refused(error.to_string()))?;
    plane.begin_with(&text).map_err(|error| refused(error.to_string()))?;
    Ok(plane)
}

fn node_config(settings: &Settings, cookie: &ErlangCookie) -> Result<NodeConfig, StartFailure> {
    let cookie = guard::cookie(cookie)?;
    let mut config = NodeConfig::new(node_name(&settings.name.value)?, cookie);
    guard::apply(&mut config, &settings.security)?;
    if settings.proto_dist.value == ProtoDist::InetTls {
        config.transport = Transport::Tls(Tls::from_optfile(&settings.tls_optfile.value)?);
    }
    config.hidden = settings.hidden.value;
    config.interface = settings.interface.value;
    match settings.dist_port.value {
        0 => {
            let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
            config.epmd = Epmd::Daemon { address, port: settings.epmd_port.value };
            config.listen_ports = settings.listen_min.value..=settings.listen_max.value;
        }
        port => {
            config.epmd = Epmd::FixedPort { peer_port: port };
            config.listen_ports = port..=port;
        }
    }
    config.net_tick_time = Duration::from_secs(settings.net_ticktime_s.value.into());
    Ok(config)
}

/// Another port would do for a node that EPMD tells of, not for one that is found by its port.
fn listen_failure(settings: &Settings, error: StartError) -> StartFailure {
    match error {
        StartError::PortsBusy { interface, first: port, .. } if settings.dist_port.value != 0 => {
            StartFailure::DistPortBusy { interface, port }
        }
        error => error.into(),
    }
}

fn node_name(name: &str) -> Result<NodeName, StartFailure> {
    NodeName::new(name)
        .map_err(|error| StartFailure::Name { name: name.into(), reason: error.to_string() })
}

fn atom_of(name: &str) -> Result<Atom, StartFailure> {
    Atom::new(name).map_err(|error: AtomTooLong| StartFailure::Name {
        name: name.into(),
        reason: error.to_string(),
    })
}
