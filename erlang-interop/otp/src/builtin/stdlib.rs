//! `maps`, `proplists`, `timer`, `string` and `io`: the little that remote questions use.

use std::time::Duration;

use erlang_term::{Map, Term, atom, term};

use super::lists::elements;
use super::{list, one, or_badarg, two};
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::reason::Exception;

fn map(term: &Term) -> Result<&Map, Exception> {
    term.as_map().ok_or_else(|| Exception::error((atom!("badmap"), term)))
}

fn register_maps(builder: &mut FunctionsBuilder) {
    builder
        .pure("maps", "get", 2, |a| {
            let (key, from) = two(a)?;
            let missing = || Exception::error((atom!("badkey"), key));
            map(from)?.get(key).cloned().ok_or_else(missing)
        })
        .pure("maps", "get", 3, |a| match a {
            [key, from, default] => Ok(map(from)?.get(key).unwrap_or(default).clone()),
            _ => Err(Exception::badarg()),
        })
        .pure("maps", "find", 2, |a| {
            let (key, from) = two(a)?;
            Ok(map(from)?.get(key).map_or_else(|| term!(error), |value| term!({ok, (value)})))
        })
        .pure("maps", "update", 3, |a| match a {
            [key, value, from] if map(from)?.contains_key(key) => {
                Ok(Term::from(map(from)?.insert(key, value)))
            }
            [key, ..] => Err(Exception::error((atom!("badkey"), key))),
            [] => Err(Exception::badarg()),
        })
        .pure("maps", "new", 0, |_| Ok(term!(#{})))
        .pure("maps", "with", 2, |a| {
            let (keys, from) = (list(two(a)?.0)?, map(&a[1])?);
            let kept = from.iter().filter(|(key, _)| keys.contains(key));
            Ok(Term::map(kept.map(|(key, value)| (key.clone(), value.clone()))))
        })
        .pure("maps", "without", 2, |a| {
            let (keys, from) = (list(two(a)?.0)?, map(&a[1])?);
            let kept = from.iter().filter(|(key, _)| !keys.contains(key));
            Ok(Term::map(kept.map(|(key, value)| (key.clone(), value.clone()))))
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

/// `proplists:get_value/2,3`: an atom alone stands for itself and `true`.
fn property(arguments: &[Term]) -> Outcome {
    let [key, list, default @ ..] = arguments else { return Err(Exception::badarg()) };
    let found = elements(list)?.into_iter().find_map(|one| match one.as_tuple() {
        Some([found, value, ..]) if found == key => Some(value.clone()),
        None if one == *key && one.as_atom().is_some() => Some(Term::from(true)),
        _ => None,
    });
    Ok(found.or_else(|| default.first().cloned()).unwrap_or_else(|| term!(undefined)))
}

/// `io:nl/0`.
async fn nl(call: Call) -> Outcome {
    print(&call, "\n").await
}

/// `IO.inspect/1`: prints a term and gives it back.
async fn inspect(call: Call) -> Outcome {
    let term = &call.arguments[0];
    print(&call, &format!("{}\n", term.to_elixir())).await?;
    Ok(term.clone())
}

/// `timer:sleep/1` and Elixir's `Process.sleep/1`.
async fn sleep(call: Call) -> Outcome {
    match &call.arguments[0] {
        Term::Integer(milliseconds) => {
            let milliseconds = u64::try_from(*milliseconds).map_err(|_| timeout_value())?;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Ok(term!(ok))
        }
        infinity if infinity.is_atom("infinity") => std::future::pending().await,
        _ => Err(timeout_value()),
    }
}

/// Raised by the wait itself, so the stack has the arity and not the argument.
fn timeout_value() -> Exception {
    Exception::error(atom!("timeout_value")).called_from(&atom!("timer"), &atom!("sleep"), 1)
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

/// Text in another case, in the form it came: a binary or a charlist.
fn cased(text: &Term, change: fn(&str) -> String) -> Outcome {
    let changed = change(&text.to_text().ok_or_else(Exception::badarg)?);
    Ok(if text.is_list() { Term::charlist(&changed) } else { Term::from(changed) })
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    register_maps(builder);
    builder
        .function("timer", "sleep", 1, sleep)
        .function("Elixir.Process", "sleep", 1, sleep)
        .function("io", "format", 1, format)
        .function("io", "format", 2, format)
        .function("io", "fwrite", 1, format)
        .function("io", "fwrite", 2, format)
        .function("io", "put_chars", 1, put_chars)
        .function("io", "nl", 0, nl)
        .function("Elixir.IO", "inspect", 1, inspect)
        .pure("proplists", "get_value", 2, property)
        .pure("proplists", "get_value", 3, property)
        .function("Elixir.IO", "puts", 1, puts)
        .function("Elixir.IO", "write", 1, put_chars)
        .pure("string", "uppercase", 1, |a| cased(one(a)?, str::to_uppercase))
        .pure("string", "lowercase", 1, |a| cased(one(a)?, str::to_lowercase))
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
    fn maps_do_what_maps_do() {
        assert_eq!(eval("maps", "get", term!([a, #{a => 1}])), "1");
        assert_eq!(eval("maps", "get", term!([b, #{a => 1}])), "error:{badkey,b}");
        assert_eq!(eval("maps", "merge", term!([#{a => 1}, #{a => 2}])), "#{a => 2}");
        assert_eq!(eval("maps", "keys", term!([x])), "error:{badmap,x}");
        assert_eq!(eval("maps", "get", term!([b, #{a => 1}, 7])), "7");
        assert_eq!(eval("maps", "update", term!([b, 1, #{a => 1}])), "error:{badkey,b}");
        assert_eq!(eval("maps", "without", term!([[a], #{a => 1, b => 2}])), "#{b => 2}");
        assert_eq!(eval("proplists", "get_value", term!([a, [b, {a, 1}]])), "1");
        assert_eq!(eval("proplists", "get_value", term!([b, [b, {a, 1}]])), "true");
        assert_eq!(eval("string", "uppercase", term!([[97]])), "\"A\"");
    }
}
