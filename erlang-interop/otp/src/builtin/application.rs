//! `application`, `init` and the questions about code: two applications that run, no files, and
//! modules that are the table of functions.

use erlang_term::{Atom, Term, atom, term};

use super::one;
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::reason::Exception;

/// What counts as started: the parts of OTP that a node like ours has in some form.
const APPLICATIONS: [&str; 2] = ["stdlib", "kernel"];

/// Modules of the table that belong to `stdlib`, for `application:get_application/1`.
const STDLIB: [&str; 7] = ["calendar", "io", "lists", "maps", "proplists", "string", "timer"];
/// The same for `kernel`.
const KERNEL: [&str; 11] = [
    "application",
    "code",
    "error_logger",
    "global",
    "inet",
    "logger",
    "net_adm",
    "net_kernel",
    "os",
    "pg",
    "rpc",
];

fn version() -> Term {
    Term::charlist(env!("CARGO_PKG_VERSION"))
}

fn applications() -> Term {
    let about = Term::charlist("what remote questions use of it");
    Term::list(APPLICATIONS.map(|name| term!({(atom(name)), (&about), (version())})))
}

fn atom(text: &'static str) -> Atom {
    Atom::from_checked(text)
}

fn runs(application: &Term) -> bool {
    APPLICATIONS.iter().any(|name| application.is_atom(name))
}

/// `{error, {already_started | already_loaded, App}}`, or that its file is nowhere.
fn start(application: &Term, already: Atom) -> Outcome {
    let name = application.as_atom().ok_or_else(Exception::badarg)?;
    if runs(application) {
        return Ok(term!({error, {(already), (application)}}));
    }
    let (what, file) = ("no such file or directory", format!("{name}.app"));
    Ok(term!({error, {(Term::charlist(what)), (Term::charlist(&file))}}))
}

fn ensure(application: &Term, started: Term) -> Outcome {
    if runs(application) { Ok(started) } else { start(application, atom!("already_started")) }
}

/// `application:get_key/2`.
fn key(arguments: &[Term]) -> Outcome {
    let [application, key] = arguments else { return Err(Exception::badarg()) };
    Ok(match key.as_atom().map(Atom::as_str) {
        Some("vsn") if runs(application) => term!({ok, (version())}),
        _ => term!(undefined),
    })
}

fn application_of(module: &Term) -> Term {
    let of = |modules: &[&str]| modules.iter().any(|name| module.is_atom(name));
    if of(&STDLIB) {
        term!({ok, stdlib})
    } else if of(&KERNEL) {
        term!({ok, kernel})
    } else {
        term!(undefined)
    }
}

fn third(arguments: &[Term]) -> Outcome {
    arguments.get(2).cloned().ok_or_else(Exception::badarg)
}

/// A module counts as loaded when the table has it.
fn known(call: &Call) -> Result<bool, Exception> {
    let module = call.arguments[0].as_atom().ok_or_else(Exception::function_clause)?;
    Ok(call.functions.has_module(module))
}

async fn which(call: Call) -> Outcome {
    Ok(if known(&call)? { term!(preloaded) } else { term!(non_existing) })
}

async fn is_loaded(call: Call) -> Outcome {
    Ok(if known(&call)? { term!({file, preloaded}) } else { Term::from(false) })
}

async fn ensure_loaded(call: Call) -> Outcome {
    let module = call.arguments[0].clone();
    Ok(if known(&call)? { term!({module, (module)}) } else { term!({error, nofile}) })
}

async fn module_status(call: Call) -> Outcome {
    Ok(if known(&call)? { term!(loaded) } else { term!(not_loaded) })
}

async fn all_loaded(call: Call) -> Outcome {
    Ok(Term::list(call.functions.modules().into_iter().map(|module| term!({(module), preloaded}))))
}

async fn module_loaded(call: Call) -> Outcome {
    call.arguments[0].as_atom().ok_or_else(Exception::badarg)?;
    known(&call).map(Term::from)
}

async fn function_exported(call: Call) -> Outcome {
    let [Term::Atom(module), Term::Atom(function), arity] = &call.arguments[..] else {
        return Err(Exception::badarg());
    };
    let arity = arity.as_integer().ok_or_else(Exception::badarg)?;
    let arity = usize::try_from(arity).unwrap_or(usize::MAX);
    Ok(Term::from(call.functions.exported(module, function, arity)))
}

/// `Module:module_info(Item)`, asked as `erlang:get_module_info/2`.
async fn module_info(call: Call) -> Outcome {
    let [Term::Atom(module), what] = &call.arguments[..] else { return Err(Exception::badarg()) };
    if !call.functions.has_module(module) {
        return Err(Exception::badarg());
    }
    call.functions.module_info(module, std::slice::from_ref(what))
}

