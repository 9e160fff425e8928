//! serde for terms, with Elixir's conventions.
//!
//! | Rust | term |
//! | --- | --- |
//! | `bool`, `()`, `None` | `true`/`false`, `nil`, `nil` |
//! | `&str`, `String`, `char` | UTF-8 binary |
//! | bytes (`serde_bytes`) | binary |
//! | `Vec`, slices | list |
//! | tuples | tuple |
//! | maps | map; the keys are what their type gives |
//! | `struct Op { id: u32 }` | `%{id: 1}`: atom keys |
//! | the same with `#[serde(rename = "Elixir.HAR.Op")]` | `%HAR.Op{id: 1}`: also `__struct__` |
//! | `enum` variant `Done` (snake case by `rename_all`) | the atom; with content `{atom, ...}` |
//! | a [`Term`] in any place | itself |
//!
//! Reading is generous: a keyword list will do for a map or struct, keys may be atoms or binaries, a text
//! may be an atom or a charlist, integers may stand for floats.

mod error;
mod read;
mod term;
mod write;

use serde::{Deserialize, Serialize};

use crate::term::Term;

pub use error::SerdeError;
pub(crate) use write::TermSerializer;

/// The term of a value.
///
/// # Errors
/// When the value's own `Serialize` fails, or a struct or variant has a name too long for an atom.
///
/// ```
/// #[derive(serde::Serialize)]
/// #[serde(rename = "Elixir.HAR.Operation")]
/// struct Operation { id: u32, name: Option<String> }
///
/// let term = erlang_term::to_term(&Operation { id: 7, name: None })?;
/// assert_eq!(term.to_elixir().to_string(), "%HAR.Operation{id: 7, name: nil}");
/// # Ok::<(), erlang_term::SerdeError>(())
/// ```
pub fn to_term<T: Serialize + ?Sized>(value: &T) -> Result<Term, SerdeError> {
    value.serialize(TermSerializer)
}

/// The value of a term.
///
/// # Errors
/// When the term has another shape than the type wants.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Options { port: u16, host: String }
///
/// let term = erlang_term::parse_elixir(r#"[host: "localhost", port: 9100]"#).unwrap();
/// let options: Options = erlang_term::from_term(&term)?;
/// assert_eq!((options.port, &*options.host), (9100, "localhost"));
/// # Ok::<(), erlang_term::SerdeError>(())
/// ```
pub fn from_term<'de, T: Deserialize<'de>>(term: &'de Term) -> Result<T, SerdeError> {
    T::deserialize(read::TermDeserializer::new(term))
}
