//! The two runtimes: small for a command that asks and leaves, full for a node that stays.

use std::io;

use tokio::runtime::{Builder, Runtime};

use super::{Exit, Failure};

/// Everything on the thread that asks.
pub(super) fn of_a_client() -> Result<Runtime, Failure> {
    build(&mut Builder::new_current_thread())
}

/// One worker a core.
pub(super) fn of_a_node() -> Result<Runtime, Failure> {
    build(&mut Builder::new_multi_thread())
}

fn build(builder: &mut Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|error: io::Error| {
        let message = format!("cannot start the runtime: {error}; check the limits of this user");
        Failure::new(Exit::OsErr, message)
    })
}
