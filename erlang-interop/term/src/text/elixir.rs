//! Terms as Elixir's `inspect` prints them, on one line. spec: Elixir, "Inspect" and "Kernel.inspect/2".

use std::fmt::{self, Formatter, Write};

use super::erlang::{Piece, is_printable, letter, push_elements, write_numbers, write_pieces};
use crate::fun::Fun;
use crate::list::{List, Parts};
use crate::map::Map;
use crate::term::Term;

/// Prints a term in Elixir syntax. Made by [`Term::to_elixir`].
#[derive(Clone, Copy)]
pub struct Elixir<'a>(&'a Term);

impl Term {
    /// The term in Elixir syntax, as `inspect` of Elixir 1.15 and later prints it: structs, keyword
    /// lists, `~c"charlists"`, module aliases.
    ///
    /// ```
    /// use erlang_term::term;
    /// let built = term!({ok, #{@"__struct__" => @"Elixir.HAR.Op", name => "web"}, [{@"a", 1}]});
    /// assert_eq!(built.to_elixir().to_string(), r#"{:ok, %HAR.Op{name: "web"}, [a: 1]}"#);
    /// ```
    #[must_use]
    pub fn to_elixir(&self) -> Elixir<'_> {
        Elixir(self)
    }
}

impl fmt::Display for Elixir<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write_term(out, self.0)
    }
}

impl fmt::Debug for Elixir<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write_term(out, self.0)
    }
}

const OPERATORS: &[&str] = &[
    "!", "!=", "!==", "%", "%{}", "&", "&&", "&&&", "*", "**", "+", "++", "+++", "-", "--", "---",
    "->", ".", "..", "..//", "...", "/", "//", "::", "<", "<-", "<<<", "<<>>", "<<~", "<=", "<>",
    "<|>", "<~", "<~>", "=", "==", "===", "=~", "=>", ">", ">=", ">>>", "@", "\\\\", "^", "^^^",
    "{}", "|", "|>", "||", "|||", "~>", "~>>", "~~~",
];

/// Whether the text is an identifier: starts with a letter or `_`, may end in `?` or `!`.
fn is_identifier(text: &str) -> bool {
    let body = text.strip_suffix(['?', '!']).unwrap_or(text);
    body.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && body
            .chars()
            .all(|character| character.is_alphanumeric() || matches!(character, '_' | '@'))
}

/// The alias of a module's atom: `HAR.Foo` for `Elixir.HAR.Foo`.
pub(super) fn alias(text: &str) -> Option<&str> {
    let name = text.strip_prefix("Elixir.")?;
    let part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_uppercase())
            && part.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    name.split('.').all(part).then_some(name)
}

fn write_atom(out: &mut impl Write, text: &str) -> fmt::Result {
    if matches!(text, "nil" | "true" | "false") {
        return out.write_str(text);
    }
    if text == "Elixir" {
        return out.write_str("Elixir");
    }
    if let Some(alias) = alias(text) {
        return out.write_str(alias);
    }
    out.write_char(':')?;
    if is_identifier(text) || OPERATORS.contains(&text) {
        out.write_str(text)
    } else {
        write_quoted(out, text)
    }
}

fn write_key(out: &mut impl Write, text: &str) -> fmt::Result {
    if is_identifier(text) && !text.contains('@') {
        write!(out, "{text}: ")
    } else {
        write_quoted(out, text)?;
        out.write_str(": ")
    }
}

fn write_quoted(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '#' if characters.peek() == Some(&'{') => out.write_str("\\#")?,
            '\u{7}' => out.write_str("\\a")?,
            '\0' => out.write_str("\\0")?,
            other => match letter(other, '"') {
                Some(letter) => write!(out, "\\{letter}")?,
                None if other.is_control() => write!(out, "\\x{:02X}", u32::from(other))?,
                None => out.write_char(other)?,
            },
        }
    }
    out.write_char('"')
}

fn write_term(out: &mut Formatter<'_>, term: &Term) -> fmt::Result {
    write_pieces(out, term, open, |out, name| write_key(out, name))
}

fn open<'a>(out: &mut Formatter<'_>, term: &'a Term, pieces: &mut Vec<Piece<'a>>) -> fmt::Result {
    match term {
        Term::Tuple(elements) => {
            pieces.push(Piece::Text("}"));
            push_elements(pieces, elements, [", "; 2]);
            out.write_char('{')
        }
        Term::Map(map) => open_map(out, map, pieces),
        Term::List(list) => open_list(out, list, pieces),
        leaf => write_leaf(out, leaf),
    }
}

