//! Functions of `erlang` on tuples, lists, maps and types, and what Elixir's `Kernel` shares.

use erlang_term::{Fun, List, Term, atom};

use super::{list, one, or_badarg, two};
use crate::functions::{FunctionsBuilder, Outcome};
use crate::limits::BUILT_ELEMENTS_MAX;
use crate::reason::Exception;

fn count(length: usize) -> Option<Term> {
    i64::try_from(length).ok().map(Term::from)
}

fn length(arguments: &[Term]) -> Outcome {
    or_badarg(one(arguments)?.list_iter().and_then(|elements| count(elements.count())))
}

fn tuple(term: &Term) -> Result<&[Term], Exception> {
    term.as_tuple().ok_or_else(Exception::badarg)
}

/// A position that counts from one, as an index.
fn index(term: &Term) -> Option<usize> {
    usize::try_from(term.as_integer()?).ok()?.checked_sub(1)
}

fn element(position: Option<usize>, from: &Term) -> Outcome {
    or_badarg(position.and_then(|at| from.as_tuple()?.get(at)))
}

fn setelement(arguments: &[Term]) -> Outcome {
    let [position, from, value] = arguments else { return Err(Exception::badarg()) };
    let mut elements = tuple(from)?.to_vec();
    let at = index(position).filter(|at| *at < elements.len()).ok_or_else(Exception::badarg)?;
    elements[at] = value.clone();
    Ok(Term::tuple(elements))
}

/// `append_element/2`, `insert_element/3` and `delete_element/2`.
fn resized(
    from: &Term,
    position: Option<usize>,
    change: impl FnOnce(&mut Vec<Term>, usize),
) -> Outcome {
    let mut elements = tuple(from)?.to_vec();
    let at = position.unwrap_or(elements.len());
    if at > elements.len() {
        return Err(Exception::badarg());
    }
    change(&mut elements, at);
    Ok(Term::tuple(elements))
}

fn insert_element(arguments: &[Term]) -> Outcome {
    let [position, from, value] = arguments else { return Err(Exception::badarg()) };
    let at = index(position).ok_or_else(Exception::badarg)?;
    resized(from, Some(at), |elements, at| elements.insert(at, value.clone()))
}

fn delete_element(arguments: &[Term]) -> Outcome {
    let (position, from) = two(arguments)?;
    let at = index(position).filter(|at| tuple(from).is_ok_and(|all| *at < all.len()));
    let at = at.ok_or_else(Exception::badarg)?;
    resized(from, Some(at), |elements, at| drop(elements.remove(at)))
}

fn make_tuple(arguments: &[Term]) -> Outcome {
    let (arity, value) = two(arguments)?;
    match arity.as_integer() {
        Some(arity @ 0..=BUILT_ELEMENTS_MAX) => {
            Ok(Term::tuple(std::iter::repeat_n(value.clone(), arity as usize)))
        }
        Some(arity) if arity > 0 => Err(Exception::system_limit()),
        _ => Err(Exception::badarg()),
    }
}

fn size(arguments: &[Term]) -> Outcome {
    let length = match one(arguments)? {
        Term::Tuple(tuple) => tuple.len(),
        Term::Binary(binary) => binary.len(),
        Term::BitString(bits) => bits.bytes().len().saturating_sub(1),
        _ => return Err(Exception::badarg()),
    };
    or_badarg(count(length))
}

fn byte_size(term: &Term) -> Option<usize> {
    match term {
        Term::Binary(binary) => Some(binary.len()),
        Term::BitString(bits) => Some(bits.bytes().len()),
        _ => None,
    }
}

fn bit_size(term: &Term) -> Option<usize> {
    match term {
        Term::Binary(binary) => Some(binary.len() * 8),
        Term::BitString(bits) => Some(bits.bit_len()),
        _ => None,
    }
}

fn head(list: &List) -> Option<Term> {
    list.iter().next()
}

fn tail(list: &List) -> Term {
    Term::improper_list(list.iter().skip(1), list.tail().clone())
}

fn append(arguments: &[Term]) -> Outcome {
    let (left, right) = two(arguments)?;
    Ok(Term::improper_list(list(left)?, right.clone()))
}

