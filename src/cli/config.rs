//! `har config check` and `har config show`

use crate::config::Settings;

use super::{Failure, NodeFlags, print};

/// What `har config` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say whether a node would start with these settings; nothing is started or created
    Check(NodeFlags),
    /// Print the settings in force and where each came from; secrets are masked
    Show(NodeFlags),
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.action {
        Action::Check(flags) => {
            let settings = flags.settings()?;
            check_cookie(&settings)?;
            crate::node::check(&settings)?;
            print("the configuration is fine\n")
        }
        Action::Show(flags) => print(&table(&flags.settings()?)),
    }
}

/// A cookie file that is there must be usable; one that is not there would be made.
fn check_cookie(settings: &Settings) -> Result<(), Failure> {
    use crate::config::ConfigError::CookieUnreadable;
    match settings.erlang_cookie(false) {
        Err(CookieUnreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(())
        }
        outcome => Ok(outcome.map(drop)?),
    }
}

/// Characters of a value that the others are aligned with.
const VALUE_WIDTH_MAX: usize = 48;

fn table(settings: &Settings) -> String {
    let rows = settings.rows();
    let width = |column: fn(&(&str, String, String)) -> usize| {
        rows.iter().map(column).max().unwrap_or_default()
    };
    let keys = width(|row| row.0.len());
    // One long value must not push all origins out of sight.
    let values = width(|row| row.1.len()).min(VALUE_WIDTH_MAX);
    rows.iter()
        .map(|(key, value, origin)| format!("{key:keys$}  {value:values$}  # {origin}\n"))
        .collect()
}
