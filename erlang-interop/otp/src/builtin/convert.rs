//! Conversions of `erlang`: atoms, numbers and lists to text and back, terms to bytes and back.

use bytes::Bytes;
use erlang_term::{Atom, Binary, Term, decode, encode};
use num_bigint::BigInt;

use super::{list, one, or_badarg, two};
use crate::functions::{FunctionsBuilder, Outcome};
use crate::reason::Exception;

/// A charlist or binary as text; `None` for iolists, which these functions don't take.
fn text(term: &Term) -> Option<String> {
    match term {
        Term::Binary(_) => term.as_str().map(ToOwned::to_owned),
        Term::Nil | Term::List(_) => {
            term.list_iter()?.all(|one| one.as_integer().is_some()).then(|| term.to_text())?
        }
        _ => None,
    }
}

fn to_atom(term: &Term) -> Outcome {
    let text = text(term).ok_or_else(Exception::badarg)?;
    Atom::new(&text).map(Term::from).map_err(|_| Exception::system_limit())
}

fn to_integer(term: &Term) -> Outcome {
    let text = text(term).ok_or_else(Exception::badarg)?;
    or_badarg(text.parse::<BigInt>().ok())
}

fn to_float(term: &Term) -> Outcome {
    let text = text(term).filter(|text| text.contains('.')).ok_or_else(Exception::badarg)?;
    or_badarg(text.parse::<f64>().ok().filter(|value| value.is_finite()))
}

fn integer_text(term: &Term) -> Result<String, Exception> {
    match term {
        Term::Integer(_) | Term::BigInteger(_) => Ok(term.to_string()),
        _ => Err(Exception::badarg()),
    }
}

/// The bytes of an iolist, or of the list of bytes and binaries that `list_to_binary` takes.
fn iolist(term: &Term) -> Result<Vec<u8>, Exception> {
    let mut bytes = Vec::new();
    // A stack instead of recursion: a peer chooses how deep it nests.
    let mut left = vec![term.clone()];
    while let Some(part) = left.pop() {
        match part {
            Term::Nil => {}
            Term::Binary(binary) => bytes.extend_from_slice(&binary),
            Term::Integer(byte) => {
                bytes.push(u8::try_from(byte).map_err(|_| Exception::badarg())?);
            }
            Term::List(list) => {
                if matches!(list.tail(), Term::Integer(_)) {
                    return Err(Exception::badarg());
                }
                left.push(list.tail().clone());
                let at = left.len();
                left.extend(list.iter());
                left[at..].reverse();
            }
            _ => return Err(Exception::badarg()),
        }
    }
    Ok(bytes)
}

/// As [`iolist`], but a lone integer is none.
fn iodata(term: &Term) -> Result<Vec<u8>, Exception> {
    if matches!(term, Term::Integer(_)) { Err(Exception::badarg()) } else { iolist(term) }
}

fn binary_to_term(arguments: &[Term]) -> Outcome {
    let Term::Binary(binary) = &arguments[0] else { return Err(Exception::badarg()) };
    decode(&binary.as_bytes()).map_err(|_| Exception::badarg())
}

fn binary_to_list(arguments: &[Term]) -> Outcome {
    let bytes = one(arguments)?.as_binary().ok_or_else(Exception::badarg)?;
    Ok(Term::list(bytes.iter().copied()))
}

fn atom_text(term: &Term) -> Result<&str, Exception> {
    term.as_atom().map(Atom::as_str).ok_or_else(Exception::badarg)
}

fn shown(arguments: &[Term], is: fn(&Term) -> bool) -> Outcome {
    let term = one(arguments)?;
    if is(term) { Ok(Term::charlist(&term.to_string())) } else { Err(Exception::badarg()) }
}

