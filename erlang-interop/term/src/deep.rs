//! Comparing what lies deeper than recursion goes.
//!
//! Both terms are laid out in a list of nodes first, children before their parents, with the pairs of
//! maps in the order of their keys. Comparing is then a walk along both with a stack of pairs.

use std::cmp::Ordering;
use std::ops::Range;

use crate::fun::{Closure, Fun};
use crate::list::Parts;
use crate::order::{self, EXACT, NUMERIC, rank};
use crate::term::Term;

/// [`order::compare`] for terms of any depth.
pub(crate) fn compare<const HOW: u8>(left: &Term, right: &Term) -> Ordering {
    let mut nodes = Nodes::default();
    let (left, right) = (nodes.add(left), nodes.add(right));
    nodes.compare::<HOW>(left, right)
}

/// The terms right inside a term. Packed lists count as having none.
enum Children<'a> {
    Tuple(&'a [Term]),
    List(&'a [Term], &'a Term),
    /// Keys and values, alternating.
    Map(&'a [Term]),
    Closure(&'a Closure),
}

impl<'a> Children<'a> {
    fn of(term: &'a Term) -> Option<Self> {
        match term {
            Term::Tuple(elements) => Some(Self::Tuple(elements)),
            Term::Map(map) => Some(Self::Map(map.flat())),
            Term::Fun(Fun::Closure(closure)) => Some(Self::Closure(closure)),
            Term::List(list) => match list.parts() {
                Parts::Terms(elements, tail) => Some(Self::List(elements, tail)),
                Parts::Bytes(_) | Parts::Integers(_) => None,
            },
            _ => None,
        }
    }

    fn len(&self) -> usize {
        self.iter().count()
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &'a Term> + use<'a> {
        let (elements, tail): (&'a [Term], _) = match self {
            Self::Tuple(elements) | Self::Map(elements) => (elements, None),
            Self::List(elements, tail) => (elements, Some(*tail)),
            Self::Closure(closure) => (&closure.free, None),
        };
        elements.iter().chain(tail)
    }
}

struct Node<'a> {
    term: &'a Term,
    /// Its children's numbers in [`Nodes::children`]; of a map first all keys, then their values.
    children: Range<usize>,
}

#[derive(Default)]
struct Nodes<'a> {
    nodes: Vec<Node<'a>>,
    children: Vec<usize>,
}

/// What is still to be laid out.
enum Layout<'a> {
    Open(&'a Term),
    /// So many nodes that are done belong to this term.
    Close(&'a Term, usize),
}

/// What is still to be compared.
enum Step {
    /// Two nodes; keys are compared exactly, with all in them.
    Pair { left: usize, right: usize, key: bool },
    /// What counts when all before it was equal.
    Otherwise(Ordering),
}

impl<'a> Nodes<'a> {
    fn add(&mut self, term: &'a Term) -> usize {
        let mut left = vec![Layout::Open(term)];
        let mut done = Vec::new();
        while let Some(layout) = left.pop() {
            let (term, count) = match layout {
                Layout::Close(term, count) => (term, count),
                Layout::Open(term) => {
                    if let Some(children) = Children::of(term) {
                        left.push(Layout::Close(term, children.len()));
                        left.extend(children.iter().rev().map(Layout::Open));
                        continue;
                    }
                    (term, 0)
                }
            };
            let start = self.children.len();
            let own = done.drain(done.len() - count..);
            match term {
                Term::Map(_) => {
                    let flat: Vec<usize> = own.collect();
                    let pairs = self.sorted(&flat);
                    self.children.extend(pairs.iter().map(|pair| pair.0));
                    self.children.extend(pairs.iter().map(|pair| pair.1));
                }
                _ => self.children.extend(own),
            }
            done.push(self.nodes.len());
            self.nodes.push(Node { term, children: start..self.children.len() });
        }
        self.nodes.len() - 1
    }

    fn sorted(&self, flat: &[usize]) -> Vec<(usize, usize)> {
        let mut pairs: Vec<_> = flat.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        pairs.sort_unstable_by(|left, right| self.compare::<EXACT>(left.0, right.0));
        pairs
    }

    fn compare<const HOW: u8>(&self, left: usize, right: usize) -> Ordering {
        let mut steps = vec![Step::Pair { left, right, key: false }];
        while let Some(step) = steps.pop() {
            let order = match step {
                Step::Otherwise(order) => order,
                Step::Pair { left, right, key } if key && HOW == NUMERIC => {
                    self.step::<EXACT>(left, right, key, &mut steps)
                }
                Step::Pair { left, right, key } => self.step::<HOW>(left, right, key, &mut steps),
            };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }

    /// Compares what two nodes are without their children; these are left to the steps.
    fn step<const HOW: u8>(
        &self,
        left: usize,
        right: usize,
        key: bool,
        steps: &mut Vec<Step>,
    ) -> Ordering {
        let (left, right) = (&self.nodes[left], &self.nodes[right]);
        let (lefts, rights) =
            (&self.children[left.children.clone()], &self.children[right.children.clone()]);
        let mut keys = 0;
        // Pairs that are compared before what is otherwise.
        let mut count = lefts.len();
        let (order, otherwise) = match (Children::of(left.term), Children::of(right.term)) {
            (Some(Children::Tuple(_)), Some(Children::Tuple(_))) => {
                (lefts.len().cmp(&rights.len()), Ordering::Equal)
            }
            (Some(Children::Map(_)), Some(Children::Map(_))) => {
                keys = lefts.len() / 2;
                (lefts.len().cmp(&rights.len()), Ordering::Equal)
            }
            (Some(Children::Closure(left)), Some(Children::Closure(right))) => {
                (left.compare_before_free(right), order::after_free::<HOW>(left, right))
            }
            (Some(Children::List(left, left_tail)), Some(Children::List(right, right_tail))) => {
                let otherwise = match left.len().cmp(&right.len()) {
                    Ordering::Equal => Ordering::Equal,
                    // The longer goes on with a cell where the other has its tail.
                    Ordering::Greater => rank::LIST.cmp(&right_tail.rank()),
                    Ordering::Less => left_tail.rank().cmp(&rank::LIST),
                };
                if left.len() != right.len() {
                    count = left.len().min(right.len());
                }
                (Ordering::Equal, otherwise)
            }
            // Of these at most one has children, or they differ in type.
            _ => (order::compare::<HOW>(left.term, right.term, 1), Ordering::Equal),
        };
        if order.is_eq() {
            steps.push(Step::Otherwise(otherwise));
            let pairs = lefts.iter().zip(rights).take(count).enumerate();
            steps.extend(pairs.rev().map(|(at, (&left, &right))| Step::Pair {
                left,
                right,
                key: key || at < keys,
            }));
        }
        order
    }
}