fn write_leaf(out: &mut Formatter<'_>, term: &Term) -> fmt::Result {
    match term {
        Term::Float(value) => write_float(out, *value),
        Term::Atom(atom) => write_atom(out, atom.as_str()),
        Term::Reference(reference) => {
            write!(out, "#Reference<{}", reference.node().as_str())?;
            for word in reference.words().iter().rev() {
                write!(out, ".{word}")?;
            }
            out.write_char('>')
        }
        Term::Fun(fun) => write_fun(out, fun),
        Term::Port(port) => write!(out, "#Port<{}.{}>", port.node().as_str(), port.id()),
        Term::Pid(pid) => {
            write!(out, "#PID<{}.{}.{}>", pid.node().as_str(), pid.id(), pid.serial())
        }
        Term::Binary(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().all(is_elixir_printable) => write_quoted(out, text),
            _ => {
                out.write_str("<<")?;
                write_numbers(out, ", ", bytes.iter())?;
                out.write_str(">>")
            }
        },
        Term::BitString(bits) => {
            let (whole, last) = bits.split();
            out.write_str("<<")?;
            write_numbers(out, ", ", whole)?;
            let comma = if whole.is_empty() { "" } else { ", " };
            write!(out, "{comma}{}::size({})>>", last >> (8 - bits.last_bits()), bits.last_bits())
        }
        Term::BigInteger(value) => value.write(out, "0x"),
        Term::Integer(_) | Term::Nil | Term::Local(_) => write!(out, "{term}"),
        Term::Tuple(_) | Term::Map(_) | Term::List(_) => write_term(out, term),
    }
}

fn is_elixir_printable(character: char) -> bool {
    is_printable(character) || matches!(character, '\u{7}' | '\u{7f}')
}

fn write_fun(out: &mut Formatter<'_>, fun: &Fun) -> fmt::Result {
    match fun {
        Fun::Export(export) => {
            out.write_char('&')?;
            write_atom(out, export.module().as_str())?;
            out.write_char('.')?;
            let name = export.function().as_str();
            if is_identifier(name) || OPERATORS.contains(&name) {
                out.write_str(name)?;
            } else {
                write_quoted(out, name)?;
            }
            write!(out, "/{}", export.arity())
        }
        Fun::Closure(closure) => {
            write!(
                out,
                "#Function<{}.{}/{} in ",
                closure.old_index, closure.old_uniq, closure.arity
            )?;
            write_atom(out, closure.module.as_str())?;
            out.write_char('>')
        }
    }
}

/// The pair, if it is one of a keyword list.
fn keyword(element: &Term) -> Option<(&str, &Term)> {
    match element.as_tuple()? {
        [key, value] => Some((plain_key(key)?, value)),
        _ => None,
    }
}

/// An atom that can stand before a colon: it does not begin as the names of modules do.
fn plain_key(key: &Term) -> Option<&str> {
    Some(key.as_atom()?.as_str()).filter(|key| !key.starts_with("Elixir."))
}

/// The text of a charlist. Elixir takes the bell for printable, Erlang does not.
fn charlist(list: &List) -> Option<String> {
    if !list.is_proper() {
        return None;
    }
    let character = |element: Term| match u8::try_from(element.as_integer()?).ok()? {
        byte @ (7..=13 | 27 | 32..=126) => Some(char::from(byte)),
        _ => None,
    };
    list.iter().map(character).collect()
}

/// Elixir spells numbers out that Erlang writes with an exponent.
fn write_float(out: &mut impl Write, value: f64) -> fmt::Result {
    if (1.0..1.0e16).contains(&value.abs()) {
        return write!(out, "{value:?}");
    }
    super::erlang::write_float(out, value)
}

fn open_list<'a>(
    out: &mut Formatter<'_>,
    list: &'a List,
    pieces: &mut Vec<Piece<'a>>,
) -> fmt::Result {
    if let Some(text) = charlist(list) {
        out.write_str("~c")?;
        return write_quoted(out, &text);
    }
    out.write_char('[')?;
    pieces.push(Piece::Text("]"));
    match list.parts() {
        Parts::Bytes(bytes) => write_numbers(out, ", ", bytes.iter())?,
        Parts::Integers(integers) => write_numbers(out, ", ", integers)?,
        Parts::Terms(elements, Term::Nil)
            if elements.iter().all(|pair| keyword(pair).is_some()) =>
        {
            let pairs = elements.iter().filter_map(keyword);
            push_pairs(pieces, pairs.map(|(key, value)| [Piece::Key(key), Piece::Term(value)]));
        }
        Parts::Terms(elements, tail) => {
            if !matches!(tail, Term::Nil) {
                pieces.extend([Piece::Term(tail), Piece::Text(" | ")]);
            }
            push_elements(pieces, elements, [", "; 2]);
        }
    }
    Ok(())
}

