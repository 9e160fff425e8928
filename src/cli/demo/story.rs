//! What the demo's nodes are asked, and what they answer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use erlang_interop::node::Node;
use erlang_interop::otp::erpc;
use erlang_interop::otp::reason::CallOutcome;
use erlang_interop::term::{Atom, Term, term};

use super::super::{Exit, Failure};
use crate::semantic::{Kind, Map, Operation};

/// Longest wait for one answer, and for the mesh.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// How often who waits for the mesh looks.
const LOOK: Duration = Duration::from_millis(10);

/// What one job came to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) time: Duration,
    /// Operations answered, by node.
    pub(super) by_node: BTreeMap<String, usize>,
    /// Operations in chunks that were started more than once.
    pub(super) again: usize,
    /// Operations without an answer of their own.
    pub(super) lost: usize,
}

/// The nodes, as a client of theirs sees them.
pub(super) struct Client {
    pub(super) node: Node,
    /// The node that is asked.
    pub(super) first: Atom,
}

impl Client {
    async fn ask(
        &self,
        at: &Atom,
        module: &'static str,
        name: &'static str,
        args: Vec<Term>,
    ) -> Result<Term, Failure> {
        let (module, function) = (Atom::from_checked(module), Atom::from_checked(name));
        match erpc::call(&self.node, at, &module, &function, args, ANSWER_TIME).await {
            Ok(CallOutcome::Return(value)) => Ok(value),
            Ok(other) => Err(unexpected(name, &format!("{other:?}"))),
            Err(error) => Err(unexpected(name, &error.to_string())),
        }
    }

    /// Waits until each of these sees all others.
    pub(super) async fn mesh(&self, names: &[&str]) -> Result<(), Failure> {
        let deadline = Instant::now() + ANSWER_TIME;
        for name in names {
            let at = Atom::new(name).map_err(|error| unexpected("the mesh", &error.to_string()))?;
            loop {
                let seen = self.ask(&at, "erlang", "nodes", Vec::new()).await?;
                let seen: Vec<Term> = seen.list_iter().into_iter().flatten().collect();
                let sees = |other: &&str| seen.iter().any(|node| node.is_atom(other));
                if names.iter().filter(|other| *other != name).all(sees) {
                    break;
                }
                if Instant::now() > deadline {
                    return Err(unexpected("the mesh", &format!("{name} does not see all others")));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// `HAR.convert(:ansible, playbook, to: :salt)`.
    pub(super) async fn convert(&self, playbook: &str) -> Result<String, Failure> {
        let arguments = vec![term!(ansible), Term::from(playbook), term!([{to, salt}])];
        let answer = self.ask(&self.first, "Elixir.HAR", "convert", arguments).await?;
        let text = answer.as_tagged("ok").and_then(|rest| rest.first()).and_then(Term::as_str);
        text.map(str::to_owned).ok_or_else(|| unexpected("convert", &answer.to_string()))
    }

    /// One `HAR.route_all/2` of these operations, by the first node.
    pub(super) async fn route_all(&self, operations: &[Term]) -> Result<Outcome, Failure> {
        self.route_all_at(&self.first, operations, None).await
    }

    /// The same by another node, under an idempotency key if there is one.
    pub(super) async fn route_all_at(
        &self,
        at: &Atom,
        operations: &[Term],
        key: Option<&str>,
    ) -> Result<Outcome, Failure> {
        let options = match key {
            None => term!([{report, true}]),
            Some(key) => term!([{report, true}, {idempotency_key, (Term::from(key))}]),
        };
        let arguments = vec![Term::list(operations.iter().cloned()), options];
        let begun = Instant::now();
        let answer = self.ask(at, "Elixir.HAR", "route_all", arguments).await?;
        let time = begun.elapsed();
        let outcome = match answer.as_tagged("ok") {
            Some([results, chunks]) => outcome(operations, results, chunks),
            _ => None,
        };
        outcome
            .map(|outcome| Outcome { time, ..outcome })
            .ok_or_else(|| unexpected("route_all", &answer.to_string()))
    }
}

/// `None`: not what `route_all` answers.
fn outcome(operations: &[Term], results: &Term, chunks: &Term) -> Option<Outcome> {
    let mut outcome = Outcome { lost: operations.len(), ..Outcome::default() };
    for (operation, result) in operations.iter().zip(results.list_iter()?) {
        let decision = result.as_tagged("ok").and_then(|rest| rest.first());
        let of = decision.and_then(Term::as_map).and_then(|map| map.get_atom("operation"));
        outcome.lost -= usize::from(of == Some(operation));
    }
    for chunk in chunks.list_iter()? {
        let fields = chunk.as_map()?;
        let count = |name| usize::try_from(fields.get_atom(name)?.as_integer()?).ok();
        let (operations, starts) = (count("operations")?, count("starts")?);
        let node = fields.get_atom("node")?.as_atom()?.as_str().to_owned();
        if fields.get_atom("result")?.is_atom("ok") {
            *outcome.by_node.entry(node).or_default() += operations;
        }
        outcome.again += if starts > 1 { operations } else { 0 };
    }
    Some(outcome)
}

fn unexpected(what: &str, answer: &str) -> Failure {
    let short: String = answer.chars().take(200).collect();
    Failure::new(Exit::Software, format!("{what} was not answered as expected: {short}"))
}

/// So many operations, each with an id of its own.
pub(super) fn operations(count: usize) -> Vec<Term> {
    let one = |number: usize| {
        let params = Map::new().with("service", format!("web{number}"));
        Operation::new(format!("op{number}"), Kind::ServiceStart, params).to_term()
    };
    (0..count).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(node: &str, operations: usize, starts: usize) -> Term {
        let node = Atom::new(node).expect("short");
        term!(#{
            node => (node), operations => (Term::from(operations)), starts => (Term::from(starts)),
            result => ok
        })
    }

    #[test]
    fn what_is_answered_for_another_operation_is_lost() {
        let given = operations(3);
        let answer = |of: &Term| term!({ok, #{operation => (of)}});
        let results = Term::list([answer(&given[0]), answer(&given[0]), term!({error, x})]);
        let chunks = Term::list([chunk("a@h", 1, 1), chunk("b@h", 1, 2), chunk("b@h", 1, 1)]);
        let outcome = outcome(&given, &results, &chunks).expect("the right shape");
        assert_eq!((outcome.lost, outcome.again), (2, 1));
        assert_eq!(outcome.by_node, [("a@h".to_owned(), 1), ("b@h".to_owned(), 2)].into());
    }
}
