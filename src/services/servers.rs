//! The registered servers of the control plane, for callers that use `GenServer.call/2` by name.
// spec: contract 1.3

use erlang_interop::node::{Context, SpawnError, SpawnOptions};
use erlang_interop::otp::gen_message::From;
use erlang_interop::otp::gen_server::{Answer, GenServer, Next, reply};
use erlang_interop::otp::{Caller, Exception, Functions, Outcome, Services};
use erlang_interop::term::{Atom, Term, atom, term};

use super::health::{HEALTH_CHECKER, all, check_now, status_term};
use super::policies::{self, POLICY_ENGINE};
use super::routing::{self, ROUTING_TABLE};
use super::{health, shapes};
use crate::backends::Checker;
use crate::control_plane::{ControlPlane, Status};
use crate::semantic::terms;

/// Which server a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    RoutingTable,
    HealthChecker,
    PolicyEngine,
    Ipfs,
    Security,
}

const ROLES: &[(Role, &str)] = &[
    (Role::RoutingTable, ROUTING_TABLE),
    (Role::HealthChecker, HEALTH_CHECKER),
    (Role::PolicyEngine, POLICY_ENGINE),
    (Role::Ipfs, "Elixir.HAR.IPFS.Node"),
    (Role::Security, "Elixir.HAR.Security.Manager"),
];

pub(super) fn start(
    services: &mut Services,
    plane: &ControlPlane,
    checker: &Checker,
    functions: &Functions,
) -> Result<(), SpawnError> {
    for (role, name) in ROLES.iter().copied() {
        let name = Atom::from_checked(name);
        let server = Server {
            role,
            name: name.clone(),
            plane: plane.clone(),
            checker: checker.clone(),
            functions: functions.clone(),
        };
        services.add(&name, move |_| server.clone())?;
    }
    Ok(())
}

#[derive(Clone)]
struct Server {
    role: Role,
    name: Atom,
    plane: ControlPlane,
    checker: Checker,
    /// Decides whether a peer may ask for what a request asks for.
    functions: Functions,
}

/// The function of the same module that does what a request asks for: name and arity.
fn function_of(request: &Term) -> Option<(Atom, usize)> {
    let (name, arity) = match request.as_tuple() {
        Some([name, arguments @ ..]) => (name.as_atom()?, arguments.len()),
        _ => (request.as_atom()?, 0),
    };
    Some(match name.as_str() {
        "register" => (atom!("register_backend"), arity),
        "apply" => (atom!("apply_policies"), arity),
        _ => (name.clone(), arity),
    })
}

impl Server {
    /// The policy's word on a request.
    fn check(&self, context: &Context, request: &Term) -> Result<(), Exception> {
        // What names no function does nothing either.
        let Some((function, arity)) = function_of(request) else { return Ok(()) };
        // Nor what names one that there is not; and the policy remembers what it was asked.
        if !self.functions.exported(&self.name, &function, arity) {
            return Ok(());
        }
        self.functions.check(&Caller::of(context), &self.name, &function, arity)
    }
}

impl Server {
    /// Asks a backend in a process of its own: it may take its time, and others want to know theirs.
    fn check_beside(&self, context: &Context, backend: Term, from: From) -> Answer {
        let checker = self.checker.clone();
        let options = SpawnOptions::new().on_behalf_of(context.asker()).keeping([&backend]);
        let asked = context.spawn(options, move |own| async move {
            let outcome = check_now(&checker, &backend).await;
            let value = outcome.unwrap_or_else(|raised| term!({error, (raised.reason)}));
            reply(&own, &from, value).await;
        });
        match asked {
            Ok(_) => Answer::NoReply,
            Err(error) => {
                tracing::debug!(%error, "a health check could not be started");
                Answer::Reply(term!({error, system_limit}))
            }
        }
    }
}

impl GenServer for Server {
    fn module(&self) -> Atom {
        self.name.clone()
    }

