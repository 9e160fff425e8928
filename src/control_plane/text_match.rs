//! Whether a text is what a table or a policy wants: by glob, or as an address in a prefix.

use std::net::Ipv6Addr;

/// A wanted text, read once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    text: String,
    has_star: bool,
}

impl Wanted {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { has_star: text.contains('*'), text }
    }

    /// Equal, or by glob.
    pub(super) fn matches(&self, have: &str) -> bool {
        if self.has_star { glob_matches(&self.text, have) } else { self.text == have }
    }

    /// Whether any text matches.
    pub(super) fn is_any(&self) -> bool {
        self.text == "*"
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// Whether `*` in a pattern can stand for parts of a text so that both are equal.
///
/// Linear in the text for each `*`: on a mismatch only the last `*` is widened.
pub(super) fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        if pattern.get(at_pattern) == Some(&b'*') {
            star = Some((at_pattern, at_text));
            at_pattern += 1;
        } else if pattern.get(at_pattern) == Some(&text[at_text]) {
            at_pattern += 1;
            at_text += 1;
        } else if let Some((star_pattern, star_text)) = star {
            star = Some((star_pattern, star_text + 1));
            at_pattern = star_pattern + 1;
            at_text = star_text + 1;
        } else {
            return false;
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

/// A network of IPv6 addresses, such as `2001:db8:1::/48`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    bits: u128,
    length: u32,
}

impl Prefix {
    /// Reads `ADDRESS/LENGTH`, or one address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').unwrap_or((text, "128"));
        let length: u32 = length.parse().ok().filter(|length| *length <= 128)?;
        // A zone (`fe80::1%eth0`) says where an address is used, not what it is.
        let address = address.split('%').next().unwrap_or(address);
        Some(Self { bits: u128::from(address.parse::<Ipv6Addr>().ok()?), length })
    }

    /// Whether an address, or the network of a narrower prefix, lies within.
    pub(super) fn contains(self, address: &str) -> bool {
        let mask = if self.length == 0 { 0 } else { u128::MAX << (128 - self.length) };
        Self::parse(address).is_some_and(|inner| {
            inner.length >= self.length && inner.bits & mask == self.bits & mask
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, want) in [
            ("service_*", "service_start", true),
            ("service_*", "xservice_start", false),
            ("*", "", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("a.c", "abc", false),
            ("", "a", false),
            ("abc", "abc", true),
        ] {
            assert_eq!(Wanted::new(pattern).matches(text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn prefixes_contain_by_bits_not_by_text() {
        for (address, prefix, want) in [
            ("2001:db8:1:ffff::1", "2001:db8:1::/48", true),
            ("2001:0db8:0001::1", "2001:db8:1::/48", true),
            ("2001:db8:10::1", "2001:db8:1::/48", false),
            ("2001:db8:1:2::/64", "2001:db8:1::/48", true),
            ("2001:db8::/32", "2001:db8:1::/48", false),
            ("fe80::1%eth0", "fe80::/10", true),
            ("::1", "::/0", true),
            ("10.0.0.1", "::/0", false),
            ("::1", "::/129", false),
        ] {
            let inside = Prefix::parse(prefix).is_some_and(|prefix| prefix.contains(address));
            assert_eq!(inside, want, "{address} {prefix}");
        }
    }
}
