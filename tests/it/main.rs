//! System tests, one binary.
