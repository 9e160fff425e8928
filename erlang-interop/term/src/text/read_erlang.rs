//! Erlang syntax to terms.

use super::erlang::is_plain_atom;
use super::read_bits::Bits;
use super::scanner::{ParseError, Parsed, Scanner};
use crate::atom::Atom;
use crate::map::Map;
use crate::term::Term;

/// Reads one term in Erlang syntax. A final `.` is allowed, as in a file for `file:consult/1`.
///
/// # Errors
/// [`ParseError`] with line and column when the text is no term, has variables or calls, or nests too
/// deep.
///
/// ```
/// use erlang_term::{parse_erlang, term};
/// assert_eq!(parse_erlang(r#"{ok, [1, 16#ff, "ab"], <<"x">>}"#)?, term!({ok, [1, 255, [97, 98]], "x"}));
/// assert_eq!(parse_erlang("{ok,\n  }").unwrap_err().to_string(),
///     "line 2, column 3: expected a term, found `}`");
/// # Ok::<(), erlang_term::ParseError>(())
/// ```
pub fn parse_erlang(text: &str) -> Result<Term, ParseError> {
    let mut scanner = Scanner::new(text, '%');
    let term = term(&mut scanner)?;
    scanner.token(".");
    scanner.end()?;
    Ok(term)
}

fn term(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    scanner.nested(inner)
}

fn inner(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    match scanner.peek() {
        Some('{') => {
            scanner.next();
            let mut elements = Vec::new();
            scanner.sequence("}", false, |scanner| {
                elements.push(term(scanner)?);
                Ok(())
            })?;
            Ok(Term::tuple(elements))
        }
        Some('[') => list(scanner),
        Some('#') => map(scanner),
        Some('"') => string(scanner),
        Some('\'') => Ok(Term::Atom(atom(scanner)?)),
        Some('$') => {
            scanner.next();
            let character = character(scanner)?;
            Ok(Term::from(u32::from(character)))
        }
        Some('<') if scanner.rest().starts_with("<<") => bits(scanner),
        Some('<') => scanner.fail("a pid has no source form"),
        Some('-' | '+' | '0'..='9') => number(scanner),
        Some(first) if first.is_uppercase() || first == '_' => {
            scanner.fail("a variable has no value here; quote it ('Name') if an atom is meant")
        }
        Some(first) if first.is_alphabetic() => word(scanner),
        _ => scanner.expected("a term"),
    }
}

fn list(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    scanner.next();
    let mut elements = Vec::new();
    let mut tail = Term::Nil;
    scanner.sequence("]", false, |scanner| {
        elements.push(term(scanner)?);
        if let Some(end) = scanner.tail(term)? {
            tail = end;
        }
        Ok(())
    })?;
    Ok(Term::improper_list(elements, tail))
}

fn map(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let start = scanner.at();
    scanner.next();
    if !scanner.token("{") {
        return scanner.fail_at(
            start,
            "only maps begin with `#`: what prints as #Name<...> has no source form",
        );
    }
    let mut pairs = Vec::new();
    scanner.sequence("}", false, |scanner| {
        let key = term(scanner)?;
        if !scanner.token("=>") {
            return scanner.expected("`=>`");
        }
        pairs.push((key, term(scanner)?));
        Ok(())
    })?;
    Ok(Term::Map(Map::new(pairs)))
}

fn word(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let start = scanner.at();
    let text = scanner
        .take_while(|character| character.is_alphanumeric() || matches!(character, '_' | '@'));
    if text == "fun" {
        return fun(scanner);
    }
    if !is_plain_atom(text) {
        return scanner.fail_at(start, format!("`{text}` must be quoted to be an atom"));
    }
    if scanner.rest().starts_with('(') {
        return scanner.fail("a call has no value here");
    }
    Ok(Term::Atom(scanner.atom(start, text)?))
}

/// A plain or quoted atom.
fn atom(scanner: &mut Scanner<'_>) -> Parsed<Atom> {
    scanner.skip();
    let start = scanner.at();
    if scanner.take("'") {
        let text = quoted(scanner, '\'')?;
        return scanner.atom(start, &text);
    }
    let text = scanner
        .take_while(|character| character.is_alphanumeric() || matches!(character, '_' | '@'));
    if is_plain_atom(text) {
        scanner.atom(start, text)
    } else {
        scanner.fail_at(start, "expected an atom")
    }
}

/// `fun M:F/A`, after `fun`.
fn fun(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let module = atom(scanner)?;
    if !scanner.token(":") {
        return scanner.expected("`:` (only `fun Module:Function/Arity` has a value here)");
    }
    let function = atom(scanner)?;
    if !scanner.token("/") {
        return scanner.expected("`/`");
    }
    scanner.skip();
    scanner.export(module, function)
}

fn number(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let negative = scanner.negative();
    scanner.skip();
    if scanner.take("$") {
        let point = i64::from(u32::from(character(scanner)?));
        return Ok(Term::from(if negative { -point } else { point }));
    }
    let digits = scanner.digits(10)?;
    if let Some(float) = scanner.float(&digits, negative)? {
        return Ok(float);
    }
    if !scanner.take("#") {
        return scanner.integer(&digits, 10, negative);
    }
    match digits.parse() {
        Ok(base @ 2..=36) => {
            let digits = scanner.digits(base)?;
            scanner.integer(&digits, base, negative)
        }
        _ => scanner.fail("a base is 2 to 36"),
    }
}

