//! The few functions of Elixir's standard library that are called on a remote node to try it out.

use erlang_term::{Term, atom};

use super::convert::integer_text;
use super::{list, one, or_badarg, two};
use crate::functions::{FunctionsBuilder, Outcome};
use crate::limits::BUILT_ELEMENTS_MAX;
use crate::reason::Exception;

fn text(term: &Term) -> Result<&str, Exception> {
    term.as_str().ok_or_else(Exception::function_clause)
}

/// The elements of a list, or the pairs of a map: what `Enum` takes.
fn enumerable(term: &Term) -> Result<Vec<Term>, Exception> {
    match term {
        Term::Map(map) => Ok(map.iter().map(|(key, value)| Term::from((key, value))).collect()),
        _ => list(term).map_err(|_| {
            Exception::error(Term::map([
                (atom!("__exception__"), Term::from(true)),
                (atom!("__struct__"), Term::from(atom!("Elixir.Protocol.UndefinedError"))),
                (atom!("description"), Term::from("")),
                (atom!("protocol"), Term::from(atom!("Elixir.Enumerable"))),
                (atom!("value"), term.clone()),
            ]))
        }),
    }
}

fn to_string(term: &Term) -> Outcome {
    match term {
        Term::Binary(_) => Ok(term.clone()),
        Term::Atom(atom) if *atom == "nil" => Ok(Term::from("")),
        Term::Atom(atom) => Ok(Term::from(atom.as_str())),
        Term::Integer(_) | Term::BigInteger(_) => Ok(Term::from(integer_text(term)?)),
        Term::Float(_) => Ok(Term::from(term.to_elixir().to_string())),
        Term::Nil | Term::List(_) => or_badarg(term.to_text()),
        _ => Err(Exception::error(Term::map([
            (atom!("__exception__"), Term::from(true)),
            (atom!("__struct__"), Term::from(atom!("Elixir.Protocol.UndefinedError"))),
            (atom!("description"), Term::from("")),
            (atom!("protocol"), Term::from(atom!("Elixir.String.Chars"))),
            (atom!("value"), term.clone()),
        ]))),
    }
}

fn duplicate(arguments: &[Term]) -> Outcome {
    let (text_of, times) = two(arguments)?;
    let text = text(text_of)?;
    let times = times.as_integer().ok_or_else(Exception::function_clause)?;
    let times = usize::try_from(times).map_err(|_| Exception::function_clause())?;
    if text.len().saturating_mul(times) > BUILT_ELEMENTS_MAX as usize {
        return Err(Exception::system_limit());
    }
    Ok(Term::from(text.repeat(times)))
}

/// `String.split(Text, Separator)` with one separator.
fn split(arguments: &[Term]) -> Outcome {
    let (whole, separator) = (text(two(arguments)?.0)?, text(&arguments[1])?);
    if separator.is_empty() {
        // By characters, which a node without Unicode's tables cannot tell from code points.
        return Err(Exception::notsup());
    }
    Ok(Term::list(whole.split(separator)))
}

/// `Enum.join(Elements, Separator)`.
fn join(arguments: &[Term]) -> Outcome {
    let mut joined = Vec::new();
    for element in enumerable(two(arguments)?.0)? {
        let shown = to_string(&element)?;
        joined.push(text(&shown)?.to_owned());
    }
    Ok(Term::from(joined.join(text(&arguments[1])?)))
}

