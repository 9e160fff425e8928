//! The encoding loop. Nesting is followed by a stack of slices that are still to be written.

use std::slice;

use bytes::Bytes;

use super::{AtomEncoding, AtomRefs, EncodeError, EncodeOptions, PortEncoding, Sink};
use crate::atom::Atom;
use crate::binary::Binary;
use crate::fun::{Closure, Fun};
use crate::identifier::Reference;
use crate::list::{List, Parts};
use crate::map::Map;
use crate::stack::Stack;
use crate::tag;
use crate::term::Term;

/// Ports below this fit the older, shorter form, which OTP 25 prefers.
const NEW_PORT_ID_END: u32 = 1 << 28;

/// Terms that must follow an integer for it to be tried as the first of a run.
const INTEGER_RUN_MIN: usize = 8;

/// Tag, length, sign and 64 bits.
const INTEGER_BYTES_MAX: usize = 11;

/// Tag and 32 bits.
const SHORT_INTEGER_BYTES_MAX: usize = 5;

/// Bytes of a run that are put together before they go to the sink.
const RUN_BYTES: usize = 512;

struct Writer<'s, S, A> {
    sink: &'s mut S,
    atoms: &'s mut A,
    options: EncodeOptions,
}

/// Terms that wait while one before them is written.
enum Rest<'a> {
    Slice(slice::Iter<'a, Term>),
    /// Keys and values in the order of their keys.
    Sorted(std::vec::IntoIter<&'a Term>),
    /// The size of a fun whose free variables are written: where it stands in the sink.
    FunSize(usize),
}

/// A sink, or the bytes of funs that wait for their sizes.
trait Output: Sink {
    /// The bytes so far, where what was written can still be changed.
    fn written(&mut self) -> Option<&mut Vec<u8>>;
}

/// Writes through to a sink.
struct Through<'s, S>(&'s mut S);

impl<S: Sink> Sink for Through<'_, S> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0.put(bytes);
    }

    #[inline]
    fn put_shared(&mut self, bytes: Bytes) {
        self.0.put_shared(bytes);
    }

    #[inline]
    fn shared_bytes_min(&self) -> usize {
        self.0.shared_bytes_min()
    }
}

impl<S: Sink> Output for Through<'_, S> {
    fn written(&mut self) -> Option<&mut Vec<u8>> {
        None
    }
}

impl Output for Vec<u8> {
    fn written(&mut self) -> Option<&mut Vec<u8>> {
        Some(self)
    }
}

pub(super) fn write<S: Sink, A: AtomRefs>(
    term: &Term,
    options: EncodeOptions,
    sink: &mut S,
    atoms: &mut A,
) -> Result<(), EncodeError> {
    write_to(term, options, &mut Through(sink), atoms)
}

fn write_to<S: Output, A: AtomRefs>(
    term: &Term,
    options: EncodeOptions,
    sink: &mut S,
    atoms: &mut A,
) -> Result<(), EncodeError> {
    let mut writer = Writer { sink, atoms, options };
    let mut later = Stack::new();
    let mut now = slice::from_ref(term).iter();
    loop {
        let Some(term) = now.next() else {
            match later.pop() {
                Some(Rest::Slice(rest)) => now = rest,
                Some(Rest::Sorted(mut sorted)) => {
                    if let Some(next) = sorted.next() {
                        now = slice::from_ref(next).iter();
                        later.push(Rest::Sorted(sorted));
                    }
                }
                Some(Rest::FunSize(at)) => writer.fun_size(at)?,
                None => return Ok(()),
            }
            continue;
        };
        match term {
            Term::Tuple(elements) => {
                writer.tuple_header(elements.len())?;
                later.push_slice(std::mem::replace(&mut now, elements.iter()));
            }
            Term::Map(map) => {
                writer.counted(tag::MAP, map.len(), "pairs of a map")?;
                if options.deterministic {
                    later.push_slice(std::mem::take(&mut now));
                    later.push(Rest::Sorted(sorted(map)));
                } else {
                    later.push_slice(std::mem::replace(&mut now, map.flat().iter()));
                }
            }
            Term::List(list) => match list.parts() {
                Parts::Bytes(bytes) => writer.byte_list(bytes, list)?,
                Parts::Integers(integers) => writer.integer_list(integers)?,
                Parts::Terms(elements, Term::Nil) if is_byte_string(elements) => {
                    writer.string(elements);
                }
                Parts::Terms(elements, tail) => {
                    writer.counted(tag::LIST, elements.len(), "elements of a list")?;
                    later.push_slice(now);
                    later.push_slice(slice::from_ref(tail).iter());
                    now = elements.iter();
                }
            },
            Term::Integer(first) if now.len() >= INTEGER_RUN_MIN => {
                writer.integers(*first, &mut now);
            }
            Term::Fun(Fun::Closure(closure)) => match writer.fun_header(closure)? {
                Some(size_at) => {
                    later.push_slice(std::mem::replace(&mut now, closure.free.iter()));
                    later.push(Rest::FunSize(size_at));
                }
                None => writer.fun(term)?,
            },
            leaf => writer.leaf(leaf)?,
        }
    }
}

