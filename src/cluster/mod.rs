//! Joining other nodes and staying joined.

mod back_off;
mod keep_connected;

pub(crate) use keep_connected::keep_connected;
