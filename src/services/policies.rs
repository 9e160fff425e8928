//! `HAR.ControlPlane.PolicyEngine`.

use erlang_interop::node::held_bytes;
use erlang_interop::otp::{Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Term, atom, term};

use super::shapes;
use crate::control_plane::{Backend, ControlPlane, Policy, TooManyPolicies, Verdict};
use crate::semantic::terms;

pub(super) const POLICY_ENGINE: &str = "Elixir.HAR.ControlPlane.PolicyEngine";

pub(super) fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane) {
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "apply_policies", 2, move |args| {
        apply(&shared, &args[0], &args[1], &Term::Nil)
    });
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "apply_policies", 3, move |args| {
        apply(&shared, &args[0], &args[1], &args[2])
    });
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "evaluate", 2, move |args| {
        evaluate(&shared, &args[0], &args[1], &Term::Nil)
    });
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "evaluate", 3, move |args| {
        evaluate(&shared, &args[0], &args[1], &args[2])
    });
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "add_policy", 1, move |args| add(&shared, &args[0]));
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "remove_policy", 1, move |args| Ok(remove(&shared, &args[0])));
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "load_policies", 1, move |args| load(&shared, &args[0]));
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "list_policies", 0, move |_| Ok(all(&shared)));
    let shared = plane.clone();
    functions.pure(POLICY_ENGINE, "stats", 0, move |_| Ok(stats(&shared)));
}

/// The backends that are allowed, as the caller gave them.
pub(super) fn apply(
    plane: &ControlPlane,
    backends: &Term,
    operation: &Term,
    options: &Term,
) -> Outcome {
    let given = shapes::list(backends)?;
    let operation = shapes::operation(operation)?;
    let names = shapes::policy_names(&shapes::options(options)?);
    let backends = given.iter().map(shapes::backend).collect::<Result<Vec<Backend>, _>>()?;
    let verdicts = plane.evaluate_all(&backends, &operation, names.as_deref());
    let kept = given.into_iter().zip(verdicts).filter(|(_, verdict)| *verdict != Verdict::Deny);
    Ok(Term::list(kept.map(|(term, _)| term)))
}

pub(super) fn evaluate(
    plane: &ControlPlane,
    backend: &Term,
    operation: &Term,
    options: &Term,
) -> Outcome {
    let (backend, operation) = (shapes::backend(backend)?, shapes::operation(operation)?);
    let names = shapes::policy_names(&shapes::options(options)?);
    Ok(match plane.evaluate(&backend, &operation, names.as_deref()) {
        Verdict::Allow => term!(allow),
        Verdict::Deny => term!(deny),
        Verdict::Prefer(boost) => Term::from((atom!("prefer"), boost)),
    })
}

/// Memory that one policy may hold, so that all together stay below 64 MiB.
const POLICY_BYTES_MAX: usize = 64 * 1024;

fn read(policy: &Term) -> Result<Policy, Exception> {
    if held_bytes(policy, POLICY_BYTES_MAX + 1) > POLICY_BYTES_MAX {
        return Err(Exception::system_limit());
    }
    shapes::map(policy).map(|map| Policy::from_map(&map))
}

pub(super) fn add(plane: &ControlPlane, policy: &Term) -> Outcome {
    let policy = read(policy)?;
    Ok(changed(plane.policies_mut().add(policy)))
}

pub(super) fn remove(plane: &ControlPlane, name: &Term) -> Term {
    if let Some(name) = terms::value(name).to_text() {
        plane.policies_mut().remove(&name);
    }
    term!(ok)
}

pub(super) fn load(plane: &ControlPlane, policies: &Term) -> Outcome {
    let policies =
        shapes::list(policies)?.iter().map(read).collect::<Result<Vec<_>, Exception>>()?;
    Ok(changed(plane.policies_mut().load(policies)))
}

fn changed(outcome: Result<(), TooManyPolicies>) -> Term {
    outcome.map_or_else(|_| term!({error, too_many_policies}), |()| term!(ok))
}

/// The policies as they came: those of the table, then those that callers set.
pub(super) fn all(plane: &ControlPlane) -> Term {
    let (table, policies) = (plane.table(), plane.policies());
    let all = table.policies().iter().chain(policies.policies());
    Term::list(all.map(|policy| terms::map_term(&policy.source)))
}

pub(super) fn stats(plane: &ControlPlane) -> Term {
    let stats = plane.policy_stats();
    let number = |count: u64| Term::from(i64::try_from(count).unwrap_or(i64::MAX));
    Term::map([
        (atom!("evaluations"), number(stats.evaluations)),
        (atom!("denials"), number(stats.denials)),
        (atom!("policies"), number(u64::try_from(stats.policies).unwrap_or(u64::MAX))),
        (atom!("denial_rate"), Term::from(stats.denial_rate())),
    ])
}

/// The state that `:sys.get_state/1` shows. spec: contract 2
pub(super) fn state(plane: &ControlPlane) -> Term {
    let stats = plane.policies().stats();
    let number = |count: u64| Term::from(i64::try_from(count).unwrap_or(i64::MAX));
    terms::structure(
        POLICY_ENGINE,
        [
            ("policies", all(plane)),
            ("evaluations", number(stats.evaluations)),
            ("denials", number(stats.denials)),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::{Kind, Map, Operation};

    #[test]
    fn a_policy_that_is_too_long_is_refused() {
        let plane = ControlPlane::new(false);
        let of = |bytes: usize| term!(#{name => (Term::string(&"n".repeat(bytes))), type => deny});
        let before = plane.policies().policies().len();
        add(&plane, &of(POLICY_BYTES_MAX)).unwrap_err();
        load(&plane, &Term::list([of(POLICY_BYTES_MAX)])).unwrap_err();
        assert_eq!(plane.policies().policies().len(), before);
        assert_eq!(add(&plane, &of(100)), Ok(term!(ok)));
    }

    #[test]
    fn policies_filter_and_are_counted() {
        let plane = ControlPlane::new(false);
        let deny = term!(#{name => "d", type => deny, priority => 1, condition => #{backend_type => remote}});
        add(&plane, &deny).unwrap();
        let local = term!(#{name => "a", type => local});
        let remote = term!(#{name => "b", type => remote});
        let operation = Operation::new("x", Kind::CommandRun, Map::new()).to_term();
        let backends = Term::list([remote.clone(), local.clone()]);
        assert_eq!(apply(&plane, &backends, &operation, &Term::Nil), Ok(Term::list([local])));
        assert_eq!(evaluate(&plane, &remote, &operation, &Term::Nil), Ok(term!(deny)));
        let counts = stats(&plane);
        assert_eq!(counts.as_map().unwrap().get_atom("denials"), Some(&Term::from(2)));
        remove(&plane, &Term::from("d"));
        assert_eq!(evaluate(&plane, &remote, &operation, &Term::Nil), Ok(term!(allow)));
    }
}
