//! From messages to bytes: encoding, atom cache, cutting into fragments, and the order of output.

pub(crate) mod atoms;
pub(crate) mod body;
mod bulk;
pub(crate) mod outbox;
