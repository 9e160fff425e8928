//! The state machines of several nodes, talking to each other without a network.

use std::collections::{HashMap, VecDeque};

use erlang_term::{Atom, Pid, Term, term};

use super::names::{Operation, random_exit_name};
use super::output::{LockerEvent, Output};
use super::state::State;
use crate::gen_message::From;

fn node(name: &str) -> Atom {
    Atom::new(&format!("{name}@h")).expect("a short name")
}

fn pid(name: &str, id: u32) -> Pid {
    Pid::new(node(name), id, 0, 7)
}

/// Nodes, and the messages between them. The lockers always get their lock at once.
struct Net {
    states: HashMap<Atom, State>,
    wire: VecDeque<(Atom, Term)>,
    /// Connects whose lock is held on both sides.
    disconnected: Vec<(Atom, Atom)>,
}

impl Net {
    fn new(names: &[&str]) -> Self {
        let state = |name: &&str| (node(name), State::new(node(name), 7, pid(name, 2)));
        let states = names.iter().map(state).collect();
        Self { states, wire: VecDeque::new(), disconnected: Vec::new() }
    }

    fn at(&mut self, name: &Atom) -> &mut State {
        self.states.get_mut(name).expect("a node of the net")
    }

    fn connect(&mut self, one: &str, other: &str) {
        for (name, peer) in [(one, other), (other, one)] {
            let outputs = self.at(&node(name)).nodeup(&node(peer), 1);
            self.perform(&node(name), outputs);
        }
    }

    fn perform(&mut self, name: &Atom, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Cast(to, message) | Output::Send(to, message) => {
                    self.wire.push_back((to, message));
                }
                Output::Locker(LockerEvent::Connect { node, my_tag, .. }) => {
                    let more = self.at(name).lock_is_set(&node, my_tag, term!({global, lock}));
                    self.perform(name, more);
                }
                Output::Locker(LockerEvent::Cancel { casts, .. }) => self.wire.extend(casts),
                Output::Resolve(work) => {
                    let (mut ours, mut his) = (work.operations, Vec::new());
                    for clash in work.clashes {
                        // The smaller pid stays.
                        if clash.ours.pid < clash.theirs.pid {
                            his.push(Operation::Insert(clash.ours));
                        } else {
                            ours.push(Operation::Insert(clash.theirs));
                        }
                    }
                    let more = self.at(name).resolved_here(&work.node, work.tag, ours, &his);
                    self.perform(name, more);
                }
                Output::SyncOther(other) => {
                    self.connect(
                        name.as_str().trim_end_matches("@h"),
                        other.as_str().trim_end_matches("@h"),
                    );
                    let message = term!({in_sync, (name), true});
                    self.wire.push_back((other, message));
                }
                Output::Disconnect(other) => self.disconnected.push((name.clone(), other)),
                _ => {}
            }
        }
    }

    /// Delivers until nothing is on its way.
    fn settle(&mut self) {
        let mut steps = 0;
        while let Some((to, message)) = self.wire.pop_front() {
            steps += 1;
            assert!(steps < 10_000, "the nodes talk without end");
            let message = match message.as_tagged("$gen_cast") {
                Some([inner]) => inner.clone(),
                _ => message,
            };
            let (understood, outputs) = self.at(&to).message(&message);
            assert!(understood, "{message}");
            self.perform(&to, outputs);
        }
    }

    fn register(&mut self, name: &str, key: &Term, owner: &Pid) {
        let from = From::new(owner.clone(), term!(tag));
        let lock = term!({global, (owner)});
        self.at(&node(name)).call(&from, &term!({set_lock, (&lock)}));
        let request = term!({register, (key), (owner), (random_exit_name())});
        let outputs = self.at(&node(name)).call(&from, &request);
        assert!(matches!(outputs.last(), Some(Output::Reply(_, yes)) if yes.is_atom("yes")));
        self.at(&node(name)).call(&from, &term!({del_lock, (&lock)}));
    }

    fn owners(&self, key: &Term) -> Vec<Option<Pid>> {
        let mut owners: Vec<_> = self.states.values().map(|state| state.whereis(key)).collect();
        owners.dedup();
        owners
    }
}

#[test]
fn two_nodes_exchange_their_names() {
    let mut net = Net::new(&["a", "b"]);
    net.register("a", &term!(first), &pid("a", 9));
    net.register("b", &term!(second), &pid("b", 9));
    net.connect("a", "b");
    net.settle();
    assert_eq!(net.owners(&term!(first)), [Some(pid("a", 9))]);
    assert_eq!(net.owners(&term!(second)), [Some(pid("b", 9))]);
    assert!(net.at(&node("a")).is_synced(&node("b")));
    assert_eq!(net.at(&node("b")).known(), [node("a")]);
}

#[test]
fn a_clash_is_decided_alike_on_both_sides() {
    let mut net = Net::new(&["a", "b"]);
    net.register("a", &term!(same), &pid("a", 9));
    net.register("b", &term!(same), &pid("b", 9));
    net.connect("a", "b");
    net.settle();
    assert_eq!(net.owners(&term!(same)).len(), 1);
    assert!(net.owners(&term!(same))[0].is_some());
}

