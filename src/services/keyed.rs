//! `idempotency_key: "…"` among the options of a call: it is done once by the cluster.

use std::time::Duration;

use erlang_interop::otp::reason::CallOutcome;
use erlang_interop::otp::{Call, Exception, FunctionsBuilder, Outcome, erpc};
use erlang_interop::term::{Atom, EncodeOptions, Term, atom, encode_with, term};
use sha2::{Digest as _, Sha256};

use super::errors::error;
use super::shapes;
use super::work::operations;
use crate::cluster::{Begun, Cluster, Keys, Phase, Running};
use crate::control_plane::{Confined, ControlPlane};
use crate::semantic::{Key, Value, terms};

const KEYS: &str = "Elixir.HAR.Cluster.Keys";
const KEY: &str = "idempotency_key";
/// Set for the owner, so that it asks nobody else although it may see other members.
const FOR_OWNER: &str = "idempotency_owner";
/// How long the second by right may take to say what it knows.
const LOOK_TIME: Duration = Duration::from_secs(1);
/// How often it is asked while what it does for a key is under way.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// For what the owner does: longer than any job may take.
const OWNER_TIME: Duration = Duration::from_secs(3700);

pub(super) fn register(functions: &mut FunctionsBuilder, cluster: &Cluster) {
    let keys = cluster.keys.clone();
    functions.pure(KEYS, "find", 2, move |args| match (args[0].as_binary(), args[1].as_binary()) {
        (Some(key), Some(fingerprint)) => {
            let fingerprint = fingerprint.try_into().map_err(|_| Exception::badarg())?;
            Ok(keys.look(key, fingerprint))
        }
        _ => Err(Exception::badarg()),
    });
}

/// A function of two arguments that computes for long, the second of which are options that may have
/// a key.
pub(super) fn register_blocking<F>(
    functions: &mut FunctionsBuilder,
    (plane, cluster): (&ControlPlane, &Cluster),
    (module, name): (&'static str, &'static str),
    handler: F,
) where
    F: Fn(&[Term]) -> Outcome + Clone + Send + Sync + 'static,
{
    let (plane, cluster) = (plane.clone(), cluster.clone());
    functions.function(module, name, 2, move |call: Call| {
        let (plane, cluster, handler) = (plane.clone(), cluster.clone(), handler.clone());
        async move {
            let of = (Atom::from_checked(module), Atom::from_checked(name));
            let arguments = call.arguments.clone();
            let work = async move {
                let run = tokio::task::spawn_blocking(move || handler(&arguments));
                run.await.unwrap_or_else(|failed| {
                    Err(Exception::error((atom!("panic"), Term::from(failed.to_string()))))
                })
            };
            once(&plane, &cluster, &call, of, work).await
        }
    });
}

/// Does `work`, the call `module:function` of which the last argument are options, once for each
/// key. A key that stands for another call is `{:error, :idempotency_key_reused}`; what failed, also
/// in part, is not kept, so that a retry does it again.
pub(super) async fn once(
    plane: &ControlPlane,
    cluster: &Cluster,
    call: &Call,
    (module, function): (Atom, Atom),
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let Some((options, rest)) = call.arguments.split_last() else { return work.await };
    let mut options = shapes::options(options)?;
    let key = match options.get(KEY) {
        None => return work.await,
        Some(Value::String(key)) if Keys::is_key(key.as_bytes()) => key.clone().into_bytes(),
        Some(_) => return Err(Exception::badarg()),
    };
    let for_owner = options.get(FOR_OWNER).is_some();
    options.insert(Key::Atom(FOR_OWNER.into()), Value::Bool(true));
    let mut arguments = rest.to_vec();
    arguments.push(terms::map_term(&options));
    // Whoever has the answer has the operations, too.
    let (_, read) = operations(&arguments[0])?;
    let confined = plane.confine(&read, shapes::policy_names(&options).as_deref());
    let fingerprint = fingerprint(&module, &function, &arguments)?;
    let one = Once { cluster, call, confined, fingerprint, key };
    let own = call.node().name();
    let mut by_right = one.by_right();
    while !for_owner && by_right.first().is_some_and(|owner| owner != own) {
        let owner = by_right.remove(0);
        let asked = arguments.clone();
        match erpc::call(call.node(), &owner, &module, &function, asked, OWNER_TIME).await {
            Ok(CallOutcome::Return(answer)) => return Ok(answer),
            Ok(CallOutcome::Raised { class, reason, .. }) if !is_unable(&reason) => {
                return Err(Exception::new(class, reason));
            }
            // It is gone, or cannot: then it is up to the next.
            _ => tracing::debug!(%owner, "the owner of a key does not do it"),
        }
    }
    one.here(work).await
}

/// A member that is none after all, or that does not let us.
fn is_unable(reason: &Term) -> bool {
    reason.is_atom("undef") || reason.as_tagged("not_allowed").is_some()
}

fn fingerprint(module: &Atom, function: &Atom, arguments: &[Term]) -> Result<[u8; 32], Exception> {
    let call = term!({(module), (function), (Term::list(arguments.iter().cloned()))});
    let options = EncodeOptions { deterministic: true, ..EncodeOptions::default() };
    let bytes = encode_with(&call, &options).map_err(|_| Exception::badarg())?;
    Ok(Sha256::digest(bytes).into())
}

fn binary(bytes: &[u8]) -> Term {
    Term::Binary(bytes.into())
}

