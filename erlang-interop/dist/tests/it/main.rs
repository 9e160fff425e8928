//! Integration tests of the protocol machine: captures of real BEAMs, pairs in memory, hostile peers.

mod allocations;
mod capture;
mod control;
mod frames;
mod handshake;
mod handshake_pair;
mod hostile;
mod instructions;
mod long_run;
mod messages;
mod operations;
mod otp;
mod pair;
mod sample;
mod seeds;
