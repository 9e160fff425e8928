//! Terms, encodings, hashes and orders as real nodes of OTP 25 and 27 made them.

use std::cmp::Ordering;

use bytes::Bytes;
use erlang_term::{AtomEncoding, EncodeOptions, Term, decode, encode_with};
use serde_json::Value;

const TERMS_25: &str = include_str!("../data/terms.jsonl");
const TERMS_27: &str = include_str!("../data/terms27.jsonl");
const ORDER: &str = include_str!("../data/order.jsonl");

fn lines(text: &'static str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"))
}

fn unhex(hex: &str) -> Bytes {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("hex") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn field(line: &Value, name: &str) -> Option<Bytes> {
    line[name].as_str().map(unhex)
}

fn term_of(line: &Value) -> Term {
    let bytes = field(line, "ext").expect("every line has ext");
    decode(&bytes).unwrap_or_else(|error| panic!("line {}: {error}", line["id"]))
}

/// Both files, with how their release encodes.
fn all_lines() -> impl Iterator<Item = (Value, EncodeOptions)> {
    let old = lines(TERMS_25).map(|line| (line, EncodeOptions::otp25()));
    old.chain(lines(TERMS_27).map(|line| (line, EncodeOptions::default())))
}

#[test]
fn encodings_are_equal_per_release() {
    for (line, plain) in all_lines() {
        let term = term_of(&line);
        let encoded = |options| Bytes::from(encode_with(&term, &options).expect("encodable"));
        let ext = field(&line, "ext").expect("every line has ext");
        // Pairs of maps keep the order they came in, so even these bytes are equal.
        assert_eq!(encoded(plain), ext, "line {}: ext", line["id"]);
        let sorted = field(&line, "ext_det").unwrap_or_else(|| ext.clone());
        let deterministic = EncodeOptions { deterministic: true, ..plain };
        assert_eq!(encoded(deterministic), sorted, "line {}: ext_det", line["id"]);
        if let Some(old) = field(&line, "ext_mv1") {
            let options = EncodeOptions { atoms: AtomEncoding::Latin1WhereItFits, ..plain };
            assert_eq!(encoded(options), old, "line {}: ext_mv1", line["id"]);
        }
    }
}

/// `erl` is what `~w` prints, cut after 200 characters.
#[test]
fn numbers_and_atoms_are_printed_as_by_otp() {
    let mut compared = 0;
    for (line, _) in all_lines() {
        let term = term_of(&line);
        let text = line["erl"].as_str().expect("every line has erl");
        let printed = term.excerpt(200);
        let plain = matches!(term, Term::Integer(_) | Term::Float(_) | Term::Atom(_));
        if plain && text.trim_end_matches('…').is_ascii() {
            assert_eq!(printed, text, "line {}", line["id"]);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn hashes_are_equal() {
    for (line, _) in all_lines() {
        let term = term_of(&line);
        let number = |name: &str| line[name].as_u64().expect("every line has its hashes");
        assert_eq!(u64::from(term.phash2()), number("phash2"), "{line}");
        assert_eq!(u64::from(term.phash2_range(1 << 32)), number("phash2_32"), "{line}");
        assert_eq!(term.phash(1 << 32), number("phash_32"), "{line}");
    }
}

#[test]
fn releases_agree_on_terms() {
    let old: std::collections::HashMap<_, _> =
        lines(TERMS_25).map(|line| (line["id"].to_string(), term_of(&line))).collect();
    let mut compared = 0;
    for line in lines(TERMS_27) {
        let (old, new) = (&old[&line["id"].to_string()], term_of(&line));
        // The vectors' closures name the process that made them, which differs.
        if new.to_string().contains("#Fun<") {
            continue;
        }
        assert_eq!(*old, new, "line {}", line["id"]);
        compared += 1;
    }
    assert!(compared > 400, "only {compared} lines");
}

#[test]
fn order_is_equal() {
    for line in lines(ORDER) {
        let sorted: Vec<Term> = line["sorted"]
            .as_array()
            .expect("a list of terms")
            .iter()
            .map(|hex| decode(&unhex(hex.as_str().expect("hex"))).expect("decodable"))
            .collect();
        for (at, relation) in line["rel"].as_array().expect("relations").iter().enumerate() {
            let (left, right) = (&sorted[at], &sorted[at + 1]);
            let context = || format!("order {}: {left} and {right}", line["id"]);
            let order = left.cmp_order(right);
            assert_eq!(right.cmp_order(left), order.reverse(), "{}", context());
            match relation.as_str().expect("a relation") {
                "<" => assert_eq!(order, Ordering::Less, "{}", context()),
                "==" => {
                    assert_eq!(order, Ordering::Equal, "{}", context());
                    assert!(!left.exactly_equals_otp26(right), "{}", context());
                    assert_ne!(left, right, "{}", context());
                }
                "=:=" => {
                    assert_eq!(order, Ordering::Equal, "{}", context());
                    assert!(left.exactly_equals_otp26(right), "{}", context());
                }
                other => panic!("unknown relation {other}"),
            }
            assert_eq!(left.cmp(right) == Ordering::Equal, left == right, "{}", context());
        }
    }
}

#[test]
fn every_cut_of_every_vector_is_refused() {
    for line in
        lines(TERMS_25).filter(|line| line["ext"].as_str().is_some_and(|ext| ext.len() < 400))
    {
        let bytes = field(&line, "ext").expect("every line has ext");
        for end in 0..bytes.len() {
            assert!(decode(&bytes.slice(..end)).is_err(), "line {} cut at {end}", line["id"]);
        }
    }
}