async fn refused(_: Call) -> Outcome {
    Err(Exception::notsup())
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .pure("application", "which_applications", 0, |_| Ok(applications()))
        .pure("application", "loaded_applications", 0, |_| Ok(applications()))
        .pure("Elixir.Application", "started_applications", 0, |_| Ok(applications()))
        .pure("application", "get_env", 2, |_| Ok(term!(undefined)))
        .pure("application", "get_env", 3, third)
        .pure("Elixir.Application", "get_env", 2, |_| Ok(term!(nil)))
        .pure("Elixir.Application", "get_env", 3, third)
        .pure("application", "get_all_env", 1, |a| one(a).map(|_| Term::Nil))
        .pure("application", "get_key", 2, key)
        .pure("application", "get_all_key", 1, |_| Ok(term!(undefined)))
        .pure("application", "get_application", 1, |a| Ok(application_of(one(a)?)))
        .pure("application", "ensure_started", 1, |a| ensure(one(a)?, term!(ok)))
        .pure("application", "ensure_all_started", 1, |a| ensure(one(a)?, term!({ok, []})))
        .pure("application", "start", 1, |a| start(one(a)?, atom!("already_started")))
        .pure("application", "load", 1, |a| start(one(a)?, atom!("already_loaded")))
        .pure("application", "stop", 1, |a| match one(a)? {
            running if runs(running) => Err(Exception::notsup()),
            other => Ok(term!({error, {not_started, (other)}})),
        })
        .pure("init", "get_status", 0, |_| Ok(term!({started, started})))
        .pure("init", "get_arguments", 0, |_| Ok(Term::Nil))
        .pure("init", "get_argument", 1, |_| Ok(term!(error)))
        .pure("init", "get_plain_arguments", 0, |_| Ok(Term::Nil))
        .pure("init", "notify_when_started", 1, |_| Ok(term!(started)))
        .pure("init", "script_id", 0, |_| Ok(term!({(Term::charlist("erlang-otp")), (version())})))
        .function("init", "stop", 0, refused)
        .function("init", "stop", 1, refused)
        .function("init", "restart", 0, refused)
        .function("init", "reboot", 0, refused);
    register_code(builder);
}

fn register_code(builder: &mut FunctionsBuilder) {
    builder
        .function("code", "which", 1, which)
        .function("code", "is_loaded", 1, is_loaded)
        .function("code", "ensure_loaded", 1, ensure_loaded)
        .function("code", "module_status", 1, module_status)
        .function("code", "all_loaded", 0, all_loaded)
        .pure("code", "get_mode", 0, |_| Ok(term!(interactive)))
        .pure("code", "get_path", 0, |_| Ok(Term::Nil))
        // The functions are part of the program: there are no files, and none of them goes.
        .pure("code", "get_object_code", 1, |_| Ok(term!(error)))
        .pure("code", "priv_dir", 1, |_| Ok(term!({error, bad_name})))
        .pure("code", "lib_dir", 1, |_| Ok(term!({error, bad_name})))
        .function("code", "is_sticky", 1, |call| async move { Ok(Term::from(known(&call)?)) })
        .pure("code", "purge", 1, |_| Ok(Term::from(false)))
        .pure("code", "soft_purge", 1, |_| Ok(Term::from(true)))
        .pure("code", "delete", 1, |_| Ok(Term::from(false)))
        .pure("erlang", "check_old_code", 1, |_| Ok(Term::from(false)))
        .function("code", "load_binary", 3, refused)
        .function("Elixir.Code", "ensure_loaded", 1, ensure_loaded)
        .function("Elixir.Code", "ensure_loaded?", 1, |call| async move {
            Ok(Term::from(known(&call)?))
        })
        .function("erlang", "function_exported", 3, function_exported)
        .function("Elixir.Kernel", "function_exported?", 3, function_exported)
        .function("erlang", "module_loaded", 1, module_loaded)
        .function("erlang", "get_module_info", 2, module_info)
        .function(
            "erlang",
            "loaded",
            0,
            |call| async move { Ok(Term::list(call.functions.modules())) },
        )
        .pure("erlang", "fun_info", 2, |a| match a {
            [Term::Fun(fun), item] => match item.as_atom().map(Atom::as_str) {
                Some("arity") => Ok(term!({arity, (i64::from(fun.arity()))})),
                Some("module") => Ok(term!({module, (fun.module())})),
                _ => Err(Exception::badarg()),
            },
            _ => Err(Exception::badarg()),
        })
        // There are no tables, so a list of them is complete.
        .pure("ets", "all", 0, |_| Ok(Term::Nil))
        .pure("ets", "info", 1, |_| Ok(term!(undefined)))
        .pure("ets", "info", 2, |_| Ok(term!(undefined)))
        .pure("ets", "whereis", 1, |_| Ok(term!(undefined)))
        .pure("erlang", "trace_info", 2, |a| match a {
            [of, item] if of.is_atom("new") && item.is_atom("flags") => Ok(term!({flags, []})),
            [_, item] => Ok(term!({(item), (Term::from(false))})),
            _ => Err(Exception::badarg()),
        })
        .pure("erlang", "port_info", 1, |_| Ok(term!(undefined)))
        .pure("erlang", "port_info", 2, |_| Ok(term!(undefined)));
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::super::tests::eval;

    #[test]
    fn two_applications_run() {
        assert_eq!(eval("application", "ensure_all_started", term!([kernel])), "{ok,[]}");
        let started = eval("application", "start", term!([kernel]));
        assert_eq!(started, "{error,{already_started,kernel}}");
        assert_eq!(
            eval("application", "load", term!([nothing])),
            "{error,{\"no such file or directory\",\"nothing.app\"}}"
        );
        assert_eq!(eval("application", "stop", term!([kernel])), "error:notsup");
        assert_eq!(eval("application", "get_application", term!([lists])), "{ok,stdlib}");
        assert_eq!(eval("application", "get_env", term!([a, k, 7])), "7");
    }
}