fn map_of(term: &Term) -> Result<&erlang_term::Map, Exception> {
    term.as_map().ok_or_else(|| Exception::error((atom!("badmap"), term)))
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .pure("Elixir.String", "upcase", 1, |a| Ok(Term::from(text(one(a)?)?.to_uppercase())))
        .pure("Elixir.String", "downcase", 1, |a| Ok(Term::from(text(one(a)?)?.to_lowercase())))
        .pure("Elixir.String", "trim", 1, |a| Ok(Term::from(text(one(a)?)?.trim())))
        .pure("Elixir.String", "duplicate", 2, duplicate)
        .pure("Elixir.String", "to_atom", 1, |a| {
            let atom = erlang_term::Atom::new(text(one(a)?)?);
            atom.map(Term::from).map_err(|_| Exception::system_limit())
        })
        .pure("Elixir.String.Chars", "to_string", 1, |a| to_string(one(a)?))
        .pure("Elixir.Kernel", "inspect", 1, |a| Ok(Term::from(one(a)?.to_elixir().to_string())))
        .pure("Elixir.Enum", "count", 1, |a| {
            or_badarg(i64::try_from(enumerable(one(a)?)?.len()).ok())
        })
        .pure("Elixir.Enum", "reverse", 1, |a| {
            let mut elements = enumerable(one(a)?)?;
            elements.reverse();
            Ok(Term::list(elements))
        })
        .pure("Elixir.Enum", "sum", 1, |a| {
            let mut total = num_bigint::BigInt::default();
            for element in enumerable(one(a)?)? {
                total += element.as_bigint().ok_or_else(Exception::badarith)?;
            }
            Ok(Term::from(total))
        })
        .pure("Elixir.Enum", "join", 2, join)
        .function("Elixir.Enum", "map", 2, |call| async move {
            let elements = Term::list(enumerable(&call.arguments[0])?);
            super::lists::map(&call, &call.arguments[1], &elements).await
        })
        .pure("Elixir.Map", "get", 2, |a| {
            let (map, key) = two(a)?;
            Ok(map_of(map)?.get(key).cloned().unwrap_or_else(|| Term::from(atom!("nil"))))
        })
        .pure("Elixir.Map", "get", 3, |a| match a {
            [map, key, default] => Ok(map_of(map)?.get(key).unwrap_or(default).clone()),
            _ => Err(Exception::badarg()),
        })
        .pure("Elixir.Map", "keys", 1, |a| {
            Ok(Term::list(map_of(one(a)?)?.iter().map(|(key, _)| key)))
        })
        .pure("Elixir.String", "length", 1, |a| {
            or_badarg(i64::try_from(text(one(a)?)?.chars().count()).ok())
        })
        .pure("Elixir.String", "split", 2, split)
        .pure("Elixir.String", "to_integer", 1, |a| {
            let called = ("erlang", "binary_to_integer", a);
            super::convert::binary_to_integer(a)
                .map_err(|raised| raised.wrapped(called, "Elixir.String", "to_integer"))
        })
        .pure("Elixir.Map", "fetch!", 2, |a| {
            let (map, key) = two(a)?;
            let called = [key.clone(), map.clone()];
            let found = map_of(map).and_then(|found| {
                found.get(key).cloned().ok_or_else(|| Exception::error((atom!("badkey"), key)))
            });
            found.map_err(|raised| {
                raised.wrapped(("erlang", "map_get", &called), "Elixir.Map", "fetch!")
            })
        })
        .pure("Elixir.Integer", "to_string", 1, |a| match one(a)? {
            number @ (Term::Integer(_) | Term::BigInteger(_)) => to_string(number),
            _ => Err(Exception::badarg()),
        })
        .pure("Elixir.Atom", "to_string", 1, |a| {
            let atom = one(a)?.as_atom().ok_or_else(Exception::function_clause)?;
            Ok(Term::from(atom.as_str()))
        });
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::super::tests::eval;

    #[test]
    fn strings_and_enumerables() {
        assert_eq!(eval("Elixir.String", "upcase", term!(["har"])), "<<\"HAR\">>");
        assert_eq!(eval("Elixir.Enum", "sum", term!([[1, 2]])), "3");
        assert_eq!(eval("Elixir.Enum", "count", term!([#{a => 1}])), "1");
        assert_eq!(eval("Elixir.String", "upcase", term!([1])), "error:function_clause");
        assert_eq!(eval("Elixir.String.Chars", "to_string", term!([nil])), "<<>>");
        assert_eq!(eval("Elixir.String", "split", term!(["a,b", ","])), "[<<\"a\">>,<<\"b\">>]");
        assert_eq!(eval("Elixir.Enum", "join", term!([["a", b], "-"])), "<<\"a-b\">>");
        assert_eq!(eval("Elixir.Map", "get", term!([#{a => 1}, b, 2])), "2");
        assert_eq!(eval("Elixir.Kernel", "inspect", term!([{ok, 1}])), "<<\"{:ok, 1}\">>");
        assert_eq!(
            eval("Elixir.String", "duplicate", term!(["x", 100000000])),
            "error:system_limit"
        );
    }
}