impl<'a> Stack<Rest<'a>> {
    #[inline]
    fn push_slice(&mut self, rest: slice::Iter<'a, Term>) {
        if rest.len() > 0 {
            self.push(Rest::Slice(rest));
        }
    }
}

fn sorted(map: &Map) -> std::vec::IntoIter<&Term> {
    let pairs = map.sorted().into_iter();
    pairs.flat_map(|(key, value)| [key, value]).collect::<Vec<_>>().into_iter()
}

/// Whether a BEAM would write the proper list as a string: only bytes, at most 65,535.
fn is_byte_string(elements: &[Term]) -> bool {
    elements.len() <= usize::from(u16::MAX)
        && elements.iter().all(|element| matches!(element, Term::Integer(0..=255)))
}

/// The bytes of an integer and how many of them count.
#[inline]
fn integer_bytes(value: i64) -> ([u8; INTEGER_BYTES_MAX], usize) {
    let mut bytes = [0; INTEGER_BYTES_MAX];
    if let Ok(small) = u8::try_from(value) {
        bytes[..2].copy_from_slice(&[tag::SMALL_INTEGER, small]);
        (bytes, 2)
    } else if let Ok(middle) = i32::try_from(value) {
        bytes[0] = tag::INTEGER;
        bytes[1..5].copy_from_slice(&middle.to_be_bytes());
        (bytes, 5)
    } else {
        let magnitude = value.unsigned_abs();
        let len = (8 - magnitude.leading_zeros() / 8) as usize;
        bytes[..3].copy_from_slice(&[tag::SMALL_BIG, len as u8, u8::from(value < 0)]);
        bytes[3..].copy_from_slice(&magnitude.to_le_bytes());
        (bytes, 3 + len)
    }
}

fn length(what: &'static str, len: usize) -> Result<u32, EncodeError> {
    u32::try_from(len).map_err(|_| EncodeError::TooLong { what, len })
}

