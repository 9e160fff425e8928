//! Bytes that a peer sends to do harm.

use bytes::Bytes;
use erlang_term::limits::{DEPTH_MAX, INFLATED_BYTES_MAX, TERM_BYTES_COPIED_MAX};
use erlang_term::{
    DecodeErrorKind, DecodeLimits, DecodeOptions, EncodeOptions, Term, atom, decode, decode_prefix,
    decode_with, encode, encode_with, term,
};

fn kind(bytes: &[u8]) -> DecodeErrorKind {
    decode(&Bytes::copy_from_slice(bytes)).expect_err("hostile").kind
}

#[test]
fn counts_beyond_the_bytes_are_refused_at_once() {
    for header in [
        &[131, 105, 255, 255, 255, 255][..],
        &[131, 108, 255, 255, 255, 255],
        &[131, 116, 255, 255, 255, 255],
        &[131, 109, 255, 255, 255, 255],
        &[131, 111, 255, 255, 255, 255, 0],
        &[131, 77, 255, 255, 255, 255, 1],
        &[131, 107, 255, 255],
    ] {
        assert_eq!(kind(header), DecodeErrorKind::Truncated, "{header:?}");
    }
}

/// `levels` containers in each other.
fn nested(open: &[u8], close: &[u8], levels: usize) -> Bytes {
    [&[131], &*open.repeat(levels), &[106], &*close.repeat(levels)].concat().into()
}

#[test]
fn depth_is_bounded() {
    for (open, close) in
        [(&[104, 1][..], &[][..]), (&[108, 0, 0, 0, 1], &[106]), (&[116, 0, 0, 0, 1, 106], &[])]
    {
        let deepest = decode(&nested(open, close, DEPTH_MAX)).expect("within the limit");
        // Every walk over the deepest term must fit an ordinary stack.
        assert_eq!(deepest, deepest.clone());
        assert!(deepest.cmp(&deepest.clone()).is_eq());
        assert!(deepest.phash2() < 1 << 27 && deepest.to_string().len() > DEPTH_MAX);
        assert!(deepest.to_elixir().to_string().len() > DEPTH_MAX);
        let options = EncodeOptions { deterministic: true, ..EncodeOptions::default() };
        let bytes = Bytes::from(encode_with(&deepest, &options).expect("encodable"));
        assert_eq!(decode(&bytes), Ok(deepest));
        let error = decode(&nested(open, close, 100_000)).expect_err("too deep");
        assert_eq!(
            error.kind,
            DecodeErrorKind::Limit { what: "levels of nesting", max: DEPTH_MAX }
        );
    }
}

#[test]
fn lists_as_tails_of_lists_are_one_flat_list() {
    let mut bytes = vec![131];
    for _ in 0..100_000 {
        bytes.extend_from_slice(&[108, 0, 0, 0, 1, 97, 7]);
    }
    bytes.extend_from_slice(&[107, 0, 2, 1, 2]);
    let list = decode(&bytes.into()).expect("a proper list");
    assert_eq!(list.as_list().map(erlang_term::List::len), Some(100_002));
    assert!(list.as_list().is_some_and(erlang_term::List::is_proper));
}

#[test]
fn terms_are_counted() {
    let limits = DecodeLimits { terms_max: 10, ..DecodeLimits::default() };
    let list = |len: i64| Bytes::from(erlang_term::encode(&Term::list(0..len)));
    assert!(decode_with(&list(8), &limits).is_ok());
    let error = decode_with(
        &Bytes::from(erlang_term::encode(&term!([[300], [300], [300], [300]]))),
        &limits,
    );
    assert_eq!(error.expect_err("more").kind, DecodeErrorKind::Limit { what: "terms", max: 10 });
}

#[test]
fn new_atoms_are_counted_and_known_ones_are_not() {
    let limits = DecodeLimits { new_atoms_max: 10, ..DecodeLimits::default() };
    let fresh = |prefix: &str| {
        // As bytes, so that nobody has made the atoms before.
        let mut bytes = vec![131, 104, 11];
        for number in 10..21 {
            let text = format!("{prefix}{number}");
            bytes.extend([119, u8::try_from(text.len()).expect("short")]);
            bytes.extend(text.as_bytes());
        }
        Bytes::from(bytes)
    };
    let known = fresh("counted_known");
    let _kept = decode(&known).expect("a tuple");
    assert!(decode_with(&known, &limits).is_ok());
    let error = decode_with(&fresh("counted_fresh"), &limits).expect_err("eleven");
    assert_eq!(error.kind, DecodeErrorKind::Limit { what: "new atoms", max: 10 });
}

