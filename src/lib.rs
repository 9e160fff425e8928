//! The HAR node.