#[test]
fn a_third_node_learns_of_the_first_through_the_second() {
    let mut net = Net::new(&["a", "b", "c"]);
    net.register("a", &term!(first), &pid("a", 9));
    net.connect("a", "b");
    net.settle();
    net.connect("b", "c");
    net.settle();
    assert_eq!(net.owners(&term!(first)), [Some(pid("a", 9))]);
    for name in ["a", "b", "c"] {
        assert_eq!(net.at(&node(name)).known().len(), 2, "{name}");
    }
}

#[test]
fn a_lost_connection_makes_the_others_part_too() {
    let mut net = Net::new(&["a", "b", "c"]);
    net.connect("a", "b");
    net.settle();
    net.connect("b", "c");
    net.settle();
    let outputs = net.at(&node("a")).nodedown(&node("c"));
    net.perform(&node("a"), outputs);
    net.settle();
    assert!(!net.at(&node("b")).known().contains(&node("c")));
    assert!(net.disconnected.contains(&(node("c"), node("b"))));
    // Told a second time, nobody does anything.
    let again = term!({lost_connection, (node("a")), 7, 1, (node("c"))});
    assert_eq!(net.at(&node("b")).message(&again), (true, vec![]));
}

#[test]
fn a_session_of_an_earlier_connection_is_left_alone() {
    let mut net = Net::new(&["a", "b"]);
    net.connect("a", "b");
    net.settle();
    let late = term!({exchange, (node("b")), [{ghost, (pid("b", 9)), method}], [], 1});
    assert_eq!(net.at(&node("a")).message(&late), (true, vec![]));
    let late = term!({resolved, (node("b")), [], [], unused, [], 1});
    assert_eq!(net.at(&node("a")).message(&late), (true, vec![]));
    assert_eq!(net.owners(&term!(ghost)), [None]);
}

#[test]
fn names_and_locks_end_with_their_process() {
    let mut net = Net::new(&["a"]);
    let owner = pid("b", 5);
    net.register("a", &term!(name), &owner);
    let from = From::new(owner.clone(), term!(tag));
    let lock = term!({set_lock, {resource, me}});
    let outputs = net.at(&node("a")).call(&from, &lock);
    assert!(outputs.contains(&Output::Monitor(owner.clone())));
    let other = From::new(pid("c", 5), term!(tag));
    let refused = net.at(&node("a")).call(&other, &term!({set_lock, {resource, you}}));
    assert_eq!(refused, [Output::Reply(other, Term::from(false))]);
    net.at(&node("a")).process_down(&owner);
    assert!(net.at(&node("a")).can_set_lock(&term!({resource, you})));
    assert_eq!(net.owners(&term!(name)), [None]);
}

#[test]
fn odd_messages_are_not_understood_and_harm_nothing() {
    let mut net = Net::new(&["a"]);
    for odd in [
        term!(x),
        term!({init_connect, 1, 2, 3}),
        term!({init_connect, {8}, (node("b")), {locker, 1, 2, 3}}),
        term!({lock_set, 1, true, []}),
        term!({exchange, 1, 2, 3, 4}),
        term!({lost_connection, (node("b")), 1, x, (node("c"))}),
        term!({nonsense, 1}),
    ] {
        assert_eq!(net.at(&node("a")).message(&odd), (false, vec![]), "{odd}");
    }
    let from = From::new(pid("b", 1), term!(tag));
    for odd in
        [term!(x), term!({set_lock, 1}), term!({register, 1}), term!({del_lock, 1}), term!(1)]
    {
        let outputs = net.at(&node("a")).call(&from, &odd);
        // Every call is answered, whatever it is.
        assert!(matches!(outputs[..], [Output::Reply(..)]), "{odd}");
    }
}

/// Found by the simulator: a registration waits for a lost node; when that one is back and does not
/// agree with us yet, its half and ours would never hear of what comes then.
#[test]
fn a_name_is_changed_only_by_nodes_that_agree() {
    let (key, owner) = (term!(late), pid("b", 9));
    let from = From::new(owner.clone(), term!(tag));
    let register = term!({register, (&key), (&owner), (random_exit_name())});
    let mut net = Net::new(&["a", "b"]);
    let outputs = net.at(&node("a")).call(&from, &register);
    assert_eq!(outputs, [Output::Reply(from.clone(), term!(yes))]);
    assert_eq!(net.at(&node("a")).whereis(&key), None);
    net.connect("a", "b");
    net.settle();
    net.at(&node("a")).call(&from, &register);
    assert_eq!(net.at(&node("a")).whereis(&key), Some(owner));
    // The names of a node that is lost go before the monitors say so.
    net.at(&node("a")).nodedown(&node("b"));
    assert_eq!(net.at(&node("a")).whereis(&key), None);
}

