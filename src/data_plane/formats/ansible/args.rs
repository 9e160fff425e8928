//! The arguments of a module: a mapping, `key=value` text, or free text.

use crate::data_plane::yaml::{Node, NodeKind, Style};
use crate::semantic::Value;

/// One argument.
#[derive(Clone, Debug)]
pub(super) struct Arg {
    /// The module's name for it.
    pub(super) name: String,
    /// Its value.
    pub(super) value: Value,
    /// The text of a scalar as the source has it, when it was not quoted.
    pub(super) plain: Option<String>,
    /// Line of the argument.
    pub(super) line: u32,
}

/// Name under which text without a key is kept.
pub(super) const FREE_TEXT: &str = "_raw";
/// Name under which a bare list is kept.
pub(super) const BARE_LIST: &str = "_list";

/// Arguments that the command modules take inside their free text.
const COMMAND_OPTIONS: [&str; 6] = ["chdir", "creates", "removes", "executable", "stdin", "warn"];

/// The arguments in a module's value; text without keys counts to the module's line.
pub(super) fn arguments(node: &Node, line: u32, takes_command: bool) -> Vec<Arg> {
    match &node.kind {
        NodeKind::Mapping(entries) => {
            entries.iter().map(|(key, value)| argument(key, value)).collect()
        }
        NodeKind::Sequence(_) => {
            vec![Arg { name: BARE_LIST.into(), value: node.value(), plain: None, line: node.line }]
        }
        NodeKind::Scalar(..) if node.is_null() => Vec::new(),
        NodeKind::Scalar(text, _) if takes_command => command_text(text, line),
        NodeKind::Scalar(text, _) => key_values(text, line),
    }
}

fn argument(key: &Node, value: &Node) -> Arg {
    let plain = match &value.kind {
        NodeKind::Scalar(text, Style::Plain) => Some(text.clone()),
        _ => None,
    };
    let name = key.text().map_or_else(|| "?".to_owned(), str::to_owned);
    Arg { name, value: value.value(), plain, line: key.line }
}

fn text_argument(name: &str, text: &str, line: u32) -> Arg {
    Arg { name: name.to_owned(), value: text.into(), plain: None, line }
}

/// `name=nginx state=present`; text without any `=` stays whole.
pub(super) fn key_values(text: &str, line: u32) -> Vec<Arg> {
    let mut found = Vec::new();
    let mut loose: Vec<&str> = Vec::new();
    for word in words(text) {
        match option_of(word) {
            Some((name, value)) => found.push(text_argument(name, &unquote(value), line)),
            None => loose.push(word),
        }
    }
    if !loose.is_empty() {
        found.insert(0, text_argument(FREE_TEXT, &loose.join(" "), line));
    }
    found
}

/// A command line, from which only the known options are taken out.
fn command_text(text: &str, line: u32) -> Vec<Arg> {
    let mut options = Vec::new();
    let mut command = text.to_owned();
    for word in words(text) {
        if let Some((name, value)) = option_of(word)
            && COMMAND_OPTIONS.contains(&name)
        {
            options.push(text_argument(name, &unquote(value), line));
            command = command.replacen(word, "", 1);
        }
    }
    let command = if options.is_empty() { command } else { command.trim().to_owned() };
    options.insert(0, text_argument(FREE_TEXT, &command, line));
    options
}

fn option_of(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value))
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if value.len() >= 2 && value.starts_with(quote) && value.ends_with(quote) {
            return value[1..value.len() - 1].to_owned();
        }
    }
    value.to_owned()
}

/// Words between white space; quotes and Jinja braces hold a word together.
fn words(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut braces = 0_usize;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open && previous != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => braces += 1,
            (None, '}') => braces = braces.saturating_sub(1),
            (None, c) if c.is_whitespace() && braces == 0 => {
                if let Some(from) = start.take() {
                    found.push(&text[from..at]);
                }
                previous = c;
                continue;
            }
            _ => {}
        }
        start.get_or_insert(at);
        previous = c;
    }
    if let Some(from) = start {
        found.push(&text[from..]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(args: &[Arg]) -> Vec<(&str, String)> {
        args.iter().map(|arg| (arg.name.as_str(), arg.value.to_text().unwrap())).collect()
    }

    #[test]
    fn key_value_text_is_split_around_quotes_and_jinja() {
        let args = key_values("name={{ a | default('b c') }} state=present line=\"x = 1\"", 3);
        assert_eq!(
            pairs(&args),
            [
                ("name", "{{ a | default('b c') }}".into()),
                ("state", "present".into()),
                ("line", "x = 1".into())
            ]
        );
        assert_eq!(pairs(&key_values("flush_handlers", 1)), [(FREE_TEXT, "flush_handlers".into())]);
    }

    #[test]
    fn commands_give_up_only_their_options() {
        let args =
            command_text("FOO=1 make install PREFIX=/usr chdir=/srv/app creates='/usr/bin/x'", 1);
        assert_eq!(
            pairs(&args),
            [
                (FREE_TEXT, "FOO=1 make install PREFIX=/usr".into()),
                ("chdir", "/srv/app".into()),
                ("creates", "/usr/bin/x".into())
            ]
        );
    }
}