fn bytes(bytes: Vec<u8>) -> Term {
    Term::Binary(Binary::from(Bytes::from(bytes)))
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .pure("erlang", "atom_to_list", 1, |a| Ok(Term::charlist(atom_text(one(a)?)?)))
        .pure("erlang", "atom_to_binary", 1, |a| Ok(Term::from(atom_text(one(a)?)?)))
        .pure("erlang", "atom_to_binary", 2, |a| Ok(Term::from(atom_text(two(a)?.0)?)))
        .pure("erlang", "list_to_atom", 1, |a| to_atom(one(a)?))
        .pure("erlang", "list_to_existing_atom", 1, |a| to_atom(one(a)?))
        .pure("erlang", "binary_to_atom", 1, |a| to_atom(one(a)?))
        .pure("erlang", "binary_to_atom", 2, |a| to_atom(two(a)?.0))
        .pure("erlang", "binary_to_existing_atom", 1, |a| to_atom(one(a)?))
        .pure("erlang", "binary_to_existing_atom", 2, |a| to_atom(two(a)?.0))
        .pure("erlang", "integer_to_list", 1, |a| Ok(Term::charlist(&integer_text(one(a)?)?)))
        .pure("erlang", "integer_to_binary", 1, |a| Ok(Term::from(integer_text(one(a)?)?)))
        .pure("erlang", "list_to_integer", 1, |a| to_integer(one(a)?))
        .pure("erlang", "binary_to_integer", 1, |a| to_integer(one(a)?))
        .pure("erlang", "list_to_float", 1, |a| to_float(one(a)?))
        .pure("erlang", "binary_to_float", 1, |a| to_float(one(a)?))
        .pure("erlang", "tuple_to_list", 1, |a| {
            or_badarg(one(a)?.as_tuple().map(|elements| Term::list(elements.iter().cloned())))
        })
        .pure("erlang", "list_to_tuple", 1, |a| list(one(a)?).map(Term::tuple))
        .pure("erlang", "binary_to_list", 1, binary_to_list)
        .pure("erlang", "list_to_binary", 1, |a| {
            let list = one(a)?;
            if list.is_list() { iolist(list).map(bytes) } else { Err(Exception::badarg()) }
        })
        .pure("erlang", "iolist_to_binary", 1, |a| iodata(one(a)?).map(bytes))
        .pure("erlang", "iolist_size", 1, |a| {
            let length = iodata(one(a)?)?.len();
            or_badarg(i64::try_from(length).ok())
        })
        .pure("erlang", "term_to_binary", 1, |a| Ok(bytes(encode(one(a)?))))
        .pure("erlang", "binary_to_term", 1, binary_to_term)
        .pure("erlang", "binary_to_term", 2, binary_to_term)
        .pure("erlang", "pid_to_list", 1, |a| shown(a, |term| matches!(term, Term::Pid(_))))
        .pure("erlang", "ref_to_list", 1, |a| shown(a, |term| matches!(term, Term::Reference(_))))
        .pure("erlang", "port_to_list", 1, |a| shown(a, |term| matches!(term, Term::Port(_))));
}

#[cfg(test)]
mod tests {
    use erlang_term::{Term, term};

    use super::super::tests::eval;

    #[test]
    fn text_and_numbers() {
        assert_eq!(eval("erlang", "list_to_integer", term!([[49, 50]])), "12");
        assert_eq!(eval("erlang", "binary_to_integer", term!(["x"])), "error:badarg");
        assert_eq!(eval("erlang", "binary_to_integer", term!([""])), "error:badarg");
        assert_eq!(eval("erlang", "integer_to_binary", term!([-3])), "<<\"-3\">>");
        assert_eq!(eval("erlang", "binary_to_float", term!(["1.5"])), "1.5");
        assert_eq!(eval("erlang", "list_to_atom", term!([[97]])), "a");
        let long = "x".repeat(256);
        let arguments = term!([(long.as_str())]);
        assert_eq!(eval("erlang", "binary_to_atom", arguments), "error:system_limit");
    }

    #[test]
    fn iolists_may_nest() {
        let nested = term!([[[104, "a"], [["r"]]]]);
        assert_eq!(eval("erlang", "iolist_to_binary", nested), "<<\"har\">>");
        assert_eq!(eval("erlang", "iolist_to_binary", term!([[300]])), "error:badarg");
        assert_eq!(eval("erlang", "list_to_binary", term!(["a"])), "error:badarg");
    }

    #[test]
    fn terms_survive_bytes() {
        let encoded = erlang_term::encode(&term!({ok, [1]}));
        let arguments = term!([(Term::binary(encoded))]);
        assert_eq!(eval("erlang", "binary_to_term", arguments), "{ok,[1]}");
        assert_eq!(eval("erlang", "binary_to_term", term!(["x"])), "error:badarg");
    }
}
