//! The processes of the simulation: they do what the scenario tells them, and note what comes.

use std::time::Duration;

use erlang_node::{
    AliasMode, Context, DemonitorOptions, ExitReason, Mfa, MonitorTarget, SpawnOptions,
    SpawnRequestOptions,
};
use erlang_otp::client::multi_call;
use erlang_otp::rpc;
use erlang_term::{Atom, Pid, Reference, Term, atom, term};

use crate::book::{Book, Seen, Watch};
use crate::world::{Home, World};

/// How long a call between nodes may take.
const CALL_TIME: Duration = Duration::from_secs(5);

/// Messages that are sent at once.
const BURST_MAX: usize = 5;

/// One thing that a process does.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Send(Pid, usize),
    Exit(Pid),
    Kill(Pid, ExitReason),
    Link(Pid),
    Unlink(Pid),
    Monitor(MonitorTarget, Option<AliasMode>),
    Demonitor(u64),
    Alias(AliasMode),
    Unalias(u64),
    SendToAlias(Reference),
    Spawn { link: bool, monitor: bool },
    SpawnRequest { node: Atom, link: bool, monitor: bool },
    Rpc(Atom, i64),
    Register(u64),
    Unregister(u64),
    Transaction(u64),
    Join(u64),
    Leave(u64),
    End(ExitReason),
}

/// Notes the end of a process before anybody learns of it.
struct AtEnd(Book);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.lock().ended = true;
    }
}

struct Actor {
    context: Context,
    world: World,
    home: Home,
    book: Book,
    /// When it last had to wait for a message, in milliseconds: what it reads now came since.
    waited_ms: u64,
}

/// Starts a process without a parent.
pub(crate) fn start(world: &World, home: &Home, trap_exit: bool) -> Option<Book> {
    let mut options = SpawnOptions::new();
    options.trap_exit = trap_exit;
    let (its_world, its_home) = (world.clone(), home.clone());
    let run = move |context| run(context, its_world, its_home);
    let pid = home.node.spawn(options, run).ok()?;
    Some(world.enter(Book::new(pid, home.life)))
}

async fn run(context: Context, world: World, home: Home) -> ExitReason {
    let book = world.enter(Book::new(context.pid().clone(), home.life));
    let _end = AtEnd(book.clone());
    let mut actor = Actor { context, world, home, book, waited_ms: 0 };
    loop {
        let message = actor.next().await;
        if let Some([tag, number]) = message.as_tuple()
            && tag.is_atom("do")
            && let Some(deed) = number.as_integer().and_then(|number| actor.world.deed(number))
        {
            actor.note(&format!("does {}", describe(&deed)));
            actor.book.lock().doing = Some(describe(&deed));
            let ended = actor.perform(deed).await;
            actor.book.lock().doing = None;
            if let Some(reason) = ended {
                return reason;
            }
            actor.note("done");
        } else {
            actor.heard(&message);
        }
    }
}

fn describe(deed: &Deed) -> String {
    match deed {
        Deed::Send(to, bytes) => format!("send {to} {bytes}"),
        Deed::Monitor(MonitorTarget::Pid(pid), mode) => format!("monitor {pid} {mode:?}"),
        Deed::Exit(to) => format!("exit {to}"),
        Deed::Kill(to, reason) => format!("kill {to} {reason}"),
        Deed::Link(to) => format!("link {to}"),
        Deed::Unlink(to) => format!("unlink {to}"),
        Deed::SendToAlias(alias) => format!("send to {alias}"),
        other => format!("{other:?}"),
    }
}

impl Actor {
    fn note(&self, event: &str) {
        if self.world.lives(self.home.life) {
            self.world.journal.note(&format!("{} {event}", self.book.pid));
        }
    }

    fn fault(&self, what: &str) {
        if self.world.lives(self.home.life) {
            self.world.journal.fault(format!("{}: {what}", self.book.pid));
        }
    }

    async fn next(&mut self) -> Term {
        let from = self.world.journal.now_ms();
        let message = self.context.receive().await.into_term();
        let now = self.world.journal.now_ms();
        if now > from {
            self.waited_ms = now;
        }
        message
    }

