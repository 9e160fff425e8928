//! The shared secret and the digests made of it.

use std::fmt;

use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::limits::COOKIE_BYTES_MAX;

/// The secret that two nodes share. Never shown: its `Debug` hides the text and it has no `Display`.
/// Wiped from memory when dropped.
#[derive(Clone)]
pub struct Cookie(Zeroizing<Vec<u8>>);

/// Why bytes are no cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CookieError {
    /// No bytes at all.
    #[error("the cookie is empty")]
    Empty,
    /// Longer than an atom can be.
    #[error("the cookie has {bytes} bytes, at most {COOKIE_BYTES_MAX} are allowed")]
    TooLong {
        /// Bytes given.
        bytes: usize,
    },
}

impl Cookie {
    /// Takes the cookie's bytes as they are; stripping a file's line end is the reader's business.
    ///
    /// # Errors
    /// If it's empty or longer than [`COOKIE_BYTES_MAX`].
    pub fn new(text: impl Into<Vec<u8>>) -> Result<Self, CookieError> {
        let text = text.into();
        match text.len() {
            0 => Err(CookieError::Empty),
            bytes if bytes > COOKIE_BYTES_MAX => Err(CookieError::TooLong { bytes }),
            _ => Ok(Self(Zeroizing::new(text))),
        }
    }

    /// Proof that we know the cookie: MD5 of the cookie and the challenge in decimal.
    // spec: erl_dist_protocol, "Distribution Handshake"
    pub fn digest(&self, challenge: u32) -> Digest {
        let hash =
            Md5::new().chain_update(self.reveal()).chain_update(challenge.to_string()).finalize();
        Digest(hash.into())
    }

    /// The secret itself, for writing a cookie file or for `erlang:get_cookie/0`.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Cookie {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Cookie {}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(hidden)")
    }
}

/// The 16 bytes that answer a challenge. Compared in constant time.
#[derive(Clone, Copy)]
pub struct Digest(pub(crate) [u8; 16]);

impl Digest {
    /// The bytes as they stand on the wire.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_that_of_a_real_handshake() {
        // Captured from OTP 25: cookie `tapcookie`, the acceptor's challenge and the dialer's answer.
        let cookie = Cookie::new("tapcookie").expect("a cookie");
        let expected = [
            0x01, 0x50, 0x33, 0xb4, 0xf8, 0x60, 0xeb, 0x41, 0x89, 0x08, 0x0c, 0xb7, 0x77, 0xdb,
            0x54, 0x3f,
        ];
        assert_eq!(cookie.digest(4_108_281_713).as_bytes(), &expected);
    }

    #[test]
    fn secrets_do_not_show() {
        let cookie = Cookie::new("sesame").expect("a cookie");
        assert_eq!(format!("{cookie:?} {:?}", cookie.digest(1)), "Cookie(hidden) Digest(hidden)");
    }

    #[test]
    fn cookie_is_bounded() {
        assert_eq!(Cookie::new(""), Err(CookieError::Empty));
        assert_eq!(Cookie::new([b'x'; 1021]), Err(CookieError::TooLong { bytes: 1021 }));
        assert_ne!(Cookie::new("a"), Cookie::new("b"));
    }
}
