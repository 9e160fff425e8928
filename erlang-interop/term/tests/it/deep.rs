//! Terms that code nests without end: no walk over them may need a stack as deep as they are.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use erlang_term::{
    Closure, ClosureParts, EncodeOptions, Fun, Pid, Term, atom, encode, encode_with,
};
use foldhash::fast::FixedState;
use proptest::prelude::*;

use crate::strategy::term;

/// Far more than any stack here has bytes for; debug builds are slow.
const LEVELS: usize = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
const STACK_BYTES: usize = 256 << 10;

type Wrap = fn(Term) -> Term;

fn in_closure(inner: Term) -> Term {
    let pid = Pid::new(atom!("a@h"), 1, 0, 1);
    let module = atom!("m");
    let parts = ClosureParts {
        arity: 1,
        uniq: [7; 16],
        index: 1,
        module,
        old_index: 2,
        old_uniq: 3,
        pid,
        free: vec![inner],
    };
    Term::Fun(Fun::Closure(Closure::new(parts)))
}

fn in_key(inner: Term) -> Term {
    // Two keys of equal type, so that they must be told apart and sorted.
    Term::map([(inner, Term::from(1)), (Term::tuple([0]), Term::from(2))])
}

fn wraps() -> [(&'static str, Wrap); 7] {
    [
        ("list", |inner| Term::list([inner])),
        ("tuple", |inner| Term::tuple([Term::from(1), inner])),
        ("value", |inner| Term::map([(1, inner)])),
        ("key", |inner| Term::map([(inner, 1)])),
        ("one of two keys", in_key),
        ("tail", |inner| Term::improper_list([1], Term::tuple([inner]))),
        ("fun", in_closure),
    ]
}

fn nested(wrap: Wrap, levels: usize, bottom: Term) -> Term {
    (0..levels).fold(bottom, |inner, _| wrap(inner))
}

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(test);
    thread.expect("a thread").join().expect("the test passes");
}

fn walk_all(name: &str, wrap: Wrap, levels: usize) {
    let build = |bottom: i64| nested(wrap, levels, Term::from(bottom));
    let (one, same, more) = (build(1), build(1), build(2));
    assert!(one == same && one != more, "{name}");
    assert_eq!((one.cmp(&same), one.cmp(&more)), (Ordering::Equal, Ordering::Less), "{name}");
    assert_eq!(one.cmp_order(&same), Ordering::Equal, "{name}");
    assert_eq!(one.cmp_order(&more), Ordering::Less, "{name}");
    assert!(one.exactly_equals_otp26(&same) && !one.exactly_equals_otp26(&more), "{name}");
    let hasher = FixedState::default();
    assert_eq!(hasher.hash_one(&one), hasher.hash_one(&same), "{name}");
    assert_ne!(hasher.hash_one(&one), hasher.hash_one(&more), "{name}");
    assert_eq!(one.phash2(), same.phash2(), "{name}");
    assert_ne!(one.phash2_range(1 << 32), more.phash2_range(1 << 32), "{name}");
    assert_eq!(one.phash(1 << 32), same.phash(1 << 32), "{name}");
    assert_eq!(encode(&one), encode(&same), "{name}");
    assert!(encode(&one).len() > levels, "{name}");
    let deterministic = EncodeOptions { deterministic: true, ..EncodeOptions::default() };
    assert!(encode_with(&one, &deterministic).is_ok(), "{name}");
    let deepest = if name == "fun" { 1 } else { levels };
    let clone = one.clone();
    drop(one);
    assert!(format!("{clone}").len() >= deepest, "{name}");
    assert!(format!("{clone:?}").len() >= deepest, "{name}");
    assert!(format!("{}", clone.to_elixir()).len() >= deepest, "{name}");
    assert!(format!("{:?}", clone.to_elixir()).len() >= deepest, "{name}");
}

#[test]
fn levels_without_end_need_little_stack() {
    for (name, wrap) in wraps() {
        on_a_small_stack(move || walk_all(name, wrap, LEVELS));
    }
}

#[test]
fn levels_about_the_change_to_another_walk_are_the_same() {
    for (name, wrap) in wraps() {
        for levels in [10, 62, 63, 64, 65, 66, 130, 1024] {
            on_a_small_stack(move || walk_all(name, wrap, levels));
        }
    }
}

#[test]
fn the_last_of_two_threads_drops_a_deep_term() {
    let term = nested(wraps()[1].1, LEVELS, Term::Nil);
    let clones: Vec<Term> = vec![term; 4];
    std::thread::scope(|scope| {
        for clone in clones {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, || drop(clone)).expect("a thread");
        }
    });
}

proptest! {
    #[test]
    fn deep_in_another_term_all_is_as_it_is_alone(left in term(), right in term(), which in 0..7usize) {
        let wrap = wraps()[which].1;
        let deep = |term: &Term| nested(wrap, 100, term.clone());
        let (deep_left, deep_right) = (deep(&left), deep(&right));
        prop_assert_eq!(&deep_left, &deep(&left));
        prop_assert_eq!(left == right, deep_left == deep_right);
        let hasher = FixedState::default();
        prop_assert_eq!(hasher.hash_one(&deep_left), hasher.hash_one(deep(&left)));
        // Keys are compared in their own order, and of two keys the places may change.
        if !matches!(which, 3 | 4) {
            prop_assert_eq!(left.cmp(&right), deep_left.cmp(&deep_right));
            prop_assert_eq!(left.cmp_order(&right), deep_left.cmp_order(&deep_right));
            prop_assert_eq!(
                left.exactly_equals_otp26(&right),
                deep_left.exactly_equals_otp26(&deep_right)
            );
        } else {
            prop_assert_eq!(deep_left.cmp(&deep_right), deep_right.cmp(&deep_left).reverse());
        }
    }
}
