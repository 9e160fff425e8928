//! `lists`: what remote questions use of it.

use std::cmp::Ordering;

use erlang_term::{Term, term};

use super::{list, one, two};
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::limits::BUILT_ELEMENTS_MAX;
use crate::reason::Exception;

fn seq(arguments: &[Term]) -> Outcome {
    let (from, to) = two(arguments)?;
    let clause = Exception::function_clause;
    let (from, to) = (from.as_integer().ok_or_else(clause)?, to.as_integer().ok_or_else(clause)?);
    match to.checked_sub(from) {
        Some(span) if span < -1 => Err(clause()),
        Some(span) if span < BUILT_ELEMENTS_MAX => Ok(Term::list(from..=to)),
        _ => Err(Exception::system_limit()),
    }
}

fn duplicate(arguments: &[Term]) -> Outcome {
    let (times, value) = two(arguments)?;
    match times.as_integer() {
        Some(times @ 0..=BUILT_ELEMENTS_MAX) => {
            Ok(Term::list(std::iter::repeat_n(value.clone(), times as usize)))
        }
        Some(times) if times > 0 => Err(Exception::system_limit()),
        _ => Err(Exception::function_clause()),
    }
}

pub(super) fn elements(term: &Term) -> Result<Vec<Term>, Exception> {
    list(term).map_err(|_| Exception::function_clause())
}

fn reverse(arguments: &[Term]) -> Outcome {
    let mut reversed = elements(one(arguments)?)?;
    reversed.reverse();
    Ok(Term::list(reversed))
}

fn sum(arguments: &[Term]) -> Outcome {
    let all = elements(one(arguments)?)?;
    if all.iter().any(|one| matches!(one, Term::Float(_))) {
        let floats = all.iter().map(|one| match one {
            Term::Float(value) => Ok(*value),
            Term::Integer(value) => Ok(*value as f64),
            _ => Err(Exception::badarith()),
        });
        return floats.sum::<Result<f64, _>>().map(Term::Float);
    }
    let integers = all.iter().map(|one| one.as_bigint().ok_or_else(Exception::badarith));
    integers.sum::<Result<num_bigint::BigInt, _>>().map(Term::from)
}

fn nth(arguments: &[Term]) -> Outcome {
    let (position, list) = two(arguments)?;
    let at = position.as_integer().and_then(|at| usize::try_from(at).ok()?.checked_sub(1));
    let found = at.and_then(|at| list.list_iter()?.nth(at));
    found.ok_or_else(Exception::function_clause)
}

/// `lists:flatten/1`, without recursion.
fn flatten(arguments: &[Term]) -> Outcome {
    let mut left = elements(one(arguments)?)?;
    left.reverse();
    let mut flat = Vec::new();
    while let Some(element) = left.pop() {
        if element.is_list() {
            let at = left.len();
            left.extend(element.list_iter().ok_or_else(Exception::function_clause)?);
            left[at..].reverse();
        } else {
            flat.push(element);
        }
    }
    Ok(Term::list(flat))
}

/// `lists:seq(From, To, Step)`.
fn stepped(arguments: &[Term]) -> Outcome {
    let [Term::Integer(from), Term::Integer(to), Term::Integer(step @ 1..)] = arguments else {
        return Err(Exception::function_clause());
    };
    let count = to.saturating_sub(*from) / step;
    if count >= BUILT_ELEMENTS_MAX {
        return Err(Exception::system_limit());
    }
    let step = usize::try_from(*step).map_err(|_| Exception::system_limit())?;
    Ok(Term::list((*from..=*to).step_by(step)))
}

/// Which element of its tuples a `key…` function looks at, counted from one.
fn key_of<'a>(tuple: &'a Term, position: &Term) -> Option<&'a Term> {
    let at = usize::try_from(position.as_integer()?).ok()?.checked_sub(1)?;
    tuple.as_tuple()?.get(at)
}

fn keyfind(arguments: &[Term]) -> Result<Option<Term>, Exception> {
    let [key, position @ Term::Integer(1..), list] = arguments else {
        return Err(Exception::badarg());
    };
    let all = super::list(list)?;
    let equal =
        |one: &Term| key_of(one, position).is_some_and(|found| found.cmp_order(key).is_eq());
    Ok(all.into_iter().find(equal))
}