fn subtract(arguments: &[Term]) -> Outcome {
    let (left, right) = two(arguments)?;
    let mut kept: Vec<Option<Term>> = list(left)?.into_iter().map(Some).collect();
    let removed = list(right)?;
    if kept.len().saturating_mul(removed.len()) > BUILT_ELEMENTS_MAX as usize {
        return Err(Exception::system_limit());
    }
    for one in removed {
        if let Some(found) = kept.iter_mut().find(|slot| slot.as_ref() == Some(&one)) {
            *found = None;
        }
    }
    Ok(Term::list(kept.into_iter().flatten()))
}

fn map_get(arguments: &[Term]) -> Outcome {
    let (key, map) = two(arguments)?;
    match map.as_map() {
        Some(found) => {
            let missing = || Exception::error((atom!("badkey"), key));
            found.get(key).cloned().ok_or_else(missing)
        }
        None => Err(Exception::error((atom!("badmap"), map))),
    }
}

fn phash2_range(arguments: &[Term]) -> Outcome {
    let (term, range) = two(arguments)?;
    let range = range.as_integer().and_then(|range| u64::try_from(range).ok());
    match range {
        Some(range @ 1..=0x1_0000_0000) => Ok(Term::from(term.phash2_range(range))),
        _ => Err(Exception::badarg()),
    }
}

