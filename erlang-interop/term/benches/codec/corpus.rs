//! The messages that are timed.

use erlang_term::{Term, term};

/// A name and a term.
pub(crate) type Mix = (&'static str, Term);

pub(crate) fn mixes() -> Vec<Mix> {
    vec![
        ("small tuple", small_tuple()),
        ("map of 50,000 keys", Term::map((0..50_000).map(|key| (format!("key_{key}"), key)))),
        ("list of 10,000 maps", Term::list((0..10_000).map(row))),
        (
            "list of 100,000 integers",
            Term::list((0..100_000i64).map(|number| number * 37 % 70_000 - 300)),
        ),
        ("list of byte strings", byte_strings()),
        ("10,000 utf-8 strings", Term::list((0..10_000).map(text))),
        ("numbers with bignums", Term::list((0..10_000).map(number))),
        ("HAR graph of 2,000 operations", graph(2_000)),
        ("binary of 1 MiB", Term::binary(vec![7u8; 1 << 20])),
        ("binary of 64 MiB", Term::binary(vec![7u8; 64 << 20])),
    ]
}

/// A message of which a router reads one key, behind the payload as a BEAM sorts them.
pub(crate) fn routed() -> Term {
    term!(#{id => 7, kind => route, payload => (graph(200)), target => "web-1"})
}

fn small_tuple() -> Term {
    term!({@"$gen_cast", {route, 42, "web-1", [a, b, 1.5]}})
}

fn row(id: i64) -> Term {
    term!(#{
        id => (id),
        name => (format!("host-{id}.example")),
        load => (id as f64 / 7.0),
        state => running,
        tags => ["web", blue, (id % 200)],
    })
}

fn byte_strings() -> Term {
    let strings = (0..100u8)
        .map(|first| Term::list((0..1_000u32).map(|at| i64::from(first.wrapping_add(at as u8)))));
    // As they would arrive: decoded once, so that they are kept as bytes.
    let encoded = erlang_term::encode(&Term::list(strings));
    erlang_term::decode(&encoded.into()).expect("our own encoding")
}

fn text(id: u32) -> String {
    "größe ".repeat(id as usize % 10 + 1) + &id.to_string()
}

fn number(id: i64) -> Term {
    match id % 4 {
        0 => Term::from(id),
        1 => Term::from(id as f64 * 1.1),
        2 => Term::from(i128::from(id) << 80),
        _ => Term::from(id << 40),
    }
}

fn graph(operations: i64) -> Term {
    let operation = |id: i64| {
        term!(#{
            @"__struct__" => @"Elixir.HAR.Semantic.Operation",
            id => (format!("op_{id}")),
            type => package_install,
            target => #{host => (format!("node-{}", id % 50)), os => "debian"},
            params => #{name => "nginx", version => "1.24.0", state => present, retries => (id % 5)},
            metadata => #{source => ansible, line => (id)},
        })
    };
    let dependency = |id: i64| {
        term!(#{
            @"__struct__" => @"Elixir.HAR.Semantic.Dependency",
            from => (format!("op_{}", id - 1)),
            to => (format!("op_{id}")),
            type => requires,
        })
    };
    term!(#{
        @"__struct__" => @"Elixir.HAR.Semantic.Graph",
        vertices => (Term::list((0..operations).map(operation))),
        edges => (Term::list((1..operations).map(dependency))),
    })
}
