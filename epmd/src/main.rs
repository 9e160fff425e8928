//! `har-epmd`, the stand-alone daemon.

fn main() {}
