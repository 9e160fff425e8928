//! What the examples share: a node from command line arguments.

use std::error::Error;

use erlang_interop::node::{Cookie, Epmd, Node, NodeConfig, NodeName};

/// An error of an example: it is printed and the program ends.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// `NAME COOKIE EPMD_PORT`.
pub(crate) struct Arguments {
    name: String,
    cookie: String,
    epmd_port: u16,
}

impl Arguments {
    /// Reads the command line: these arguments, and those that follow.
    pub(crate) fn read() -> Result<(Self, Vec<String>), Failure> {
        let mut arguments = std::env::args().skip(1);
        let mut next = || arguments.next().ok_or("arguments: NAME@HOST COOKIE EPMD_PORT …");
        let (name, cookie, epmd_port) = (next()?, next()?, next()?.parse()?);
        Ok((Self { name, cookie, epmd_port }, arguments.collect()))
    }

    /// A node that isn't on the network yet.
    pub(crate) fn node(&self, hidden: bool) -> Result<Node, Failure> {
        let name = NodeName::new(&self.name)?;
        let mut config = NodeConfig::new(name, Cookie::new(self.cookie.as_str())?);
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        config.epmd = Epmd::Daemon { address, port: self.epmd_port };
        config.hidden = hidden;
        Ok(Node::new(config)?)
    }
}
