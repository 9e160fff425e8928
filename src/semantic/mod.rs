//! The semantic model: what every format is parsed into and written from.
//!
//! A [`Graph`] holds [`Operation`]s (what shall be true of a machine) and [`Dependency`]s
//! (what must come first). No I/O happens here; [`terms`] is the border to Erlang terms.

mod date_time;
mod dependency;
mod graph;
mod operation;
pub mod terms;
mod value;
pub mod vocabulary;

pub use date_time::DateTime;
pub use dependency::{Dependency, DependencyType};
pub use graph::{Graph, GraphError};
pub use operation::{InvalidOperation, Operation, Origin, OriginKey, uuid4};
pub use value::{Key, Map, Value};
pub use vocabulary::{Kind, OperationType};
