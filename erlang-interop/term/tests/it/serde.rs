//! Values to terms and back, by Elixir's conventions.

use std::collections::BTreeMap;

use erlang_term::{Atom, Term, from_term, parse_elixir, term, to_term};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "Elixir.HAR.Operation")]
struct Operation {
    id: u64,
    name: Option<String>,
    kind: Kind,
    ratio: f32,
    big: u128,
    tags: Vec<String>,
    extra: BTreeMap<String, Term>,
    pair: (i8, bool),
    letter: char,
    module: Atom,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    DockerCompose,
    Retries(u8),
    Between(u8, u8),
    Named { left: u8 },
}

fn operation(kind: Kind) -> Operation {
    Operation {
        id: u64::MAX,
        name: None,
        kind,
        ratio: 0.5,
        big: 1 << 100,
        tags: vec!["a".into(), "é".into()],
        extra: BTreeMap::from([("pid".into(), term!({ok, [1]})), ("x".into(), Term::from(1.5))]),
        pair: (-1, true),
        letter: 'q',
        module: Atom::new("Elixir.HAR").expect("short"),
    }
}

#[test]
fn structs_are_elixir_structs() {
    let term = to_term(&operation(Kind::DockerCompose)).expect("serializable");
    assert_eq!(
        term.to_elixir().to_string(),
        "%HAR.Operation{big: 1267650600228229401496703205376, extra: %{\"pid\" => {:ok, [1]}, \"x\" => 1.5}, \
         id: 18446744073709551615, kind: :docker_compose, letter: \"q\", module: HAR, name: nil, \
         pair: {-1, true}, ratio: 0.5, tags: [\"a\", \"é\"]}"
    );
}

#[test]
fn values_come_back_equal() {
    for kind in
        [Kind::DockerCompose, Kind::Retries(3), Kind::Between(1, 2), Kind::Named { left: 9 }]
    {
        let value = operation(kind);
        let term = to_term(&value).expect("serializable");
        assert_eq!(from_term::<Operation>(&term), Ok(value), "{term}");
    }
}

#[test]
fn variants_are_tagged_tuples() {
    let text = |kind: Kind| to_term(&kind).expect("serializable").to_elixir().to_string();
    assert_eq!(text(Kind::Retries(3)), "{:retries, 3}");
    assert_eq!(text(Kind::Between(1, 2)), "{:between, 1, 2}");
    assert_eq!(text(Kind::Named { left: 9 }), "{:named, %{left: 9}}");
}

#[derive(Debug, PartialEq, Deserialize)]
struct Loose {
    host: String,
    port: u16,
    load: f64,
    #[serde(default)]
    missing: Option<u8>,
}

#[test]
fn reading_is_generous() {
    let expected = Loose { host: "h".into(), port: 80, load: 2.0, missing: None };
    for text in [
        "[host: \"h\", port: 80, load: 2]",
        "%{host: ~c\"h\", port: 80, load: 2.0, missing: nil}",
        "%{\"host\" => :h, \"port\" => 80, \"load\" => 2, \"unknown\" => {1}}",
        "{\"h\", 80, 2, nil}",
    ] {
        let term = parse_elixir(text).expect("a term");
        assert_eq!(from_term::<Loose>(&term).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn wrong_shapes_are_refused_with_the_term() {
    let error = from_term::<Vec<u8>>(&term!({ok, 300})).expect_err("an atom is no byte");
    assert!(error.to_string().contains("ok"), "{error}");
    let error = from_term::<u8>(&term!("text")).expect_err("a text is no byte");
    assert!(error.to_string().contains("text"), "{error}");
    assert!(from_term::<Kind>(&term!({ retries })).is_err());
    assert!(from_term::<Kind>(&term!(unknown)).is_err());
}

#[test]
fn terms_go_through_other_formats_as_bytes() {
    let term = term!({ok, [1, "x"]});
    let json = serde_json::to_string(&term).expect("serializable");
    assert_eq!(serde_json::from_str::<Term>(&json).expect("bytes of a term"), term);
    assert_eq!(
        from_term::<serde_json::Value>(&term!(#{a => [1, nil, true]})).expect("data"),
        serde_json::json!({"a": [1, null, true]})
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| (0..levels).fold(Term::Nil, |inner, _| Term::tuple([inner]));
    let read = |levels| from_term::<serde_json::Value>(&nested(levels));
    assert!(read(erlang_term::limits::SERDE_DEPTH_MAX - 1).is_ok());
    assert_eq!(read(1000), Err(erlang_term::SerdeError::Depth));
}
