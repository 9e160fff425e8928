//! How often messages allocate. The counts are recorded here; a change that raises one must say why.
//!
//! The counting allocator sees the whole process, so this test has a binary of its own.

use std::alloc::System;

use bytes::Bytes;
use erlang_term::view::TermView;
use erlang_term::{NoAtomRefs, Term, decode, encode, encode_to, term};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of a second run, when the thread's stacks and atoms are there.
fn allocations<T>(mut work: impl FnMut() -> T) -> usize {
    drop(work());
    let region = Region::new(ALLOCATOR);
    let result = work();
    let change = region.change();
    drop(result);
    change.allocations + change.reallocations
}

fn decoding(term: &Term) -> usize {
    let bytes = Bytes::from(encode(term));
    allocations(|| decode(&bytes).expect("our own encoding"))
}

#[test]
fn messages_allocate_no_more_than_recorded() {
    let call = term!({@"$gen_call", {route, 42, "web-1"}, [a, b]});
    let maps =
        Term::list((0..100).map(|id| term!(#{id => (id), name => "host", tags => [web, db]})));
    let large = Term::binary(vec![7u8; 1 << 20]);
    let bytes = Bytes::from(encode(&call));
    let mut sink = Vec::with_capacity(2 << 20);
    let recorded = [
        ("decode a call: two tuples, a list", 3, decoding(&call)),
        ("decode 100 maps of three: map and list each, the outer list", 201, decoding(&maps)),
        ("decode 1,000 integers: the numbers, the list", 2, decoding(&Term::list(300..1300))),
        ("decode 1 MiB: the shared owner only", 1, decoding(&large)),
        (
            "decode a map of 1,000: pairs, index, the map",
            3,
            decoding(&Term::map((0..1000).map(|key| (key, key)))),
        ),
        (
            "decode ten bignums of 100 bits: the list",
            1,
            decoding(&Term::list((0..10).map(|at| Term::from((1i128 << 100) + at)))),
        ),
        (
            "decode ten bignums of 120 bits: each its bytes and their owner, the list",
            21,
            decoding(&Term::list((0..10).map(|at| Term::from((1i128 << 120) + at)))),
        ),
        ("encode a call: the buffer, the stack", 2, allocations(|| encode(&call))),
        (
            "encode a call into a buffer: the stack",
            1,
            allocations(|| {
                sink.clear();
                encode_to(&call, &mut sink, &mut NoAtomRefs).expect("encodable");
            }),
        ),
        ("clone", 0, allocations(|| maps.clone())),
        (
            "look at an element",
            0,
            allocations(|| {
                TermView::new(&bytes)
                    .expect("a term")
                    .element(1)
                    .expect("a term")
                    .map(|view| view.shape())
            }),
        ),
    ];
    for (what, at_most, count) in recorded {
        assert!(count <= at_most, "{what}: {count} allocations, recorded are {at_most}");
    }
}
