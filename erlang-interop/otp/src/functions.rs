//! The one table of functions that can be called from outside: module, name, arity, handler.
//!
//! Every way in leads here: `erpc`, `rex`, a plain spawn, `Task.Supervisor`, an `Agent`'s M,F,A.
//! What is not in the table raises `undef` exactly as on a BEAM. Applying a fun is part of the
//! table too: `&Mod.fun/1` is looked up like any call, a closure fails as it does where its module
//! is not loaded.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use erlang_node::{CallInFlight, Context, Destination, Node, Origin};
use erlang_term::{Atom, Fun, Pid, Term, atom, term};
use futures_util::future::BoxFuture;

use crate::limits::APPLY_DEPTH_MAX;
use crate::policy::{self, CallPolicy};
use crate::reason::{Exception, Frame};

/// What a function gives: its value, or what it raised.
pub type Outcome = Result<Term, Exception>;

/// On whose behalf, and in which process, a function runs.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The node it runs on.
    pub node: Node,
    /// The process it runs in: what `self()` gives.
    pub pid: Pid,
    /// Where its output goes; usually a process of the caller's node. See [`crate::io`].
    pub group_leader: Pid,
    /// The peer that has it done; `None`: this node itself, which may call everything.
    pub origin: Option<Origin>,
}

impl Caller {
    /// Sends a message on behalf of the peer, so that it can have nothing done by a process of this
    /// node that it may not do itself.
    pub async fn send(&self, to: impl Into<Destination>, message: impl Into<Term>) {
        self.node.send_for(self.origin.as_ref(), to, message).await;
    }

    /// The process that runs now, for the peer that its last message came from; else for the one
    /// that it was started for.
    pub fn of(context: &Context) -> Self {
        Self {
            node: context.node().clone(),
            pid: context.pid().clone(),
            group_leader: context.group_leader(),
            origin: context.asker(),
        }
    }
}

/// One call of a function of the table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call {
    /// For whom, and where.
    pub caller: Caller,
    /// The table itself, for functions that call others.
    pub functions: Functions,
    /// The arguments. There are as many as the arity the function is registered with.
    pub arguments: Vec<Term>,
    depth: usize,
}

impl Call {
    /// The node it runs on.
    pub fn node(&self) -> &Node {
        &self.caller.node
    }

    /// Calls another function of the table in the same process.
    ///
    /// # Errors
    /// What the function raises, or `system_limit` when such calls nest too deep.
    pub async fn apply(&self, module: &Atom, function: &Atom, arguments: Vec<Term>) -> Outcome {
        self.functions
            .apply_at(self.depth + 1, self.caller.clone(), module, function, arguments)
            .await
    }

    /// Calls a fun in the same process.
    ///
    /// # Errors
    /// As [`Call::apply`], `{badfun, _}`, `{badarity, _}`, or `undef` for a closure.
    pub async fn apply_fun(&self, fun: &Term, arguments: Vec<Term>) -> Outcome {
        self.functions.apply_fun_at(self.depth + 1, self.caller.clone(), fun, arguments).await
    }
}

type AsyncHandler = Arc<dyn Fn(Call) -> BoxFuture<'static, Outcome> + Send + Sync>;
type PureHandler = Arc<dyn Fn(&[Term]) -> Outcome + Send + Sync>;

#[derive(Clone)]
enum Handler {
    Pure(PureHandler),
    Async(AsyncHandler),
}

/// The functions of one module: name and arity to what runs.
type Module = HashMap<(Atom, u8), Handler>;

/// The finished table. Clones share it.
#[derive(Clone)]
pub struct Functions {
    modules: Arc<HashMap<Atom, Module>>,
    policy: Option<Arc<dyn CallPolicy>>,
}

impl fmt::Debug for Functions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Functions({} modules)", self.modules.len())
    }
}

impl Functions {
    /// A builder that already knows what every node can be asked; see the module `builtin`.
    pub fn builder() -> FunctionsBuilder {
        let mut builder = Self::empty();
        crate::builtin::register(&mut builder);
        builder
    }

    /// A builder of a table that starts empty.
    pub fn empty() -> FunctionsBuilder {
        FunctionsBuilder { modules: HashMap::new(), policy: None }
    }

    /// Whether a call of that function would find it.
    pub fn exported(&self, module: &Atom, function: &Atom, arity: usize) -> bool {
        self.find(module, function, arity).is_some()
    }

    /// Whether the table has a module of that name.
    pub fn has_module(&self, module: &Atom) -> bool {
        self.modules.contains_key(module)
    }

    /// The modules, sorted.
    pub fn modules(&self) -> Vec<Atom> {
        let mut modules: Vec<Atom> = self.modules.keys().cloned().collect();
        modules.sort();
        modules
    }

    /// Name and arity of all functions of a module, sorted. `None`: there is no such module.
    pub fn exports(&self, module: &Atom) -> Option<Vec<(Atom, u8)>> {
        let mut exports: Vec<(Atom, u8)> = self.modules.get(module)?.keys().cloned().collect();
        exports.sort();
        Some(exports)
    }