    fn state(&self) -> Term {
        match self.role {
            Role::RoutingTable => routing::state(&self.plane),
            Role::HealthChecker => health::state(&self.plane, &self.checker),
            Role::PolicyEngine => policies::state(&self.plane),
            Role::Ipfs => term!(#{enabled => false}),
            Role::Security => term!(#{tier => development, tls_config => #{}}),
        }
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, from: From) -> Answer {
        if let Err(refused) = self.check(context, &request) {
            return Answer::Reply(term!({error, (refused.reason)}));
        }
        if self.role == Role::HealthChecker
            && let Some([backend]) = request.as_tagged("check_now")
        {
            return self.check_beside(context, backend.clone(), from);
        }
        let plane = self.plane.clone();
        let outcome = match self.role {
            Role::RoutingTable => routing_table(plane, &request).await,
            Role::HealthChecker => health_checker(&plane, &request),
            Role::PolicyEngine => policy_engine(&plane, &request),
            Role::Ipfs | Role::Security => None,
        };
        match outcome {
            Some(Ok(value)) => Answer::Reply(value),
            Some(Err(raised)) => {
                // A BEAM's server would end; a bad call must not take the table from the others.
                tracing::warn!(server = %self.name, from = %from.pid(), %raised, "a call failed");
                Answer::Reply(term!({error, (raised.reason)}))
            }
            None => {
                tracing::warn!(server = %self.name, from = %from.pid(), "unknown call");
                Answer::Reply(term!({error, {unknown_call, (request)}}))
            }
        }
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        if self.check(context, &message).is_err() {
            return Next::Continue;
        }
        let known = match self.role {
            Role::HealthChecker => health_cast(&self.plane, &message),
            Role::PolicyEngine => policy_cast(&self.plane, &message),
            _ => None,
        };
        if known.is_none() {
            tracing::warn!(server = %self.name, "unknown cast");
        }
        Next::Continue
    }
}

async fn routing_table(plane: ControlPlane, request: &Term) -> Option<Outcome> {
    if request.is_atom("get_routes") {
        return Some(Ok(routing::routes(&plane)));
    }
    if let Some([operation, target]) = request.as_tagged("match") {
        return Some(routing::matching(&plane, operation, target));
    }
    let [path] = request.as_tagged("reload")? else { return None };
    let path = path.clone();
    let done = tokio::task::spawn_blocking(move || routing::reload(&plane, &path)).await;
    Some(done.unwrap_or_else(|_| Ok(Term::from((atom!("error"), atom!("eio"))))))
}

fn health_checker(plane: &ControlPlane, request: &Term) -> Option<Outcome> {
    if request.is_atom("all_health") {
        return Some(Ok(all(plane)));
    }
    let [id] = request.as_tagged("get_health")? else { return None };
    Some(Ok(status_term(&plane.health().status(id.as_str()?))))
}

fn policy_engine(plane: &ControlPlane, request: &Term) -> Option<Outcome> {
    if request.is_atom("list_policies") {
        return Some(Ok(policies::all(plane)));
    }
    if request.is_atom("stats") {
        return Some(Ok(policies::stats(plane)));
    }
    if let Some([backends, operation, options]) = request.as_tagged("apply") {
        return Some(policies::apply(plane, backends, operation, options));
    }
    let [backend, operation, options] = request.as_tagged("evaluate")? else { return None };
    Some(policies::evaluate(plane, backend, operation, options))
}

/// `None`: not a cast of this server.
fn health_cast(plane: &ControlPlane, message: &Term) -> Option<()> {
    if let Some([backend]) = message.as_tagged("register") {
        let id = crate::control_plane::backend_id(&terms::value(backend))?;
        plane.health_mut().register(&id);
        return Some(());
    }
    let [id, status] = message.as_tagged("set_health")? else { return None };
    let status = Status::from_name(status.as_atom()?.as_str());
    plane.set_health(shapes::text(id).ok()?, status);
    Some(())
}

fn policy_cast(plane: &ControlPlane, message: &Term) -> Option<()> {
    if let Some([policy]) = message.as_tagged("add_policy") {
        return policies::add(plane, policy).ok().map(|_| ());
    }
    if let Some([name]) = message.as_tagged("remove_policy") {
        policies::remove(plane, name);
        return Some(());
    }
    let [list] = message.as_tagged("load_policies")? else { return None };
    policies::load(plane, list).ok().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_stand_for_the_functions_of_their_module() {
        let of = |request: Term| function_of(&request);
        assert_eq!(of(term!(get_routes)), Some((atom!("get_routes"), 0)));
        assert_eq!(of(term!({reload, "x"})), Some((atom!("reload"), 1)));
        assert_eq!(of(term!({register, #{}})), Some((atom!("register_backend"), 1)));
        assert_eq!(of(term!({apply, [], 1, 2})), Some((atom!("apply_policies"), 3)));
        assert_eq!(of(term!([1])), None);
    }

    #[tokio::test]
    async fn servers_answer_the_calls_of_the_contract() {
        let plane = ControlPlane::new(false);
        health_cast(&plane, &term!({set_health, "local:apt", degraded})).unwrap();
        let got = health_checker(&plane, &term!({get_health, "local:apt"})).unwrap();
        assert_eq!(got, Ok(term!(degraded)));
        assert!(health_cast(&plane, &term!({odd, 1})).is_none());
        policy_cast(&plane, &term!({load_policies, []})).unwrap();
        assert_eq!(policy_engine(&plane, &term!(list_policies)), Some(Ok(Term::Nil)));
        assert!(routing_table(plane, &term!(nonsense)).await.is_none());
    }
}
