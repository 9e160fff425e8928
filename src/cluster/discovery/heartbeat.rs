//! The datagrams of libcluster's Gossip strategy: `heartbeat::` and the external term
//! `%{node: :"name@host"}`, as it is or encrypted with a secret.
// spec: libcluster 3.5, Cluster.Strategy.Gossip

use std::fmt;

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use bytes::Bytes;
use cbc::{Decryptor, Encryptor};
use erlang_interop::term::{
    Atom, DecodeLimits, DecodeOptions, EncodeOptions, Term, decode_prefix, encode_with, term,
};
use sha2::{Digest as _, Sha256};

use crate::cluster::limits::{DATAGRAM_BYTES_MAX, HEARTBEAT_DEPTH_MAX, HEARTBEAT_TERMS_MAX};

const PREFIX: &[u8] = b"heartbeat::";
/// The version byte of `term_to_binary`.
const VERSION: u8 = 131;
/// Bytes of the initialisation vector in front of an encrypted heartbeat.
pub(super) const IV_BYTES: usize = 16;

/// Writes and reads heartbeats.
pub(super) struct Heartbeat {
    key: Option<[u8; 32]>,
}

/// Why a datagram says nothing to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// It is longer than any heartbeat.
    #[error("it is longer than {DATAGRAM_BYTES_MAX} bytes")]
    TooLong,
    /// It is no heartbeat, or one for those who have another secret or none.
    #[error("it is no heartbeat under our secret, or under none if we have none")]
    Foreign,
    /// It begins like one.
    #[error("the term in it is not %{{node: atom}}")]
    Malformed,
}

impl Heartbeat {
    /// Heartbeats encrypted with `secret`, or plain ones.
    pub(super) fn new(secret: Option<&str>) -> Self {
        Self { key: secret.map(|secret| Sha256::digest(secret).into()) }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.key.is_some()
    }