#[test]
fn compressed_terms_are_bounded_before_and_while_inflating() {
    let big = Term::binary(vec![0u8; 1 << 20]);
    let options = EncodeOptions { compressed: Some(9), ..EncodeOptions::default() };
    let bomb = encode_with(&big, &options).expect("encodable");
    assert!(bomb.len() < 2000);
    let limits = DecodeLimits { inflated_bytes_max: 1 << 19, ..DecodeLimits::default() };
    let bytes = Bytes::from(bomb.clone());
    assert_eq!(decode(&bytes), Ok(big));
    let error = decode_with(&bytes, &limits).expect_err("too large");
    assert_eq!(error.kind, DecodeErrorKind::Limit { what: "inflated bytes", max: 1 << 19 });
    // A size that lies, either way, and what is no zlib data.
    let mut liar = bomb.clone();
    liar[2..6].copy_from_slice(&100u32.to_be_bytes());
    assert_eq!(kind(&liar), DecodeErrorKind::Invalid { what: "size of a compressed term" });
    liar[2..6].copy_from_slice(&(INFLATED_BYTES_MAX as u32).to_be_bytes());
    assert_eq!(kind(&liar), DecodeErrorKind::Invalid { what: "size of a compressed term" });
    assert_eq!(
        kind(&[131, 80, 0, 0, 0, 1, 1, 2, 3]),
        DecodeErrorKind::Invalid { what: "zlib data" }
    );
    // Not in a distribution frame, and not inside another term.
    let inside = decode_prefix(&bytes, 1, &DecodeOptions::default()).expect_err("compressed");
    assert_eq!(inside.kind, DecodeErrorKind::Tag { tag: 80 });
}

#[test]
fn fields_are_checked() {
    let invalid = |what| DecodeErrorKind::Invalid { what };
    let infinite = [&[131, 70][..], &f64::INFINITY.to_be_bytes()].concat();
    assert_eq!(kind(&infinite), invalid("float"));
    assert_eq!(kind(&[131, 119, 1, 255]), invalid("UTF-8 of an atom"));
    assert_eq!(kind(&[&[131, 118, 1, 0][..], &[b'a'; 256]].concat()), invalid("length of an atom"));
    assert_eq!(kind(&[131, 77, 0, 0, 0, 1, 9, 0]), invalid("bits of a bit string"));
    assert_eq!(kind(&[131, 77, 0, 0, 0, 0, 3]), invalid("bits of a bit string"));
    assert_eq!(kind(&[131, 90, 0, 6, 119, 1, b'a']), invalid("number of words of a reference"));
    assert_eq!(kind(&[131, 90, 0, 0, 119, 1, b'a']), invalid("number of words of a reference"));
    assert_eq!(
        kind(&[131, 116, 0, 0, 0, 2, 97, 1, 97, 1, 97, 1, 97, 2]),
        DecodeErrorKind::DuplicateKey
    );
    assert_eq!(kind(&[131, 117]), DecodeErrorKind::Tag { tag: 117 });
    assert_eq!(kind(&[131, 88, 97, 1]), DecodeErrorKind::Expected { what: "an atom" });
    assert_eq!(kind(&[131, 97, 1, 0]), DecodeErrorKind::TrailingBytes);
    assert_eq!(kind(&[130]), DecodeErrorKind::Version { got: 130 });
    assert_eq!(kind(&[]), DecodeErrorKind::Truncated);
}

#[test]
fn atom_references_are_those_of_the_header() {
    let bytes = Bytes::from_static(&[104, 2, 82, 1, 82, 0, 97]);
    let atoms = [atom!("zero"), atom!("one")];
    let options = DecodeOptions { atom_refs: &atoms, ..DecodeOptions::default() };
    assert_eq!(decode_prefix(&bytes, 0, &options), Ok((term!({one, zero}), 6)));
    let options = DecodeOptions { atom_refs: &atoms[..1], ..DecodeOptions::default() };
    let error = decode_prefix(&bytes, 0, &options).expect_err("unknown");
    assert_eq!(
        (error.offset, error.kind),
        (2, DecodeErrorKind::AtomReference { index: 1, known: 1 })
    );
}

#[test]
fn older_forms_are_read() {
    let cases: [(&[u8], &str); 8] = [
        (
            &[
                131, 99, b'1', b'.', b'5', b'e', b'+', b'0', b'0', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ],
            "1.5",
        ),
        (&[131, 115, 1, 0xe9], "é"),
        (&[131, 100, 0, 1, 0xe9], "é"),
        (&[131, 103, 100, 0, 1, b'a', 0, 0, 0, 5, 0, 0, 0, 1, 2], "#Pid<a.5.1>"),
        (&[131, 102, 100, 0, 1, b'a', 0, 0, 0, 5, 2], "#Port<a.5>"),
        (&[131, 101, 100, 0, 1, b'a', 0, 0, 0, 5, 2], "#Ref<a.5>"),
        (&[131, 114, 0, 2, 100, 0, 1, b'a', 2, 0, 0, 0, 5, 0, 0, 0, 6], "#Ref<a.6.5>"),
        (&[131, 110, 1, 1, 5], "-5"),
    ];
    for (bytes, text) in cases {
        assert_eq!(decode(&Bytes::from_static(bytes)).expect("valid").to_string(), text);
    }
}

