//! Files, directories, links and what is inside of them.

use super::super::draft::Draft;
use crate::data_plane::report::Status;
use crate::semantic::{Kind, Map, Value};

const PATH: &[&str] = &["path", "destination", "dest", "name"];

pub(super) fn fill(kind: Kind, draft: &mut Draft<'_>) -> bool {
    match kind {
        Kind::FileWrite => managed(draft, false),
        Kind::FileCopy => copy(draft),
        Kind::FileTemplate => managed(draft, true),
        Kind::FileDelete | Kind::DirectoryDelete => {
            path(draft, "file.absent");
            draft.needless(&["state", "mode", "owner", "group", "recurse", "force"]);
        }
        Kind::FileTouch => touch(draft),
        Kind::FileMode => mode_only(draft),
        Kind::FileLine => line(draft),
        Kind::FileBlock => block(draft),
        Kind::FileReplace => replace(draft),
        Kind::FileDownload => download(draft),
        Kind::LinkCreate => link(draft),
        Kind::DirectoryCreate => directory(draft),
        Kind::ArchiveExtract => archive(draft),
        _ => return false,
    }
    true
}

fn path(draft: &mut Draft<'_>, function: &str) {
    function.clone_into(&mut draft.function);
    let path = draft.take(PATH);
    draft.arg("name", path);
}

fn ownership(draft: &mut Draft<'_>, mode: &str) {
    if let Some(value) = draft.take(&["mode"]) {
        match value.as_text() {
            Some("preserve") => draft.arg(mode, "keep"),
            Some(text) if text.contains('=') || text.contains('+') => match symbolic(text) {
                Some(octal) => draft.arg(mode, octal),
                None => draft.note(Status::Lost, "mode", format!("the symbolic mode `{text}` depends on the present one; Salt needs octal digits")),
            },
            _ => draft.arg(mode, value),
        }
    }
    draft.pass("user", &["owner", "user"]);
    draft.pass("group", &["group"]);
    selinux(draft);
    draft.pass("attrs", &["attributes", "attr"]);
    draft.needless(&["state", "unsafe_writes", "follow"]);
}

fn selinux(draft: &mut Draft<'_>) {
    let mut context = Map::new();
    for (salt, name) in
        [("seuser", "seuser"), ("serole", "serole"), ("setype", "setype"), ("serange", "selevel")]
    {
        if let Some(value) = draft.take(&[name]) {
            context.set(salt, value);
        }
    }
    if !context.is_empty() {
        draft.arg("selinux", context);
    }
}

/// `u=rwx,g=rx,o=` in octal; `None` unless all three are set outright.
fn symbolic(text: &str) -> Option<String> {
    let mut digits = [None; 3];
    for clause in text.split(',') {
        let (who, what) = clause.split_once('=')?;
        let mut bits = 0_u8;
        for letter in what.chars() {
            bits |= match letter {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                _ => return None,
            };
        }
        for letter in who.chars() {
            let at = "ugo".find(letter);
            match (letter, at) {
                ('a', _) => digits = [Some(bits); 3],
                (_, Some(at)) => digits[at] = Some(bits),
                _ => return None,
            }
        }
    }
    let [Some(user), Some(group), Some(other)] = digits else { return None };
    Some(format!("0{user}{group}{other}"))
}

/// A source on the master: a relative path is looked up in the file roots.
fn source(draft: &mut Draft<'_>, names: &[&str], entry: &str) {
    let Some(value) = draft.take(names) else { return };
    let Some(text) = value.as_text().map(str::to_owned) else {
        draft.arg("source", value);
        return;
    };
    let on_minion = draft.operation.params.get("remote_src").and_then(Value::as_flag) == Some(true);
    let absolute = text.starts_with('/') || text.contains("://") || text.starts_with("{{");
    if absolute || on_minion {
        if text.starts_with('/')
            && !on_minion
            && draft.operation.metadata.text("source") == Some("ansible")
        {
            draft.note(Status::Approximated, entry, "an absolute source is a path on Ansible's controller; Salt looks for it on the minion");
        }
        draft.arg("source", text);
    } else {
        draft.arg("source", format!("salt://{text}"));
        if draft.operation.metadata.text("source") == Some("ansible") {
            draft.note(
                Status::Approximated,
                entry,
                format!("put the file into the file roots, to be found as salt://{text}"),
            );
        }
    }
}

