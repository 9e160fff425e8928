//! `HAR.route_all/1,2`: routing by all nodes of the cluster.

use std::time::Duration;

use erlang_interop::otp::{Call, Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Atom, Term, atom, term};

use super::errors::{error, ok};
use super::keyed;
use super::shapes::{self, facts};
use crate::cluster::{ChunkReport, Cluster, JobOptions, Refused, Share};
use crate::control_plane::{Confined, ControlPlane};
use crate::semantic::{Map, Operation, Value};
use crate::telemetry::trace::{Attribute, Span, SpanKind};

const MODULE: &str = "Elixir.HAR";
/// How often a job looks whether somebody still waits for it.
const ABANDONED_LOOK: Duration = Duration::from_millis(100);

pub(super) fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane, cluster: &Cluster) {
    for arity in [1, 2] {
        let (plane, cluster) = (plane.clone(), cluster.clone());
        functions.function(MODULE, "route_all", arity, move |call: Call| {
            let (plane, cluster) = (plane.clone(), cluster.clone());
            async move {
                let of = (Atom::from_checked(MODULE), atom!("route_all"));
                let work = route_all(&plane, &cluster, &call);
                // A job without options has no key.
                if arity == 1 {
                    return work.await;
                }
                keyed::once(&plane, &cluster, &call, of, work).await
            }
        });
    }
}

/// `{:ok, results}`, one for each operation in order, as `route_batch` gives them; those of a chunk
/// that failed are `{:error, {:chunk_failed, reason}}`. With `report: true` it is
/// `{:ok, results, chunks}`. `{:error, :overloaded}` and `{:error, :leaving}`: nothing was done.
async fn route_all(plane: &ControlPlane, cluster: &Cluster, call: &Call) -> Outcome {
    let (given, read) = operations(&call.arguments[0])?;
    let options = shapes::options(call.arguments.get(1).unwrap_or(&Term::Nil))?;
    let job = job_options(&options)?;
    let parent = shapes::trace_parent(&options);
    let mut span = plane.telemetry().begin("HAR.route_all", SpanKind::Server, parent);
    may_route(call, &job, &span)?;
    span.set("har.operations", Attribute::Whole(given.len() as u64));
    let confined = plane.confine(&read, shapes::policy_names(&options).as_deref());
    drop(read);
    let places: Vec<Vec<usize>> = confined.iter().map(|one| one.operations.clone()).collect();
    let share = |one: Confined| {
        let operations = one.operations.iter().map(|place| given[*place].clone()).collect();
        let (peers, node) = (cluster.peers.clone(), call.node().clone());
        let may_have = move |name: &Atom| one.allows(&facts(name, &peers.place(&node, name)));
        Share { operations, may_have: Box::new(may_have) }
    };
    let shares: Vec<Share> = confined.into_iter().map(share).collect();
    let reports = tokio::select! {
        reports = cluster.distributor.route_all(call.node(), &shares, &job, &span) => reports,
        () = abandoned(call) => return Err(Exception::exit(atom!("shutdown"))),
    };
    let reports = match reports {
        Ok(reports) => reports,
        Err(Refused::Overloaded) => return Ok(error(term!(overloaded))),
        Err(Refused::Leaving) => return Ok(error(term!(leaving))),
    };
    let chunks: usize = reports.iter().map(Vec::len).sum();
    span.set("har.chunks", Attribute::Whole(chunks as u64));
    let mut results = vec![Term::Nil; given.len()];
    for (places, chunks) in places.iter().zip(&reports) {
        for (place, answer) in places.iter().zip(chunks.iter().flat_map(answers)) {
            results[*place] = answer;
        }
    }
    let results = Term::list(results);
    Ok(if options.get("report").and_then(Value::as_flag) == Some(true) {
        let chunks = reports.iter().flatten().map(chunk_term);
        Term::from((atom!("ok"), results, Term::list(chunks)))
    } else {
        ok(results)
    })
}

/// Other nodes see the job as ours. So whoever may not have this node route may not have others do
/// it in our name either.
fn may_route(call: &Call, job: &JobOptions, span: &Span) -> Result<(), Exception> {
    let router = atom!("Elixir.HAR.ControlPlane.Router");
    let arity = 1 + usize::from(job.route_options.is_some() || span.context().is_some());
    call.functions.check(&call.caller, &router, &atom!("route_batch"), arity)
}

/// Resolves when nobody waits for the call any more: whoever monitored its process, as `erpc`, `rpc`
/// and tasks do, has gone or given up. Never for a call that nobody ever waited for.
async fn abandoned(call: &Call) {
    let watched = || {
        let info = call.node().process_info(&call.caller.pid);
        info.is_some_and(|info| !info.monitored_by.is_empty())
    };
    if !watched() {
        return std::future::pending().await;
    }
    while watched() {
        tokio::time::sleep(ABANDONED_LOOK).await;
    }
    tracing::debug!(pid = %call.caller.pid, "a job is stopped: nobody waits for it");
}