fn keysort(arguments: &[Term]) -> Outcome {
    let (position, list) = two(arguments)?;
    let mut all = elements(list)?;
    if all.len() > 1 && all.iter().any(|one| key_of(one, position).is_none()) {
        return Err(Exception::badarg());
    }
    all.sort_by(|one, other| match (key_of(one, position), key_of(other, position)) {
        (Some(one), Some(other)) => one.cmp_order(other),
        _ => Ordering::Equal,
    });
    Ok(Term::list(all))
}

/// `lists:split/2`, `sublist/2` and `nthtail/2` cut here.
fn cut(count: &Term, list: &Term) -> Result<(Vec<Term>, Vec<Term>, bool), Exception> {
    let count = count.as_integer().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or_else(Exception::function_clause)?;
    let mut left = elements(list)?;
    let enough = left.len() >= count;
    let right = left.split_off(count.min(left.len()));
    Ok((left, right, enough))
}

/// `lists:concat/1`: text of atoms, numbers and strings.
fn concat(arguments: &[Term]) -> Outcome {
    let mut joined = Vec::new();
    for one in elements(one(arguments)?)? {
        match &one {
            Term::Atom(atom) => {
                joined.extend(Term::charlist(atom.as_str()).list_iter().into_iter().flatten())
            }
            Term::Integer(_) | Term::BigInteger(_) | Term::Float(_) => {
                joined.extend(Term::charlist(&one.to_string()).list_iter().into_iter().flatten());
            }
            other => joined.extend(elements(other)?),
        }
    }
    Ok(Term::list(joined))
}

/// `lists:map/2` and Elixir's `Enum.map/2` on a list: the fun runs in the same process.
pub(super) async fn map(call: &Call, fun: &Term, list: &Term) -> Outcome {
    let mut mapped = Vec::new();
    for element in elements(list)? {
        mapped.push(Box::pin(call.apply_fun(fun, vec![element])).await?);
    }
    Ok(Term::list(mapped))
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .pure("lists", "seq", 2, seq)
        .pure("lists", "duplicate", 2, duplicate)
        .pure("lists", "reverse", 1, reverse)
        .pure("lists", "sum", 1, sum)
        .pure("lists", "nth", 2, nth)
        .pure("lists", "flatten", 1, flatten)
        .pure("lists", "last", 1, |a| {
            elements(one(a)?)?.pop().ok_or_else(Exception::function_clause)
        })
        .pure("lists", "member", 2, |a| {
            let (wanted, all) = two(a)?;
            Ok(Term::from(list(all)?.contains(wanted)))
        })
        .pure("lists", "append", 2, |a| {
            let (left, right) = two(a)?;
            Ok(Term::improper_list(list(left)?, right.clone()))
        })
        .pure("lists", "sort", 1, |a| {
            let mut sorted = elements(one(a)?)?;
            sorted.sort_by(Term::cmp_order);
            Ok(Term::list(sorted))
        })
        .pure("lists", "max", 1, |a| {
            elements(one(a)?)?
                .into_iter()
                .reduce(|most, next| if next.cmp_order(&most).is_gt() { next } else { most })
                .ok_or_else(Exception::function_clause)
        })
        .pure("lists", "min", 1, |a| {
            elements(one(a)?)?
                .into_iter()
                .reduce(|least, next| if next.cmp_order(&least).is_lt() { next } else { least })
                .ok_or_else(Exception::function_clause)
        })
        .pure("lists", "seq", 3, stepped)
        .pure("lists", "reverse", 2, |a| {
            let mut reversed = elements(two(a)?.0)?;
            reversed.reverse();
            Ok(Term::improper_list(reversed, a[1].clone()))
        })
        .pure("lists", "usort", 1, |a| {
            let mut sorted = elements(one(a)?)?;
            sorted.sort_by(Term::cmp_order);
            sorted.dedup_by(|next, kept| next.cmp_order(kept).is_eq());
            Ok(Term::list(sorted))
        })
        .pure("lists", "append", 1, |a| {
            let parts = elements(one(a)?)?.into_iter().map(|part| list(&part));
            Ok(Term::list(parts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten()))
        })
        .pure("lists", "concat", 1, concat)
        .pure("lists", "delete", 2, |a| {
            let mut kept = elements(two(a)?.1)?;
            if let Some(at) = kept.iter().position(|one| *one == a[0]) {
                kept.remove(at);
            }
            Ok(Term::list(kept))
        })
        .pure("lists", "zip", 2, |a| {
            let (left, right) = (elements(two(a)?.0)?, elements(&a[1])?);
            if left.len() != right.len() {
                return Err(Exception::function_clause());
            }
            Ok(Term::list(left.into_iter().zip(right)))
        });
    register_keyed(builder);
}