/// Found by the simulator: each answer to an attempt given up made both sides start once more, and
/// there was no end of it.
#[test]
fn an_answer_to_an_attempt_that_was_given_up_starts_nothing() {
    let mut state = State::new(node("a"), 7, pid("a", 2));
    state.nodeup(&node("b"), 1);
    let late = term!({init_connect_ack, (node("b")), 999_999, 5});
    assert_eq!(state.message(&late), (true, Vec::new()));
}

/// Found by the simulator: a node comes back, a third tells it of us, and only we see that its
/// connection is a new one. It knew us, we did not know it, and nobody began.
#[test]
fn a_node_that_is_said_to_agree_and_is_not_known_begins_anew() {
    let mut net = Net::new(&["b", "d", "e"]);
    net.connect("b", "e");
    net.connect("d", "e");
    net.settle();
    net.register("d", &term!(name), &pid("d", 9));
    // What b would tell of the loss is lost too.
    net.at(&node("b")).nodedown(&node("d"));
    assert!(net.at(&node("d")).known().contains(&node("b")));
    let outputs = net.at(&node("b")).nodeup(&node("d"), 2);
    net.perform(&node("b"), outputs);
    net.settle();
    assert!(!net.at(&node("b")).known().contains(&node("d")));
    // While names are exchanged somebody may yet tell b of d.
    let lock = term!({global, someone});
    let from = From::new(pid("e", 2), term!(tag));
    net.at(&node("b")).call(&from, &term!({set_lock, (&lock)}));
    net.wire.push_back((node("b"), term!({in_sync, (node("d")), true})));
    net.settle();
    assert!(!net.at(&node("b")).known().contains(&node("d")));
    let outputs = net.at(&node("b")).call(&from, &term!({del_lock, (&lock)}));
    net.perform(&node("b"), outputs);
    net.settle();
    assert!(net.at(&node("b")).known().contains(&node("d")));
    assert!(net.at(&node("d")).known().contains(&node("b")));
    assert_eq!(net.owners(&term!(name)), [Some(pid("d", 9))]);
}

/// Found by the simulator: one side has closed a session that the other waits in, with all locked.
#[test]
fn a_session_that_is_not_answered_is_begun_anew() {
    for knows in [true, false] {
        let mut net = Net::new(&["b", "c"]);
        let (init_b, init_c) =
            (net.at(&node("b")).nodeup(&node("c"), 1), net.at(&node("c")).nodeup(&node("b"), 1));
        // c hears of b by a third, and by b: that it agrees, which is true no longer.
        let known = term!({new_nodes, (node("d")), [], [], [{(node("b")), 8}], []});
        for (name, outputs) in [("b", init_c), ("c", init_b)] {
            for output in outputs {
                if let Output::Cast(_, message) = output {
                    net.at(&node(name)).message(&message).1.clear();
                }
            }
        }
        net.at(&node("c")).message(&known).1.clear();
        net.at(&node("c")).message(&term!({in_sync, (node("b")), true})).1.clear();
        if !knows {
            net.at(&node("c")).forget(&node("b"), &mut Vec::new());
        }
        assert_eq!(net.at(&node("b")).stalled(&node("c"), 9), []);
        let outputs = net.at(&node("b")).stalled(&node("c"), 1);
        net.perform(&node("b"), outputs);
        net.settle();
        assert_eq!(net.at(&node("b")).known(), [node("c")], "{knows}");
        assert_eq!(net.at(&node("c")).known(), [node("b")], "{knows}");
    }
}

/// Found by the simulator: e is asked to part from a, which does not know it and stays. What a sent
/// first lay unanswered, whether it came before or after.
#[test]
fn who_parts_from_a_node_that_stays_begins_anew() {
    for asked_first in [true, false] {
        let mut net = Net::new(&["a", "e"]);
        let known = term!({new_nodes, (node("c")), [], [], [{(node("a")), 8}], []});
        net.at(&node("e")).message(&known).1.clear();
        net.at(&node("e")).nodeup(&node("a"), 1);
        let init = net.at(&node("a")).nodeup(&node("e"), 1);
        let lost = term!({lost_connection, (node("a")), 7, 1, (node("e"))});
        if asked_first {
            net.perform(&node("a"), init);
            net.settle();
            net.wire.push_back((node("e"), lost));
        } else {
            net.wire.push_back((node("e"), lost));
            net.settle();
            net.perform(&node("a"), init);
        }
        net.settle();
        assert_eq!(net.at(&node("a")).known(), [node("e")], "{asked_first}");
        assert_eq!(net.at(&node("e")).known(), [node("a")], "{asked_first}");
        assert_eq!(net.disconnected, [], "{asked_first}");
    }
}

/// Two nodes that forget each other at once have no session, and neither knows whom to part from.
#[test]
fn two_nodes_that_part_from_each_other_disconnect() {
    let mut net = Net::new(&["a", "e"]);
    net.connect("a", "e");
    net.settle();
    for (name, lost) in [("a", "e"), ("e", "a")] {
        let message = term!({lost_connection, (node("c")), 7, 1, (node(lost))});
        let outputs = net.at(&node(name)).message(&message).1;
        net.perform(&node(name), outputs);
    }
    net.settle();
    assert!(!net.disconnected.is_empty());
}
