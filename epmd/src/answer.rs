//! The daemon's rules: which answer a request gets, and what becomes of its connection. Sans-IO.

use std::sync::Arc;

use crate::codec::{
    Alive2, Alive2Answer, Request, encode_alive2, encode_dump, encode_names, encode_port,
};
use crate::registry::{ConnectionId, Holder, Registry};

/// The connection that a request came on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    /// Loopback, or this host's own address: may change things, others may only look.
    pub(crate) local: bool,
    pub(crate) holder: Holder,
}

/// The daemon's own settings that answers depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) port: u16,
    pub(crate) relaxed_command_check: bool,
}

/// What to do with the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Close without a word.
    Close,
    /// Send and close. `writes`: in how many pieces the original would send it.
    Send { bytes: Arc<[u8]>, writes: u32 },
    /// Send, then keep: the name is registered until the connection ends.
    Keep { bytes: Vec<u8>, name: Vec<u8> },
    /// Send, and wait for the client to close (the original leaves a refused one open).
    Linger { bytes: Vec<u8> },
    /// Send, close, and end the daemon.
    Kill { bytes: &'static [u8] },
    /// Cut that other connection, send and close.
    Stop { bytes: &'static [u8], connection: ConnectionId },
}

impl Answer {
    fn send(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Send { bytes: bytes.into(), writes: 1 }
    }
}

/// The registry with the rules around it.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) registry: Registry,
    rules: Rules,
    /// The last answer to NAMES, and the registry's version it shows. Many clients that read
    /// slowly then share one copy, and many quick ones don't have it made again and again.
    names: Option<(u64, Arc<[u8]>)>,
}

impl Daemon {
    pub(crate) fn new(registry: Registry, rules: Rules) -> Self {
        Self { registry, rules, names: None }
    }

    /// Carries out one request.
    pub(crate) fn answer(
        &mut self,
        request: &Request<'_>,
        asker: Asker,
        now_seconds: u32,
    ) -> Answer {
        let relaxed = self.rules.relaxed_command_check;
        match request {
            Request::PortPlease2 { name } => Answer::send(encode_port(self.registry.find(name))),
            Request::Names => self.names(),
            _ if !asker.local => {
                tracing::warn!(?request, "request from non local address");
                Answer::Close
            }
            Request::Alive2(alive) => self.register(alive, asker, now_seconds),
            Request::Dump => {
                let writes = 1 + self.registry.dump().count() as u32;
                let bytes = encode_dump(self.rules.port, self.registry.dump()).into();
                Answer::Send { bytes, writes }
            }
            Request::Kill if !relaxed && !self.registry.is_empty() => {
                tracing::warn!("disallowed KILL_REQ, live nodes");
                Answer::send(*b"NO")
            }
            Request::Kill => Answer::Kill { bytes: b"OK" },
            Request::Stop { .. } if !relaxed => {
                tracing::warn!("disallowed STOP_REQ, no relaxed_command_check");
                Answer::Close
            }
            Request::Stop { name } => match self.registry.stop(name) {
                Some(connection) => Answer::Stop { bytes: b"STOPPED", connection },
                // The original sends "STOPPED" after it, against its documentation; no client
                // reads that far.
                None => Answer::send(*b"NOEXIST"),
            },
        }
    }

    fn names(&mut self) -> Answer {
        let version = self.registry.version();
        let writes = 1 + self.registry.len() as u32;
        if let Some((shown, bytes)) = &self.names
            && *shown == version
        {
            return Answer::Send { bytes: Arc::clone(bytes), writes };
        }
        let nodes = self.registry.nodes().map(|node| (node.name.as_str(), node.port));
        let bytes: Arc<[u8]> = encode_names(self.rules.port, nodes).into();
        self.names = Some((version, Arc::clone(&bytes)));
        Answer::Send { bytes, writes }
    }

