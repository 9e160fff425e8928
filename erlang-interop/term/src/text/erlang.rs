//! Terms in Erlang syntax, on one line.

use std::fmt::{self, Formatter, Write};

use crate::binary::BitString;
use crate::list::{List, Parts};
use crate::map::Map;
use crate::term::Term;

impl fmt::Display for Term {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write_term(formatter, self)
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write_term(formatter, self)
    }
}

const RESERVED: &[&str] = &[
    "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case",
    "catch", "cond", "div", "else", "end", "fun", "if", "let", "maybe", "not", "of", "or",
    "orelse", "receive", "rem", "try", "when", "xor",
];

/// Whether Erlang reads the text as an atom without quotes.
pub(crate) fn is_plain_atom(text: &str) -> bool {
    let letter = |character: char| {
        character.is_ascii_alphanumeric()
            || matches!(character, '_' | '@' | 'ß'..='ö' | 'ø'..='ÿ' | 'À'..='Ö' | 'Ø'..='Þ')
    };
    text.starts_with(|first: char| matches!(first, 'a'..='z' | 'ß'..='ö' | 'ø'..='ÿ'))
        && text.chars().all(letter)
        && !RESERVED.contains(&text)
}

pub(crate) fn write_atom(out: &mut impl Write, text: &str) -> fmt::Result {
    if is_plain_atom(text) { out.write_str(text) } else { write_quoted(out, text, '\'') }
}

fn write_quoted(out: &mut impl Write, text: &str, quote: char) -> fmt::Result {
    out.write_char(quote)?;
    for character in text.chars() {
        write_escaped(out, character, quote)?;
    }
    out.write_char(quote)
}

/// One character of a quoted text, by the escapes that both languages have.
pub(super) fn write_escaped(out: &mut impl Write, character: char, quote: char) -> fmt::Result {
    let letter = match character {
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\u{1b}' => 'e',
        '\u{7f}' => 'd',
        '\\' => '\\',
        _ if character == quote => quote,
        _ if character.is_control() => return write!(out, "\\x{{{:X}}}", u32::from(character)),
        _ => return out.write_char(character),
    };
    write!(out, "\\{letter}")
}

/// Erlang's shortest text that reads back as the same float, always with a point.
pub(crate) fn write_float(out: &mut impl Write, value: f64) -> fmt::Result {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e16).contains(&size) {
        return write!(out, "{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => write!(out, "{digits}.0e{exponent}"),
        _ => out.write_str(&text),
    }
}

pub(crate) fn write_term(out: &mut Formatter<'_>, term: &Term) -> fmt::Result {
    // What does not recurse is apart, so that each level takes little of the stack.
    match term {
        Term::Tuple(elements) => {
            out.write_char('{')?;
            write_elements(out, elements)?;
            out.write_char('}')
        }
        Term::Map(map) => write_map(out, map),
        Term::List(list) => write_list(out, list),
        leaf => write_leaf(out, leaf),
    }
}

fn write_leaf(out: &mut Formatter<'_>, term: &Term) -> fmt::Result {
    match term {
        Term::Integer(value) => write!(out, "{value}"),
        Term::BigInteger(value) => write!(out, "{value}"),
        Term::Float(value) => write_float(out, *value),
        Term::Atom(atom) => write_atom(out, atom.as_str()),
        Term::Reference(reference) => write!(out, "{reference}"),
        Term::Fun(fun) => write!(out, "{fun}"),
        Term::Port(port) => write!(out, "{port}"),
        Term::Pid(pid) => write!(out, "{pid}"),
        Term::Nil => out.write_str("[]"),
        Term::Binary(bytes) => write_binary(out, bytes),
        Term::BitString(bits) => write_bit_string(out, bits),
        Term::Local(local) => write!(out, "#Local<{} bytes>", local.bytes().len()),
        Term::Tuple(_) | Term::Map(_) | Term::List(_) => write_term(out, term),
    }
}

fn write_map(out: &mut Formatter<'_>, map: &Map) -> fmt::Result {
    out.write_str("#{")?;
    write_separated(out, ",", map.iter(), |out, (key, value)| {
        write_term(out, key)?;
        out.write_str(" => ")?;
        write_term(out, value)
    })?;
    out.write_char('}')
}

/// What `write` makes of each item, with the separator between them.
pub(super) fn write_separated<W: Write, T>(
    out: &mut W,
    separator: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut W, T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.write_str(separator)?;
        }
        write(out, item)?;
    }
    Ok(())
}

fn write_elements(out: &mut Formatter<'_>, elements: &[Term]) -> fmt::Result {
    write_separated(out, ",", elements, write_term)
}

fn write_list(out: &mut Formatter<'_>, list: &List) -> fmt::Result {
    if let Some(text) = printable(list) {
        return write_quoted(out, &text, '"');
    }
    out.write_char('[')?;
    match list.parts() {
        Parts::Terms(elements, tail) => {
            write_elements(out, elements)?;
            if !matches!(tail, Term::Nil) {
                out.write_char('|')?;
                write_term(out, tail)?;
            }
        }
        Parts::Bytes(bytes) => write_bytes(out, bytes)?,
        Parts::Integers(_) => write_elements(out, &list.iter().collect::<Vec<_>>())?,
    }
    out.write_char(']')
}

/// The text of a proper list of printable characters.
pub(crate) fn printable(list: &List) -> Option<String> {
    if !list.is_proper() {
        return None;
    }
    list.iter()
        .map(|element| {
            let character = char::from_u32(u32::try_from(element.as_integer()?).ok()?)?;
            is_printable(character).then_some(character)
        })
        .collect()
}

pub(crate) fn is_printable(character: char) -> bool {
    match character {
        '\n' | '\r' | '\t' | '\u{b}' | '\u{8}' | '\u{c}' | '\u{1b}' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        character => !character.is_control(),
    }
}

fn write_bytes(out: &mut impl Write, bytes: &[u8]) -> fmt::Result {
    write_separated(out, ",", bytes, |out, byte| write!(out, "{byte}"))
}

pub(crate) fn write_binary(out: &mut impl Write, bytes: &[u8]) -> fmt::Result {
    out.write_str("<<")?;
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.chars().all(is_printable) => {
            write_quoted(out, text, '"')?;
            if !text.is_ascii() {
                out.write_str("/utf8")?;
            }
        }
        _ => write_bytes(out, bytes)?,
    }
    out.write_str(">>")
}

pub(crate) fn write_bit_string(out: &mut impl Write, bits: &BitString) -> fmt::Result {
    let (whole, last) = bits.split();
    out.write_str("<<")?;
    write_bytes(out, whole)?;
    if !whole.is_empty() {
        out.write_char(',')?;
    }
    write!(out, "{}:{}>>", last >> (8 - bits.last_bits()), bits.last_bits())
}
