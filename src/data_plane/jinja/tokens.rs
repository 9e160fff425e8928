//! The tokens of a Jinja expression. White space is kept, so that joining them gives the source.

/// A token, as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Token<'a> {
    /// A name or keyword.
    Name(&'a str),
    /// A number.
    Number(&'a str),
    /// A quoted string, with its quotes.
    Quoted(&'a str),
    /// An operator or bracket.
    Symbol(&'a str),
    /// White space.
    Space(&'a str),
}

impl<'a> Token<'a> {
    /// The token as it stands in the source.
    pub fn text(self) -> &'a str {
        match self {
            Self::Name(text)
            | Self::Number(text)
            | Self::Quoted(text)
            | Self::Symbol(text)
            | Self::Space(text) => text,
        }
    }

    /// The inside of a quoted string that has no escapes.
    pub fn unquoted(self) -> Option<&'a str> {
        match self {
            Self::Quoted(text) if text.len() >= 2 && !text.contains('\\') => {
                Some(&text[1..text.len() - 1])
            }
            _ => None,
        }
    }
}

const DOUBLE_SYMBOLS: [&str; 6] = ["==", "!=", "<=", ">=", "//", "**"];

/// All tokens of an expression. Any text has tokens; whether they make sense is not checked.
pub fn tokens(expression: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest, first);
        let (text, after) = rest.split_at(length);
        found.push(match first {
            c if c.is_whitespace() => Token::Space(text),
            c if c.is_alphabetic() || c == '_' => Token::Name(text),
            c if c.is_ascii_digit() => Token::Number(text),
            '"' | '\'' => Token::Quoted(text),
            _ => Token::Symbol(text),
        });
        rest = after;
    }
    found
}

fn token_length(rest: &str, first: char) -> usize {
    let while_true = |test: fn(char) -> bool| rest.find(|c| !test(c)).unwrap_or(rest.len());
    if first.is_whitespace() {
        while_true(char::is_whitespace)
    } else if first.is_alphanumeric() || first == '_' {
        if first.is_ascii_digit() {
            while_true(|c| c.is_ascii_alphanumeric() || c == '_')
        } else {
            while_true(|c| c.is_alphanumeric() || c == '_')
        }
    } else if first == '"' || first == '\'' {
        quoted_length(rest, first)
    } else if DOUBLE_SYMBOLS.iter().any(|symbol| rest.starts_with(symbol)) {
        2
    } else {
        first.len_utf8()
    }
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_join_to_their_source() {
        let source = r#"a.b['c\'d'] == "x" and not (n >= 10.5 | int)"#;
        let joined: String = tokens(source).into_iter().map(Token::text).collect();
        assert_eq!(joined, source);
        assert!(tokens(source).contains(&Token::Quoted(r"'c\'d'")));
    }

    #[test]
    fn broken_input_has_tokens_too() {
        for source in ["'open", "é~", "\u{0}", "a b"] {
            let joined: String = tokens(source).into_iter().map(Token::text).collect();
            assert_eq!(joined, source);
        }
    }
}