/// Puts pieces on the stack, with commas between those of each item.
fn push_pairs<'a, const N: usize>(
    pieces: &mut Vec<Piece<'a>>,
    items: impl Iterator<Item = [Piece<'a>; N]>,
) {
    let start = pieces.len();
    for item in items {
        if pieces.len() > start {
            pieces.push(Piece::Text(", "));
        }
        pieces.extend(item);
    }
    pieces[start..].reverse();
}

/// Pairs come in the order of their keys, as `inspect` has them since Elixir 1.14.4.
fn open_map<'a>(out: &mut Formatter<'_>, map: &'a Map, pieces: &mut Vec<Piece<'a>>) -> fmt::Result {
    let structure = map
        .get_atom("__struct__")
        .and_then(|name| alias(name.as_atom()?.as_str()))
        .filter(|_| map.iter().all(|(key, _)| key.as_atom().is_some()));
    let mut pairs = map.sorted();
    if structure.is_some() {
        pairs.retain(|(key, _)| !key.is_atom("__struct__"));
    }
    let keywords = pairs.iter().all(|(key, _)| plain_key(key).is_some());
    pieces.push(Piece::Text("}"));
    push_pairs(
        pieces,
        pairs.into_iter().map(|(key, value)| match key {
            Term::Atom(key) if keywords => {
                [Piece::Key(key.as_str()), Piece::Text(""), Piece::Term(value)]
            }
            key => [Piece::Term(key), Piece::Text(" => "), Piece::Term(value)],
        }),
    );
    write!(out, "%{}{{", structure.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::{Atom, Fun, Pid, Term, term};

    fn inspect(term: &Term) -> String {
        term.to_elixir().to_string()
    }

    #[test]
    fn prints_as_inspect_does() {
        let improper = term!([1 | tail]);
        let cases = [
            (term!(nil), "nil"),
            (term!(@"Elixir.HAR.Foo"), "HAR.Foo"),
            (term!(@"Elixir.foo"), ":\"Elixir.foo\""),
            (term!(@"with space"), ":\"with space\""),
            (term!(ok), ":ok"),
            (term!(@"+"), ":+"),
            (term!(@"a\u{1}\u{85}\u{7f}\0"), ":\"a\\x01\\x85\\d\\0\""),
            (term!([{a, 1}, {@"b c", 2}]), "[a: 1, \"b c\": 2]"),
            (term!([{@"Elixir.A", 1}]), "[{A, 1}]"),
            (term!(#{1 => a, "x" => 2.5}), "%{1 => :a, \"x\" => 2.5}"),
            (term!(#{b => 1, a => 2}), "%{a: 2, b: 1}"),
            (Term::charlist("abc"), "~c\"abc\""),
            (Term::charlist("é"), "[233]"),
            (term!([]), "[]"),
            (improper, "[1 | :tail]"),
            (term!("a\"#{b"), "\"a\\\"\\#{b\""),
            (Term::binary(&[255u8, 0][..]), "<<255, 0>>"),
            (Term::from(1.0e30), "1.0e30"),
            (Term::from(1000.0), "1000.0"),
            (Term::from(1.0e15), "1000000000000000.0"),
            (Term::from(-9_007_199_254_740_992.0), "-9007199254740992.0"),
            (Term::from(1.0e16), "1.0e16"),
            (Term::from(0.0001), "0.0001"),
            (Term::from(0.00012), "1.2e-4"),
            (Term::charlist("\u{7}"), "~c\"\\a\""),
            (Term::list([7, 8, 27]), "~c\"\\a\\b\\e\""),
            (Term::list([127]), "[127]"),
            (Term::list([0]), "[0]"),
            (term!([{@"Elixir.foo", 1}, {a, 2}]), "[{:\"Elixir.foo\", 1}, {:a, 2}]"),
            (term!(#{@"Elixir.foo" => 1}), "%{:\"Elixir.foo\" => 1}"),
        ];
        for (built, text) in cases {
            assert_eq!(inspect(&built), text);
        }
    }

    #[test]
    fn prints_what_has_no_source_form() {
        let node = Atom::new("a@h").unwrap();
        assert_eq!(inspect(&Pid::new(node, 5, 1, 9).into()), "#PID<a@h.5.1>");
        let export = Fun::export(crate::atom!("Elixir.HAR"), crate::atom!("run"), 2);
        assert_eq!(inspect(&export.into()), "&HAR.run/2");
    }
}
