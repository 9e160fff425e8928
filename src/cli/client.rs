//! What `ping` and `rpc` share: a hidden node for the moment, connected to the one asked for.

use erlang_interop::node::Node;
use erlang_interop::term::Atom;

use crate::config::{NameDomain, Origin, Settings};
use crate::node;

use super::unreachable::unreachable;
use super::{Exit, Failure, IdentityFlags};

/// A connection to the node a command is about.
pub(super) struct Client {
    pub(super) node: Node,
    pub(super) peer: Atom,
}

impl Client {
    /// Connects to `peer`, or to the node that the settings name, or says why not. Must run inside a
    /// runtime.
    pub(super) async fn connect(
        identity: &IdentityFlags,
        peer: Option<&str>,
    ) -> Result<Self, Failure> {
        let settings = identity.settings()?;
        let named_by_settings = peer.is_none();
        let peer = peer.unwrap_or(&settings.name.value);
        crate::telemetry::logging::start(settings.log_format.value, client_level(&settings));
        warn_of_cookie(&settings);
        let Some((_, host)) =
            peer.split_once('@').filter(|(alive, host)| !alive.is_empty() && !host.is_empty())
        else {
            let message =
                format!("`{peer}` is no node name; write NAME@HOST, such as har@127.0.0.1");
            return Err(Failure::new(Exit::Usage, message));
        };
        let own = match settings.name.origin {
            Origin::Flag(_) if !named_by_settings => settings.name.value.clone(),
            _ => name_for_the_moment(host),
        };
        let node = node::client(&settings, &own)?;
        let peer = Atom::new(peer)
            .map_err(|_| Failure::new(Exit::Usage, "the node name has more than 255 characters"))?;
        match node.connect(&peer).await {
            Ok(()) => Ok(Self { node, peer }),
            Err(error) => Err(unreachable(&settings, &peer, &error)),
        }
    }

    /// Ends the connection, so that the peer sees an orderly end.
    pub(super) async fn leave(self) {
        self.node.shutdown().await;
    }
}

/// A command that asks and leaves logs only what goes wrong, unless told otherwise.
fn client_level(settings: &Settings) -> &str {
    match settings.log_level.origin {
        Origin::Flag(_) => &settings.log_level.value,
        _ => "error",
    }
}

/// A unique name of the peer's form.
fn name_for_the_moment(peer_host: &str) -> String {
    let domain = if peer_host.contains(['.', ':']) { NameDomain::Long } else { NameDomain::Short };
    let host = match domain {
        NameDomain::Long => "127.0.0.1".to_owned(),
        NameDomain::Short => crate::config::short_host(),
    };
    let random = getrandom::u32().unwrap_or_default();
    format!("har-{}-{random:08x}@{host}", std::process::id())
}

pub(super) fn warn_of_cookie(settings: &Settings) {
    let given =
        settings.cookie.as_ref().is_some_and(|cookie| cookie.origin == Origin::Flag("--cookie"));
    if given {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"har: warning: --cookie may stay in the history of your shell; --cookie-file is safer\n",
        );
    }
}