    fn register(&mut self, alive: &Alive2<'_>, asker: Asker, now_seconds: u32) -> Answer {
        let name = String::from_utf8_lossy(alive.name);
        match self.registry.register(alive, asker.holder, now_seconds) {
            Ok(creation) => {
                tracing::info!(%name, creation, port = alive.port, "registering");
                let answer = Alive2Answer::Ok { creation };
                let bytes = encode_alive2(alive.highest_version, answer);
                Answer::Keep { bytes, name: alive.name.to_vec() }
            }
            Err(refusal) => {
                tracing::warn!(%name, %refusal, "registration refused");
                let answer = Alive2Answer::Refused { result: 1 };
                Answer::Linger { bytes: encode_alive2(alive.highest_version, answer) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::RegistryLimits;

    const STRICT: Rules = Rules { port: 4369, relaxed_command_check: false };
    const RELAXED: Rules = Rules { port: 4369, relaxed_command_check: true };

    fn asker(local: bool, connection: u64) -> Asker {
        Asker { local, holder: Holder { connection, descriptor: 9 } }
    }

    fn alive(name: &[u8]) -> Request<'_> {
        Request::Alive2(Alive2 {
            port: 1,
            node_type: 77,
            protocol: 0,
            highest_version: 6,
            lowest_version: 6,
            name,
            extra: b"",
        })
    }

    fn with_node(rules: Rules) -> Daemon {
        let mut daemon = Daemon::new(Registry::new(RegistryLimits::default()), rules);
        let kept = daemon.answer(&alive(b"a"), asker(true, 7), 5);
        let expected = Answer::Keep { bytes: vec![118, 0, 0, 0, 0, 5], name: b"a".to_vec() };
        assert_eq!(kept, expected);
        daemon
    }

    #[test]
    fn strangers_may_only_look() {
        let mut daemon = with_node(RELAXED);
        let far = asker(false, 8);
        for request in [alive(b"b"), Request::Dump, Request::Kill, Request::Stop { name: b"a" }] {
            assert_eq!(daemon.answer(&request, far, 5), Answer::Close);
        }
        assert_eq!(daemon.registry.len(), 1);
        let found = daemon.answer(&Request::PortPlease2 { name: "a" }, far, 5);
        assert!(matches!(found, Answer::Send { bytes, .. } if bytes.len() == 15));
        let names = daemon.answer(&Request::Names, far, 5);
        assert!(matches!(names, Answer::Send { writes: 2, .. }));
    }

    #[test]
    fn kill_and_stop_follow_the_relaxed_check() {
        let near = asker(true, 8);
        let stop = Request::Stop { name: b"a" };
        let killed = Answer::Kill { bytes: b"OK" };

        let mut strict = with_node(STRICT);
        assert_eq!(strict.answer(&Request::Kill, near, 5), Answer::send(*b"NO"));
        assert_eq!(strict.answer(&stop, near, 5), Answer::Close);
        assert!(strict.registry.release(b"a", 7));
        assert_eq!(strict.answer(&Request::Kill, near, 5), killed);

        let mut relaxed = with_node(RELAXED);
        assert_eq!(relaxed.answer(&Request::Kill, near, 5), killed);
        let stopped = Answer::Stop { bytes: b"STOPPED", connection: 7 };
        assert_eq!(relaxed.answer(&stop, near, 5), stopped);
        assert_eq!(relaxed.answer(&stop, near, 5), Answer::send(*b"NOEXIST"));
    }

    #[test]
    fn a_refused_registration_leaves_the_connection_open() {
        let mut daemon = with_node(STRICT);
        let again = daemon.answer(&alive(b"a"), asker(true, 8), 5);
        assert_eq!(again, Answer::Linger { bytes: vec![118, 1, 0, 0, 0, 99] });
    }

    #[test]
    fn names_are_made_anew_after_each_change() {
        let mut daemon = with_node(STRICT);
        let near = asker(true, 8);
        let names = |daemon: &mut Daemon| match daemon.answer(&Request::Names, near, 5) {
            Answer::Send { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        };
        let (first, second) = (names(&mut daemon), names(&mut daemon));
        assert!(Arc::ptr_eq(&first, &second));
        daemon.registry.release(b"a", 7);
        assert_eq!(names(&mut daemon).len(), 4);
    }
}
