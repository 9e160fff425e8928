//! Edges of the graph as requisites.

use std::collections::HashSet;

use super::emit::{Reference, State, any_of};
use super::transform::{Converter, Unit, play_index};
use crate::data_plane::limits::{GUARDED_REQUISITES_MAX, REQUISITE_STEPS_MAX};
use crate::data_plane::report::Status;
use crate::semantic::{DependencyType, Operation, Value};

/// References to all states of an operation that can be named: of a loop whose items are chosen by
/// a condition nobody knows beforehand which states there are.
pub(super) fn references(unit: &Unit) -> Vec<Reference> {
    let named = |state: &&State| !state.function.is_empty() && state.item_guard.is_none();
    unit.states.iter().filter(named).map(reference).collect()
}

fn reference(state: &State) -> Reference {
    let module = state.function.split('.').next().unwrap_or_default().to_owned();
    Reference {
        module,
        id: state.id.clone(),
        guard: state.guard.clone(),
        repeat: state.repeat.clone(),
    }
}

/// Adds references under a kind of requisite.
pub(super) fn add(state: &mut State, kind: &'static str, references: Vec<Reference>) {
    if references.is_empty() {
        return;
    }
    match state.requisites.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, known)) => {
            for reference in references {
                if !known.contains(&reference) {
                    known.push(reference);
                }
            }
        }
        None => state.requisites.push((kind, references)),
    }
}

/// Edges that enter each vertex: where from, and of which type.
struct Entering<'g>(Vec<Vec<(usize, &'g DependencyType)>>);

/// Gives all states the requisites that follow from the edges.
pub(super) fn connect(converter: &mut Converter<'_>, order: &[usize]) {
    let graph = converter.graph;
    let positions = graph.positions();
    let mut entering = Entering(vec![Vec::new(); graph.vertices.len()]);
    for edge in &graph.edges {
        if let (Some(&from), Some(&to)) =
            (positions.get(edge.from.as_str()), positions.get(edge.to.as_str()))
        {
            entering.0[to].push((from, &edge.kind));
        }
    }
    for &at in order {
        let operation = &graph.vertices[at];
        let is_handler = operation.metadata.text("section") == Some("handlers");
        let reactions = reactions(converter, &entering, at);
        if is_handler && reactions.is_empty() {
            converter.report.about(
                operation,
                Status::Kept,
                "section",
                "nothing notifies this handler: it never runs, and is left out",
            );
            converter.units[at].states.clear();
            continue;
        }
        let mut states = std::mem::take(&mut converter.units[at].states);
        for place in 0..states.len() {
            let before = place
                .checked_sub(1)
                .map(|previous| reference(&states[previous]))
                .filter(|previous| !previous.module.is_empty());
            let state = &mut states[place];
            match before
                .filter(|previous| previous.guard.is_none() || previous.guard == state.guard)
            {
                Some(previous) => {
                    add(state, "require", vec![Reference { guard: None, ..previous }])
                }
                None => {
                    let guard = state.guard.clone();
                    add(state, "require", required(converter, &entering, at, guard.as_deref()));
                }
            }
            react(state, &reactions, is_handler);
            never_unasked(state);
        }
        converter.units[at].states = states;
    }
}

/// What an operation reacts to: kind of edge and references.
fn reactions(
    converter: &mut Converter<'_>,
    entering: &Entering<'_>,
    at: usize,
) -> Vec<(DependencyType, Reference)> {
    let mut found = Vec::new();
    for (from, kind) in entering.0[at].iter().filter(|(_, kind)| kind.reacts_to_changes()) {
        if never_changes(&converter.graph.vertices[*from]) {
            continue;
        }
        if converter.units[*from].states.iter().any(|state| state.item_guard.is_some()) {
            let detail = "a loop whose condition looks at the item cannot notify";
            let notifier = &converter.graph.vertices[*from];
            converter.report.about(notifier, Status::Lost, "notify", detail);
        }
        for reference in references(&converter.units[*from]) {
            found.push(((*kind).clone(), reference));
        }
    }
    found
}

/// `changed_when: false`: Ansible never lets it notify.
fn never_changes(operation: &Operation) -> bool {
    operation.metadata.get("changed_when").and_then(Value::as_flag) == Some(false)
}

/// A service watches; any other state runs only on changes.
fn react(state: &mut State, reactions: &[(DependencyType, Reference)], is_handler: bool) {
    if state.function.is_empty() {
        return;
    }
    let watches = matches!(
        state.function.as_str(),
        "service.running" | "docker_container.running" | "mount.mounted"
    );
    for (kind, reference) in reactions {
        let requisite = if watches || (*kind != DependencyType::Notifies && !is_handler) {
            "watch"
        } else {
            "onchanges"
        };
        let guard = reference.guard.clone().filter(|guard| state.guard.as_ref() != Some(guard));
        add(state, requisite, vec![Reference { guard, ..reference.clone() }]);
    }
    let is_reaction = |kind: &str| matches!(kind, "watch" | "onchanges");
    if is_handler && state.requisites.iter().any(|(kind, _)| is_reaction(kind)) {
        // A handler stands after all tasks of its play, and is woken by those that notify it only.
        state.requisites.retain(|(kind, _)| is_reaction(kind));
    }
}

/// A state that only reacts must not be there when nothing of what it reacts to is there: without
/// its requisite it would always run.
fn never_unasked(state: &mut State) {
    let is_reaction = |kind: &str| matches!(kind, "watch" | "onchanges" | "onfail");
    let reactions: Vec<Reference> = state
        .requisites
        .iter()
        .filter(|(kind, _)| is_reaction(kind))
        .flat_map(|(_, references)| references.clone())
        .collect();
    let Some(any) = any_of(&reactions) else { return };
    state.guard = Some(match state.guard.take() {
        Some(own) => format!("({own}) and ({any})"),
        None => any,
    });
}

/// What must have succeeded before: the nearest operation that is there whenever this one is, and
/// those between that are there under conditions of their own.
fn required(
    converter: &Converter<'_>,
    entering: &Entering<'_>,
    at: usize,
    guard: Option<&str>,
) -> Vec<Reference> {
    let play = play_index(&converter.graph.vertices[at]);
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut guards: HashSet<Option<String>> = HashSet::new();
    let mut open: Vec<usize> = before(entering, at);
    open.reverse();
    while let Some(from) = open.pop().filter(|_| seen.len() < REQUISITE_STEPS_MAX) {
        if !seen.insert(from)
            || found.len() >= GUARDED_REQUISITES_MAX
            || play_index(&converter.graph.vertices[from]) != play
        {
            continue;
        }
        let unit = &converter.units[from];
        let states = if unit.may_fail { Vec::new() } else { references(unit) };
        let same = |reference: &Reference| {
            reference.repeat.is_none()
                && (reference.guard.is_none() || reference.guard.as_deref() == guard)
        };
        let last_suffices = states.iter().all(same);
        let always = states.last().is_some_and(same) && last_suffices;
        let wanted = if last_suffices { states.len().saturating_sub(1) } else { 0 };
        for reference in states.into_iter().skip(wanted) {
            let own = same(&reference);
            if own || reference.repeat.is_some() || guards.insert(reference.guard.clone()) {
                found.push(Reference {
                    guard: reference.guard.clone().filter(|_| !own),
                    ..reference
                });
            }
        }
        if !always {
            open.extend(before(entering, from));
        }
    }
    found
}

fn before(entering: &Entering<'_>, at: usize) -> Vec<usize> {
    entering.0[at]
        .iter()
        .filter(|(_, kind)| !kind.reacts_to_changes())
        .map(|(from, _)| *from)
        .collect()
}
