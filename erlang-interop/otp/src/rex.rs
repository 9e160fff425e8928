//! `rex`, the `rpc` server. A modern `rpc:call` is a spawn request (see [`crate::erpc`]); `rex`
//! still serves `block_call`, `sbcast`, older releases, C nodes and `erl_call`.

use std::sync::Arc;

use erlang_node::{Context, Destination, SpawnOptions};
use erlang_term::{Atom, Pid, Term, atom, term};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::functions::{Caller, Functions};
use crate::gen_message::From;
use crate::gen_server::{Answer, GenServer, Next};
use crate::limits::REX_CALLS_MAX;
use crate::reason::Exception;

/// The process that is registered as `rex`.
#[derive(Debug)]
pub struct Rex {
    functions: Functions,
    running: Arc<Semaphore>,
    /// Taken by the one `block_call` that runs.
    blocking: Arc<Mutex<()>>,
}

/// `M, F, A, GL` of a request.
struct Work {
    module: Atom,
    function: Atom,
    arguments: Vec<Term>,
    leader: Option<Pid>,
}

impl Work {
    fn read(elements: &[Term]) -> Option<Self> {
        match elements {
            [Term::Atom(module), Term::Atom(function), arguments, leader] => Some(Self {
                module: module.clone(),
                function: function.clone(),
                arguments: arguments.list_iter()?.collect(),
                // erl_call sends an atom here, or {Pid, send_stdout_to_caller}.
                leader: leader.as_pid().cloned(),
            }),
            _ => None,
        }
    }

    /// The value, or `{badrpc, …}`.
    async fn run(self, functions: &Functions, context: &Context) -> Term {
        let mut caller = Caller::of(context);
        if let Some(leader) = self.leader {
            caller.group_leader = leader;
        }
        functions
            .apply(caller, &self.module, &self.function, self.arguments)
            .await
            .unwrap_or_else(Exception::into_badrpc)
    }
}

/// How the result of a call goes back.
#[derive(Clone)]
enum Back {
    /// As the answer to a `gen` call.
    Reply(From),
    /// `Pid ! {rex, Result}`.
    Plain(Pid),
    /// It doesn't.
    Nowhere,
}

impl Rex {
    /// A server that calls these functions.
    pub fn new(functions: Functions) -> Self {
        let running = Arc::new(Semaphore::new(REX_CALLS_MAX));
        Self { functions, running, blocking: Arc::default() }
    }

    /// Runs a call in a process of its own; one `alone` after the others of that kind.
    async fn start(&self, context: &Context, work: Work, back: Back, alone: bool) {
        // No peer has more running than it leaves room for, so that the last half is for others.
        let origin = context.asker();
        let free = self.running.available_permits();
        let has_its_share = origin.as_ref().is_none_or(|peer| peer.calls_in_flight() <= free);
        let permit = Arc::clone(&self.running).try_acquire_owned().ok().filter(|_| has_its_share);
        let Some(permit) = permit else {
            let refused = Exception::system_limit().into_badrpc();
            return answer(context, back, refused).await;
        };
        let blocking = alone.then(|| Arc::clone(&self.blocking));
        let functions = self.functions.clone();
        let mut options = SpawnOptions::new().on_behalf_of(origin).keeping(&work.arguments);
        options.group_leader.clone_from(&work.leader);
        let to = back.clone();
        let started = context.spawn(options, move |own| async move {
            let _permit: OwnedSemaphorePermit = permit;
            let _alone = match &blocking {
                Some(blocking) => Some(blocking.lock().await),
                None => None,
            };
            let result = work.run(&functions, &own).await;
            answer(&own, to, result).await;
        });
        if let Err(error) = started {
            tracing::debug!(%error, "rex: could not start a process");
            answer(context, back, Exception::system_limit().into_badrpc()).await;
        }
    }

