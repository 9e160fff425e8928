//! An address of an HTTP server, taken apart.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest text of one, in bytes.
const BYTES_MAX: usize = 2048;

/// `http://HOST[:PORT][/PATH]`. There is no `https`: what is asked is in the same network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// Name or address; one of IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The rest, from the slash on, with its question.
    pub path: String,
}

impl HttpUrl {
    /// What stands in the header `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

impl FromStr for HttpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > BYTES_MAX {
            return Err(format!("a URL has at most {BYTES_MAX} bytes"));
        }
        let wrong = || format!("`{text}` is not http://HOST[:PORT]/PATH; https is not spoken");
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        // What has blanks or line ends in it would be a request of its own.
        if !rest.chars().all(|c| c.is_ascii_graphic()) || rest.contains('#') {
            return Err(format!("{}; and it has no blanks, accents or fragment", wrong()));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?)
            }
            _ => (authority, 80),
        };
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if host.is_empty() || host.contains(['@', '?']) || inner.is_none() && host.contains(':') {
            return Err(wrong());
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { host: inner.unwrap_or(host).to_owned(), port, path: path.to_owned() })
    }
}

impl Serialize for HttpUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HttpUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        for (text, host, port, path) in [
            ("http://a.example", "a.example", 80, "/"),
            ("http://10.0.0.1:8080/x?y=1", "10.0.0.1", 8080, "/x?y=1"),
            ("http://[fd00::7]:81/h", "fd00::7", 81, "/h"),
            ("http://[fd00::7]", "fd00::7", 80, "/"),
        ] {
            let url: HttpUrl = text.parse().expect(text);
            assert_eq!((url.host.as_str(), url.port, url.path.as_str()), (host, port, path));
            assert_eq!(url.to_string().parse(), Ok(url));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for wrong in [
            "",
            "a.example",
            "https://a.example/",
            "http:///x",
            "http://a.example:0/",
            "http://a.example:http/",
            "http://me@a.example/",
            "http://fd00::7/",
            "http://a.example/#x",
            "http://a.example/ HTTP/1.1\r\nX: y\r\n\r\n",
            "file:///etc/passwd",
        ] {
            assert!(wrong.parse::<HttpUrl>().is_err(), "{wrong}");
        }
        assert!(format!("http://a/{}", "x".repeat(10_000)).parse::<HttpUrl>().is_err());
    }
}
