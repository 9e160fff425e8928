//! What a node name may be.

use crate::limits::{NAME_BYTES_MAX, NAME_CHARACTERS_MAX};

/// Why a node name can't be registered or looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// More than 255 characters, or more than 1020 bytes.
    #[error("node name is too long ({bytes} bytes; at most {NAME_CHARACTERS_MAX} characters)")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("invalid node name encoding (UTF-8 expected)")]
    NotUtf8,
    /// No character at all.
    #[error("node name is empty")]
    Empty,
    /// A zero byte inside.
    #[error("node name contains a zero byte")]
    ZeroByte,
}

/// Checks a name as it came from the wire or a caller: 0 to 255 characters of UTF-8.
///
/// An empty name is let through, since the original registers one when the request has an extra
/// field; callers that build requests refuse it before.
///
/// # Errors
/// [`NameError`], never `Empty` or `ZeroByte`.
pub fn check_name(name: &[u8]) -> Result<&str, NameError> {
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    let text = std::str::from_utf8(name).map_err(|_| NameError::NotUtf8)?;
    if text.chars().count() > NAME_CHARACTERS_MAX {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        let widest = "\u{1F600}".repeat(255);
        assert_eq!(check_name(widest.as_bytes()), Ok(widest.as_str()));
        let long = "n".repeat(256);
        assert_eq!(check_name(long.as_bytes()), Err(NameError::TooLong { bytes: 256 }));
        let longer = "n".repeat(1021);
        assert_eq!(check_name(longer.as_bytes()), Err(NameError::TooLong { bytes: 1021 }));
    }

    #[test]
    fn wants_utf8_as_the_original() {
        for bad in
            [&b"\xff\xfe"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
        {
            assert_eq!(check_name(bad), Err(NameError::NotUtf8));
        }
        assert_eq!(check_name("åäö".as_bytes()), Ok("åäö"));
        assert_eq!(check_name(b""), Ok(""));
    }
}
