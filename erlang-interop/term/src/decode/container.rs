//! The decoding loop: one value after the other, containers closed as they fill.

use std::cell::Cell;

use bytes::Bytes;

use super::error::{DecodeError, DecodeErrorKind};
use super::leaf;
use super::reader::Reader;
use super::{DecodeOptions, Owner};
use crate::atom::Atom;
use crate::fun::{Closure, ClosureParts, Fun};
use crate::list::List;
use crate::map::Map;
use crate::tag;
use crate::term::Term;
use crate::tuple::Tuple;

/// Values a thread keeps room for between messages; above, the room is given back.
const SCRATCH_TERMS_MAX: usize = 16 * 1024;

/// Elements from which a list is tried as one of integers only.
const INTEGER_LIST_MIN: usize = 8;

/// Elements from which such a list is kept as numbers: below, a second allocation costs more than
/// the smaller elements save.
const PACKED_LIST_MIN: usize = 32;

/// Numbers that a list gets room for before so many were seen.
const PACKED_ROOM: usize = 4096;

/// The two stacks, empty, kept by a thread from one message to the next.
type Scratch = (Vec<Term>, Vec<Open>);

thread_local! {
    static SCRATCH: Cell<Scratch> = const { Cell::new((Vec::new(), Vec::new())) };
}

pub(super) struct Decoder<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) owner: Owner<'a>,
    pub(super) atom_refs: &'a [Atom],
    /// Finished terms whose container is not complete.
    pub(super) values: Vec<Term>,
    open: Vec<Open>,
    depth: usize,
    terms_left: usize,
    terms_max: usize,
    /// Atoms that this thread will have made when the term has made all it may.
    atoms_end: u64,
    new_atoms_max: usize,
}

/// A container that waits for `missing` more values; its own start at `start` on the stack.
struct Open {
    kind: Kind,
    start: usize,
    missing: usize,
}

enum Kind {
    Tuple,
    /// The tail counts as the last value.
    List,
    Map,
    Fun(Box<FunHeader>),
}

struct FunHeader {
    arity: u8,
    uniq: [u8; 16],
    index: u32,
    /// Where the fun says it ends.
    end: usize,
}

