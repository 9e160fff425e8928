//! `lists`, `maps`, `timer`, `string` and `io`: the little that remote questions use.

use std::time::Duration;

use erlang_term::{Map, Term, atom, term};

use super::{list, one, or_badarg, two};
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

fn elements(term: &Term) -> Result<Vec<Term>, Exception> {
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

fn map(term: &Term) -> Result<&Map, Exception> {
    term.as_map().ok_or_else(|| Exception::error((atom!("badmap"), term)))
}

fn register_lists(builder: &mut FunctionsBuilder) {
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
            let (wanted, list) = two(a)?;
            Ok(Term::from(elements(list)?.contains(wanted)))
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
        });
}

fn register_maps(builder: &mut FunctionsBuilder) {
    builder
        .pure("maps", "get", 2, |a| {
            let (key, from) = two(a)?;
            let missing = || Exception::error((atom!("badkey"), key));
            map(from)?.get(key).cloned().ok_or_else(missing)
        })
        .pure("maps", "is_key", 2, |a| {
            let (key, from) = two(a)?;
            Ok(Term::from(map(from)?.contains_key(key)))
        })
        .pure("maps", "put", 3, |a| match a {
            [key, value, from] => Ok(Term::from(map(from)?.insert(key, value))),
            _ => Err(Exception::badarg()),
        })
        .pure("maps", "remove", 2, |a| {
            let (key, from) = two(a)?;
            Ok(Term::from(map(from)?.remove(key)))
        })
        .pure("maps", "keys", 1, |a| Ok(Term::list(map(one(a)?)?.iter().map(|(key, _)| key))))
        .pure("maps", "values", 1, |a| Ok(Term::list(map(one(a)?)?.iter().map(|(_, value)| value))))
        .pure("maps", "to_list", 1, |a| Ok(Term::list(map(one(a)?)?.iter())))
        .pure("maps", "size", 1, |a| or_badarg(i64::try_from(map(one(a)?)?.len()).ok()))
        .pure("maps", "merge", 2, |a| {
            let (left, right) = two(a)?;
            let both = map(left)?.iter().chain(map(right)?.iter());
            Ok(Term::map(both.map(|(key, value)| (key.clone(), value.clone()))))
        })
        .pure("maps", "from_list", 1, |a| {
            let pairs = elements(one(a)?)?.into_iter().map(|pair| match pair.as_tuple() {
                Some([key, value]) => Ok((key.clone(), value.clone())),
                _ => Err(Exception::badarg()),
            });
            Ok(Term::map(pairs.collect::<Result<Vec<_>, _>>()?))
        });
}

/// `timer:sleep/1` and Elixir's `Process.sleep/1`.
async fn sleep(call: Call) -> Outcome {
    match &call.arguments[0] {
        Term::Integer(milliseconds) => {
            let milliseconds = u64::try_from(*milliseconds)
                .map_err(|_| Exception::error(atom!("timeout_value")))?;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Ok(term!(ok))
        }
        infinity if infinity.is_atom("infinity") => std::future::pending().await,
        _ => Err(Exception::error(atom!("timeout_value"))),
    }
}

/// `io:format/1,2`: formatted here, printed at the caller's group leader.
async fn format(call: Call) -> Outcome {
    let format = call.arguments[0].to_text().ok_or_else(Exception::badarg)?;
    let arguments = call.arguments.get(1).cloned().unwrap_or(Term::Nil);
    if !arguments.is_list() {
        return Err(Exception::badarg());
    }
    print(&call, &crate::logger::formatted(&format, &arguments)).await
}

async fn print(call: &Call, text: &str) -> Outcome {
    let answer = crate::io::put_chars(&call.caller, text).await;
    match answer.as_tagged("error") {
        Some([reason]) => Err(Exception::error(reason)),
        _ => Ok(answer),
    }
}

/// `IO.puts/1`.
async fn puts(call: Call) -> Outcome {
    let text = match &call.arguments[0] {
        item @ (Term::Binary(_) | Term::List(_) | Term::Nil) => {
            item.to_text().ok_or_else(Exception::badarg)?
        }
        Term::Atom(atom) => atom.as_str().to_owned(),
        other => other.to_string(),
    };
    print(&call, &format!("{text}\n")).await
}

async fn put_chars(call: Call) -> Outcome {
    let text = call.arguments[0].to_text().ok_or_else(Exception::badarg)?;
    print(&call, &text).await
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    register_lists(builder);
    register_maps(builder);
    builder
        .function("timer", "sleep", 1, sleep)
        .function("Elixir.Process", "sleep", 1, sleep)
        .function("io", "format", 1, format)
        .function("io", "format", 2, format)
        .function("io", "fwrite", 1, format)
        .function("io", "fwrite", 2, format)
        .function("io", "put_chars", 1, put_chars)
        .function("Elixir.IO", "puts", 1, puts)
        .function("Elixir.IO", "write", 1, put_chars)
        .pure("string", "length", 1, |a| {
            let text = one(a)?.to_text().ok_or_else(Exception::badarg)?;
            or_badarg(i64::try_from(text.chars().count()).ok())
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
    fn maps_do_what_maps_do() {
        assert_eq!(eval("maps", "get", term!([a, #{a => 1}])), "1");
        assert_eq!(eval("maps", "get", term!([b, #{a => 1}])), "error:{badkey,b}");
        assert_eq!(eval("maps", "merge", term!([#{a => 1}, #{a => 2}])), "#{a => 2}");
        assert_eq!(eval("maps", "keys", term!([x])), "error:{badmap,x}");
    }
}
