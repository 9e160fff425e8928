//! YAML for the formats: a reader that keeps lines, the YAML 1.1 scalars that Ansible and Salt
//! know, and a writer.

mod node;
mod read;
mod scalar;
mod write;

pub use node::{Node, NodeKind, Style};
pub use read::{YamlError, read};
pub use scalar::{is_plain_safe, resolve_yaml_1_1};
pub use write::{Text, double_quoted, scalar_text, write_entries, write_items};
