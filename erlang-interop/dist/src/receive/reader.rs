//! Reads terms out of one frame, front to back.

use bytes::Bytes;
use erlang_term::{Atom, DecodeOptions, Pid, Term, decode_prefix};

use crate::control::unexpected;
use crate::error::ConnectionError;

const VERSION: u8 = 131;
const SMALL_TUPLE: u8 = 104;
const SMALL_INTEGER: u8 = 97;
const NEW_PID: u8 = 88;
const ATOM_CACHE_REF: u8 = 82;

/// A position in a frame, with the atoms of its header.
pub(crate) struct TermReader<'a> {
    frame: &'a Bytes,
    at: usize,
    atoms: &'a [Atom],
    options: DecodeOptions<'a>,
    part: &'static str,
}

impl<'a> TermReader<'a> {
    pub(crate) fn new(
        frame: &'a Bytes,
        at: usize,
        atoms: &'a [Atom],
        options: DecodeOptions<'a>,
    ) -> Self {
        Self { frame, at, atoms, options, part: "control message" }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Names what is read from here on, for errors.
    pub(crate) fn enter(&mut self, part: &'static str) {
        self.part = part;
    }

    fn misbehaved(&self, expected: &'static str) -> ConnectionError {
        let got = match self.frame.get(self.at) {
            Some(tag) => format!("tag {tag} at byte {}", self.at),
            None => "the end of the frame".into(),
        };
        ConnectionError::Misbehaved { expected, got }
    }

    /// The 131 in front of each term of a pass-through frame.
    pub(crate) fn version(&mut self) -> Result<(), ConnectionError> {
        if self.frame.get(self.at) != Some(&VERSION) {
            return Err(self.misbehaved("version 131 in front of a term"));
        }
        self.at += 1;
        Ok(())
    }

    /// Arity of the tuple that begins here; its elements are next.
    pub(crate) fn tuple_head(&mut self) -> Result<u8, ConnectionError> {
        match self.frame.get(self.at..self.at + 2) {
            Some(&[SMALL_TUPLE, arity]) if arity > 0 => {
                self.at += 2;
                Ok(arity)
            }
            _ => Err(self.misbehaved("a small tuple")),
        }
    }

    pub(crate) fn small_integer(&mut self) -> Result<u8, ConnectionError> {
        match self.frame.get(self.at..self.at + 2) {
            Some(&[SMALL_INTEGER, value]) => {
                self.at += 2;
                Ok(value)
            }
            _ => Err(self.misbehaved("a small integer")),
        }
    }

    pub(crate) fn pid(&mut self) -> Result<Pid, ConnectionError> {
        // Nearly every pid has its node as a reference to the header: no need for a term.
        if let Some(&[NEW_PID, ATOM_CACHE_REF, index, ref numbers @ ..]) =
            self.frame.get(self.at..self.at + 15)
            && let Some(node) = self.atoms.get(usize::from(index))
        {
            self.at += 15;
            let word = |at: usize| {
                u32::from_be_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]])
            };
            return Ok(Pid::new(node.clone(), word(0), word(4), word(8)));
        }
        match self.term()? {
            Term::Pid(pid) => Ok(pid),
            other => Err(unexpected("a pid", &other)),
        }
    }

    pub(crate) fn atom(&mut self) -> Result<Atom, ConnectionError> {
        if let Some(&[ATOM_CACHE_REF, index]) = self.frame.get(self.at..self.at + 2)
            && let Some(atom) = self.atoms.get(usize::from(index))
        {
            self.at += 2;
            return Ok(atom.clone());
        }
        match self.term()? {
            Term::Atom(atom) => Ok(atom),
            other => Err(unexpected("an atom", &other)),
        }
    }

    pub(crate) fn term(&mut self) -> Result<Term, ConnectionError> {
        let (term, next) = decode_prefix(self.frame, self.at, &self.options)
            .map_err(|source| ConnectionError::Term { part: self.part, source })?;
        self.at = next;
        Ok(term)
    }

    /// Nothing may follow the last term.
    pub(crate) fn end(&self) -> Result<(), ConnectionError> {
        if self.at == self.frame.len() {
            return Ok(());
        }
        Err(ConnectionError::Misbehaved {
            expected: "the end of the frame behind its last term",
            got: format!("{} bytes more", self.frame.len() - self.at),
        })
    }
}
