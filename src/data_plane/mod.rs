//! The data plane: from one tool's text to the semantic graph, and from the graph to another's.
//!
//! ```text
//! text ─Format::parse→ Graph + report ─(control plane)→ Graph ─Format::transform→ text + report
//! ```
//! Pure functions: no I/O, no clock but for the `parsed_at` mark.

pub mod format;
pub mod formats;
pub mod jinja;
pub mod limits;
pub mod report;
pub mod yaml;

pub use format::{
    Format, Options, ParseError, Parsed, TransformError, Transformed, find, transform,
};
pub use report::{Report, Status};
