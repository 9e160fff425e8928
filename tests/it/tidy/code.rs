//! Rust source without comments and without what stands in quotes, so that words can be searched.

/// The code of one file; line numbers are kept.
pub(super) struct Code(String);

impl Code {
    pub(super) fn of(source: &str) -> Self {
        Self(Stripper { rest: source, out: String::with_capacity(source.len()) }.run())
    }

    /// Lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.0.lines())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// What stands before the first `#[cfg(test)]`: by house rule, tests end a file.
    pub(super) fn without_tests(&self) -> Self {
        let opens_module = |at: usize| {
            let item = &self.0[at..];
            let end = item.find(['{', ';']).unwrap_or_default();
            item[end..].starts_with('{') && item[..end].contains("mod ")
        };
        let mut marks = self.0.match_indices("#[cfg(test)]").map(|(at, _)| at);
        let end = marks.find(|at| opens_module(*at)).unwrap_or(self.0.len());
        Self(self.0[..end].to_owned())
    }

    /// Name and length in lines of each function that has a body.
    pub(super) fn functions(&self) -> Vec<(String, usize)> {
        let code = self.0.as_str();
        let starts = code.match_indices("fn ").filter(|(at, _)| {
            !code[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
        });
        starts
            .filter_map(|(at, _)| Some((name_at(code, at + 3)?, lines_of(&code[at..])?)))
            .collect()
    }
}

fn name_at(code: &str, at: usize) -> Option<String> {
    let name = code[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_');
    Some(name.collect::<String>()).filter(|name| !name.is_empty())
}

/// Lines of the function that `code` starts with; none if it is only declared.
fn lines_of(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut groups = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => groups += 1,
            ')' | ']' => groups = groups.saturating_sub(1),
            ';' if depth == 0 && groups == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && groups == 0 {
                    return Some(code[..at].matches('\n').count() + 1);
                }
            }
            _ => {}
        }
    }
    None
}

struct Stripper<'a> {
    rest: &'a str,
    out: String,
}

impl Stripper<'_> {
    fn run(mut self) -> String {
        while let Some(first) = self.rest.chars().next() {
            if self.rest.starts_with("//") {
                self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.blank(self.rest.find("*/").map_or(self.rest.len(), |end| end + 2));
            } else if let Some(hashes) = self.raw_string() {
                let quote = ["\"", "#".repeat(hashes).as_str()].concat();
                let start = hashes + 1 + self.rest.find('"').unwrap_or_default() - hashes;
                let end =
                    self.rest[start..].find(&quote).map_or(self.rest.len(), |end| start + end);
                self.blank((end + quote.len()).min(self.rest.len()));
            } else if first == '"' {
                self.blank(quoted(self.rest, '"'));
            } else if first == '\'' && self.is_character() {
                self.blank(quoted(self.rest, '\''));
            } else {
                self.out.push(first);
                self.rest = &self.rest[first.len_utf8()..];
            }
        }
        self.out
    }

    /// Replaces `bytes` of input by spaces; line ends stay.
    fn blank(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes);
        self.out.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }

    /// The number of `#` if a raw string starts here.
    fn raw_string(&self) -> Option<usize> {
        let inside_name = self.out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let after = self.rest.strip_prefix("br").or_else(|| self.rest.strip_prefix('r'))?;
        let hashes = after.len() - after.trim_start_matches('#').len();
        (!inside_name && after[hashes..].starts_with('"')).then_some(hashes)
    }

    /// A character, not a lifetime: `'x'` or `'\…'`.
    fn is_character(&self) -> bool {
        let mut inside = self.rest[1..].chars();
        match inside.next() {
            Some('\\') => true,
            Some(_) => inside.next() == Some('\''),
            None => false,
        }
    }
}

/// Length in bytes of the quoted text that `text` starts with, quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn comments_and_quotes_are_blanked() {
    let source = "a /* b */ \"c\\\"d\" 'e' '\\'' &'f r#\"g\"h\"# i // j\nk";
    let code = Code::of(source);
    let words = code.lines().map(|(_, line)| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(words.collect::<Vec<_>>(), [vec!["a", "&'f", "i"], vec!["k"]]);
}

#[test]
fn functions_are_measured() {
    let source = "fn one() -> [u8; 2] { [1, 2] }\ntrait T { fn none(&self); }\nfn two()\n{\n  if x {\n  }\n}\n";
    let functions = Code::of(source).functions();
    assert_eq!(functions, [("one".to_owned(), 1), ("two".to_owned(), 5)]);
}