    /// `Some`: the process ends.
    async fn perform(&mut self, deed: Deed) -> Option<ExitReason> {
        match deed {
            Deed::Send(to, bytes) => self.send(&to, bytes).await,
            Deed::Exit(to) => {
                self.send(&to, 0).await;
                let number = self.next_number(&to);
                let reason = term!({seq, (&to), (number)});
                self.context.exit(&to, ExitReason::from(reason)).await;
                self.send(&to, 10).await;
            }
            Deed::Kill(to, reason) => self.context.exit(&to, reason).await,
            Deed::Link(to) => self.context.link(&to).await,
            Deed::Unlink(to) => self.context.unlink(&to),
            Deed::Monitor(target, mode) => self.monitor(target, mode).await,
            Deed::Demonitor(choice) => self.demonitor(choice),
            Deed::Alias(mode) => {
                let alias = self.context.alias(mode);
                self.book.lock().aliases.insert(alias.clone());
                self.one_reply(Some(mode), &alias);
                self.world.publish(alias);
            }
            Deed::Unalias(choice) => {
                let alias = nth(self.book.lock().aliases.iter().cloned().collect(), choice);
                if let Some(alias) = alias {
                    self.context.unalias(&alias);
                    self.book.lock().aliases.remove(&alias);
                }
            }
            Deed::SendToAlias(alias) => {
                let message = term!({via, (&alias)});
                self.context.send(alias, message).await;
            }
            Deed::Spawn { link, monitor } => self.spawn(link, monitor),
            Deed::SpawnRequest { node, link, monitor } => {
                self.spawn_request(&node, link, monitor).await;
            }
            Deed::End(reason) => return Some(reason),
            other => self.serve(other).await,
        }
        None
    }

    async fn serve(&mut self, deed: Deed) {
        let node = self.home.node.clone();
        match deed {
            Deed::Rpc(at, number) => {
                let (module, function) = (atom!("sim"), atom!("echo"));
                let args = vec![Term::from(number)];
                let got = rpc::call(&node, &at, &module, &function, args, CALL_TIME).await;
                let text = got.to_string();
                let failed = text == "{badrpc,nodedown}" || text == "{badrpc,timeout}";
                if got.as_integer() != Some(number) && !failed {
                    self.fault(&format!("rpc gave {text} instead of {number}"));
                }
                self.note(&format!("rpc gave {text}"));
            }
            Deed::Register(name) => {
                self.book.lock().changing = Some(name);
                let done = self.home.global.register_name(name_of(name), &self.book.pid).await;
                self.book.lock().changing = None;
                self.note(&format!("registered {}", done.is_ok()));
            }
            Deed::Unregister(name) => {
                self.book.lock().changing = Some(name);
                let done = self.home.global.unregister_name(name_of(name)).await;
                self.book.lock().changing = None;
                self.note(&format!("unregistered {}", done.is_ok()));
            }
            Deed::Transaction(resource) => self.transaction(resource).await,
            Deed::Join(group) => {
                let pids = [self.book.pid.clone()];
                if self.home.pg.join(group_of(group), &pids).await.is_ok() {
                    *self.book.lock().groups.entry(group).or_default() += 1;
                }
            }
            Deed::Leave(group) => {
                let pids = [self.book.pid.clone()];
                if let Ok(true) = self.home.pg.leave(group_of(group), &pids).await {
                    let mut pages = self.book.lock();
                    let left = pages.groups.get(&group).copied().unwrap_or_default();
                    pages.groups.insert(group, left.saturating_sub(1));
                }
            }
            _ => {}
        }
    }

    /// Some numbered messages, of which at most the first is large.
    async fn send(&mut self, to: &Pid, bytes: usize) {
        for burst in 0..1 + bytes % BURST_MAX {
            let number = self.next_number(to);
            let ballast = Term::binary(vec![7; bytes >> (4 * burst)]);
            let message = term!({seq, (&self.book.pid), (number), (ballast)});
            self.context.send(to, message).await;
        }
    }