fn managed(draft: &mut Draft<'_>, template: bool) {
    path(draft, "file.managed");
    content(draft);
    source(draft, &["source", "src"], "source");
    if template {
        draft.arg("template", "jinja");
    } else {
        draft.pass("template", &["template"]);
    }
    ownership(draft, "mode");
    common(draft);
    draft.pass("show_changes", &["show_changes"]);
    draft.pass_flag("makedirs", &["makedirs"]);
    for (entry, detail) in [
        ("trim_blocks", "Salt renders templates without trim_blocks: check the blank lines"),
        ("lstrip_blocks", "Salt renders templates without lstrip_blocks: check the blanks"),
        ("variable_start_string", "Salt's templates use {{ }}"),
        ("variable_end_string", "Salt's templates use {{ }}"),
        ("newline_sequence", "Salt keeps the newlines of the template"),
    ] {
        draft.approximated(entry, detail);
    }
}

fn content(draft: &mut Draft<'_>) {
    match draft.take(&["content", "contents"]) {
        Some(text @ Value::String(_)) => draft.arg("contents", text),
        Some(Value::Map(map)) => {
            // Ansible writes structured content as JSON.
            let text = crate::data_plane::report::json(&Value::Map(map)).to_string();
            draft.arg("contents", text);
        }
        Some(other) => draft.arg("contents", other),
        None => {}
    }
}

fn common(draft: &mut Draft<'_>) {
    match draft.take(&["backup"]) {
        Some(value) if value.as_flag() == Some(true) => draft.arg("backup", "minion"),
        Some(value) if value.as_flag().is_none() => draft.arg("backup", value),
        _ => {}
    }
    if draft.take_flag(&["force"]) == Some(false) {
        draft.arg("replace", false);
    }
    if let Some(command) = draft.take_text(&["validate"]) {
        draft.arg("check_cmd", command.replace(" %s", "").replace("%s", ""));
        draft.note(
            Status::Approximated,
            "validate",
            "Salt appends the path of the new file to the command",
        );
    }
    draft.needless(&["remote_src", "decrypt"]);
    draft.pass("source_hash", &["checksum"]);
}

/// A copy of a file, or of a whole directory when the source or target says so.
fn copy(draft: &mut Draft<'_>) {
    let params = &draft.operation.params;
    let is_tree = params.text("source").is_some_and(|source| source.ends_with('/'));
    if !is_tree || params.present("content").is_some() {
        let directory =
            params.text("destination").filter(|to| to.ends_with('/')).map(str::to_owned);
        let file =
            params.text("source").and_then(|source| source.rsplit('/').next()).map(str::to_owned);
        managed(draft, false);
        if let (Some(directory), Some(file)) = (directory, file)
            && let Some((_, name)) = draft.args.iter_mut().find(|(name, _)| name == "name")
        {
            *name = format!("{directory}{file}").into();
        }
        directory_mode(draft);
        return;
    }
    path(draft, "file.recurse");
    let text = draft.take_text(&["source"]).unwrap_or_default();
    draft.arg("source", format!("salt://{}", text.trim_end_matches('/')));
    draft.note(
        Status::Approximated,
        "source",
        format!(
            "put the folder into the file roots, to be found as salt://{}",
            text.trim_end_matches('/')
        ),
    );
    ownership(draft, "file_mode");
    draft.pass("dir_mode", &["directory_mode"]);
    common(draft);
}

fn directory_mode(draft: &mut Draft<'_>) {
    draft.approximated("directory_mode", "only one file is written");
}

fn touch(draft: &mut Draft<'_>) {
    path(draft, "file.managed");
    draft.arg("replace", false);
    ownership(draft, "mode");
    draft.needless(&["access_time", "modification_time"]);
    draft.note(
        Status::Approximated,
        "state",
        "the file is created when missing; its times are not renewed at each run",
    );
}