/// Values of a closure before its free variables: module, old index, old uniq, pid.
const FUN_VALUES: usize = 4;

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a Bytes, at: usize, options: &DecodeOptions<'a>) -> Self {
        let (values, open) = SCRATCH.take();
        Self {
            reader: Reader { bytes, at },
            owner: Owner { bytes, shared: None },
            atom_refs: options.atom_refs,
            values,
            open,
            depth: options.limits.depth,
            terms_left: options.limits.terms_max,
            terms_max: options.limits.terms_max,
            atoms_end: Atom::made_by_thread().saturating_add(options.limits.new_atoms_max as u64),
            new_atoms_max: options.limits.new_atoms_max,
        }
    }

    pub(super) fn run(mut self) -> Result<(Term, usize), DecodeError> {
        let result = self.term();
        let end = self.reader.at;
        self.values.clear();
        self.open.clear();
        if self.values.capacity() <= SCRATCH_TERMS_MAX {
            SCRATCH.set((self.values, self.open));
        }
        result.map(|term| (term, end))
    }

    fn term(&mut self) -> Result<Term, DecodeError> {
        self.spend(1)?;
        loop {
            if !self.value()? {
                continue;
            }
            while let Some(top) = self.open.last_mut() {
                top.missing -= 1;
                if top.missing > 0 {
                    break;
                }
                let full = self.open.pop().expect("it was the last");
                let term = self.close(full)?;
                self.values.push(term);
            }
            if self.open.is_empty() {
                return Ok(self.values.pop().expect("a finished term is on the stack"));
            }
        }
    }

    /// Reads one tag: pushes the value and returns true, or opens a container.
    ///
    /// Each kind pushes its own value: one that all kinds hand on would be written, read and written
    /// again, and reading at once what was just written in parts stalls the processor.
    fn value(&mut self) -> Result<bool, DecodeError> {
        let tag = self.reader.u8()?;
        match tag {
            tag::SMALL_INTEGER => {
                let value = self.reader.u8()?;
                self.push_made(|| Term::Integer(i64::from(value)));
            }
            tag::INTEGER => {
                let value = self.reader.u32()? as i32;
                self.push_made(|| Term::Integer(i64::from(value)));
            }
            tag::ATOM_CACHE_REF => {
                let atom = leaf::atom_reference(&mut self.reader, self.atom_refs)?;
                self.push_made(|| Term::Atom(atom));
            }
            tag::SMALL_ATOM_UTF8 | tag::ATOM_UTF8 | tag::ATOM | tag::SMALL_ATOM => {
                let atom = leaf::atom_text(&mut self.reader, tag)?;
                self.check_new_atoms()?;
                self.push_made(|| Term::Atom(atom));
            }
            tag::BINARY => {
                let len = self.reader.u32()? as usize;
                self.push_binary(len)?;
            }
            tag::NIL => self.push_made(|| Term::Nil),
            tag::SMALL_TUPLE => {
                let arity = usize::from(self.reader.u8()?);
                return self.open_tuple(arity);
            }
            tag::LARGE_TUPLE => {
                let arity = self.reader.u32()? as usize;
                return self.open_tuple(arity);
            }
            tag::LIST => return self.open_list(),
            tag::MAP => return self.open_map(),
            tag::STRING => return self.string(),
            tag::NEW_FUN => return self.open_fun(),
            tag::NEW_FLOAT => {
                let value = self.float()?;
                self.push_made(|| Term::Float(value));
            }
            tag::SMALL_BIG => {
                let len = usize::from(self.reader.u8()?);
                self.big(len)?;
            }
            tag::LARGE_BIG => {
                let len = self.reader.u32()? as usize;
                self.big(len)?;
            }
            tag => self.rare(tag)?,
        }
        Ok(true)
    }

    fn rare(&mut self, tag: u8) -> Result<(), DecodeError> {
        let term = match tag {
            tag::FLOAT => Term::Float(self.float_text()?),
            tag::BIT_BINARY => self.bit_binary()?,
            tag::NEW_PID | tag::PID => Term::Pid(self.pid(tag)?),
            tag::V4_PORT | tag::NEW_PORT | tag::PORT => self.port(tag)?,
            tag::NEWER_REFERENCE | tag::NEW_REFERENCE | tag::REFERENCE => self.reference(tag)?,
            tag::EXPORT => self.export()?,
            tag => {
                self.reader.at -= 1;
                return self.reader.fail(DecodeErrorKind::Tag { tag });
            }
        };
        self.check_new_atoms()?;
        self.values.push(term);
        Ok(())
    }

    /// Pushes a value that is made when there is room for it: where it is to be, and not on the stack
    /// to be dropped should there be none.
    #[inline(always)]
    pub(super) fn push_made(&mut self, make: impl FnOnce() -> Term) {
        self.values.extend(std::iter::once_with(make));
    }

    /// Fails when the term has made one new atom too many.
    #[inline]
    fn check_new_atoms(&self) -> Result<(), DecodeError> {
        if Atom::made_by_thread() > self.atoms_end {
            let max = self.new_atoms_max;
            return self.reader.fail(DecodeErrorKind::Limit { what: "new atoms", max });
        }
        Ok(())
    }

    /// Takes `count` from what the term may cost, after checking that the bytes can hold that many.
    fn spend(&mut self, count: usize) -> Result<(), DecodeError> {
        if count > self.reader.left() {
            return self.reader.fail(DecodeErrorKind::Truncated);
        }
        match self.terms_left.checked_sub(count) {
            Some(left) => {
                self.terms_left = left;
                Ok(())
            }
            None => self.reader.fail(DecodeErrorKind::Limit { what: "terms", max: self.terms_max }),
        }
    }

    fn open(&mut self, kind: Kind, missing: usize) -> Result<bool, DecodeError> {
        if self.open.len() >= self.depth {
            let kind = DecodeErrorKind::Limit { what: "levels of nesting", max: self.depth };
            return self.reader.fail(kind);
        }
        self.spend(missing)?;
        self.open.push(Open { kind, start: self.values.len(), missing });
        Ok(false)
    }

    fn open_tuple(&mut self, arity: usize) -> Result<bool, DecodeError> {
        if arity == 0 {
            self.values.push(Term::Tuple(Tuple::new([])));
            return Ok(true);
        }
        self.open(Kind::Tuple, arity)
    }

    fn open_list(&mut self) -> Result<bool, DecodeError> {
        let values = (self.reader.u32()? as usize).saturating_add(1);
        if let Some(Open { kind: Kind::List, missing, .. }) = self.open.last_mut()
            && *missing == 1
        {
            // A list as the tail of a list goes on with the same list.
            *missing = values;
            self.spend(values)?;
            return Ok(false);
        }
        if values > PACKED_LIST_MIN {
            if let Some((integers, end)) = packed(&self.reader.bytes[self.reader.at..], values - 1)
            {
                self.spend(values)?;
                self.reader.at += end;
                self.values.push(Term::List(List::from_integers(integers)));
                return Ok(true);
            }
        } else if values > INTEGER_LIST_MIN
            && let Some(end) = self.integers_end(values - 1)
        {
            self.spend(values)?;
            let list = integers(&self.reader.bytes[self.reader.at..end], values - 1);
            self.reader.at = end + 1;
            self.values.push(list.map_or(Term::Nil, Term::List));
            return Ok(true);
        }
        self.open(Kind::List, values)
    }

    /// Where the elements end, if the next `count` are all small integers and `[]` follows.
    fn integers_end(&self, count: usize) -> Option<usize> {
        let mut end = self.reader.at;
        for _ in 0..count {
            end += match *self.reader.bytes.get(end)? {
                tag::SMALL_INTEGER => 2,
                tag::INTEGER => 5,
                _ => return None,
            };
        }
        (*self.reader.bytes.get(end)? == tag::NIL).then_some(end)
    }

    fn open_map(&mut self) -> Result<bool, DecodeError> {
        let pairs = self.reader.u32()? as usize;
        if pairs == 0 {
            self.values.push(Term::Map(Map::default()));
            return Ok(true);
        }
        self.open(Kind::Map, pairs.saturating_mul(2))
    }

    fn string(&mut self) -> Result<bool, DecodeError> {
        let len = usize::from(self.reader.u16()?);
        if let Some(Open { kind: Kind::List, missing: 1, .. }) = self.open.last() {
            self.spend(len)?;
            let bytes = self.reader.slice(len)?;
            self.values.extend(bytes.iter().map(|byte| Term::Integer(i64::from(*byte))));
            self.values.push(Term::Nil);
            return Ok(true);
        }
        let bytes = self.bytes(len)?;
        self.values.push(List::from_bytes(bytes).map_or(Term::Nil, Term::List));
        Ok(true)
    }

    fn open_fun(&mut self) -> Result<bool, DecodeError> {
        let start = self.reader.at;
        let size = self.reader.u32()? as usize;
        let arity = self.reader.u8()?;
        let uniq = self.reader.array()?;
        let index = self.reader.u32()?;
        let free = self.reader.u32()? as usize;
        let header = FunHeader { arity, uniq, index, end: start.saturating_add(size) };
        self.open(Kind::Fun(Box::new(header)), free.saturating_add(FUN_VALUES))
    }

    fn close(&mut self, full: Open) -> Result<Term, DecodeError> {
        let mut values = self.values.drain(full.start..);
        match full.kind {
            Kind::Tuple => Ok(Term::Tuple(Tuple::new(values))),
            Kind::List => {
                let tail = values.next_back().expect("a list waits for its tail");
                Ok(match tail {
                    Term::Nil => List::new(values).map_or(Term::Nil, Term::List),
                    tail if values.len() == 0 => tail,
                    tail => Term::List(List::improper(values.collect(), tail)),
                })
            }
            Kind::Map => match Map::from_flat(values) {
                Ok(map) => Ok(Term::Map(map)),
                Err(_) => self.reader.fail(DecodeErrorKind::DuplicateKey),
            },
            Kind::Fun(header) => {
                let closure = closure(&header, values);
                match closure {
                    Some(_) if header.end != self.reader.at => {
                        self.reader.fail(DecodeErrorKind::Invalid { what: "size of a fun" })
                    }
                    Some(closure) => Ok(Term::Fun(Fun::Closure(closure))),
                    None => self.reader.fail(DecodeErrorKind::Invalid { what: "field of a fun" }),
                }
            }
        }
    }
}

