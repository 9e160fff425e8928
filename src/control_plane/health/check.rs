//! How a backend is asked whether it works, as its metadata in the routing table says.
//!
//! ```yaml
//! metadata:
//!   health_check: {type: http, url: "http://10.0.2.7:8080/health", interval_ms: 5000}
//! ```

use std::time::Duration;

use crate::config::HttpUrl;
use crate::semantic::{Map, Value};

/// The key in a backend's map, or in its metadata.
pub const HEALTH_CHECK: &str = "health_check";
/// Longest URL, host name, or part of a command, in bytes.
const TEXT_BYTES_MAX: usize = 2048;
/// Most parts of a command.
const COMMAND_PARTS_MAX: usize = 64;
/// Shortest and longest time between two checks.
const INTERVAL_MS: std::ops::RangeInclusive<u64> = 500..=86_400_000;
/// Shortest and longest time that a check may take.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 10..=60_000;
/// Results in a row that change a health.
const IN_A_ROW: std::ops::RangeInclusive<u64> = 1..=100;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Whether it takes a connection.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// What it answers to GET.
    Http {
        /// `http://HOST:PORT/PATH`, taken apart: name or address.
        host: String,
        /// Port.
        port: u16,
        /// The rest, from the slash on.
        path: String,
        /// Codes that mean healthy, all others unhealthy; empty: 2xx is healthy, 5xx is not, the
        /// rest is degraded.
        expect: Vec<u16>,
    },
    /// Whether a command ends well.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
    },
}

/// When and how to ask. What the metadata leaves out is `None`: the node's settings say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub probe: Probe,
    /// Time between two checks.
    pub interval: Option<Duration>,
    /// Longest time of one.
    pub timeout: Option<Duration>,
    /// Good results in a row that make an unhealthy backend healthy.
    pub rise: Option<u32>,
    /// Bad results in a row that make a healthy one unhealthy.
    pub fall: Option<u32>,
}

impl Check {
    /// From a backend's metadata; `None`: it is not to be checked.
    ///
    /// # Errors
    /// What is wrong with it, in a line.
    pub fn of_metadata(metadata: &Map) -> Result<Option<Self>, String> {
        match metadata.present(HEALTH_CHECK) {
            None => Ok(None),
            Some(Value::Map(fields)) => Self::of(fields).map(Some),
            Some(_) => Err(format!("`{HEALTH_CHECK}` must be a mapping")),
        }
    }

    /// What is connected to, if anything.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match &self.probe {
            Probe::Tcp { host, .. } | Probe::Http { host, .. } => Some(host),
            Probe::Command { .. } => None,
        }
    }

    /// From its fields.
    ///
    /// # Errors
    /// What is wrong with them, in a line.
    pub fn of(fields: &Map) -> Result<Self, String> {
        let time =
            |name, range| number(fields, name, range).map(|ms| ms.map(Duration::from_millis));
        let count = |name| {
            let found = number(fields, name, IN_A_ROW);
            found.map(|count| count.and_then(|count| u32::try_from(count).ok()))
        };
        Ok(Self {
            probe: probe(fields)?,
            interval: time("interval_ms", INTERVAL_MS)?,
            timeout: time("timeout_ms", TIMEOUT_MS)?,
            rise: count("rise")?,
            fall: count("fall")?,
        })
    }
}

fn probe(fields: &Map) -> Result<Probe, String> {
    match fields.text("type") {
        Some("tcp") => {
            let host = fields.text("host").unwrap_or("127.0.0.1");
            let port = number(fields, "port", 1..=65_535)?.ok_or("`tcp` needs a `port`")?;
            let port = u16::try_from(port).map_err(|_| "no such port")?;
            Ok(Probe::Tcp { host: bounded("host", host)?, port })
        }
        Some("http") => http(fields),
        Some("command") => {
            let words = fields.get("command").and_then(Value::as_list).unwrap_or_default();
            let word = |word: &Value| match word {
                Value::String(word) | Value::Atom(word) => bounded("command", word),
                other => other.to_text().ok_or_else(|| "`command` is a list of texts".to_owned()),
            };
            let words = words.iter().map(word).collect::<Result<Vec<_>, _>>()?;
            if words.is_empty() || words.len() > COMMAND_PARTS_MAX {
                return Err("`command` is a list: the program and its arguments".to_owned());
            }
            Ok(Probe::Command { words })
        }
        _ => Err("`type` of a health check is tcp, http or command".to_owned()),
    }
}

fn http(fields: &Map) -> Result<Probe, String> {
    let HttpUrl { host, port, path } = fields.text("url").ok_or("`http` needs a `url`")?.parse()?;
    let code = |value: &Value| match value {
        Value::Integer(code) => u16::try_from(*code).ok().filter(|code| (100..600).contains(code)),
        _ => None,
    };
    let expect = match fields.present("expect") {
        None => Vec::new(),
        Some(Value::List(codes)) if codes.len() <= 500 => {
            let codes: Option<Vec<u16>> = codes.iter().map(code).collect();
            codes.ok_or("`expect` is a list of status codes")?
        }
        Some(one) => vec![code(one).ok_or("`expect` is a status code, or a list of them")?],
    };
    Ok(Probe::Http { host, port, path, expect })
}

fn bounded(name: &str, text: &str) -> Result<String, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("`{name}` is longer than {TEXT_BYTES_MAX} bytes"));
    }
    Ok(text.to_owned())
}

fn number(
    fields: &Map,
    name: &str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Option<u64>, String> {
    let wrong = || format!("`{name}` is a number from {} to {}", range.start(), range.end());
    match fields.present(name) {
        None => Ok(None),
        Some(Value::Integer(number)) => {
            let number = u64::try_from(*number).ok().filter(|number| range.contains(number));
            number.map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: Map) -> Result<Check, String> {
        Check::of_metadata(&Map::new().with(HEALTH_CHECK, fields)).map(|check| check.expect("one"))
    }

    #[test]
    fn what_is_wrong_is_said() {
        let tcp = || Map::new().with("type", Value::atom("tcp")).with("port", 80);
        let check = of(tcp().with("interval_ms", 500).with("rise", 3)).expect("fine");
        assert_eq!(check.interval, Some(Duration::from_millis(500)));
        assert_eq!((check.rise, check.fall, check.timeout), (Some(3), None, None));
        assert_eq!(check.probe, Probe::Tcp { host: "127.0.0.1".into(), port: 80 });
        assert_eq!(Check::of_metadata(&Map::new()), Ok(None));
        let said = |fields: Map| of(fields).expect_err("wrong");
        assert!(said(Map::new().with("type", "icmp")).contains("tcp, http or command"));
        assert!(said(Map::new().with("type", "tcp")).contains("port"));
        assert!(said(tcp().with("interval_ms", 1)).contains("from 500 to"));
        assert!(said(tcp().with("fall", 0)).contains("from 1 to 100"));
        assert!(said(Map::new().with("type", "http")).contains("url"));
        let https = Map::new().with("type", "http").with("url", "https://x/");
        assert!(said(https).contains("https is not spoken"));
        assert!(said(Map::new().with("type", "command")).contains("program"));
        let words = vec![Value::from("true"), Value::Null];
        assert!(said(Map::new().with("type", "command").with("command", words)).contains("texts"));
        let wrong = Map::new().with(HEALTH_CHECK, "http://x/");
        assert!(Check::of_metadata(&wrong).is_err());
    }
}
