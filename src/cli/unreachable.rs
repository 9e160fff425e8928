//! Why a node could not be connected to, with the cure and the exit code.

use erlang_interop::dist::HandshakeError;
use erlang_interop::node::ConnectError;
use erlang_interop::term::Atom;

use crate::config::Settings;

use super::{Exit, Failure};

/// The line for an attempt to connect to `peer`.
pub(super) fn unreachable(settings: &Settings, peer: &Atom, error: &ConnectError) -> Failure {
    let peer = peer.as_str();
    let port = settings.epmd_port.value;
    let (exit, line) = match error {
        ConnectError::UnknownHost { host, source } => (
            Exit::NoHost,
            format!("host {host} is not known: {source}; check the name after the @"),
        ),
        ConnectError::Epmd { address, reason } => (
            Exit::Unavailable,
            format!(
                "no EPMD answers at {address}: {reason}; is a node running there, and is --epmd-port right?"
            ),
        ),
        ConnectError::NotRegistered { name, host } => (
            Exit::Unavailable,
            format!(
                "no node {name} at the EPMD on {host} port {port}; start it or see `har names {host}`"
            ),
        ),
        ConnectError::Io { address, source } => (
            Exit::Unavailable,
            format!(
                "{peer} does not take connections at {address}: {source}; is it busy, stopped, or behind a firewall?"
            ),
        ),
        ConnectError::ClosedInHandshake | ConnectError::Handshake(HandshakeError::Auth) => {
            let origin = settings.cookie.as_ref().map(|cookie| cookie.origin.to_string());
            let ours = origin.map(|origin| format!(" (ours is from {origin})")).unwrap_or_default();
            (
                Exit::NoPerm,
                format!("cookie mismatch with {peer}{ours}: use its cookie with --cookie-file"),
            )
        }
        ConnectError::Tls { source, .. } => {
            (Exit::NoPerm, format!("no TLS with {peer}: {source}; see --ssl-dist-optfile"))
        }
        ConnectError::PeerSpeaksTls => (
            Exit::NoPerm,
            format!("{peer} speaks TLS and we do not; give its options with --ssl-dist-optfile"),
        ),
        ConnectError::Handshake(error) => handshake(peer, error),
        ConnectError::OwnName { .. } => {
            (Exit::Usage, format!("{peer} is our own name; choose another with --name"))
        }
        ConnectError::NotANodeName { .. } | ConnectError::HostForm { .. } => {
            (Exit::Usage, format!("{error}; write NAME@HOST in the form that node uses"))
        }
        ConnectError::SetupTimeout => (
            Exit::Unavailable,
            format!("{peer} did not answer in time; is the process stopped or the network cut?"),
        ),
        other => (Exit::Unavailable, format!("no connection to {peer}: {other}; try again")),
    };
    Failure::new(exit, line)
}

fn handshake(peer: &str, error: &HandshakeError) -> (Exit, String) {
    match error {
        HandshakeError::WrongName { got, .. } => (
            Exit::NoHost,
            format!("{got} answers where {peer} was looked for; call it by that name"),
        ),
        HandshakeError::Refused { .. } => {
            (Exit::NoPerm, format!("{peer} refuses us: {error}; see its log and its allow list"))
        }
        HandshakeError::Incompatible { .. } => {
            (Exit::Unavailable, format!("{peer} is too old: {error}; it needs OTP 25 or newer"))
        }
        HandshakeError::Timeout { .. } => (
            Exit::Unavailable,
            format!("{peer} did not answer in time: {error}; is the process stopped?"),
        ),
        _ => (
            Exit::Unavailable,
            format!("what answers for {peer} is no Erlang node: {error}; see `har names`"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use erlang_interop::term::atom;

    use crate::config::{Environment, Flags};

    use super::*;

    fn line(error: &ConnectError) -> (Exit, String) {
        let environment: Environment =
            [("HAR_COOKIE".to_owned(), "SECRET".to_owned())].into_iter().collect();
        let settings = Settings::resolve(Flags::default(), &environment).expect("settings");
        let failure = unreachable(&settings, &atom!("a@h.example"), error);
        (failure.exit, failure.to_string())
    }

    #[test]
    fn a_wrong_cookie_is_told_in_one_way_however_the_peer_shows_it() {
        let closed = line(&ConnectError::ClosedInHandshake);
        assert_eq!(closed, line(&ConnectError::Handshake(HandshakeError::Auth)));
        assert_eq!(closed.0, Exit::NoPerm);
        assert!(closed.1.contains("environment HAR_COOKIE") && !closed.1.contains("SECRET"));
    }

    #[test]
    fn another_name_and_another_protocol_are_told_apart() {
        let wrong = HandshakeError::WrongName { expected: "a@h.example".into(), got: "a@h".into() };
        assert_eq!(line(&ConnectError::Handshake(wrong)).0, Exit::NoHost);
        let stranger = HandshakeError::Misbehaved { expected: "a status", got: "HTTP".into() };
        let (exit, text) = line(&ConnectError::Handshake(stranger));
        assert_eq!(exit, Exit::Unavailable);
        assert!(text.contains("no Erlang node"), "{text}");
    }
}
