//! `har certs`

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Subcommand;

use crate::security::{Authority, CertificatesError, NodeFiles};

use super::{Exit, Failure, print};

/// What `har certs` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: CertsCommand,
}

#[derive(Debug, Subcommand)]
enum CertsCommand {
    /// Make a CA and certificates of nodes, each with the options file for har and for a BEAM
    Init(InitArguments),
}

#[derive(Debug, clap::Args)]
struct InitArguments {
    /// Nodes or hosts: NAME@HOST or HOST [default: har@ this machine's names]
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// Where the files go, and where the CA of before is looked for
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
    /// Make new certificates in place of those that are there; the CA stays
    #[arg(long)]
    renew: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        CertsCommand::Init(arguments) => init(arguments),
    }
}

fn init(arguments: &InitArguments) -> Result<(), Failure> {
    let authority = Authority::open(&arguments.dir)?;
    let mut text = String::new();
    let what = if authority.was_made() { "made" } else { "kept" };
    let _ = writeln!(text, "CA     {} ({what})", authority.certificate().display());
    for (name, hosts) in wanted(&arguments.nodes) {
        let files = authority.issue(&name, &hosts, arguments.renew)?;
        let _ = writeln!(text, "\n{}", told(&name, &hosts, &files)?);
    }
    let _ = writeln!(
        text,
        "\nKeep ca.key away from the nodes: whoever has it can join. A node needs its own .pem, \
         .key and .conf, and ca.pem, at these paths."
    );
    print(&text)
}

/// Names of files, each with the hosts its certificate is for.
fn wanted(nodes: &[String]) -> Vec<(String, Vec<String>)> {
    if nodes.is_empty() {
        let mut hosts = vec!["127.0.0.1".into(), "localhost".into(), crate::config::short_host()];
        hosts.dedup();
        return vec![("har".into(), hosts)];
    }
    let host = |node: &str| node.rsplit('@').next().unwrap_or(node).to_owned();
    nodes.iter().map(|node| (node.clone(), vec![host(node)])).collect()
}

fn told(name: &str, hosts: &[String], files: &NodeFiles) -> Result<String, Failure> {
    let optfile = files.optfile.display();
    let mut text = String::new();
    let _ = writeln!(text, "{name}, for {}", hosts.join(", "));
    let _ = writeln!(text, "  har start --ssl-dist-optfile {optfile}");
    let _ = writeln!(text, "  erl -proto_dist inet_tls -ssl_dist_optfile {optfile}");
    let _ = writeln!(text, "  iex --erl \"-proto_dist inet_tls -ssl_dist_optfile {optfile}\"");
    let conf = std::fs::read_to_string(&files.optfile);
    let conf =
        conf.map_err(|source| CertificatesError::File { path: files.optfile.clone(), source })?;
    let _ = write!(text, "{optfile}:\n{conf}");
    Ok(text)
}

impl From<CertificatesError> for Failure {
    fn from(error: CertificatesError) -> Self {
        let exit = match &error {
            CertificatesError::File { source, .. }
                if source.kind() == ErrorKind::PermissionDenied =>
            {
                Exit::NoPerm
            }
            CertificatesError::File { .. } | CertificatesError::Exists { .. } => Exit::CantCreat,
            CertificatesError::HalfCa { .. } => Exit::NoInput,
            CertificatesError::Name { .. } => Exit::Usage,
            _ => Exit::Software,
        };
        Self::new(exit, error.to_string())
    }
}