/// The list of `count` small integers that these bytes were found to be, made in place.
fn integers(mut bytes: &[u8], count: usize) -> Option<List> {
    List::new((0..count).map(|_| match bytes {
        [tag::SMALL_INTEGER, value, rest @ ..] => {
            bytes = rest;
            Term::Integer(i64::from(*value))
        }
        [tag::INTEGER, a, b, c, d, rest @ ..] => {
            bytes = rest;
            Term::Integer(i64::from(i32::from_be_bytes([*a, *b, *c, *d])))
        }
        _ => unreachable!("the tags were checked"),
    }))
}

/// The next `count` small integers, and how many bytes they take with the `[]` behind them.
fn packed(bytes: &[u8], count: usize) -> Option<(Vec<i32>, usize)> {
    let mut left = bytes;
    if !matches!(left.first(), Some(&(tag::SMALL_INTEGER | tag::INTEGER))) {
        return None;
    }
    let mut integers = Vec::with_capacity(count.min(PACKED_ROOM));
    while integers.len() < count {
        if integers.len() == integers.capacity() {
            // By now the bytes that came hold thousands of them.
            integers.reserve_exact((count - integers.len()).min(left.len() / 2).max(1));
        }
        let room = integers.capacity() - integers.len();
        for _ in 0..room.min(count - integers.len()) {
            let value = match left {
                [tag::SMALL_INTEGER, value, rest @ ..] => {
                    left = rest;
                    i32::from(*value)
                }
                [tag::INTEGER, a, b, c, d, rest @ ..] => {
                    left = rest;
                    i32::from_be_bytes([*a, *b, *c, *d])
                }
                _ => return None,
            };
            integers.push(value);
        }
    }
    let [tag::NIL, rest @ ..] = left else { return None };
    Some((integers, bytes.len() - rest.len()))
}

fn closure(header: &FunHeader, mut values: impl Iterator<Item = Term>) -> Option<Closure> {
    let Term::Atom(module) = values.next()? else { return None };
    let old_index = i32::try_from(values.next()?.as_integer()?).ok()?;
    let old_uniq = i32::try_from(values.next()?.as_integer()?).ok()?;
    let Term::Pid(pid) = values.next()? else { return None };
    let FunHeader { arity, uniq, index, .. } = *header;
    let free = values.collect();
    Some(Closure::new(ClosureParts { arity, uniq, index, module, old_index, old_uniq, pid, free }))
}
