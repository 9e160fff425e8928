//! `har`, the command.

fn main() {}
