//! Reading a file that an operator named: a regular file of a sane size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Longest configuration-like file. A real one has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The text of a file.
///
/// # Errors
/// It cannot be opened, is no regular file (a device or a pipe could be read for ever), is too
/// long, or is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    // Asked before it is opened: opening a pipe waits for its writer.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    // One byte more than allowed tells a file that is too long.
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("longer than {} KiB", FILE_BYTES_MAX >> 10)));
    }
    Ok(text)
}
