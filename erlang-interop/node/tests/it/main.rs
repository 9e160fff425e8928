//! Integration tests of the node: alone, in pairs over loopback, and with real BEAMs.

mod admission;
mod altact;
mod beam;
mod beam_node;
mod certificates;
mod churn;
mod connecting;
mod flow;
mod harness;
mod intake;
mod links;
mod local;
mod monitors;
mod raw_peer;
mod spawning;
mod strangers;
mod tls;
mod tls_beam;
mod tls_refusals;