#[test]
fn local_terms_stay_opaque() {
    let bytes = Bytes::from_static(&[131, 121, 1, 2, 3]);
    let local = decode(&bytes).expect("opaque");
    assert_eq!(erlang_term::encode(&local), bytes);
    assert!(encode_with(&Term::tuple([local]), &EncodeOptions::default()).is_err());
}

/// A buffer that says when it is let go.
struct Watched(Vec<u8>, std::sync::Arc<std::sync::atomic::AtomicBool>);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.1.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_short_binary_keeps_no_long_buffer_alive() {
    for (length, is_shared) in [(30, false), (TERM_BYTES_COPIED_MAX, true)] {
        let message = encode(&Term::tuple([Term::binary(vec![7; length])]));
        let gone = std::sync::Arc::default();
        // As many messages come in one read.
        let buffer = [&message[..], &[0; 100_000]].concat();
        let buffer = Bytes::from_owner(Watched(buffer, std::sync::Arc::clone(&gone)));
        let term = decode(&buffer.slice(..message.len())).expect("good");
        drop(buffer);
        let is_gone = gone.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(is_gone, !is_shared, "{length} bytes");
        assert_eq!(term, Term::tuple([Term::binary(vec![7; length])]));
    }
}

/// Maps of 16 keys that are such maps, for so many levels. Variants of a level differ in one key far
/// down, and are found late, so that comparing them key by key takes ever more for each level.
fn nested_keys(levels: u32, variant: i32, bytes: &mut Vec<u8>) {
    if levels == 0 {
        bytes.push(98);
        return bytes.extend(variant.to_be_bytes());
    }
    bytes.extend([116, 0, 0, 0, 16]);
    let mut keys: Vec<i32> = (0..15).chain([15 + variant]).collect();
    if variant % 2 == 1 {
        keys.reverse();
    }
    for key in keys {
        nested_keys(levels - 1, key, bytes);
        bytes.extend([97, 1]);
    }
}

/// No key collides, yet each comparison of two such keys would take as long as the square of their size:
/// this did not end within minutes.
#[test]
fn maps_as_keys_of_maps_take_no_more_than_their_size() {
    let nested = |levels| {
        let mut bytes = vec![131];
        nested_keys(levels, 0, &mut bytes);
        Bytes::from(bytes)
    };
    decode(&nested(5)).expect("a map");
    let bytes = nested(4);
    let (one, other) = (decode(&bytes).expect("a map"), decode(&bytes).expect("a map"));
    assert_eq!(one, other);
    assert!(one.cmp(&other).is_eq() && one.cmp_order(&other).is_eq());
    let options = EncodeOptions { deterministic: true, ..EncodeOptions::default() };
    let sorted = Bytes::from(encode_with(&one, &options).expect("encodable"));
    assert_eq!(decode(&sorted), Ok(one));
}

/// Writes the key of this number.
type WriteKey = fn(u32, &mut Vec<u8>);

/// Closures that differ in what a BEAM does not compare first, and the pairs of maps, have their own
/// hashes: 60,000 keys of one hash would take 1,800,000,000 comparisons.
#[test]
fn keys_that_a_peer_chose_do_not_collide() {
    let closure = |number: u32, bytes: &mut Vec<u8>| {
        let start = bytes.len();
        bytes.extend([112, 0, 0, 0, 0, 0]);
        bytes.extend([0; 12]);
        bytes.extend(number.to_be_bytes());
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 119, 1, b'm', 97, 0, 97, 0]);
        bytes.extend([88, 119, 3, b'n', b'@', b'h', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        let len = (bytes.len() - start - 1) as u32;
        bytes[start + 1..start + 5].copy_from_slice(&len.to_be_bytes());
    };
    // The second half is a constant of the hash function that fixed seeds would multiply by zero.
    let map = |number: u32, bytes: &mut Vec<u8>| {
        bytes.extend([116, 0, 0, 0, 1, 97, 1, 109, 0, 0, 0, 16, 0, 0, 0, 0]);
        bytes.extend(number.to_be_bytes());
        bytes.extend(0x3f84_d5b5_b547_0917_u64.to_le_bytes());
    };
    let kinds: [WriteKey; 2] = [closure, map];
    for key in kinds {
        let keys = 60_000u32;
        let mut bytes = vec![131, 116];
        bytes.extend(keys.to_be_bytes());
        for number in 0..keys {
            key(number, &mut bytes);
            bytes.push(106);
        }
        let map = decode(&bytes.into()).expect("a map");
        assert_eq!(map.as_map().map(erlang_term::Map::len), Some(keys as usize));
    }
}
