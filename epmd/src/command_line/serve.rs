//! The daemon's process: log, descriptors, sockets, signals.

use std::net::TcpListener;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

use super::options::Options;
use super::{detach, fail, notify};
use crate::limits::{DESCRIPTORS_WANTED, LISTEN_ADDRESSES_MAX};
use crate::server::Ended;
use crate::{BindError, Server};

pub(super) fn serve(options: &Options) -> ExitCode {
    if options.daemon {
        detach::leave_session();
    } else {
        start_log(options.debug);
    }
    raise_descriptor_limit();
    // One thread: a request is a few microseconds of ours inside some fifty of the kernel's, so
    // that waking a second thread for it costs more than it brings.
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(serve_until_told(options)),
        Err(error) => fail(&format!("cannot start: {error}")),
    }
}

async fn serve_until_told(options: &Options) -> ExitCode {
    let server = match listen(options) {
        Ok(server) => server,
        Err(StartError::Bind(error @ BindError::AddrInUse { .. })) => {
            // As the original: whoever wants an EPMD has one.
            tracing::info!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error.to_string()),
    };
    if let Err(error) = notify::ready() {
        tracing::warn!(%error, "cannot notify systemd");
    }
    if options.daemon {
        detach::say_ready();
    }
    tracing::info!(addresses = ?server.local_addresses(), "epmd running");
    match server.run(terminated()).await {
        Ended::Killed => tracing::info!("epmd killed"),
        Ended::Shutdown => tracing::info!("terminated by a signal"),
    }
    ExitCode::SUCCESS
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("systemd provides no sockets")]
    NoSockets,
    #[error("cannot obtain sockets from systemd: {0}")]
    Sockets(std::io::Error),
}

fn listen(options: &Options) -> Result<Server, StartError> {
    let config = options.server_config();
    if !options.systemd {
        return Ok(Server::bind(&config)?);
    }
    let listeners = sockets_of_systemd()?;
    match listeners.len() {
        0 => Err(StartError::NoSockets),
        count if count > LISTEN_ADDRESSES_MAX => Err(BindError::TooMany.into()),
        _ => Ok(Server::from_listeners(listeners, &config)?),
    }
}

fn sockets_of_systemd() -> Result<Vec<TcpListener>, StartError> {
    let mut handed_over = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..handed_over.len() {
        let listener = handed_over.take_tcp_listener(index).map_err(StartError::Sockets)?;
        listeners.extend(listener);
    }
    Ok(listeners)
}

/// Completes with the first SIGTERM or SIGINT.
async fn terminated() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Log to stderr. Warnings always, as in the original; each `-d` adds a level.
fn start_log(debug: usize) {
    let level = match debug {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // A program that has us as a subcommand may have its own log: then that one is used.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .try_init();
}

/// Each registration keeps a connection, and the usual soft limit allows only a thousand.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS_WANTED, |hard| hard.min(DESCRIPTORS_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "cannot raise the limit of open descriptors");
        }
    }
}
