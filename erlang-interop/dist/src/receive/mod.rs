//! From bytes to messages: frames, their headers, and messages joined from fragments.

pub(crate) mod atoms;
pub(crate) mod fragments;
pub(crate) mod frame_buffer;
pub(crate) mod inbox;
pub(crate) mod reader;
mod spare;