    fn next_number(&self, to: &Pid) -> i64 {
        let mut pages = self.book.lock();
        let next = pages.next.entry(to.clone()).or_default();
        *next += 1;
        *next
    }

    async fn monitor(&mut self, target: MonitorTarget, mode: Option<AliasMode>) {
        let reference = match mode {
            None => self.context.monitor(target.clone()).await,
            Some(mode) => self.context.monitor_with_alias(target.clone(), mode).await,
        };
        if mode.is_some() {
            self.world.publish(reference.clone());
        }
        self.one_reply(mode, &reference);
        self.book.lock().monitors.insert(reference, (target, Watch::Active));
    }

    fn one_reply(&self, mode: Option<AliasMode>, alias: &Reference) {
        if mode == Some(AliasMode::ReplyDemonitor) {
            self.book.lock().for_one_reply.insert(alias.clone());
        }
    }

    fn demonitor(&mut self, choice: u64) {
        let active = {
            let pages = self.book.lock();
            let active = pages.monitors.iter().filter(|(_, watch)| watch.1 == Watch::Active);
            active.map(|(reference, _)| reference.clone()).collect()
        };
        let Some(reference) = nth(active, choice) else { return };
        self.context.demonitor(&reference, DemonitorOptions::FLUSH);
        // An alias that outlives its monitor is taken back by hand.
        self.context.unalias(&reference);
        if let Some(watch) = self.book.lock().monitors.get_mut(&reference) {
            watch.1 = Watch::TakenBack;
        }
    }

    fn spawn(&mut self, link: bool, monitor: bool) {
        let mut options = SpawnOptions::new();
        (options.link, options.monitor, options.trap_exit) = (link, monitor, true);
        let (world, home) = (self.world.clone(), self.home.clone());
        let child = move |context| run(context, world, home);
        let Ok(spawned) = self.context.spawn(options, child) else { return };
        self.world.enter(Book::new(spawned.pid.clone(), self.home.life));
        if let Some(reference) = spawned.monitor {
            let target = MonitorTarget::Pid(spawned.pid);
            self.book.lock().monitors.insert(reference, (target, Watch::Active));
        }
    }

    async fn spawn_request(&mut self, node: &Atom, link: bool, monitor: bool) {
        let mfa = Mfa { module: atom!("sim"), function: atom!("wait"), args: Vec::new() };
        let mut options = SpawnRequestOptions::new();
        (options.link, options.monitor) = (link, monitor);
        let request = self.context.spawn_request(node, mfa, options).await;
        self.note(&format!("requested {request}"));
        // The monitor is there once the answer says so.
        if monitor {
            let target = MonitorTarget::NameNode(atom!("requested"), node.clone());
            self.book.lock().monitors.insert(request, (target, Watch::TakenBack));
        }
    }

    /// A lock of `global` on all known nodes, and its end.
    async fn transaction(&mut self, resource: u64) {
        let lock = term!({(name_of(resource)), (&self.book.pid)});
        let mut nodes = self.home.global.known();
        nodes.push(self.home.node.name().clone());
        nodes.sort();
        let server = atom!("global_name_server");
        let world = self.world.clone();
        let life = self.home.life;
        let pid = self.book.pid.clone();
        // In a process of its own, since the answers must not mix with what others send.
        let done = erlang_otp::client::in_process(&self.home.node, move |mut context| async move {
            let set = term!({set_lock, (&lock)});
            let answers = multi_call(&mut context, &nodes, &server, set, CALL_TIME).await;
            if world.lives(life) {
                let got: Vec<String> = answers.iter().map(|one| one.1.to_string()).collect();
                world.journal.note(&format!("{pid} locked {got:?}"));
            }
            let delete = term!({del_lock, (&lock)});
            multi_call(&mut context, &nodes, &server, delete, CALL_TIME).await;
        });
        // The node may end meanwhile.
        let _ = done.await;
    }

