//! What every node can be asked: the functions of OTP and Elixir that people and tools call from a
//! shell, with the answers a BEAM would give.
//!
//! What a BEAM has and we don't is `undef`, as for any other missing function. What must not be
//! done from outside (`erlang:halt`, `os:cmd`, reading the cookie or the environment) is refused with `notsup`.

mod application;
mod arithmetic;
mod bif;
mod bits;
mod convert;
mod elixir;
mod groups;
mod kernel;
mod lists;
mod node;
mod observer;
mod process;
mod process_info;
mod stdlib;
mod system;
mod time;

use erlang_term::{Atom, Term, term};

use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::gen_server::{CallError, call_for};
use crate::limits::CALL_TIMEOUT;
use crate::reason::Exception;

pub use system::memory;

/// Adds all built-in functions.
pub(crate) fn register(builder: &mut FunctionsBuilder) {
    application::register(builder);
    arithmetic::register(builder);
    bif::register(builder);
    bits::register(builder);
    convert::register(builder);
    groups::register(builder);
    node::register(builder);
    observer::register(builder);
    process::register(builder);
    system::register(builder);
    lists::register(builder);
    stdlib::register(builder);
    time::register(builder);
    kernel::register(builder);
    elixir::register(builder);
}

/// Asks a service of this node; a missing one exits as a failed `gen_server:call` does.
async fn ask(call: &Call, service: Atom, request: Term) -> Outcome {
    let asked = call_for(&call.caller, service.clone(), request.clone(), CALL_TIMEOUT).await;
    asked.map_err(|error| {
        let arguments = term!([(service), (request)]);
        Exception::exit(term!({(CallError::reason(&error)), {gen_server, call, (arguments)}}))
    })
}

/// The elements of an argument that must be a proper list.
fn list(term: &Term) -> Result<Vec<Term>, Exception> {
    Ok(term.list_iter().ok_or_else(Exception::badarg)?.collect())
}

/// The value of a one-argument function; `badarg` for `None`.
fn or_badarg<T: Into<Term>>(value: Option<T>) -> Outcome {
    value.map(Into::into).ok_or_else(Exception::badarg)
}

/// A function of an exact number of arguments: the table only calls it with as many.
fn one(arguments: &[Term]) -> Result<&Term, Exception> {
    match arguments {
        [one] => Ok(one),
        _ => Err(Exception::badarg()),
    }
}

/// As [`one`], two.
fn two(arguments: &[Term]) -> Result<(&Term, &Term), Exception> {
    match arguments {
        [one, two] => Ok((one, two)),
        _ => Err(Exception::badarg()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use erlang_term::{Atom, Term, term};

    use crate::functions::Functions;

    /// Calls a pure built-in and shows the value, or the class and reason of what it raised.
    pub(crate) fn eval(module: &str, function: &str, arguments: Term) -> String {
        let atom = |text: &str| Atom::new(text).expect("a short name");
        let arguments: Vec<Term> = arguments.list_iter().expect("a list").collect();
        let functions = Functions::builder().build();
        match functions.apply_pure(&atom(module), &atom(function), &arguments) {
            Some(Ok(value)) => value.to_string(),
            Some(Err(raised)) => format!("{}:{}", raised.class.as_str(), raised.reason),
            None => "not pure".to_owned(),
        }
    }

    #[test]
    fn wrong_types_are_badarg_with_the_call_in_the_stack() {
        let functions = Functions::builder().build();
        let (module, function) = (erlang_term::atom!("erlang"), erlang_term::atom!("length"));
        let raised = functions
            .apply_pure(&module, &function, &[term!(x)])
            .expect("a pure function")
            .expect_err("not a list");
        assert_eq!(
            raised.into_badrpc().to_string(),
            "{badrpc,{'EXIT',{badarg,[{erlang,length,[x],[{error_info,#{module => \
             erl_erts_errors}}]}]}}}"
        );
    }

    #[test]
    fn no_pure_function_panics_on_odd_arguments() {
        let functions = Functions::builder().build();
        let odd = [
            term!([]),
            term!({}),
            term!(#{}),
            term!("é"),
            term!(-1),
            term!(1.5),
            term!(x),
            term!([1 | 2]),
            Term::from(i64::MAX),
            Term::from(i64::MIN),
            term!([x, 300]),
        ];
        for module in functions.modules() {
            for (name, arity) in functions.exports(&module).expect("a module") {
                for start in 0..odd.len() {
                    let arguments: Vec<Term> = (0..usize::from(arity))
                        .map(|at| odd[(start + at * 3) % odd.len()].clone())
                        .collect();
                    // Any outcome is fine, as long as there is one.
                    let _ = functions.apply_pure(&module, &name, &arguments);
                }
            }
        }
    }
}
