//! What the program writes about itself.

pub mod logging;