struct Once<'a> {
    cluster: &'a Cluster,
    call: &'a Call,
    confined: Vec<Confined>,
    key: Vec<u8>,
    fingerprint: [u8; 32],
}

impl Once<'_> {
    fn by_right(&self) -> Vec<Atom> {
        let key = binary(&self.key);
        let (node, peers) = (self.call.node(), &self.cluster.peers);
        let mut nodes = self.cluster.members.by_right(node.name(), &key);
        nodes.retain(|name| {
            let facts = shapes::facts(name, &peers.place(node, name));
            name == node.name() || self.confined.iter().all(|one| one.allows(&facts))
        });
        nodes
    }

    /// Another node that may know of the key: the first by right besides this one.
    fn second(&self) -> Option<Atom> {
        self.by_right().into_iter().find(|node| node != self.call.node().name())
    }

    async fn here(&self, work: impl Future<Output = Outcome>) -> Outcome {
        loop {
            let running = match self.cluster.keys.begin(&self.key, self.fingerprint) {
                Begun::Run(running) => running,
                Begun::Kept(answer) => return Ok(answer),
                Begun::Reused => return Ok(error(term!(idempotency_key_reused))),
                Begun::Full => return Ok(error(term!(overloaded))),
                Begun::Wait(mut done) => {
                    // Nothing is ever sent: it has ended.
                    let _ = done.changed().await;
                    continue;
                }
            };
            match self.ask_second(&running).await {
                Some(Ok(answer)) => {
                    running.keep(&answer);
                    return Ok(answer);
                }
                Some(Err(reused)) => return Ok(reused),
                None => running.has_come(Phase::Doing),
            }
            let outcome = work.await;
            if let Ok(answer) = &outcome
                && is_whole(answer)
            {
                self.copy_to_second(answer).await;
                running.keep(answer);
            }
            return outcome;
        }
    }

    /// What the second by right has kept, waiting for what it does for the key. When both ask each
    /// other, as after a partition, the one with more right goes on and the other waits for it.
    async fn ask_second(&self, running: &Running) -> Option<Result<Term, Term>> {
        let (module, find) = (Atom::from_checked(KEYS), atom!("find"));
        loop {
            let second = self.second()?;
            let arguments = vec![binary(&self.key), binary(&self.fingerprint)];
            let asked =
                erpc::call(self.call.node(), &second, &module, &find, arguments, LOOK_TIME).await;
            let Ok(CallOutcome::Return(answer)) = asked else { return None };
            if answer.is_atom("reused") {
                return Some(Err(error(term!(idempotency_key_reused))));
            }
            if answer.is_atom("asking") {
                let has_more_right = self.by_right().first() == Some(&second);
                running.has_come(if has_more_right { Phase::Yielding } else { Phase::Asking });
            } else if !answer.is_atom("running") {
                return Some(Ok(answer.as_tagged("ok")?.first()?.clone()));
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    async fn copy_to_second(&self, answer: &Term) {
        if let Some(second) = self.second() {
            let (key, fingerprint) = (binary(&self.key), binary(&self.fingerprint));
            let message = term!({keep, (key), (fingerprint), (answer)});
            self.cluster.tell(self.call.node(), second, message).await;
        }
    }
}

/// Whether all was done: neither `{:error, _}` nor a job with a chunk that failed.
fn is_whole(answer: &Term) -> bool {
    if answer.as_tagged("error").is_some() {
        return false;
    }
    let results = answer.as_tagged("ok").and_then(|rest| rest.first());
    let failed = |result: Term| {
        let why = result.as_tagged("error").and_then(|rest| rest.first()).cloned();
        why.is_some_and(|why| why.as_tagged("chunk_failed").is_some())
    };
    !results.and_then(Term::list_iter).is_some_and(|mut results| results.any(failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_done_whole_is_kept() {
        assert!(is_whole(&term!({ok, [{ok, 1}, {error, no_backend_available}]})));
        assert!(is_whole(&term!([{ok, 1}])));
        assert!(is_whole(&term!({ok, #{a => 1}})));
        assert!(!is_whole(&term!({error, overloaded})));
        assert!(!is_whole(&term!({ok, [{ok, 1}, {error, {chunk_failed, timeout}}], []})));
    }

    #[test]
    fn equal_calls_have_equal_fingerprints_and_others_have_not() {
        let of = |function: &'static str, arguments: &[Term]| {
            fingerprint(&atom!("m"), &Atom::from_checked(function), arguments).unwrap()
        };
        assert_eq!(of("f", &[term!(#{a => 1, b => 2})]), of("f", &[term!(#{b => 2, a => 1})]));
        assert_ne!(of("f", &[term!(1)]), of("f", &[term!(2)]));
        assert_ne!(of("f", &[term!(1)]), of("g", &[term!(1)]));
    }

    #[test]
    fn who_cannot_do_it_is_no_owner() {
        assert!(is_unable(&term!(undef)) && is_unable(&term!({not_allowed, x})));
        assert!(!is_unable(&term!(badarg)));
    }

    #[test]
    fn options_go_on_as_they_came() {
        // In the order of their names, in which a map gives them.
        let given = term!([{idempotency_key, "k"}, {policies, ["eu"]}]);
        let options = shapes::options(&given).unwrap();
        let again = shapes::options(&terms::map_term(&options)).unwrap();
        assert_eq!(options, again);
    }
}