    /// `{Pid, Request}`, plain messages.
    async fn plain(&self, context: &Context, from: &Pid, request: &Term) {
        let node = context.node().name();
        let features = term!({features_reply, (node), [erpc]});
        match request.as_tuple() {
            // Asked at nodeup: nobody waits for it who has left since, and whom we must not dial.
            None if request.is_atom("features_request") => {
                context.send_connected(from, features).await;
            }
            Some([tag, name, message]) if tag.is_atom("sbcast") => {
                let found = deliver(context, name, message.clone()).await;
                context.send(from, bcast_reply(node, name, found)).await;
            }
            Some([tag, name, message]) if tag.is_atom("send") => {
                let wrapped = term!({(from), (message)});
                if !deliver(context, name, wrapped).await {
                    context.send(from, bcast_reply(node, name, false)).await;
                }
            }
            Some([tag, work @ ..]) if tag.is_atom("call") => match Work::read(work) {
                Some(work) => self.start(context, work, Back::Plain(from.clone()), false).await,
                None => tracing::debug!(%from, "rex: malformed call"),
            },
            _ => tracing::debug!(%from, "rex: unexpected request"),
        }
    }
}

/// `{rex, Node, Node}` or `{rex, Node, {nonexisting_name, Name}}`.
fn bcast_reply(node: &Atom, name: &Term, found: bool) -> Term {
    if found {
        term!({rex, (node), (node)})
    } else {
        term!({rex, (node), {nonexisting_name, (name)}})
    }
}

/// Sends to a registered name of this node; whether there is one.
async fn deliver(context: &Context, name: &Term, message: Term) -> bool {
    let Some(name) = name.as_atom() else { return false };
    if context.node().whereis(name).is_none() {
        return false;
    }
    context.send(Destination::Name(name.clone()), message).await;
    true
}

async fn answer(context: &Context, back: Back, result: Term) {
    match back {
        Back::Reply(from) => crate::gen_server::reply(context, &from, result).await,
        Back::Plain(pid) => context.send(&pid, term!({rex, (result)})).await,
        Back::Nowhere => {}
    }
}

impl GenServer for Rex {
    fn module(&self) -> Atom {
        atom!("rpc")
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, from: From) -> Answer {
        match request.as_tuple() {
            Some([tag, work @ ..]) if tag.is_atom("call") => {
                if let Some(work) = Work::read(work) {
                    self.start(context, work, Back::Reply(from), false).await;
                    return Answer::NoReply;
                }
            }
            // They exclude each other, as on a BEAM, but not the other work of this server.
            Some([tag, work @ ..]) if tag.is_atom("block_call") => {
                if let Some(work) = Work::read(work) {
                    self.start(context, work, Back::Reply(from), true).await;
                    return Answer::NoReply;
                }
            }
            _ => tracing::debug!(from = %from.pid(), "rex: unexpected call"),
        }
        Answer::Reply(Exception::badarg().into_badrpc())
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        if let Some([tag, work @ ..]) = message.as_tuple()
            && tag.is_atom("cast")
            && let Some(work) = Work::read(work)
        {
            self.start(context, work, Back::Nowhere, false).await;
        }
        Next::Continue
    }

    async fn handle_info(&mut self, context: &mut Context, message: Term) -> Next {
        if let Some([Term::Pid(from), request]) = message.as_tuple() {
            self.plain(context, from, request).await;
        }
        Next::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_read_with_and_without_a_leader() {
        let leader = Pid::new(atom!("a@h"), 1, 0, 3);
        let request = term!([erlang, node, [], (&leader)]);
        let elements: Vec<Term> = request.list_iter().expect("a list").collect();
        let work = Work::read(&elements).expect("a call");
        assert_eq!((work.module, work.leader), (atom!("erlang"), Some(leader)));
        let mut other = elements.clone();
        other[3] = term!(send_stdout_to_caller);
        assert_eq!(Work::read(&other).expect("a call").leader, None);
        other[2] = term!(1);
        assert!(Work::read(&other).is_none());
    }

    #[test]
    fn broadcasts_say_whether_the_name_was_there() {
        let node = atom!("b@h");
        assert_eq!(bcast_reply(&node, &term!(n), true).to_string(), "{rex,b@h,b@h}");
        assert_eq!(
            bcast_reply(&node, &term!(n), false).to_string(),
            "{rex,b@h,{nonexisting_name,n}}"
        );
    }
}
