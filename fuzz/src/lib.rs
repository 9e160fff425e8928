//! What the fuzz targets do with their bytes: one module each, so that the normal suite can replay the
//! seeds and any finding (`erlang-interop/dist/tests/it/seeds.rs`).

pub mod control;
pub mod frames;
pub mod handshake;
pub mod operations;
pub mod terms;
pub mod text;