impl<S: Output, A: AtomRefs> Writer<'_, S, A> {
    #[inline]
    fn tag_u32(&mut self, tag: u8, value: u32) {
        let [a, b, c, d] = value.to_be_bytes();
        self.sink.put(&[tag, a, b, c, d]);
    }

    fn counted(&mut self, tag: u8, len: usize, what: &'static str) -> Result<(), EncodeError> {
        self.tag_u32(tag, length(what, len)?);
        Ok(())
    }

    fn tuple_header(&mut self, arity: usize) -> Result<(), EncodeError> {
        if let Ok(small) = u8::try_from(arity) {
            self.sink.put(&[tag::SMALL_TUPLE, small]);
            return Ok(());
        }
        self.counted(tag::LARGE_TUPLE, arity, "elements of a tuple")
    }

    #[inline]
    fn leaf(&mut self, term: &Term) -> Result<(), EncodeError> {
        match term {
            Term::Integer(value) => self.integer(*value),
            Term::Atom(atom) => self.atom(atom),
            Term::Binary(bytes) => return self.binary(bytes),
            Term::Nil => self.sink.put(&[tag::NIL]),
            Term::Float(value) => return self.float(*value),
            other => return self.rare(other),
        }
        Ok(())
    }

    #[inline]
    fn integer(&mut self, value: i64) {
        let (bytes, len) = integer_bytes(value);
        self.sink.put(&bytes[..len]);
    }

    /// An integer and those right after it.
    fn integers(&mut self, first: i64, now: &mut slice::Iter<'_, Term>) {
        let mut run = [0; RUN_BYTES];
        let (mut value, mut end) = (first, 0);
        loop {
            let (bytes, len) = integer_bytes(value);
            run[end..end + INTEGER_BYTES_MAX].copy_from_slice(&bytes);
            end += len;
            if end > RUN_BYTES - INTEGER_BYTES_MAX {
                self.sink.put(&run[..end]);
                end = 0;
            }
            match now.as_slice().first() {
                Some(Term::Integer(next)) => value = *next,
                _ => break,
            }
            now.next();
        }
        self.sink.put(&run[..end]);
    }

    /// A proper list that is kept as numbers.
    fn integer_list(&mut self, integers: &[i32]) -> Result<(), EncodeError> {
        const CHUNK: usize = RUN_BYTES / SHORT_INTEGER_BYTES_MAX;
        let mut run = [0; RUN_BYTES];
        let len = integers.len();
        if len <= usize::from(u16::MAX) && integers.iter().all(|value| (0..=255).contains(value)) {
            let [high, low] = (len as u16).to_be_bytes();
            self.sink.put(&[tag::STRING, high, low]);
            for chunk in integers.chunks(RUN_BYTES) {
                run.iter_mut().zip(chunk).for_each(|(byte, value)| *byte = *value as u8);
                self.sink.put(&run[..chunk.len()]);
            }
            return Ok(());
        }
        self.counted(tag::LIST, len, "elements of a list")?;
        for chunk in integers.chunks(CHUNK) {
            let mut end = 0;
            for value in chunk {
                let [a, b, c, d] = value.to_be_bytes();
                // The shorter form leaves its last three bytes to the next integer.
                let small = a | b | c == 0;
                let bytes = if small {
                    [tag::SMALL_INTEGER, d, 0, 0, 0]
                } else {
                    [tag::INTEGER, a, b, c, d]
                };
                run[end..end + SHORT_INTEGER_BYTES_MAX].copy_from_slice(&bytes);
                end += if small { 2 } else { SHORT_INTEGER_BYTES_MAX };
            }
            self.sink.put(&run[..end]);
        }
        self.sink.put(&[tag::NIL]);
        Ok(())
    }

    /// A list of bytes that is not kept as such.
    fn string(&mut self, elements: &[Term]) {
        let [high, low] = (elements.len() as u16).to_be_bytes();
        self.sink.put(&[tag::STRING, high, low]);
        let mut run = [0; RUN_BYTES];
        for chunk in elements.chunks(RUN_BYTES) {
            for (byte, element) in run.iter_mut().zip(chunk) {
                *byte = element.as_integer().unwrap_or_default() as u8;
            }
            self.sink.put(&run[..chunk.len()]);
        }
    }

    fn float(&mut self, value: f64) -> Result<(), EncodeError> {
        if !value.is_finite() {
            return Err(EncodeError::Float);
        }
        let mut bytes = [tag::NEW_FLOAT; 9];
        bytes[1..].copy_from_slice(&value.to_be_bytes());
        self.sink.put(&bytes);
        Ok(())
    }

    #[inline]
    fn atom(&mut self, atom: &Atom) {
        if let Some(index) = self.atoms.reference(atom) {
            return self.sink.put(&[tag::ATOM_CACHE_REF, index]);
        }
        let text = atom.as_str();
        if self.options.atoms == AtomEncoding::Latin1WhereItFits && atom.is_latin1() {
            let latin1: Vec<u8> =
                text.chars().map(|character| u32::from(character) as u8).collect();
            let [high, low] = (latin1.len() as u16).to_be_bytes();
            self.sink.put(&[tag::ATOM, high, low]);
            return self.sink.put(&latin1);
        }
        match u8::try_from(text.len()) {
            Ok(small) => self.sink.put(&[tag::SMALL_ATOM_UTF8, small]),
            Err(_) => {
                let [high, low] = (text.len() as u16).to_be_bytes();
                self.sink.put(&[tag::ATOM_UTF8, high, low]);
            }
        }
        self.sink.put(text.as_bytes());
    }

    #[inline]
    fn binary(&mut self, bytes: &Binary) -> Result<(), EncodeError> {
        self.tag_u32(tag::BINARY, length("bytes of a binary", bytes.len())?);
        self.shared(bytes);
        Ok(())
    }

    #[inline]
    fn shared(&mut self, bytes: &Binary) {
        if bytes.len() >= self.sink.shared_bytes_min() && !bytes.is_inline() {
            self.sink.put_shared(bytes.as_bytes());
        } else {
            self.sink.put(bytes);
        }
    }

    fn byte_list(&mut self, bytes: &Binary, list: &List) -> Result<(), EncodeError> {
        if let Ok(len) = u16::try_from(bytes.len()) {
            let [high, low] = len.to_be_bytes();
            self.sink.put(&[tag::STRING, high, low]);
            self.shared(bytes);
            return Ok(());
        }
        self.counted(tag::LIST, list.len(), "elements of a list")?;
        for byte in &**bytes {
            self.sink.put(&[tag::SMALL_INTEGER, *byte]);
        }
        self.sink.put(&[tag::NIL]);
        Ok(())
    }

    fn rare(&mut self, term: &Term) -> Result<(), EncodeError> {
        match term {
            Term::BigInteger(big) => {
                let bytes = big.wire_bytes();
                match u8::try_from(bytes.len() - 1) {
                    Ok(small) => self.sink.put(&[tag::SMALL_BIG, small]),
                    Err(_) => {
                        self.counted(tag::LARGE_BIG, bytes.len() - 1, "bytes of an integer")?
                    }
                }
                self.sink.put(bytes);
            }
            Term::BitString(bits) => {
                self.counted(tag::BIT_BINARY, bits.bytes().len(), "bytes of a bit string")?;
                self.sink.put(&[bits.last_bits()]);
                self.shared(bits.bytes());
            }
            Term::Pid(pid) => {
                self.sink.put(&[tag::NEW_PID]);
                self.atom(pid.node());
                self.words(&[pid.id(), pid.serial(), pid.creation()]);
            }
            Term::Port(port) => match u32::try_from(port.id()) {
                Ok(id)
                    if id < NEW_PORT_ID_END
                        && self.options.ports == PortEncoding::NarrowWhereItFits =>
                {
                    self.sink.put(&[tag::NEW_PORT]);
                    self.atom(port.node());
                    self.words(&[id, port.creation()]);
                }
                _ => {
                    self.sink.put(&[tag::V4_PORT]);
                    self.atom(port.node());
                    self.sink.put(&port.id().to_be_bytes());
                    self.words(&[port.creation()]);
                }
            },
            Term::Reference(reference) => self.reference(reference),
            Term::Fun(Fun::Export(export)) => {
                self.sink.put(&[tag::EXPORT]);
                self.atom(export.module());
                self.atom(export.function());
                self.integer(i64::from(export.arity()));
            }
            Term::Local(_) => return Err(EncodeError::LocalInside),
            Term::Integer(_) | Term::Atom(_) | Term::Binary(_) | Term::Nil | Term::Float(_) => {
                return self.leaf(term);
            }
            Term::Tuple(_) | Term::Map(_) | Term::List(_) | Term::Fun(Fun::Closure(_)) => {
                return write_to(term, self.options, self.sink, self.atoms);
            }
        }
        Ok(())
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.sink.put(&word.to_be_bytes());
        }
    }

    fn reference(&mut self, reference: &Reference) {
        let [high, low] = (reference.words().len() as u16).to_be_bytes();
        self.sink.put(&[tag::NEWER_REFERENCE, high, low]);
        self.atom(reference.node());
        self.words(&[reference.creation()]);
        self.words(reference.words());
    }

    /// A fun for a sink that takes no changes: its size, which comes first, counts what follows, so
    /// the whole is written apart, with the funs in its free variables.
    fn fun(&mut self, term: &Term) -> Result<(), EncodeError> {
        let mut bytes = Vec::new();
        write_to(term, self.options, &mut bytes, self.atoms)?;
        self.sink.put(&bytes);
        Ok(())
    }

    /// What comes before the free variables, and where the size is to be put; `None`, and nothing is
    /// written, when it cannot be put there later.
    fn fun_header(&mut self, closure: &Closure) -> Result<Option<usize>, EncodeError> {
        let Some(written) = self.sink.written() else { return Ok(None) };
        let size_at = written.len() + 1;
        self.tag_u32(tag::NEW_FUN, 0);
        self.sink.put(&[closure.arity]);
        self.sink.put(&closure.uniq);
        self.words(&[closure.index, length("free variables", closure.free.len())?]);
        self.atom(&closure.module);
        self.integer(i64::from(closure.old_index));
        self.integer(i64::from(closure.old_uniq));
        self.rare(&Term::Pid(closure.pid.clone()))?;
        Ok(Some(size_at))
    }

    /// Puts the size, which counts itself, of the fun that ends here.
    fn fun_size(&mut self, at: usize) -> Result<(), EncodeError> {
        if let Some(written) = self.sink.written() {
            let size = length("bytes of a fun", written.len() - at)?;
            written[at..at + 4].copy_from_slice(&size.to_be_bytes());
        }
        Ok(())
    }
}
