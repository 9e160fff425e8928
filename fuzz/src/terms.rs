//! Any bytes as an external term: no panic, and what is read is written and read again equal.

use bytes::Bytes;
use erlang_term::{decode, encode};

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(term) = decode(&Bytes::copy_from_slice(data)) else { return };
    let again = decode(&Bytes::from(encode(&term))).expect("what we write is good");
    assert_eq!(again, term);
    assert_eq!(again.phash2(), term.phash2());
    assert!(again.cmp(&term).is_eq());
}
