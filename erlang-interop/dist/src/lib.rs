//! The distribution protocol of one connection.
