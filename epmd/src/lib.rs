//! The Erlang Port Mapper Daemon.
