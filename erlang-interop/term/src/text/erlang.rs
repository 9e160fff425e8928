//! Terms in Erlang syntax, on one line.

use std::fmt::{self, Formatter, Write};
use std::slice;

use crate::binary::BitString;
use crate::list::{List, Parts};
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

fn write_escaped(out: &mut impl Write, character: char, quote: char) -> fmt::Result {
    match letter(character, quote) {
        Some(letter) => write!(out, "\\{letter}"),
        None if character.is_control() => write!(out, "\\{:03o}", u32::from(character)),
        None => out.write_char(character),
    }
}

/// What stands behind a backslash for this character in quotes, in both languages.
pub(super) fn letter(character: char, quote: char) -> Option<char> {
    Some(match character {
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
        _ => return None,
    })
}

/// Erlang's shortest text that reads back as the same float, always with a point: in decimal, or with
/// an exponent where that is shorter and where not all whole numbers are floats any more.
// spec: erlang:float_to_list/2, "short"
pub(crate) fn write_float(out: &mut impl Write, value: f64) -> fmt::Result {
    const ALL_WHOLE_BELOW: f64 = 9_007_199_254_740_992.0;
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // Digits before the point.
    let before = exponent.parse::<isize>().map_or(0, |exponent| exponent + 1);
    let (after, zeros) = (digits as isize - before, if digits == 1 { 2 } else { 1 });
    let longer = exponent.len() as isize + 1 + zeros;
    let decimal = if before < 0 { 2 - before <= longer } else { after > 0 || 2 - after <= longer };
    if value == 0.0 || (decimal && value.abs() < ALL_WHOLE_BELOW) {
        return write!(out, "{value:?}");
    }
    let point = if mantissa.contains('.') { "" } else { ".0" };
    write!(out, "{mantissa}{point}e{exponent}")
}

/// What is still to be written of nested terms; what comes first is the last on the stack.
pub(super) enum Piece<'a> {
    Text(&'static str),
    Term(&'a Term),
    /// The name of an atom as a key of keywords.
    Key(&'a str),
    /// Terms after the first of their kind, with what goes before each, in turn.
    More(slice::Iter<'a, Term>, [&'static str; 2]),
}

/// Puts the elements of a container and its end on the stack.
pub(super) fn push_elements<'a>(
    pieces: &mut Vec<Piece<'a>>,
    elements: &'a [Term],
    between: [&'static str; 2],
) {
    let mut elements = elements.iter();
    let first = elements.next().map(Piece::Term);
    pieces.push(Piece::More(elements, between));
    pieces.extend(first);
}

/// Writes all pieces; `open` writes a leaf or how a container begins, and puts what follows on the stack.
pub(super) fn write_pieces<'a>(
    out: &mut Formatter<'_>,
    term: &'a Term,
    open: impl Fn(&mut Formatter<'_>, &'a Term, &mut Vec<Piece<'a>>) -> fmt::Result,
    write_key: impl Fn(&mut Formatter<'_>, &str) -> fmt::Result,
) -> fmt::Result {
    let mut pieces = Vec::new();
    open(out, term, &mut pieces)?;
    while let Some(piece) = pieces.pop() {
        match piece {
            Piece::Text(text) => out.write_str(text)?,
            Piece::Key(name) => write_key(out, name)?,
            Piece::Term(term) => open(out, term, &mut pieces)?,
            Piece::More(mut terms, [before, next]) => {
                if let Some(term) = terms.next() {
                    out.write_str(before)?;
                    pieces.push(Piece::More(terms, [next, before]));
                    pieces.push(Piece::Term(term));
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn write_term(out: &mut Formatter<'_>, term: &Term) -> fmt::Result {
    write_pieces(out, term, open, |out, name| write_atom(out, name))
}

fn open<'a>(out: &mut Formatter<'_>, term: &'a Term, pieces: &mut Vec<Piece<'a>>) -> fmt::Result {
    match term {
        Term::Tuple(elements) => {
            pieces.push(Piece::Text("}"));
            push_elements(pieces, elements, [","; 2]);
            out.write_char('{')
        }
        Term::Map(map) => {
            pieces.push(Piece::Text("}"));
            push_elements(pieces, map.flat(), [" => ", ","]);
            out.write_str("#{")
        }
        Term::List(list) => open_list(out, list, pieces),
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

/// The numbers with the separator between them.
pub(super) fn write_numbers<W: Write, T: fmt::Display>(
    out: &mut W,
    separator: &str,
    numbers: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (at, number) in numbers.into_iter().enumerate() {
        if at > 0 {
            out.write_str(separator)?;
        }
        write!(out, "{number}")?;
    }
    Ok(())
}

fn open_list<'a>(
    out: &mut Formatter<'_>,
    list: &'a List,
    pieces: &mut Vec<Piece<'a>>,
) -> fmt::Result {
    if let Some(text) = printable(list) {
        return write_quoted(out, &text, '"');
    }
    out.write_char('[')?;
    pieces.push(Piece::Text("]"));
    match list.parts() {
        Parts::Terms(elements, tail) => {
            if !matches!(tail, Term::Nil) {
                pieces.extend([Piece::Term(tail), Piece::Text("|")]);
            }
            push_elements(pieces, elements, [","; 2]);
        }
        Parts::Bytes(bytes) => write_bytes(out, bytes)?,
        Parts::Integers(integers) => write_numbers(out, ",", integers)?,
    }
    Ok(())
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
    write_numbers(out, ",", bytes)
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

#[cfg(test)]
mod tests {
    use crate::Term;

    /// Printed by OTP 25 and 27.
    #[test]
    fn floats_are_printed_as_by_otp() {
        let cases = [
            (1000.0, "1.0e3"),
            (-1000.0, "-1.0e3"),
            (100.0, "100.0"),
            (1234.0, "1234.0"),
            (12_000.0, "1.2e4"),
            (123_456_789.0, "123456789.0"),
            (9_007_199_254_740_991.0, "9007199254740991.0"),
            (9_007_199_254_740_992.0, "9.007199254740992e15"),
            (4_503_599_627_370_496.0, "4503599627370496.0"),
            (0.001, "0.001"),
            (0.0001, "0.0001"),
            (0.00001, "1.0e-5"),
            (0.00012, "1.2e-4"),
            (123.456e-7, "1.23456e-5"),
            (5.0e-324, "5.0e-324"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e308"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (0.0, "0.0"),
        ];
        for (value, text) in cases {
            assert_eq!(Term::from(value).to_string(), text);
        }
    }
}
