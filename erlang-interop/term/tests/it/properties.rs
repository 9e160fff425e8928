//! What holds for every term.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use erlang_term::{EncodeOptions, Term, decode, encode, encode_with, parse_elixir, parse_erlang};
use proptest::prelude::*;

use crate::strategy::term;

/// Whether the text has something without a source form.
fn printed_only(text: &str) -> bool {
    ["#Pid<", "#Port<", "#Ref<", "#Fun<"].iter().any(|printed| text.contains(printed))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn encoding_and_decoding_give_the_same_term(term in term()) {
        let bytes = Bytes::from(encode(&term));
        let decoded = decode(&bytes);
        prop_assert_eq!(decoded.as_ref(), Ok(&term));
        prop_assert_eq!(encode(&term), encode(&decoded.expect("just checked")));
        for options in [
            EncodeOptions::otp25(),
            EncodeOptions { deterministic: true, ..EncodeOptions::default() },
            EncodeOptions { compressed: Some(6), ..EncodeOptions::default() },
        ] {
            let bytes = Bytes::from(encode_with(&term, &options).expect("encodable"));
            prop_assert_eq!(decode(&bytes), Ok(term.clone()));
        }
    }

    #[test]
    fn text_reads_back_in_both_syntaxes(term in term()) {
        let text = term.to_string();
        if !printed_only(&text) {
            prop_assert_eq!(parse_erlang(&text), Ok(term.clone()));
            let elixir = term.to_elixir().to_string();
            prop_assert_eq!(parse_elixir(&elixir), Ok(term.clone()), "{}", elixir);
        }
    }

    #[test]
    fn orders_are_total(a in term(), b in term(), c in term()) {
        for order in [Term::cmp, Term::cmp_order] {
            prop_assert!(order(&a, &a).is_eq());
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
        }
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
    }

    #[test]
    fn equal_terms_hash_equal(term in term()) {
        let state = RandomState::new();
        let twin = decode(&Bytes::from(encode(&term))).expect("decodable");
        prop_assert_eq!(state.hash_one(&term), state.hash_one(&twin));
        prop_assert_eq!(term.phash2(), twin.phash2());
        prop_assert_eq!(term.phash(1 << 32), twin.phash(1 << 32));
        prop_assert!(term.phash2() < 1 << 27);
    }

    #[test]
    fn broken_bytes_are_refused_or_read_but_never_panic(
        term in term(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(&term);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let bytes = Bytes::from(bytes);
        if let Ok(other) = decode(&bytes) {
            prop_assert_eq!(decode(&Bytes::from(encode(&other))), Ok(other));
        }
        prop_assert!(at == bytes.len() || decode(&bytes.slice(..at)).is_err());
    }

    #[test]
    fn random_text_never_panics(text in "[-a-zA-Z0-9{}\\[\\]<>#%:.,\"'~& \n\\\\|=é]{0,40}") {
        let _ = parse_erlang(&text).map(|term| term.to_string());
        let _ = parse_elixir(&text).map(|term| term.to_string());
    }
}

#[test]
fn lists_of_bytes_are_written_as_strings_up_to_their_limit() {
    let list = |len: usize, last: i64| {
        Term::list((0..len - 1).map(|_| 7i64).chain([last]).collect::<Vec<_>>())
    };
    assert_eq!(encode(&list(3, 255)), [131, 107, 0, 3, 7, 7, 255]);
    assert_eq!(encode(&list(2, 256)), [131, 108, 0, 0, 0, 2, 97, 7, 98, 0, 0, 1, 0, 106]);
    assert_eq!(encode(&list(65_535, 0))[1], 107);
    assert_eq!(encode(&list(65_536, 0))[1], 108);
    for len in [8, 9, 300, 65_536] {
        let bytes = Bytes::from(encode(&list(len, -1)));
        assert_eq!(decode(&bytes), Ok(list(len, -1)));
    }
}
