//! Random terms.

use erlang_term::{Atom, BitString, Closure, ClosureParts, Fun, List, Pid, Port, Reference, Term};
use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;

/// From a small pool: a BEAM never frees the atoms it has read.
pub(crate) fn atom() -> impl Strategy<Value = Atom> {
    let text = prop_oneof![
        8 => (0..200u8).prop_map(|number| format!("atom_{number}")),
        1 => (0..20u32).prop_map(|number| format!("é{number}")),
        1 => (0..20u32).prop_map(|number| "日".repeat(number as usize)),
        1 => (250..256usize).prop_map(|len| "ü".repeat(len)),
        1 => prop_oneof![Just(String::new()), Just("nil".into()), Just("Elixir.HAR".into())],
    ];
    text.prop_map(|text| Atom::new(&text).expect("short enough"))
}

fn node() -> impl Strategy<Value = (Atom, u32)> {
    (0..4u32).prop_map(|number| {
        (Atom::new(&format!("node{number}@host")).expect("short"), number * 7 + 1)
    })
}

fn integer() -> impl Strategy<Value = Term> {
    prop_oneof![
        4 => (-300..300i64).prop_map(Term::from),
        2 => any::<i32>().prop_map(Term::from),
        2 => any::<i64>().prop_map(Term::from),
        1 => (0..70u32, -2..3i64).prop_map(|(bits, near)| Term::from((1i128 << bits) + i128::from(near))),
        1 => (0..70u32, -2..3i64).prop_map(|(bits, near)| Term::from(-(1i128 << bits) + i128::from(near))),
        1 => any::<i128>().prop_map(Term::from),
        1 => (vec(any::<u8>(), 1..300), any::<bool>()).prop_map(|(bytes, negative)| {
            let value = BigInt::from_bytes_le(num_bigint::Sign::Plus, &bytes);
            Term::from(if negative { -value } else { value })
        }),
    ]
}

/// No -0.0: as keys of a map it and 0.0 are one up to OTP 26 and two from OTP 27 on.
fn float() -> impl Strategy<Value = Term> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite() && value.to_bits() != 1 << 63),
        (-300..300i64).prop_map(|value| value as f64),
        (0..1000u32).prop_map(|power| 2f64.powi(power as i32)),
    ]
    .prop_map(Term::from)
}

pub(crate) fn pid() -> impl Strategy<Value = Pid> {
    (node(), any::<u32>(), 0..9u32)
        .prop_map(|((node, creation), id, serial)| Pid::new(node, id, serial, creation))
}

fn key_leaf() -> BoxedStrategy<Term> {
    let bytes = vec(any::<u8>(), 0..40).prop_map(Term::binary);
    let bits = (vec(any::<u8>(), 1..20), 1..8u8)
        .prop_map(|(bytes, bits)| Term::from(BitString::new(bytes, bits).expect("bits of a byte")));
    let port = (node(), any::<u64>())
        .prop_map(|((node, creation), id)| Port::new(node, id, creation).into());
    let reference = (node(), vec(any::<u32>(), 1..6))
        .prop_map(|((node, creation), words)| Reference::new(node, creation, &words).into());
    let export = (atom(), atom(), any::<u8>())
        .prop_map(|(module, function, arity)| Fun::export(module, function, arity).into());
    prop_oneof![
        4 => integer(),
        2 => float(),
        4 => atom().prop_map(Term::from),
        3 => bytes,
        1 => "[a-zé ]{0,40}".prop_map(Term::from),
        1 => bits,
        1 => pid().prop_map(Term::from),
        1 => port,
        1 => reference,
        1 => export,
        1 => Just(Term::Nil),
        1 => vec(any::<u8>(), 1..60).prop_map(|bytes| Term::from(List::from_bytes(bytes).expect("some"))),
    ]
    .boxed()
}

fn closure(
    free: Vec<Term>,
    module: Atom,
    pid: Pid,
    numbers: (u8, [u8; 16], u32, i32, i32),
) -> Term {
    let (arity, uniq, index, old_index, old_uniq) = numbers;
    // A BEAM keeps these within its small integers of 28 bits.
    let (old_index, old_uniq, index) = (old_index >> 5, old_uniq >> 5, index >> 6);
    Fun::Closure(Closure::new(ClosureParts {
        arity,
        uniq,
        index,
        module,
        old_index,
        old_uniq,
        pid,
        free,
    }))
    .into()
}

/// Any term that both sides read.
pub(crate) fn term() -> BoxedStrategy<Term> {
    let leaf = prop_oneof![20 => key_leaf(), 1 => Just(Term::Float(-0.0))];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let key = prop_oneof![
            6 => key_leaf(),
            1 => vec(key_leaf(), 0..3).prop_map(Term::tuple),
            1 => vec(key_leaf(), 0..3).prop_map(Term::list),
        ];
        prop_oneof![
            4 => vec(inner.clone(), 0..8).prop_map(Term::tuple),
            4 => vec(inner.clone(), 0..8).prop_map(Term::list),
            1 => (vec(inner.clone(), 1..4), inner.clone())
                .prop_map(|(elements, tail)| Term::improper_list(elements, tail)),
            3 => vec((key.clone(), inner.clone()), 0..8).prop_map(Term::map),
            1 => vec((key, inner.clone()), 30..40).prop_map(Term::map),
            1 => (vec(inner, 0..3), atom(), pid(), any::<(u8, [u8; 16], u32, i32, i32)>())
                .prop_map(|(free, module, pid, numbers)| closure(free, module, pid, numbers)),
        ]
    })
    .boxed()
}