    /// Whether a caller may call a function. For servers that do by a request what a function does
    /// by a call.
    ///
    /// # Errors
    /// `{not_allowed, {Module, Function, Arity}}`.
    pub fn check(
        &self,
        caller: &Caller,
        module: &Atom,
        function: &Atom,
        arity: usize,
    ) -> Result<(), Exception> {
        let policy = self.policy.as_deref();
        policy.map_or(Ok(()), |policy| policy::check(policy, caller, module, function, arity))
    }

    /// Calls a function.
    ///
    /// # Errors
    /// What it raises; `undef` when there is no such function, `not_allowed` when the policy is
    /// against it, `system_limit` when as many calls of the peer are in flight as may be.
    pub async fn apply(
        &self,
        caller: Caller,
        module: &Atom,
        function: &Atom,
        arguments: Vec<Term>,
    ) -> Outcome {
        let _in_flight = in_flight(&caller)?;
        self.apply_at(0, caller, module, function, arguments).await
    }

    /// Calls a pure function; `None`: there is none of that name and arity.
    #[cfg(test)]
    pub(crate) fn apply_pure(
        &self,
        module: &Atom,
        function: &Atom,
        arguments: &[Term],
    ) -> Option<Outcome> {
        match self.find(module, function, arguments.len())? {
            Handler::Pure(run) => {
                Some(run(arguments).map_err(|raised| raised.at(module, function, arguments)))
            }
            Handler::Async(_) => None,
        }
    }

    fn find(&self, module: &Atom, function: &Atom, arity: usize) -> Option<&Handler> {
        let arity = u8::try_from(arity).ok()?;
        self.modules.get(module)?.get(&(function.clone(), arity))
    }

    async fn apply_at(
        &self,
        depth: usize,
        caller: Caller,
        module: &Atom,
        function: &Atom,
        arguments: Vec<Term>,
    ) -> Outcome {
        if depth > APPLY_DEPTH_MAX {
            return Err(Exception::system_limit());
        }
        let found = self.find(module, function, arguments.len());
        let is_info = found.is_none() && *function == "module_info" && arguments.len() < 2;
        if found.is_none() && !(is_info && self.has_module(module)) {
            return Err(Exception::undef(module, function, &arguments));
        }
        self.check(&caller, module, function, arguments.len()).map_err(|mut refused| {
            refused.stacktrace.push(Frame::call(module, function, &arguments));
            refused
        })?;
        let handler = match found {
            None => return self.module_info(module, &arguments),
            Some(Handler::Pure(run)) => {
                return run(&arguments).map_err(|raised| raised.at(module, function, &arguments));
            }
            Some(Handler::Async(run)) => run,
        };
        let call = Call { caller, functions: self.clone(), arguments: arguments.clone(), depth };
        handler(call).await.map_err(|raised| raised.at(module, function, &arguments))
    }

    /// `Module:module_info/0,1`, which each module has.
    pub(crate) fn module_info(&self, module: &Atom, arguments: &[Term]) -> Outcome {
        let exports = self.exports(module).unwrap_or_default();
        let exports = Term::list(exports.into_iter().map(|(name, arity)| term!({(name), (arity)})));
        match arguments {
            [] => Ok(term!([
                {module, (module)}, {exports, (exports)}, {attributes, []}, {compile, []}
            ])),
            [item] if item.is_atom("module") => Ok(Term::from(module)),
            [item] if item.is_atom("exports") || item.is_atom("functions") => Ok(exports),
            [item] if item.is_atom("attributes") || item.is_atom("compile") => Ok(Term::Nil),
            _ => {
                Err(Exception::badarg().at(&atom!("erlang"), &atom!("get_module_info"), arguments))
            }
        }
    }

    async fn apply_fun_at(
        &self,
        depth: usize,
        caller: Caller,
        fun: &Term,
        arguments: Vec<Term>,
    ) -> Outcome {
        match fun {
            Term::Fun(found) if usize::from(found.arity()) != arguments.len() => {
                Err(Exception::badarity(fun, &arguments))
            }
            Term::Fun(Fun::Export(export)) => {
                let (module, function) = (export.module(), export.function());
                Box::pin(self.apply_at(depth, caller, module, function, arguments)).await
            }
            Term::Fun(closure) => Err(self.missing_closure(closure, fun, &arguments)),
            _ => Err(Exception::badfun(fun)),
        }
    }

    /// The code of a closure is a part of its module, which only its own node has. A BEAM that has
    /// the module in another version says `badfun`; one that doesn't have it says `undef`.
    fn missing_closure(&self, closure: &Fun, fun: &Term, arguments: &[Term]) -> Exception {
        let module = closure.module();
        tracing::warn!(
            %module, arity = closure.arity(), fun = %fun,
            "a closure was sent here, but its code is not part of it: pass module, function and \
             arguments, or &Module.function/arity",
        );
        if self.has_module(module) {
            Exception::badfun(fun)
        } else {
            Exception::undefined_closure(fun, arguments)
        }
    }
}