fn mode_only(draft: &mut Draft<'_>) {
    path(draft, "file.managed");
    draft.arg("create", false);
    draft.arg("replace", false);
    ownership(draft, "mode");
    draft.needless(&["recurse"]);
}

fn directory(draft: &mut Draft<'_>) {
    path(draft, "file.directory");
    ownership(draft, "mode");
    match draft.take_flag(&["makedirs"]) {
        Some(flag) => draft.arg("makedirs", flag),
        // The contract: a directory's parents are made too, as Ansible does.
        None => draft.arg("makedirs", true),
    }
    if draft.take_flag(&["recurse"]) == Some(true) {
        let mut what = Vec::new();
        for name in ["user", "group", "mode"] {
            if draft.args.iter().any(|(arg, _)| arg == name) {
                what.push(Value::from(name));
            }
        }
        draft.arg("recurse", what);
    }
}

fn link(draft: &mut Draft<'_>) {
    let hard = draft.operation.params.text("state") == Some("hard");
    path(draft, if hard { "file.hardlink" } else { "file.symlink" });
    draft.pass("target", &["source", "src", "target"]);
    draft.pass_flag("force", &["force"]);
    if !hard {
        draft.pass("user", &["owner", "user"]);
        draft.pass("group", &["group"]);
    }
    if draft.take(&["mode"]).is_some() {
        draft.note(Status::Lost, "mode", "a link has no mode of its own in Salt");
    }
    draft.pass_flag("makedirs", &["makedirs"]);
    draft.needless(&["state", "follow"]);
}

fn line(draft: &mut Draft<'_>) {
    let absent = draft.operation.params.text("state") == Some("absent");
    let regexp = draft.take_text(&["regexp"]);
    let line = draft.take(&["line"]);
    let back_references = draft.take_flag(&["backrefs"]) == Some(true);
    draft.needless(&["state", "firstmatch"]);
    match (absent, regexp) {
        (true, pattern) => {
            path(draft, "file.replace");
            let pattern = pattern.unwrap_or_else(|| {
                format!("^{}$", escaped(&line.and_then(|line| line.to_text()).unwrap_or_default()))
            });
            draft.arg("pattern", format!("{pattern}.*\\n?").replace("$.*\\n?", "\\n?"));
            draft.arg("repl", "");
            draft.arg("ignore_if_missing", true);
        }
        (false, Some(pattern)) => {
            path(draft, "file.replace");
            // Ansible replaces the whole line that the pattern is found in, so the pattern must span it.
            draft.arg("pattern", whole_line(&pattern));
            draft.arg("repl", line);
            if !back_references {
                draft.arg("append_if_not_found", true);
            }
            draft.note(Status::Approximated, "regexp", "the pattern is widened to the whole line; all matching lines change, not only the last");
        }
        (false, None) => {
            path(draft, "file.append");
            draft.arg("text", line);
            draft.approximated("insertafter", "a new line goes to the end of the file");
            draft.approximated("insertbefore", "a new line goes to the end of the file");
        }
    }
    draft.approximated("insertafter", "a new line goes to the end of the file");
    draft.approximated("insertbefore", "a new line goes to the end of the file");
    missing_file(draft);
}

/// What the line and block states cannot say about the file itself.
fn missing_file(draft: &mut Draft<'_>) {
    for entry in ["mode", "owner", "group"] {
        if draft.take(&[entry]).is_some() {
            draft.note(Status::Lost, entry, "set it by a file.managed state with replace: False");
        }
    }
    if draft.take_flag(&["create"]) == Some(true) {
        draft.note(Status::Approximated, "create", "the file must exist before; add a file.managed state with replace: False when it may not");
    }
    if draft.take_flag(&["backup"]) == Some(true) && draft.function != "file.append" {
        draft.arg("backup", ".bak");
    }
    if draft.take(&["validate"]).is_some() {
        draft.note(Status::Lost, "validate", "the changed file is not checked");
    }
    draft.needless(&["unsafe_writes", "follow"]);
}

/// A pattern that spans the line in which the given one is found.
fn whole_line(pattern: &str) -> String {
    let start = if pattern.starts_with('^') { "" } else { "^.*" };
    let end = if pattern.ends_with('$') && !pattern.ends_with("\\$") { "" } else { ".*$" };
    let body = pattern.strip_suffix(".*").filter(|_| end == ".*$").unwrap_or(pattern);
    format!("{start}{body}{end}")
}

