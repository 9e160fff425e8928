//! Conversions with the crate `eetf`, for code that was written for it.

use ::eetf as other;

use crate::atom::{Atom, AtomTooLong};
use crate::binary::BitString;
use crate::fun::{Closure, ClosureParts, Fun};
use crate::identifier::{Pid, Port, Reference};
use crate::list::List;
use crate::term::Term;

/// A term of one crate that the other cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EetfError {
    /// An atom is too long.
    #[error(transparent)]
    Atom(#[from] AtomTooLong),
    /// A term has a form that the other crate does not know.
    #[error("{0} has no counterpart")]
    Form(&'static str),
}

fn atom(from: &other::Atom) -> Result<Atom, EetfError> {
    Ok(Atom::new(&from.name)?)
}

fn terms(from: &[other::Term]) -> Result<Vec<Term>, EetfError> {
    from.iter().map(Term::try_from).collect()
}

impl TryFrom<&other::Term> for Term {
    type Error = EetfError;

    fn try_from(from: &other::Term) -> Result<Self, EetfError> {
        Ok(match from {
            other::Term::Atom(value) => Self::Atom(atom(value)?),
            other::Term::FixInteger(value) => Self::from(value.value),
            other::Term::BigInteger(value) => big(&value.value.to_signed_bytes_le()),
            other::Term::Float(value) => Self::Float(value.value),
            other::Term::Pid(pid) => {
                Pid::new(atom(&pid.node)?, pid.id, pid.serial, pid.creation).into()
            }
            other::Term::Port(port) => Port::new(atom(&port.node)?, port.id, port.creation).into(),
            other::Term::Reference(reference) => {
                Reference::new(atom(&reference.node)?, reference.creation, &reference.id).into()
            }
            other::Term::ExternalFun(fun) => {
                Fun::export(atom(&fun.module)?, atom(&fun.function)?, fun.arity).into()
            }
            other::Term::InternalFun(fun) => closure(fun)?,
            other::Term::Binary(value) => Self::binary(&*value.bytes),
            other::Term::BitBinary(value) => bits(value)?,
            other::Term::ByteList(value) => {
                List::from_bytes(&*value.bytes).map_or(Self::Nil, Self::List)
            }
            other::Term::List(list) => Self::list(terms(&list.elements)?),
            other::Term::ImproperList(list) => {
                Self::improper_list(terms(&list.elements)?, Self::try_from(&*list.last)?)
            }
            other::Term::Tuple(tuple) => Self::tuple(terms(&tuple.elements)?),
            other::Term::Map(map) => {
                let pairs: Result<Vec<_>, EetfError> = map
                    .map
                    .iter()
                    .map(|(key, value)| Ok((Self::try_from(key)?, Self::try_from(value)?)))
                    .collect();
                Self::map(pairs?)
            }
        })
    }
}

fn big(bytes: &[u8]) -> Term {
    Term::from(num_bigint::BigInt::from_signed_bytes_le(bytes))
}

fn bits(value: &other::BitBinary) -> Result<Term, EetfError> {
    if value.tail_bits_size == 8 || value.bytes.is_empty() {
        return Ok(Term::binary(&*value.bytes));
    }
    BitString::new(&*value.bytes, value.tail_bits_size)
        .map(Term::from)
        .ok_or(EetfError::Form("a bit string of these sizes"))
}

fn closure(from: &other::InternalFun) -> Result<Term, EetfError> {
    let other::InternalFun::New { module, arity, uniq, index, pid, free_vars, old_index, old_uniq } =
        from
    else {
        return Err(EetfError::Form("a fun of before OTP 23"));
    };
    Ok(Fun::Closure(Closure::new(ClosureParts {
        arity: *arity,
        uniq: *uniq,
        index: *index,
        module: atom(module)?,
        old_index: *old_index,
        old_uniq: *old_uniq,
        pid: Pid::new(atom(&pid.node)?, pid.id, pid.serial, pid.creation),
        free: terms(free_vars)?,
    }))
    .into())
}

fn name(from: &Atom) -> other::Atom {
    other::Atom::from(from.as_str())
}

fn others(from: impl IntoIterator<Item = Term>) -> Result<Vec<other::Term>, EetfError> {
    from.into_iter().map(|term| other::Term::try_from(&term)).collect()
}

fn pid(from: &Pid) -> other::Pid {
    other::Pid {
        node: name(from.node()),
        id: from.id(),
        serial: from.serial(),
        creation: from.creation(),
    }
}

impl TryFrom<&Term> for other::Term {
    type Error = EetfError;

    fn try_from(from: &Term) -> Result<Self, EetfError> {
        Ok(match from {
            Term::Integer(value) => match i32::try_from(*value) {
                Ok(value) => other::FixInteger::from(value).into(),
                Err(_) => other::BigInteger::from(*value).into(),
            },
            // That crate has another release of the type of large integers; bytes pass between them.
            Term::BigInteger(_) => Self::decode(&*crate::encode::encode(from))
                .map_err(|_| EetfError::Form("this integer"))?,
            Term::Float(value) => other::Float { value: *value }.into(),
            Term::Atom(value) => name(value).into(),
            Term::Reference(value) => other::Reference {
                node: name(value.node()),
                id: value.words().to_vec(),
                creation: value.creation(),
            }
            .into(),
            Term::Fun(Fun::Export(fun)) => other::ExternalFun {
                module: name(fun.module()),
                function: name(fun.function()),
                arity: fun.arity(),
            }
            .into(),
            Term::Fun(Fun::Closure(fun)) => other::InternalFun::New {
                module: name(&fun.module),
                arity: fun.arity,
                uniq: fun.uniq,
                index: fun.index,
                pid: pid(&fun.pid),
                free_vars: others(fun.free.iter().cloned())?,
                old_index: fun.old_index,
                old_uniq: fun.old_uniq,
            }
            .into(),
            Term::Port(port) => {
                other::Port { node: name(port.node()), id: port.id(), creation: port.creation() }
                    .into()
            }
            Term::Pid(value) => pid(value).into(),
            Term::Tuple(tuple) => other::Tuple { elements: others(tuple.iter().cloned())? }.into(),
            Term::Map(map) => {
                let pairs: Result<_, EetfError> = map
                    .iter()
                    .map(|(key, value)| Ok((Self::try_from(key)?, Self::try_from(value)?)))
                    .collect();
                other::Map { map: pairs? }.into()
            }
            Term::Nil => other::List { elements: Vec::new() }.into(),
            Term::List(list) => match (list.as_byte_string(), list.is_proper()) {
                (Some(bytes), _) => other::ByteList { bytes: bytes.to_vec() }.into(),
                (None, true) => other::List { elements: others(list)? }.into(),
                (None, false) => other::ImproperList {
                    elements: others(list)?,
                    last: Box::new(Self::try_from(list.tail())?),
                }
                .into(),
            },
            Term::Binary(bytes) => other::Binary { bytes: bytes.to_vec() }.into(),
            Term::BitString(value) => other::BitBinary {
                bytes: value.bytes().to_vec(),
                tail_bits_size: value.last_bits(),
            }
            .into(),
            Term::Local(_) => return Err(EetfError::Form("a local term")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term;

    #[test]
    fn terms_pass_through_both_ways() {
        let node = || crate::atom!("a@h");
        let terms = [
            term!({ok, [1, -70_000, 2.5, "bin", nil], #{a => [1 | b]}, []}),
            Term::from(1u128 << 100),
            Term::from(-(1i64 << 40)),
            Term::charlist("abc"),
            Pid::new(node(), 1, 2, 3).into(),
            Port::new(node(), 1 << 40, 3).into(),
            Reference::new(node(), 3, &[1, 2, 3, 4, 5]).into(),
            Fun::export(crate::atom!("m"), crate::atom!("f"), 2).into(),
            BitString::new(&[1u8, 0x80][..], 1).expect("bits").into(),
        ];
        for term in terms {
            let converted = other::Term::try_from(&term).expect("has a counterpart");
            assert_eq!(Term::try_from(&converted), Ok(term));
        }
    }
}