/// Counts a call of a peer while it runs.
fn in_flight(caller: &Caller) -> Result<Option<CallInFlight>, Exception> {
    let Some(origin) = &caller.origin else { return Ok(None) };
    origin.begin_call().map(Some).map_err(|over| {
        caller.node.tell_over_budget(origin, over);
        Exception::system_limit()
    })
}

/// Collects functions. A later one replaces an earlier one of the same module, name and arity.
pub struct FunctionsBuilder {
    modules: HashMap<Atom, Module>,
    policy: Option<Arc<dyn CallPolicy>>,
}

impl fmt::Debug for FunctionsBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FunctionsBuilder({} modules)", self.modules.len())
    }
}

impl FunctionsBuilder {
    /// Lets peers call only what this policy allows. Without one they may call the whole table.
    pub fn policy(&mut self, policy: Arc<dyn CallPolicy>) -> &mut Self {
        self.policy = Some(policy);
        self
    }

    /// Adds a function that may wait, send and look at the node.
    ///
    /// Elixir modules are named in full: `Elixir.HAR`.
    pub fn function<F, Fut>(
        &mut self,
        module: &'static str,
        name: &'static str,
        arity: u8,
        handler: F,
    ) -> &mut Self
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        self.add(module, name, arity, Handler::Async(Arc::new(move |call| Box::pin(handler(call)))))
    }

    /// Adds a function that only computes. It gets exactly `arity` arguments, and must be quick:
    /// long work belongs on [`FunctionsBuilder::blocking`].
    pub fn pure<F>(
        &mut self,
        module: &'static str,
        name: &'static str,
        arity: u8,
        handler: F,
    ) -> &mut Self
    where
        F: Fn(&[Term]) -> Outcome + Send + Sync + 'static,
    {
        self.add(module, name, arity, Handler::Pure(Arc::new(handler)))
    }

    /// Adds a function that computes for long or reads files: it runs on tokio's blocking threads,
    /// so that other processes go on.
    pub fn blocking<F>(
        &mut self,
        module: &'static str,
        name: &'static str,
        arity: u8,
        handler: F,
    ) -> &mut Self
    where
        F: Fn(&[Term]) -> Outcome + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        self.function(module, name, arity, move |call: Call| {
            let handler = Arc::clone(&handler);
            async move {
                let run = tokio::task::spawn_blocking(move || handler(&call.arguments));
                match run.await {
                    Ok(outcome) => outcome,
                    Err(failed) => {
                        Err(Exception::error((atom!("panic"), Term::from(failed.to_string()))))
                    }
                }
            }
        })
    }

    fn add(
        &mut self,
        module: &'static str,
        name: &'static str,
        arity: u8,
        handler: Handler,
    ) -> &mut Self {
        let module = Atom::from_checked(module);
        let key = (Atom::from_checked(name), arity);
        self.modules.entry(module).or_default().insert(key, handler);
        self
    }

    /// The finished table. The builder stays usable.
    pub fn build(&mut self) -> Functions {
        let modules = Arc::new(std::mem::take(&mut self.modules));
        Functions { modules, policy: self.policy.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_functions_replace_earlier_ones() {
        let functions = Functions::empty()
            .pure("m", "f", 1, |_| Ok(Term::from(1)))
            .pure("m", "f", 1, |_| Ok(Term::from(2)))
            .pure("m", "g", 0, |_| Ok(Term::from(3)))
            .build();
        let exports = functions.exports(&atom!("m")).expect("the module is there");
        assert_eq!(exports, [(atom!("f"), 1), (atom!("g"), 0)]);
        assert_eq!(functions.modules(), [atom!("m")]);
        assert!(functions.exported(&atom!("m"), &atom!("f"), 1));
        assert!(!functions.exported(&atom!("m"), &atom!("f"), 2));
        assert!(!functions.exported(&atom!("n"), &atom!("f"), 1));
    }

    #[test]
    fn arities_beyond_a_byte_are_undefined() {
        let functions = Functions::empty().pure("m", "f", 0, |_| Ok(Term::Nil)).build();
        assert!(!functions.exported(&atom!("m"), &atom!("f"), 256));
    }

    #[test]
    fn a_closure_of_a_missing_module_is_undef_and_of_a_known_one_badfun() {
        let closure = |module: Atom| {
            Fun::Closure(erlang_term::Closure::new(erlang_term::ClosureParts {
                arity: 0,
                uniq: [0; 16],
                index: 0,
                module,
                old_index: 0,
                old_uniq: 0,
                pid: Pid::new(atom!("a@h"), 1, 0, 3),
                free: Vec::new(),
            }))
        };
        let functions = Functions::empty().pure("known", "f", 0, |_| Ok(Term::Nil)).build();
        let raised = |module: Atom| {
            let fun = closure(module);
            functions.missing_closure(&fun, &Term::Fun(fun.clone()), &[]).reason
        };
        assert!(raised(atom!("other")).is_atom("undef"));
        assert!(raised(atom!("known")).as_tagged("badfun").is_some());
    }
}
