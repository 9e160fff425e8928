//! One folder for each format: its parser and its transformer. The table is in [`super::format`].

pub mod ansible;
pub mod salt;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod vectors;
