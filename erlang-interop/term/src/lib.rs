//! Erlang terms: values, external term format, order, hashes, text form, serde.
//!
//! The lowest layer: it knows neither sockets nor clocks. A [`Term`] is 24 bytes, clones by sharing, and
//! keeps the binaries of a received message as windows into it. Terms come from peers that are not
//! trusted, so decoding and parsing are bounded by [`limits`].
//!
//! ```
//! use erlang_term::{decode, encode, term};
//!
//! let request = term!({@"$gen_call", #{id => 7, name => "web-1"}});
//! let bytes = bytes::Bytes::from(encode(&request));
//! assert_eq!(decode(&bytes)?, request);
//! # Ok::<(), erlang_term::DecodeError>(())
//! ```

mod access;
mod atom;
mod big_integer;
mod binary;
mod convert;
mod decode;
mod deep;
#[cfg(feature = "eetf")]
mod eetf;
mod encode;
mod equality;
mod fun;
mod hash;
mod identifier;
pub mod limits;
mod list;
mod macros;
mod map;
mod order;
mod phash;
mod phash2;
mod release;
#[cfg(feature = "serde")]
mod serde;
mod stack;
mod tag;
mod term;
mod text;
mod tuple;
pub mod view;

#[cfg(feature = "eetf")]
pub use self::eetf::EetfError;
#[cfg(feature = "serde")]
pub use self::serde::{SerdeError, from_term, to_term};
pub use atom::{Atom, AtomTooLong};
pub use big_integer::BigInteger;
pub use binary::{Binary, BitString};
pub use decode::{
    DecodeError, DecodeErrorKind, DecodeLimits, DecodeOptions, decode, decode_prefix, decode_with,
};
pub use encode::{
    AtomEncoding, AtomRefs, EncodeError, EncodeOptions, NoAtomRefs, PortEncoding, Sink, encode,
    encode_to, encode_with,
};
pub use fun::{Closure, ClosureParts, ExportFun, Fun};
pub use identifier::{Pid, Port, Reference};
pub use list::{List, ListIter};
pub use map::Map;
pub use term::{LocalTerm, Term};
pub use text::{Elixir, ParseError, parse_elixir, parse_erlang};
pub use tuple::Tuple;
