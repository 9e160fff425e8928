//! `har version`

use super::{Failure, print};

pub(super) fn run() -> Result<(), Failure> {
    print(concat!("har ", env!("CARGO_PKG_VERSION"), "\n"))
}