fn register_keyed(builder: &mut FunctionsBuilder) {
    builder
        .pure("lists", "keyfind", 3, |a| Ok(keyfind(a)?.unwrap_or_else(|| Term::from(false))))
        .pure("lists", "keymember", 3, |a| Ok(Term::from(keyfind(a)?.is_some())))
        .pure("lists", "keysort", 2, keysort)
        .pure("lists", "sublist", 2, |a| {
            let (list, count) = two(a)?;
            Ok(Term::list(cut(count, list)?.0))
        })
        .pure("lists", "nthtail", 2, |a| match cut(two(a)?.0, &a[1])? {
            (_, rest, true) => Ok(Term::list(rest)),
            _ => Err(Exception::function_clause()),
        })
        .pure("lists", "split", 2, |a| match cut(two(a)?.0, &a[1])? {
            (first, rest, true) => Ok(term!({(Term::list(first)), (Term::list(rest))})),
            _ => Err(Exception::badarg()),
        })
        .function("lists", "map", 2, |call| async move {
            map(&call, &call.arguments[0], &call.arguments[1]).await
        });
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::super::tests::eval;

    #[test]
    fn lists_do_what_lists_do() {
        assert_eq!(eval("lists", "seq", term!([1, 3])), "[1,2,3]");
        assert_eq!(eval("lists", "seq", term!([1, 0])), "[]");
        assert_eq!(eval("lists", "seq", term!([1, -5])), "error:function_clause");
        assert_eq!(eval("lists", "seq", term!([1, 100000000])), "error:system_limit");
        assert_eq!(eval("lists", "sum", term!([[1, 2]])), "3");
        assert_eq!(eval("lists", "sum", term!([[1, 2.5]])), "3.5");
        assert_eq!(eval("lists", "flatten", term!([[1, [2, [3]], []]])), "[1,2,3]");
        assert_eq!(eval("lists", "nth", term!([2, [a, b]])), "b");
        assert_eq!(eval("lists", "sort", term!([[b, 1, a]])), "[1,a,b]");
        assert_eq!(eval("lists", "max", term!([[1, 3, 2]])), "3");
    }

    #[test]
    fn lists_are_cut_joined_and_searched() {
        assert_eq!(eval("lists", "seq", term!([1, 9, 4])), "[1,5,9]");
        assert_eq!(eval("lists", "seq", term!([1, 100000000, 1])), "error:system_limit");
        assert_eq!(eval("lists", "usort", term!([[2, 1, 2]])), "[1,2]");
        assert_eq!(eval("lists", "split", term!([1, [a, b]])), "{[a],[b]}");
        assert_eq!(eval("lists", "split", term!([3, [a, b]])), "error:badarg");
        assert_eq!(eval("lists", "sublist", term!([[a, b], 9])), "[a,b]");
        assert_eq!(eval("lists", "nthtail", term!([3, [a, b]])), "error:function_clause");
        assert_eq!(eval("lists", "keyfind", term!([b, 1, [{a, 1}, x, {b, 2}]])), "{b,2}");
        assert_eq!(eval("lists", "keysort", term!([1, [{b, 1}, {a, 2}]])), "[{a,2},{b,1}]");
        assert_eq!(eval("lists", "concat", term!([[a, 1, [98]]])), "\"a1b\"");
        assert_eq!(eval("lists", "zip", term!([[1], [a, b]])), "error:function_clause");
    }
}