/// A test of a type: its name in `erlang`, and the test.
type TypeTest = (&'static str, fn(&Term) -> bool);

const TYPES: &[TypeTest] = &[
    ("is_atom", |term| matches!(term, Term::Atom(_))),
    ("is_binary", |term| matches!(term, Term::Binary(_))),
    ("is_bitstring", |term| matches!(term, Term::Binary(_) | Term::BitString(_))),
    ("is_boolean", |term| term.as_bool().is_some()),
    ("is_float", |term| matches!(term, Term::Float(_))),
    ("is_function", |term| matches!(term, Term::Fun(_))),
    ("is_integer", |term| matches!(term, Term::Integer(_) | Term::BigInteger(_))),
    ("is_list", Term::is_list),
    ("is_map", |term| matches!(term, Term::Map(_))),
    ("is_number", |term| matches!(term, Term::Integer(_) | Term::BigInteger(_) | Term::Float(_))),
    ("is_pid", |term| matches!(term, Term::Pid(_))),
    ("is_port", |term| matches!(term, Term::Port(_))),
    ("is_reference", |term| matches!(term, Term::Reference(_))),
    ("is_tuple", |term| matches!(term, Term::Tuple(_))),
];

fn fun_arity(term: &Term, arity: &Term) -> Option<bool> {
    let Term::Fun(fun) = term else { return Some(false) };
    arity.as_integer().map(|arity| i64::from(fun.arity()) == arity)
}

fn make_fun(arguments: &[Term]) -> Outcome {
    let [Term::Atom(module), Term::Atom(function), arity] = arguments else {
        return Err(Exception::badarg());
    };
    let arity = arity.as_integer().and_then(|arity| u8::try_from(arity).ok());
    or_badarg(arity.map(|arity| Fun::export(module.clone(), function.clone(), arity)))
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    for module in ["erlang", "Elixir.Kernel"] {
        builder
            .pure(module, "length", 1, length)
            .pure(module, "tuple_size", 1, |a| or_badarg(count(tuple(one(a)?)?.len())))
            .pure(module, "byte_size", 1, |a| or_badarg(byte_size(one(a)?).and_then(count)))
            .pure(module, "bit_size", 1, |a| or_badarg(bit_size(one(a)?).and_then(count)))
            .pure(module, "hd", 1, |a| or_badarg(one(a)?.as_list().and_then(head)))
            .pure(module, "tl", 1, |a| or_badarg(one(a)?.as_list().map(tail)))
            .pure(module, "++", 2, append)
            .pure(module, "--", 2, subtract)
            .pure(module, "map_size", 1, |a| match one(a)? {
                Term::Map(map) => or_badarg(count(map.len())),
                other => Err(Exception::error((atom!("badmap"), other))),
            })
            .pure(module, "is_function", 2, |a| {
                let (term, arity) = two(a)?;
                or_badarg(fun_arity(term, arity))
            });
        for (name, test) in TYPES {
            builder.pure(module, name, 1, |a| Ok(Term::from(test(one(a)?))));
        }
    }
    builder
        .pure("erlang", "element", 2, |a| element(index(two(a)?.0), two(a)?.1))
        .pure("Elixir.Kernel", "elem", 2, |a| {
            let (from, at) = two(a)?;
            let index = at.as_integer();
            let found = element(index.and_then(|at| usize::try_from(at).ok()), from);
            let called = [Term::from(index.map_or(0, |at| at.saturating_add(1))), from.clone()];
            found.map_err(|raised| {
                raised.wrapped(("erlang", "element", &called), "Elixir.Kernel", "elem")
            })
        })
        .pure("erlang", "setelement", 3, setelement)
        .pure("erlang", "append_element", 2, |a| {
            let (from, value) = two(a)?;
            resized(from, None, |elements, _| elements.push(value.clone()))
        })
        .pure("erlang", "insert_element", 3, insert_element)
        .pure("erlang", "delete_element", 2, delete_element)
        .pure("erlang", "make_tuple", 2, make_tuple)
        .pure("erlang", "size", 1, size)
        .pure("erlang", "map_get", 2, map_get)
        .pure("erlang", "is_map_key", 2, |a| match two(a)? {
            (key, Term::Map(map)) => Ok(Term::from(map.contains_key(key))),
            (_, other) => Err(Exception::error((atom!("badmap"), other))),
        })
        .pure("erlang", "make_fun", 3, make_fun)
        .pure("erlang", "phash2", 1, |a| Ok(Term::from(one(a)?.phash2())))
        .pure("erlang", "phash2", 2, phash2_range)
        .pure("Elixir.Function", "identity", 1, |a| one(a).cloned());
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::super::tests::eval;

    #[test]
    fn containers_are_taken_apart() {
        assert_eq!(eval("erlang", "length", term!([[1, 2]])), "2");
        assert_eq!(eval("erlang", "length", term!([[1 | 2]])), "error:badarg");
        assert_eq!(eval("erlang", "element", term!([2, {a, b}])), "b");
        assert_eq!(eval("erlang", "element", term!([0, {a, b}])), "error:badarg");
        assert_eq!(eval("Elixir.Kernel", "elem", term!([{a, b}, 0])), "a");
        assert_eq!(eval("erlang", "tl", term!([[1, 2, 3]])), "[2,3]");
        assert_eq!(eval("erlang", "append_element", term!([{ 1 }, 2])), "{1,2}");
        assert_eq!(eval("erlang", "insert_element", term!([3, {1, 2}, 3])), "{1,2,3}");
        assert_eq!(eval("erlang", "insert_element", term!([4, {1, 2}, 3])), "error:badarg");
        assert_eq!(eval("erlang", "delete_element", term!([2, {1, 2}])), "{1}");
        assert_eq!(eval("erlang", "delete_element", term!([3, {1, 2}])), "error:badarg");
        assert_eq!(eval("erlang", "hd", term!([[]])), "error:badarg");
        assert_eq!(eval("erlang", "++", term!([[1], 2])), "[1|2]");
        assert_eq!(eval("erlang", "--", term!([[1, 2, 1], [1]])), "[2,1]");
    }

    #[test]
    fn maps_raise_what_maps_raise() {
        assert_eq!(eval("erlang", "map_get", term!([a, #{a => 1}])), "1");
        assert_eq!(eval("erlang", "map_get", term!([b, #{a => 1}])), "error:{badkey,b}");
        assert_eq!(eval("erlang", "map_size", term!([1])), "error:{badmap,1}");
    }

    #[test]
    fn types_are_told_apart() {
        assert_eq!(eval("erlang", "is_list", term!([[]])), "true");
        assert_eq!(eval("erlang", "is_boolean", term!([true])), "true");
        assert_eq!(eval("erlang", "is_binary", term!([a])), "false");
        assert_eq!(eval("erlang", "phash2", term!([a, 0])), "error:badarg");
    }

    #[test]
    fn what_is_built_is_bounded() {
        assert_eq!(eval("erlang", "make_tuple", term!([2000000000, 1])), "error:system_limit");
        assert_eq!(eval("erlang", "make_tuple", term!([2, x])), "{x,x}");
    }
}