    fn heard(&mut self, message: &Term) {
        match message.as_tuple() {
            Some([tag, Term::Pid(from), number, _]) if tag.is_atom("seq") => {
                self.in_order(from, number.as_integer().unwrap_or_default());
            }
            Some([tag, Term::Pid(from), reason]) if tag.is_atom("EXIT") => {
                self.note(&format!("got EXIT {from} {reason}"));
                // One that names another came by a link, from a process that it has ended.
                if let Some([tag, Term::Pid(to), number]) = reason.as_tuple()
                    && tag.is_atom("seq")
                    && *to == self.book.pid
                {
                    self.in_order(from, number.as_integer().unwrap_or_default());
                }
            }
            Some([tag, Term::Reference(reference), _, subject, reason]) if tag.is_atom("DOWN") => {
                self.down(reference, subject, reason);
            }
            Some([tag, Term::Reference(request), outcome, Term::Pid(pid)])
                if tag.is_atom("spawn_reply") && outcome.is_atom("ok") =>
            {
                self.note(&format!("spawned {pid}"));
                if let Some(watch) = self.book.lock().monitors.get_mut(request) {
                    *watch = (MonitorTarget::Pid(pid.clone()), Watch::Active);
                }
            }
            Some([tag, Term::Reference(alias)]) if tag.is_atom("via") => {
                self.note(&format!("got via {alias}"));
                self.used(alias);
            }
            _ => self.note(&format!("got {message}")),
        }
    }

    /// A message came to an alias. One for a single reply is spent, and has taken its monitor back.
    fn used(&self, alias: &Reference) {
        let mut pages = self.book.lock();
        if !pages.for_one_reply.contains(alias) {
            return;
        }
        pages.aliases.remove(alias);
        if let Some(watch) = pages.monitors.get_mut(alias) {
            watch.1 = Watch::TakenBack;
        }
        if !pages.spent.insert(alias.clone()) {
            drop(pages);
            self.fault(&format!("a second message came to {alias}"));
        }
    }

    fn in_order(&self, from: &Pid, number: i64) {
        self.note(&format!("got {number} of {from}"));
        let now = self.world.journal.now_ms();
        let (last, over) = {
            let mut pages = self.book.lock();
            let over = pages.over.contains(from);
            let seen = Seen { number, at_ms: self.waited_ms };
            (pages.seen.insert(from.clone(), seen).unwrap_or_default(), over)
        };
        if over {
            self.fault(&format!("{number} of {from} came after its end was told"));
        }
        if number <= last.number {
            self.fault(&format!("{number} of {from} came after {}", last.number));
        }
        if number > last.number + 1 {
            let theirs = self.world.index_of(from.node());
            let ours = self.home.life.0;
            if !self.world.journal.broke_between(ours, theirs, last.at_ms, now) {
                self.fault(&format!("{number} of {from} came after {} unbroken", last.number));
            }
        }
    }

    fn down(&self, reference: &Reference, subject: &Term, reason: &Term) {
        self.note(&format!("got DOWN {reference} {subject} {reason}"));
        let was = {
            let mut pages = self.book.lock();
            if let Term::Pid(pid) = subject
                && !reason.is_atom("noconnection")
            {
                pages.over.insert(pid.clone());
            }
            pages
                .monitors
                .get_mut(reference)
                .map(|watch| std::mem::replace(&mut watch.1, Watch::Fired))
        };
        match was {
            Some(Watch::Active) => {}
            other => self.fault(&format!("DOWN of {reference} came, it was {other:?}")),
        }
    }
}

fn nth<T>(mut all: Vec<T>, choice: u64) -> Option<T> {
    if all.is_empty() {
        return None;
    }
    let at = usize::try_from(choice % all.len() as u64).ok()?;
    Some(all.swap_remove(at))
}

/// A global name.
pub(crate) fn name_of(number: u64) -> Term {
    Term::from((atom!("name"), i64::try_from(number).unwrap_or_default()))
}

/// A group of `pg`.
pub(crate) fn group_of(number: u64) -> Term {
    Term::from((atom!("group"), i64::try_from(number).unwrap_or_default()))
}