/// Text as a regular expression that matches it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn block(draft: &mut Draft<'_>) {
    path(draft, "file.blockreplace");
    let absent = draft.take_text(&["state"]).is_some_and(|state| state == "absent");
    let marker =
        draft.take_text(&["marker"]).unwrap_or_else(|| "# {mark} ANSIBLE MANAGED BLOCK".to_owned());
    let begin = draft.take_text(&["marker_begin"]).unwrap_or_else(|| "BEGIN".to_owned());
    let end = draft.take_text(&["marker_end"]).unwrap_or_else(|| "END".to_owned());
    draft.arg("marker_start", marker.replace("{mark}", &begin));
    draft.arg("marker_end", marker.replace("{mark}", &end));
    let content = draft.take(&["content"]);
    if absent {
        draft.arg("content", "");
        draft.note(Status::Approximated, "state", "the block is emptied; its markers stay");
    } else {
        draft.arg("content", content);
        draft.arg("append_if_not_found", true);
        draft.pass("insert_before_match", &["insertbefore"]);
        draft.pass("insert_after_match", &["insertafter"]);
    }
    missing_file(draft);
}

fn replace(draft: &mut Draft<'_>) {
    path(draft, "file.replace");
    draft.pass("pattern", &["pattern"]);
    let with = draft.take(&["replacement"]).unwrap_or_else(|| "".into());
    draft.arg("repl", with);
    draft.approximated("after", "the whole file is searched");
    draft.approximated("before", "the whole file is searched");
    missing_file(draft);
}

fn download(draft: &mut Draft<'_>) {
    path(draft, "file.managed");
    draft.pass("source", &["source", "url"]);
    match draft.take_text(&["checksum"]) {
        Some(sum) => draft.arg("source_hash", sum.replacen(':', "=", 1)),
        None => {
            draft.arg("skip_verify", true);
            draft.note(
                Status::Approximated,
                "source",
                "without a checksum Salt is told not to verify the download",
            );
        }
    }
    ownership(draft, "mode");
    if draft.take_flag(&["force"]) == Some(false) {
        draft.arg("replace", false);
    }
    draft.needless(&["timeout", "tmp_dest", "use_proxy", "decompress"]);
    match draft.take_flag(&["validate_certs"]) {
        Some(false) => draft.arg("verify_ssl", false),
        _ => draft.needless(&["validate_certs"]),
    }
}

fn archive(draft: &mut Draft<'_>) {
    path(draft, "archive.extracted");
    source(draft, &["source"], "source");
    draft.pass("user", &["owner"]);
    draft.pass("group", &["group"]);
    draft.pass("if_missing", &["creates"]);
    draft.pass_list("options", &["extra_opts"]);
    draft.arg("enforce_toplevel", false);
    if draft.operation.params.text("source").is_some_and(|source| source.contains("://")) {
        draft.arg("skip_verify", true);
        draft.note(
            Status::Approximated,
            "source",
            "without a checksum Salt is told not to verify the download",
        );
    }
    if draft.take(&["mode"]).is_some() {
        draft.note(Status::Lost, "mode", "the modes in the archive are kept");
    }
    draft.needless(&[
        "remote_src",
        "copy",
        "list_files",
        "keep_newer",
        "decrypt",
        "validate_certs",
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbolic_modes_are_octal_only_when_complete() {
        assert_eq!(symbolic("u=rwx,g=rx,o=").as_deref(), Some("0750"));
        assert_eq!(symbolic("a=r").as_deref(), Some("0444"));
        assert_eq!(symbolic("u+x"), None);
        assert_eq!(symbolic("u=rw"), None);
    }

    #[test]
    fn patterns_are_widened_to_the_line() {
        assert_eq!(whole_line("^#?Port"), "^#?Port.*$");
        assert_eq!(whole_line("^Port .*"), "^Port .*$");
        assert_eq!(whole_line("x$"), "^.*x$");
        assert_eq!(escaped("a.b"), "a\\.b");
    }
}