    /// The datagram that tells of `node`. `iv` must be fresh randomness; a plain one ignores it.
    pub(super) fn write(&self, node: &Atom, iv: [u8; IV_BYTES]) -> Vec<u8> {
        // In the form of OTP 25, which all versions read.
        let term = encode_with(&term!(#{node => (node.clone())}), &EncodeOptions::otp25())
            .expect("a map of two atoms has an encoding");
        let plain = [PREFIX, &term].concat();
        match &self.key {
            None => plain,
            Some(key) => {
                let encryptor = Encryptor::<Aes256>::new(&(*key).into(), &iv.into());
                [&iv[..], &encryptor.encrypt_padded_vec::<Pkcs7>(&plain)].concat()
            }
        }
    }

    /// The node that a datagram tells of.
    pub(super) fn read(&self, datagram: &[u8]) -> Result<Atom, Refused> {
        if datagram.len() > DATAGRAM_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        let plain = match &self.key {
            None => datagram.to_vec(),
            Some(key) => decrypted(key, datagram).ok_or(Refused::Foreign)?,
        };
        let term = plain.strip_prefix(PREFIX).ok_or(Refused::Foreign)?;
        node(term).ok_or(Refused::Malformed)
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").field("encrypted", &self.key.is_some()).finish()
    }
}

fn decrypted(key: &[u8; 32], datagram: &[u8]) -> Option<Vec<u8>> {
    let (iv, sealed) = datagram.split_first_chunk::<IV_BYTES>()?;
    let decryptor = Decryptor::<Aes256>::new(&(*key).into(), &(*iv).into());
    decryptor.decrypt_padded_vec::<Pkcs7>(sealed).ok()
}

/// The node in `%{node: atom}`. Other keys and bytes behind the term are ignored, as
/// `binary_to_term/1` does.
fn node(term: &[u8]) -> Option<Atom> {
    let term = term.strip_prefix(&[VERSION])?;
    let limits = DecodeLimits {
        depth: HEARTBEAT_DEPTH_MAX,
        terms_max: HEARTBEAT_TERMS_MAX,
        ..DecodeLimits::default()
    };
    let options = DecodeOptions { limits, ..DecodeOptions::default() };
    let (term, _) = decode_prefix(&Bytes::copy_from_slice(term), 0, &options).ok()?;
    term.as_map()?.get_atom("node").and_then(Term::as_atom).cloned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Recorded with libcluster 3.5.0 on OTP 25.
    const VECTORS: &str = include_str!("testdata/gossip.jsonl");

    fn vectors() -> Vec<Value> {
        VECTORS.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn bytes(hex: &Value) -> Vec<u8> {
        let hex = hex.as_str().expect("hex digits");
        let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
        (0..hex.len()).step_by(2).map(pair).collect()
    }

    #[test]
    fn each_recorded_datagram_is_read_as_libcluster_does() {
        for vector in vectors() {
            let read = Heartbeat::new(vector["secret"].as_str()).read(&bytes(&vector["packet"]));
            match vector["accept"].as_bool() {
                Some(true) => {
                    assert_eq!(read.expect("accepted").as_str(), vector["node"], "{vector}");
                }
                _ => assert!(read.is_err(), "{vector}"),
            }
        }
    }

    #[test]
    fn ours_are_byte_for_byte_those_of_libcluster() {
        let ours = vectors().into_iter().filter(|v| v["accept"] == true && v["why"].is_null());
        let mut compared = 0;
        for vector in ours {
            let node = Atom::new(vector["node"].as_str().expect("a name")).expect("short");
            let iv = match &vector["iv"] {
                Value::Null => [0; IV_BYTES],
                iv => bytes(iv).try_into().expect("16 bytes"),
            };
            let written = Heartbeat::new(vector["secret"].as_str()).write(&node, iv);
            assert_eq!(written, bytes(&vector["packet"]), "{vector}");
            compared += 1;
        }
        assert_eq!(compared, 16);
    }

    #[test]
    fn the_form_of_newer_otp_is_read_and_so_are_names_beyond_latin_1() {
        let modern = b"heartbeat::\x83\x74\x00\x00\x00\x01\x77\x04node\x77\x03a@b";
        assert_eq!(Heartbeat::new(None).read(modern).expect("read").as_str(), "a@b");
        let plain = Heartbeat::new(None);
        let node = Atom::new("ħar@b.example").expect("short");
        assert_eq!(plain.read(&plain.write(&node, [0; IV_BYTES])), Ok(node));
    }

    #[test]
    fn bombs_are_refused() {
        let plain = Heartbeat::new(None);
        let with = |body: &[u8]| [PREFIX, &[VERSION], body].concat();
        let deep: Vec<u8> = [108, 0, 0, 0, 1].repeat(300);
        assert_eq!(plain.read(&with(&deep)), Err(Refused::Malformed));
        let huge_map = [116, 255, 255, 255, 255];
        assert_eq!(plain.read(&with(&huge_map)), Err(Refused::Malformed));
        let wide: Vec<u8> = [&[104, 200][..], &[106; 200]].concat();
        assert_eq!(plain.read(&with(&wide)), Err(Refused::Malformed));
        // Compressed: one that inflates to a gigabyte is not even begun.
        let compressed = [80, 0x3f, 255, 255, 255, 0x78, 0x9c];
        assert_eq!(plain.read(&with(&compressed)), Err(Refused::Malformed));
        assert_eq!(plain.read(&vec![0; DATAGRAM_BYTES_MAX + 1]), Err(Refused::TooLong));
    }

    #[test]
    fn no_secret_is_in_the_debug_form() {
        let shown = format!("{:?}", Heartbeat::new(Some("somepassword")));
        assert_eq!(shown, "Heartbeat { encrypted: true }");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), prefixed: bool,
        ) {
            let datagram = if prefixed { [PREFIX, &[VERSION], &bytes].concat() } else { bytes };
            let _ = Heartbeat::new(None).read(&datagram);
            let _ = Heartbeat::new(Some("s")).read(&datagram);
        }

        #[test]
        fn what_is_written_is_read_with_the_same_secret_only(
            name in "[a-z0-9_]{1,40}@[a-z0-9.]{1,100}", secret in "\\PC{0,40}", iv: [u8; IV_BYTES],
        ) {
            let node = Atom::new(&name).expect("short");
            let sealed = Heartbeat::new(Some(&secret)).write(&node, iv);
            prop_assert_eq!(Heartbeat::new(Some(&secret)).read(&sealed), Ok(node));
            prop_assert!(Heartbeat::new(None).read(&sealed).is_err());
            let other = secret + "!";
            prop_assert!(Heartbeat::new(Some(&other)).read(&sealed).is_err());
        }
    }
}
