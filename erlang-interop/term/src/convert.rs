//! `From` for what Rust code has at hand.

use bytes::Bytes;

use crate::atom::Atom;
use crate::binary::{Binary, BitString};
use crate::fun::Fun;
use crate::identifier::{Pid, Port, Reference};
use crate::list::List;
use crate::map::Map;
use crate::term::Term;
use crate::tuple::Tuple;

macro_rules! from_integers {
    ($($integer:ty),+) => {
        $(impl From<$integer> for Term {
            fn from(value: $integer) -> Self {
                Self::Integer(i64::from(value))
            }
        })+
    };
}

from_integers!(i8, i16, i32, i64, u8, u16, u32);

macro_rules! from_variants {
    ($($inner:ident => $variant:ident),+ $(,)?) => {
        $(impl From<$inner> for Term {
            fn from(value: $inner) -> Self {
                Self::$variant(value)
            }
        })+
    };
}

from_variants!(
    f64 => Float,
    Atom => Atom,
    Pid => Pid,
    Port => Port,
    Reference => Reference,
    Fun => Fun,
    Tuple => Tuple,
    Map => Map,
    List => List,
    Binary => Binary,
    BitString => BitString,
);

macro_rules! from_references {
    ($($inner:ident),+) => {
        $(impl From<&$inner> for Term {
            fn from(value: &$inner) -> Self {
                Self::from(value.clone())
            }
        })+
    };
}

from_references!(Term, Atom, Pid, Port, Reference, Fun, Tuple, Map, List, Binary);

impl From<bool> for Term {
    fn from(value: bool) -> Self {
        Self::Atom(if value { crate::atom!("true") } else { crate::atom!("false") })
    }
}

/// The UTF-8 binary.
impl From<&str> for Term {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

/// The UTF-8 binary.
impl From<String> for Term {
    fn from(text: String) -> Self {
        Self::Binary(Binary::from(text.into_bytes()))
    }
}

/// The UTF-8 binary.
impl From<&String> for Term {
    fn from(text: &String) -> Self {
        Self::string(text)
    }
}

/// A binary of the same bytes, not copied.
impl From<Bytes> for Term {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(Binary::from(bytes))
    }
}

/// The proper list.
impl<T: Into<Term>> From<Vec<T>> for Term {
    fn from(elements: Vec<T>) -> Self {
        Self::list(elements)
    }
}

/// The proper list.
impl<T: Into<Term>, const N: usize> From<[T; N]> for Term {
    fn from(elements: [T; N]) -> Self {
        Self::list(elements)
    }
}

/// `nil` for `None`, as in Elixir.
impl<T: Into<Term>> From<Option<T>> for Term {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(|| Self::Atom(crate::atom!("nil")), Into::into)
    }
}

macro_rules! from_tuples {
    ($(($($name:ident),+))+) => {
        $(impl<$($name: Into<Term>),+> From<($($name,)+)> for Term {
            #[allow(non_snake_case)]
            fn from(($($name,)+): ($($name,)+)) -> Self {
                Self::Tuple(Tuple::new([$($name.into()),+]))
            }
        })+
    };
}

from_tuples! {
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}