/// A list of operations, or the vertices of a graph. What is no operation is refused before it is
/// sent anywhere.
pub(super) fn operations(given: &Term) -> Result<(Vec<Term>, Vec<Operation>), Exception> {
    let vertices = given.as_map().and_then(|map| map.get_atom("vertices"));
    let given = shapes::list(vertices.unwrap_or(given))?;
    let read = given.iter().map(shapes::operation).collect::<Result<_, _>>()?;
    Ok((given, read))
}

/// `chunk`, `in_flight`, `timeout`, `chunk_timeout` (positive integers, times in milliseconds);
/// `policies` goes with each chunk.
fn job_options(options: &Map) -> Result<JobOptions, Exception> {
    let number = |name: &str| match options.get(name) {
        None => Ok(None),
        Some(Value::Integer(number)) if *number > 0 => {
            u32::try_from(*number).map(Some).map_err(|_| Exception::badarg())
        }
        Some(_) => Err(Exception::badarg()),
    };
    let time = |name: &str, default: Duration| {
        number(name).map(|ms| ms.map_or(default, |ms| Duration::from_millis(ms.into())))
    };
    let count = |name: &str| number(name).map(|n| n.and_then(|n| usize::try_from(n).ok()));
    let mut job = JobOptions::default();
    job.chunk = count("chunk")?;
    job.in_flight = count("in_flight")?.unwrap_or(job.in_flight);
    job.timeout = time("timeout", job.timeout)?;
    job.chunk_timeout = time("chunk_timeout", job.chunk_timeout)?;
    job.route_options = shapes::policy_names(options).map(|names| {
        let names = Term::list(names.iter().map(|name| Term::string(name)));
        term!([{policies, (names)}])
    });
    Ok(job)
}

fn answers(chunk: &ChunkReport) -> Vec<Term> {
    match &chunk.outcome {
        Ok(answers) => answers.clone(),
        Err(reason) => vec![error(term!({chunk_failed, (reason)})); chunk.operations],
    }
}

/// `%{operations: 250, node: :"har@host", starts: 1, result: :ok | {:error, reason}}`.
fn chunk_term(chunk: &ChunkReport) -> Term {
    let node = chunk.node.as_ref().map_or_else(|| term!(nil), Term::from);
    let result = chunk.outcome.as_ref().map_or_else(|why| error(why.clone()), |_| term!(ok));
    term!(#{
        operations => (Term::from(chunk.operations)),
        node => (node),
        starts => (Term::from(chunk.starts)),
        result => (result),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::Kind;

    fn options(given: &Term) -> Result<JobOptions, Exception> {
        job_options(&shapes::options(given)?)
    }

    #[test]
    fn options_are_positive_numbers_and_policies_go_along() {
        let given = term!([{chunk, 10}, {in_flight, 2}, {timeout, 900}, {policies, ["eu"]}]);
        let job = options(&given).unwrap();
        assert_eq!((job.chunk, job.in_flight), (Some(10), 2));
        assert_eq!(job.timeout, Duration::from_millis(900));
        assert_eq!(job.route_options, Some(term!([{policies, ["eu"]}])));
        assert_eq!(options(&Term::Nil), Ok(JobOptions::default()));
        for wrong in [term!([{chunk, 0}]), term!([{timeout, x}]), term!([{in_flight, (-1)}])] {
            assert_eq!(options(&wrong), Err(Exception::badarg()));
        }
    }

    #[test]
    fn a_job_is_a_list_or_a_graph_of_operations() {
        let one = Operation::new("a", Kind::ServiceStart, Map::new()).to_term();
        let list = Term::list([one.clone()]);
        assert_eq!(operations(&list).unwrap().0, std::slice::from_ref(&one));
        assert_eq!(operations(&term!(#{vertices => (list)})).unwrap().0, [one]);
        assert!(operations(&term!([x])).is_err());
        assert!(operations(&term!(x)).is_err());
    }

    #[test]
    fn each_operation_of_a_failed_chunk_has_its_reason() {
        let chunk =
            ChunkReport { operations: 2, node: None, starts: 0, outcome: Err(term!(no_node)) };
        assert_eq!(answers(&chunk), vec![term!({error, {chunk_failed, no_node}}); 2]);
        let shown = chunk_term(&chunk);
        let result = shown.as_map().and_then(|map| map.get_atom("result")).cloned();
        assert_eq!(result, Some(term!({error, no_node})));
    }
}
