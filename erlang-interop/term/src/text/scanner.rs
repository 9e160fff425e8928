//! What both syntaxes share: position, spaces, numbers, escapes, errors with line and column.

use num_bigint::BigInt;

use crate::atom::Atom;
use crate::fun::Fun;
use crate::limits::{TEXT_DEPTH_MAX, TEXT_DIGITS_MAX};
use crate::term::Term;

/// Text that is no term, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
#[non_exhaustive]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

pub(super) type Parsed<T> = Result<T, ParseError>;

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    comment: char,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, comment: char) -> Self {
        Self { text, at: 0, depth: 0, comment }
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        self.fail_at(self.at, message)
    }

    pub(super) fn fail_at<T>(&self, at: usize, message: impl Into<String>) -> Parsed<T> {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Err(ParseError {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        })
    }

    /// Fails with what was expected and what stands there instead.
    pub(super) fn expected<T>(&self, what: &str) -> Parsed<T> {
        match self.peek() {
            Some(found) => self.fail(format!("expected {what}, found `{found}`")),
            None => self.fail(format!("expected {what}, but the text ends")),
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    /// Takes the token if it comes next, without skipping spaces.
    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(super) fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|character| !accept(character)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// Skips spaces and comments.
    pub(super) fn skip(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if self.peek() != Some(self.comment) || self.at_printed() {
                return;
            }
            self.take_while(|character| character != '\n');
        }
    }

    /// Whether something printed comes, such as `#PID<...>`, which would pass as a comment of Elixir.
    fn at_printed(&self) -> bool {
        const PRINTED: [&str; 5] = ["#PID<", "#Reference<", "#Port<", "#Function<", "#Local<"];
        PRINTED.iter().any(|printed| self.rest().starts_with(printed))
    }

    /// Skips spaces, then takes the token if it comes next.
    pub(super) fn token(&mut self, token: &str) -> bool {
        self.skip();
        self.take(token)
    }

    pub(super) fn end(&mut self) -> Parsed<()> {
        self.skip();
        if self.rest().is_empty() { Ok(()) } else { self.expected("the end of the text") }
    }

    /// Skips spaces, then reads a term one level deeper.
    pub(super) fn nested(&mut self, read: impl Fn(&mut Self) -> Parsed<Term>) -> Parsed<Term> {
        self.skip();
        if self.depth == TEXT_DEPTH_MAX {
            return self.fail(format!("nested deeper than {TEXT_DEPTH_MAX} levels"));
        }
        self.depth += 1;
        let term = read(self)?;
        self.depth -= 1;
        Ok(term)
    }

    /// The tail of a list, if one comes, and then the end of the list.
    pub(super) fn tail(
        &mut self,
        read: impl Fn(&mut Self) -> Parsed<Term>,
    ) -> Parsed<Option<Term>> {
        if !self.token("|") {
            return Ok(None);
        }
        let tail = read(self)?;
        self.skip();
        if self.peek() == Some(']') {
            Ok(Some(tail))
        } else {
            self.expected("`]` after the tail of a list")
        }
    }

    /// Characters, each read by `character`, up to the closing quote, which is taken.
    pub(super) fn quoted(
        &mut self,
        close: char,
        mut character: impl FnMut(&mut Self) -> Parsed<()>,
    ) -> Parsed<()> {
        let start = self.at;
        loop {
            match self.peek() {
                None => return self.fail_at(start, format!("`{close}` is missing")),
                Some(end) if end == close => {
                    self.next();
                    return Ok(());
                }
                Some(_) => character(self)?,
            }
        }
    }

    /// The atom of this text, which began at `start`.
    pub(super) fn atom(&self, start: usize, text: &str) -> Parsed<Atom> {
        Atom::new(text).or_else(|error| self.fail_at(start, error.to_string()))
    }

    /// The arity that ends an external fun.
    pub(super) fn export(&mut self, module: Atom, function: Atom) -> Parsed<Term> {
        let start = self.at;
        match self.digits(10)?.parse() {
            Ok(arity) => Ok(Term::Fun(Fun::export(module, function, arity))),
            Err(_) => self.fail_at(start, "an arity is at most 255"),
        }
    }

    /// Whether a `-` was taken; a `+` is taken too.
    pub(super) fn negative(&mut self) -> bool {
        let negative = self.take("-");
        if !negative {
            self.take("+");
        }
        negative
    }

    /// `item` separated by commas until `close`, which is taken. A comma may stand before it when
    /// `trailing` allows.
    pub(super) fn sequence(
        &mut self,
        close: &str,
        trailing: bool,
        mut item: impl FnMut(&mut Self) -> Parsed<()>,
    ) -> Parsed<()> {
        if self.token(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.token(close) {
                return Ok(());
            }
            if !self.token(",") {
                return self.expected(&format!("`,` or `{close}`"));
            }
            if trailing && self.token(close) {
                return Ok(());
            }
        }
    }

    /// Digits of a base, `_` allowed between them.
    pub(super) fn digits(&mut self, base: u32) -> Parsed<String> {
        let start = self.at;
        let digits = self.take_while(|character| character.is_digit(base) || character == '_');
        if digits.is_empty()
            || digits.starts_with('_')
            || digits.ends_with('_')
            || digits.contains("__")
        {
            return self.fail_at(start, format!("expected digits of base {base}"));
        }
        let digits = digits.replace('_', "");
        if digits.len() > TEXT_DIGITS_MAX {
            return self.fail_at(start, format!("more than {TEXT_DIGITS_MAX} digits"));
        }
        Ok(digits)
    }

    pub(super) fn integer(&self, digits: &str, base: u32, negative: bool) -> Parsed<Term> {
        match BigInt::parse_bytes(digits.as_bytes(), base) {
            Some(value) => Ok(Term::from(if negative { -value } else { value })),
            None => self.fail("expected an integer"),
        }
    }

    /// What follows the digits of a float: `.5`, `.5e-3`. None if there is no float.
    pub(super) fn float(&mut self, whole: &str, negative: bool) -> Parsed<Option<Term>> {
        let mut after = self.rest().chars();
        if after.next() != Some('.') || !after.next().is_some_and(|digit| digit.is_ascii_digit()) {
            return Ok(None);
        }
        let start = self.at;
        self.at += 1;
        let mut text = format!("{whole}.{}", self.digits(10)?);
        if self.take("e") || self.take("E") {
            let sign = if self.negative() { "-" } else { "" };
            text = format!("{text}e{sign}{}", self.digits(10)?);
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                Ok(Some(Term::Float(if negative { -value } else { value })))
            }
            _ => self.fail_at(start, "the float is out of range"),
        }
    }

    /// `{H...}` or two digits (four when `wide`), after `\x` or `\u`.
    pub(super) fn hex_escape(&mut self, plain_digits: usize) -> Parsed<u32> {
        let start = self.at;
        let digits = if self.take("{") {
            let digits = self.take_while(|character| character.is_ascii_hexdigit());
            if !self.take("}") {
                return self.expected("`}`");
            }
            digits
        } else {
            let rest = self.rest();
            let len = rest.chars().take(plain_digits).take_while(char::is_ascii_hexdigit).count();
            if len < plain_digits {
                return self.fail(format!("expected {plain_digits} hexadecimal digits"));
            }
            self.at += len;
            &rest[..len]
        };
        match u32::from_str_radix(digits, 16) {
            Ok(value) if char::from_u32(value).is_some() => Ok(value),
            _ => self.fail_at(start, "no such character"),
        }
    }

    /// The escapes that both languages have.
    pub(super) fn simple_escape(character: char) -> Option<char> {
        Some(match character {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'e' => '\u{1b}',
            's' => ' ',
            'd' => '\u{7f}',
            _ => return None,
        })
    }
}