/// The text up to the closing quote, which is taken.
fn quoted(scanner: &mut Scanner<'_>, quote: char) -> Parsed<String> {
    let mut text = String::new();
    scanner.quoted(quote, |scanner| {
        text.push(character(scanner)?);
        Ok(())
    })?;
    Ok(text)
}

/// One character, which may be an escape.
fn character(scanner: &mut Scanner<'_>) -> Parsed<char> {
    let Some(first) = scanner.next() else { return scanner.expected("a character") };
    if first != '\\' {
        return Ok(first);
    }
    let Some(escape) = scanner.next() else { return scanner.expected("an escape") };
    let point = match escape {
        'x' => scanner.hex_escape(2)?,
        '^' => match scanner.next() {
            Some(control @ '@'..='_') => u32::from(control) - 64,
            Some(control @ 'a'..='z') => u32::from(control) - 96,
            _ => return scanner.fail("expected a control character"),
        },
        '0'..='7' => {
            let mut value = escape.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = scanner.peek().and_then(|next| next.to_digit(8)) else { break };
                scanner.next();
                value = value * 8 + digit;
            }
            value
        }
        other => u32::from(Scanner::simple_escape(other).unwrap_or(other)),
    };
    match char::from_u32(point) {
        Some(character) => Ok(character),
        None => scanner.fail("no such character"),
    }
}

/// One or more strings in a row, which are one.
fn string(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let mut text = String::new();
    while scanner.token("\"") {
        text.push_str(&quoted(scanner, '"')?);
    }
    Ok(Term::charlist(&text))
}

fn bits(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    scanner.take("<<");
    let mut bits = Bits::default();
    scanner.sequence(">>", false, |scanner| segment(scanner, &mut bits))?;
    Ok(bits.finish())
}

fn segment(scanner: &mut Scanner<'_>, bits: &mut Bits) -> Parsed<()> {
    scanner.skip();
    let start = scanner.at();
    if scanner.take("\"") {
        let text = quoted(scanner, '"')?;
        if scanner.token("/utf8") {
            bits.push_bytes(text.as_bytes());
            return Ok(());
        }
        return match text
            .chars()
            .map(|character| u8::try_from(character).ok())
            .collect::<Option<Vec<_>>>()
        {
            Some(latin1) => {
                bits.push_bytes(&latin1);
                Ok(())
            }
            None => scanner.fail_at(start, "characters above 255 need /utf8"),
        };
    }
    let value = term(scanner)?;
    let size = if scanner.token(":") { Some(term(scanner)?) } else { None };
    bits.push_integer(scanner, &value, size.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term;

    fn read(text: &str) -> Term {
        parse_erlang(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn reads_every_notation() {
        let cases = [
            ("{}", term!({})),
            (" { a , 'B c' } % comment\n .", term!({a, @"B c"})),
            ("[1|[2,3]]", term!([1, 2, 3])),
            ("[1|x]", term!([1 | x])),
            ("#{a => 1, \"k\" => #{}}", term!(#{a => 1, [107] => #{}})),
            ("-16#ff", term!(-255)),
            ("1_000", term!(1000)),
            ("$a", term!(97)),
            ("$\\n", term!(10)),
            ("-1.5e3", term!(-1500.0)),
            ("\"ab\" \"c\"", term!([97, 98, 99])),
            ("\"\\x{e9}\\101\"", term!([233, 65])),
            ("<<\"abc\">>", term!("abc")),
            ("<<\"é\"/utf8>>", term!("é")),
            ("<<1, 258:16, $a>>", Term::binary(&[1u8, 1, 2, 97][..])),
            ("[]", term!([])),
            ("\"\"", term!([])),
        ];
        for (text, term) in cases {
            assert_eq!(read(text), term, "{text}");
        }
        assert_eq!(read("fun lists:map/2").to_string(), "fun lists:map/2");
        assert_eq!(read("<<5:3>>").to_string(), "<<5:3>>");
        assert_eq!(
            read("123456789012345678901234567890").to_string(),
            "123456789012345678901234567890"
        );
    }

    #[test]
    fn errors_say_where() {
        let cases = [
            ("", 1, 1),
            ("{a,\n b", 2, 3),
            ("[a b]", 1, 4),
            ("{ok, Var}", 1, 6),
            ("foo()", 1, 4),
            ("#Pid<a.1.2>", 1, 1),
            ("'open", 1, 2),
            ("<0.1.2>", 1, 1),
            ("1 2", 1, 3),
            ("<<300:99>>", 1, 9),
            ("if", 1, 1),
        ];
        for (text, line, column) in cases {
            let error = parse_erlang(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse_erlang(&deep(crate::limits::TEXT_DEPTH_MAX)).is_ok());
        assert!(parse_erlang(&deep(crate::limits::TEXT_DEPTH_MAX + 1)).is_err());
        assert!(parse_erlang(&"{".repeat(1_000_000)).is_err());
    }
}
