//! Reading the source that `convert` and `parse` work on: a file with the roles beside it, or
//! standard input.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;

use crate::data_plane::format::{FORMATS, Format, Options, find};
use crate::data_plane::limits::SOURCE_BYTES_MAX;

use super::{Exit, Failure};

/// Files taken from the roles of a playbook at most, and how deep their folders may nest.
const ROLE_FILES_MAX: usize = 4096;
const ROLE_DEPTH_MAX: usize = 12;
/// Bytes of all files of roles together at most.
const ROLE_BYTES_MAX: u64 = 64 << 20;

/// The names of all formats, for the flags that take one.
pub(super) fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(FORMATS.iter().map(|format| format.name()))
}

/// The format of a name that clap has checked.
pub(super) fn format(name: &str) -> Result<&'static dyn Format, Failure> {
    find(name)
        .ok_or_else(|| Failure::new(Exit::Usage, format!("unknown format `{name}`; see --help")))
}

/// A source and what belongs to it.
pub(super) struct Source {
    /// As messages name it.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) options: Options,
}

/// Reads `path`, or standard input when it is `-`.
pub(super) fn read(path: &Path) -> Result<Source, Failure> {
    let stdin = path == Path::new("-");
    let name = if stdin { "standard input".to_owned() } else { path.display().to_string() };
    let unreadable = |error: &io::Error| {
        Failure::new(
            Exit::NoInput,
            format!("cannot read {name}: {error}; give a file or - for standard input"),
        )
    };
    let text =
        if stdin { bounded(io::stdin().lock()) } else { fs::File::open(path).and_then(bounded) };
    let text = text.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => {
            Failure::new(Exit::DataErr, format!("{name} is not UTF-8 text: convert it first"))
        }
        _ => unreadable(&error),
    })?;
    let mut options = Options::default();
    if !stdin {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        options.files = role_files(folder.unwrap_or(Path::new(".")));
    }
    Ok(Source { name, text, options })
}

fn bounded(reader: impl Read) -> io::Result<String> {
    let mut text = String::new();
    reader.take(SOURCE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    if text.len() > SOURCE_BYTES_MAX {
        return Err(io::Error::other(format!("more than {} MiB", SOURCE_BYTES_MAX >> 20)));
    }
    Ok(text)
}

/// The files of `roles/` beside a playbook, by their path from the playbook's folder. What cannot
/// be read is left out: the parser says what it misses.
fn role_files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut bytes = 0;
    let mut pending = vec![(PathBuf::from("roles"), 0)];
    while let Some((relative, depth)) = pending.pop() {
        let Ok(entries) = fs::read_dir(folder.join(&relative)) else { continue };
        for entry in entries.flatten() {
            let path = relative.join(entry.file_name());
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() && depth < ROLE_DEPTH_MAX {
                pending.push((path, depth + 1));
            } else if metadata.is_file() && files.len() < ROLE_FILES_MAX {
                bytes += metadata.len();
                if bytes > ROLE_BYTES_MAX {
                    return files;
                }
                let key = path.to_str().map(str::to_owned);
                let text = fs::read_to_string(folder.join(&path)).ok();
                files.extend(key.zip(text));
            }
        }
    }
    files
}

/// A source that could not be read as what it was said to be.
pub(super) fn malformed(
    source: &str,
    format: &dyn Format,
    error: &dyn std::error::Error,
) -> Failure {
    let title = format.title();
    Failure::new(
        Exit::DataErr,
        format!("{source} cannot be read as {title}: {error}; correct it or check --from"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_beside_a_playbook_are_found() {
        let folder = tempfile::tempdir().expect("temp dir");
        let tasks = folder.path().join("roles/web/tasks");
        fs::create_dir_all(&tasks).expect("mkdir");
        fs::write(tasks.join("main.yml"), "- ping:\n").expect("write");
        fs::write(folder.path().join("site.yml"), "x").expect("write");
        let source = read(&folder.path().join("site.yml")).expect("readable");
        assert_eq!(source.text, "x");
        let keys: Vec<_> = source.options.files.into_iter().collect();
        assert_eq!(keys, [("roles/web/tasks/main.yml".to_owned(), "- ping:\n".to_owned())]);
    }
}
