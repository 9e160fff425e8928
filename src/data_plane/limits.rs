//! Bounds of what the data plane reads. Sources come from callers that may be hostile.

/// Longest source text: larger playbooks do not exist, larger attacks do.
pub const SOURCE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Deepest nesting of a YAML document. Later passes recurse over it, so it also bounds their stack.
pub const YAML_DEPTH_MAX: usize = 64;
/// Most nodes of all documents together, with aliases expanded ("billion laughs").
pub const YAML_NODES_MAX: usize = 2_000_000;
/// Most operations one source may make.
pub const OPERATIONS_MAX: usize = 100_000;
/// Most keys of one task, role entry or state: maps of parameters are searched one by one.
pub const KEYS_PER_OPERATION_MAX: usize = 1_000;
/// Most edges of one graph: many tasks that notify many handlers multiply.
pub const DEPENDENCIES_MAX: usize = 1_000_000;
/// Most operations that are passed over in search of one that a state can require.
pub const REQUISITE_STEPS_MAX: usize = 64;
/// Deepest nesting of Ansible blocks and inlined files.
pub const BLOCK_DEPTH_MAX: usize = 32;
/// Most items of a literal loop that are written out one by one; more become a Jinja loop.
pub const LOOP_ITEMS_EXPANDED_MAX: usize = 64;
/// Most conditional predecessors that a state names; beyond it the order of the file must do.
pub const GUARDED_REQUISITES_MAX: usize = 8;
/// Longest Jinja expression that is translated; longer ones are kept as they stand.
pub const EXPRESSION_BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(EXPRESSION_BYTES_MAX < SOURCE_BYTES_MAX);
const _: () = assert!(BLOCK_DEPTH_MAX <= YAML_DEPTH_MAX);
const _: () = assert!(OPERATIONS_MAX < YAML_NODES_MAX);
