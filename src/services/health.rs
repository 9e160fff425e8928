//! `HAR.ControlPlane.HealthChecker`.

use erlang_interop::otp::{Call, Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Term, term};

use crate::backends::Checker;
use crate::control_plane::{Check, ControlPlane, HEALTH_CHECK, Status, backend_id};
use crate::semantic::terms::{self, atom_of};
use crate::semantic::{Map, Value};

pub(super) const HEALTH_CHECKER: &str = "Elixir.HAR.ControlPlane.HealthChecker";

pub(super) fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane, checker: &Checker) {
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "get_health", 1, move |args| {
        Ok(status_term(&status(&shared, &args[0])))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "healthy?", 1, move |args| {
        Ok(Term::from(status(&shared, &args[0]).is_healthy()))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "filter_healthy", 1, move |args| {
        let health = shared.health();
        let usable = |backend: &Term| id(backend).is_some_and(|id| health.is_usable(&id));
        Ok(Term::list(super::shapes::list(&args[0])?.into_iter().filter(usable)))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "register_backend", 1, move |args| {
        shared.health_mut().register(&id(&args[0]).ok_or_else(Exception::function_clause)?);
        Ok(term!(ok))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "set_health", 2, move |args| {
        let id = id(&args[0]).ok_or_else(Exception::function_clause)?;
        let status = args[1].as_atom().ok_or_else(Exception::function_clause)?;
        shared.set_health(&id, Status::from_name(status.as_str()));
        Ok(term!(ok))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "report", 2, move |args| report(&shared, &args[0], &args[1]));
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "circuits", 0, move |_| Ok(circuits(&shared)));
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "all_health", 0, move |_| Ok(all(&shared)));
    let shared = checker.clone();
    functions.function(HEALTH_CHECKER, "check_now", 1, move |call: Call| {
        let checker = shared.clone();
        async move { check_now(&checker, &call.arguments[0]).await }
    });
}

fn id(backend: &Term) -> Option<String> {
    backend_id(&terms::value(backend))
}

fn status(plane: &ControlPlane, backend: &Term) -> Status {
    id(backend).map_or(Status::Unknown, |id| plane.health().status(&id))
}

pub(super) fn status_term(status: &Status) -> Term {
    Term::Atom(atom_of(status.name()))
}

/// `%{"type:name" => status}`.
pub(super) fn all(plane: &ControlPlane) -> Term {
    let health = plane.health();
    Term::map(health.all().map(|(id, status)| (Term::string(id), status_term(&status))))
}

/// How an operation went at a backend: `:ok`, `true` and `{:ok, _}` well; `:error`, `false` and
/// `{:error, _}` badly. Five failures in a row keep work away for ten seconds, then one operation a
/// second is let through until one goes well.
pub(super) fn report(plane: &ControlPlane, backend: &Term, result: &Term) -> Outcome {
    let id = id(backend).ok_or_else(Exception::function_clause)?;
    let tag = result.as_tuple().and_then(|parts| parts.first()).unwrap_or(result);
    let went_well = match tag.as_atom().map(|tag| tag.as_str()) {
        Some("ok" | "true") => true,
        Some("error" | "false") => false,
        _ => return Err(Exception::function_clause()),
    };
    plane.report(&id, went_well);
    Ok(term!(ok))
}

/// `%{"type:name" => %{state: :open, failures: 5}}`: of those that have failed since they last went
/// well.
fn circuits(plane: &ControlPlane) -> Term {
    let health = plane.health();
    Term::map(health.circuits().map(|(id, state, failures)| {
        let state = Term::atom(state.name());
        (Term::string(id), term!(#{state => (state), failures => (Term::from(failures))}))
    }))
}

/// The state that `:sys.get_state/1` shows. spec: contract 2
pub(super) fn state(plane: &ControlPlane, checker: &Checker) -> Term {
    let ms = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    terms::structure(
        HEALTH_CHECKER,
        [
            ("check_interval", Term::from(ms(checker.interval()))),
            ("timeout", Term::from(ms(checker.timeout()))),
            ("backend_health", all(plane)),
            ("last_check", term!(nil)),
        ],
    )
}

/// Checks a backend by its `health_check`, or that of its metadata; keeps and returns the status.
pub(super) async fn check_now(checker: &Checker, backend: &Term) -> Outcome {
    let map = terms::map(backend).ok_or_else(Exception::function_clause)?;
    let id = id(backend).ok_or_else(Exception::function_clause)?;
    let status = match check_of(&map) {
        Ok(check) => checker.check_now(&id, check.as_ref()).await,
        Err(reason) => {
            tracing::debug!(backend = %id, reason, "a health check that cannot be made");
            checker.cannot_check(&id)
        }
    };
    Ok(status_term(&status))
}

fn check_of(backend: &Map) -> Result<Option<Check>, String> {
    if backend.present(HEALTH_CHECK).is_some() {
        return Check::of_metadata(backend);
    }
    match backend.get("metadata").and_then(Value::as_map) {
        Some(metadata) => Check::of_metadata(metadata),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn backend(check: Term) -> Term {
        term!(#{name => "b", type => local, health_check => (check)})
    }

    #[tokio::test]
    async fn checks_ask_and_remember() {
        let plane = ControlPlane::new(false);
        let checker = Checker::of_defaults(plane.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tcp = backend(term!(#{type => tcp, host => "127.0.0.1", port => (Term::from(port))}));
        assert_eq!(check_now(&checker, &tcp).await, Ok(term!(healthy)));
        let in_metadata = term!(#{name => "b", type => local, metadata => #{
            "health_check" => #{"type" => "tcp", "port" => (Term::from(port))}
        }});
        assert_eq!(check_now(&checker, &in_metadata).await, Ok(term!(healthy)));
        drop(listener);
        assert_eq!(check_now(&checker, &in_metadata).await, Ok(term!(unhealthy)));
        assert_eq!(all(&plane), term!(#{"local:b" => unhealthy}));
        let plain = term!(#{name => "b", type => local});
        assert_eq!(check_now(&checker, &plain).await, Ok(term!(healthy)));
        for unknown in [term!(#{type => function}), term!(x), term!(#{type => tcp})] {
            assert_eq!(check_now(&checker, &backend(unknown)).await, Ok(term!(unknown)));
        }
        assert!(check_now(&checker, &Term::from("local:b")).await.is_err());
        // Whoever calls has no business with commands of this host.
        let command = backend(term!(#{type => command, command => ["true"]}));
        assert_eq!(check_now(&checker, &command).await, Ok(term!(unknown)));
    }

    #[test]
    fn results_are_reported_and_shown() {
        let plane = ControlPlane::new(false);
        let backend = term!(#{name => "b", type => local});
        for result in [term!(error), term!({error, x}), term!(false), term!(error), term!(error)] {
            assert_eq!(report(&plane, &backend, &result), Ok(term!(ok)));
        }
        let open = term!(#{"local:b" => #{state => open, failures => 5}});
        assert_eq!(circuits(&plane), open);
        assert_eq!(all(&plane), term!(#{"local:b" => unhealthy}));
        assert!(report(&plane, &backend, &term!(perhaps)).is_err());
        assert_eq!(report(&plane, &backend, &term!({ok, 1})), Ok(term!(ok)));
        assert_eq!(circuits(&plane), term!(#{}));
    }
}
