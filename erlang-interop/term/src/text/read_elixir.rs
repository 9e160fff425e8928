//! Elixir syntax to terms.

use super::elixir::alias;
use super::read_bits::Bits;
use super::scanner::{ParseError, Parsed, Scanner};
use crate::atom::Atom;
use crate::map::Map;
use crate::term::Term;

/// Reads one term in Elixir syntax: what `inspect` prints, and the other ways to write the same.
///
/// # Errors
/// [`ParseError`] with line and column when the text is no term, has variables or calls, or nests too
/// deep.
///
/// ```
/// use erlang_term::{parse_elixir, term};
/// let read = parse_elixir(r#"{:ok, %HAR.Op{name: "web"}, [port: 80]}"#)?;
/// assert_eq!(read, term!({ok, #{@"__struct__" => @"Elixir.HAR.Op", name => "web"}, [{port, 80}]}));
/// # Ok::<(), erlang_term::ParseError>(())
/// ```
pub fn parse_elixir(text: &str) -> Result<Term, ParseError> {
    let mut scanner = Scanner::new(text, '#');
    let term = term(&mut scanner)?;
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
            Ok(Term::tuple(items(scanner, "}")?.0))
        }
        Some('[') => {
            scanner.next();
            let (elements, tail) = items(scanner, "]")?;
            Ok(Term::improper_list(elements, tail))
        }
        Some('#') => scanner.fail("what prints as #Name<...> has no source form"),
        Some('%') => map(scanner),
        Some('"') => {
            scanner.next();
            Ok(Term::binary(quoted(scanner, '"')?))
        }
        Some('\'') => {
            scanner.next();
            charlist(scanner, '\'')
        }
        Some('~') => sigil(scanner),
        Some(':') => Ok(Term::Atom(atom(scanner)?)),
        Some('&') => capture(scanner),
        Some('<') if scanner.take("<<") => {
            let mut bits = Bits::default();
            scanner.sequence(">>", true, |scanner| segment(scanner, &mut bits))?;
            Ok(bits.finish())
        }
        Some('?') => {
            scanner.next();
            code_point(scanner)
        }
        Some('-' | '+' | '0'..='9') => number(scanner),
        Some(first) if first.is_ascii_uppercase() => {
            let module = module(scanner)?;
            if scanner.rest().starts_with(['.', '(']) {
                return scanner.fail("a call has no value here");
            }
            Ok(Term::Atom(module))
        }
        Some(first) if first.is_alphabetic() || first == '_' => Ok(Term::Atom(word(scanner)?)),
        _ => scanner.expected("a term"),
    }
}

/// Elements, `key: value` pairs and a tail up to the closing token.
fn items(scanner: &mut Scanner<'_>, close: &str) -> Parsed<(Vec<Term>, Term)> {
    let mut elements = Vec::new();
    let mut keywords = Vec::new();
    let mut tail = Term::Nil;
    scanner.sequence(close, true, |scanner| {
        if let Some(key) = key(scanner)? {
            keywords.push(Term::from((key, term(scanner)?)));
            return Ok(());
        }
        if !keywords.is_empty() {
            return scanner.expected("`key: value`, as before");
        }
        elements.push(term(scanner)?);
        if close == "]"
            && let Some(end) = scanner.tail(term)?
        {
            tail = end;
        }
        Ok(())
    })?;
    if close == "]" {
        elements.append(&mut keywords);
    } else if !keywords.is_empty() {
        elements.push(Term::list(keywords));
    }
    Ok((elements, tail))
}

/// `key:` or `"key":` before a value, if that is what comes.
fn key(scanner: &mut Scanner<'_>) -> Parsed<Option<Atom>> {
    scanner.skip();
    let start = scanner.at();
    let rest = scanner.rest();
    if rest.starts_with('"') {
        let mut ahead = Scanner::new(rest, '#');
        ahead.next();
        let Ok(text) = quoted(&mut ahead, '"') else { return Ok(None) };
        if !ahead.rest().starts_with(':') || ahead.rest().starts_with("::") {
            return Ok(None);
        }
        scanner.take(&rest[..=ahead.at()]);
        return intern(scanner, start, &text).map(Some);
    }
    let name = identifier_len(rest);
    let after = &rest[name..];
    if name == 0 || !after.starts_with(':') || after.starts_with("::") {
        return Ok(None);
    }
    scanner.take(&rest[..=name]);
    intern(scanner, start, &rest[..name]).map(Some)
}

/// Bytes of the identifier that the text begins with, with its `?` or `!`.
fn identifier_len(text: &str) -> usize {
    if !text.starts_with(|first: char| first.is_alphabetic() || first == '_') {
        return 0;
    }
    let body = |character: char| character.is_alphanumeric() || matches!(character, '_' | '@');
    let len = text.find(|character| !body(character)).unwrap_or(text.len());
    len + usize::from(text[len..].starts_with(['?', '!']))
}

fn intern(scanner: &Scanner<'_>, start: usize, text: &(impl AsRef<[u8]> + ?Sized)) -> Parsed<Atom> {
    match std::str::from_utf8(text.as_ref()) {
        Ok(text) => scanner.atom(start, text),
        Err(_) => scanner.fail_at(start, "an atom is UTF-8"),
    }
}

/// `%{...}` or `%Module{...}`.
fn map(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    scanner.next();
    let mut pairs = Vec::new();
    if scanner.peek().is_some_and(|first| first.is_ascii_uppercase()) {
        pairs.push((Term::atom("__struct__"), Term::Atom(module(scanner)?)));
    }
    if !scanner.take("{") {
        return scanner.expected("`{`");
    }
    scanner.sequence("}", true, |scanner| {
        if let Some(key) = key(scanner)? {
            pairs.push((Term::Atom(key), term(scanner)?));
            return Ok(());
        }
        let key = term(scanner)?;
        if !scanner.token("=>") {
            return scanner.expected("`=>`");
        }
        pairs.push((key, term(scanner)?));
        Ok(())
    })?;
    Ok(Term::Map(Map::new(pairs)))
}

/// `HAR.Foo`, the atom `:"Elixir.HAR.Foo"`.
fn module(scanner: &mut Scanner<'_>) -> Parsed<Atom> {
    let start = scanner.at();
    let rest = scanner.rest();
    let mut len = 0;
    loop {
        let part = rest[len..]
            .find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
            .unwrap_or(rest.len() - len);
        len += part;
        let mut after = rest[len..].chars();
        if after.next() != Some('.')
            || !after.next().is_some_and(|first| first.is_ascii_uppercase())
        {
            break;
        }
        len += 1;
    }
    scanner.take(&rest[..len]);
    let name = rest[..len].strip_prefix("Elixir.").unwrap_or(&rest[..len]);
    if name == "Elixir" {
        return intern(scanner, start, name);
    }
    let full = format!("Elixir.{name}");
    match alias(&full) {
        Some(_) => intern(scanner, start, &full),
        None => scanner.fail_at(start, "expected a module name"),
    }
}

fn word(scanner: &mut Scanner<'_>) -> Parsed<Atom> {
    let start = scanner.at();
    let rest = scanner.rest();
    let text = &rest[..identifier_len(rest)];
    match text {
        "nil" | "true" | "false" => {
            scanner.take(text);
            intern(scanner, start, text)
        }
        _ => {
            scanner.fail(format!("`{text}` has no value here; write `:{text}` if an atom is meant"))
        }
    }
}

/// `:name`, `:"name"` or `:+`.
fn atom(scanner: &mut Scanner<'_>) -> Parsed<Atom> {
    scanner.next();
    name(scanner, true)
}

/// The name of an atom or function: quoted, an identifier or an operator. In a capture the operators do
/// not reach over the `/` before the arity.
fn name(scanner: &mut Scanner<'_>, slash: bool) -> Parsed<Atom> {
    let start = scanner.at();
    for quote in ['"', '\''] {
        if scanner.peek() == Some(quote) {
            scanner.next();
            let text = quoted(scanner, quote)?;
            return intern(scanner, start, &text);
        }
    }
    let rest = scanner.rest();
    let mut len = identifier_len(rest);
    if len == 0 {
        let operator = |character: char| "!=%&*+-<>@\\^|~:".contains(character);
        let more = |character: char| operator(character) || slash && matches!(character, '.' | '/');
        len = rest.find(|character| !more(character)).unwrap_or(rest.len());
    }
    let whole = ["%{}", "{}", "/", "<<>>", "."].iter().find(|sign| rest.starts_with(**sign));
    len = len.max(whole.map_or(0, |sign| sign.len()));
    if len == 0 {
        return scanner.expected("the name of an atom");
    }
    scanner.take(&rest[..len]);
    intern(scanner, start, &rest[..len])
}

/// `&Module.function/arity`.
fn capture(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    scanner.next();
    let module = match scanner.peek() {
        Some(':') => {
            scanner.next();
            name(scanner, false)?
        }
        Some(first) if first.is_ascii_uppercase() => module(scanner)?,
        // `nil`, `true` and `false` are modules' names as good as others.
        Some(first) if first.is_ascii_lowercase() => word(scanner)?,
        _ => return scanner.expected("`Module.function/arity`"),
    };
    if !scanner.take(".") {
        return scanner.expected("`.` and a function");
    }
    let function = name(scanner, false)?;
    if !scanner.take("/") {
        return scanner.expected("`/` and an arity");
    }
    scanner.export(module, function)
}

fn number(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let negative = scanner.negative();
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if scanner.take(prefix) {
            let digits = scanner.digits(base)?;
            return scanner.integer(&digits, base, negative);
        }
    }
    let digits = scanner.digits(10)?;
    match scanner.float(&digits, negative)? {
        Some(float) => Ok(float),
        None => scanner.integer(&digits, 10, negative),
    }
}

/// The bytes up to the closing delimiter, which is taken.
fn quoted(scanner: &mut Scanner<'_>, close: char) -> Parsed<Vec<u8>> {
    let mut bytes = Vec::new();
    scanner.quoted(close, |scanner| {
        if scanner.rest().starts_with("#{") {
            return scanner.fail("interpolation has no value here; write `\\#{`");
        }
        character(scanner, &mut bytes)
    })?;
    Ok(bytes)
}

/// One character or escape, as bytes: `\xHH` may be any byte.
fn character(scanner: &mut Scanner<'_>, bytes: &mut Vec<u8>) -> Parsed<()> {
    let Some(first) = scanner.next() else { return scanner.expected("a character") };
    let mut put = |character: char| {
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    };
    if first != '\\' {
        put(first);
        return Ok(());
    }
    match scanner.next() {
        None => return scanner.expected("an escape"),
        Some('\n') => {}
        Some('u') => put(char::from_u32(scanner.hex_escape(4)?).unwrap_or_default()),
        Some('x') if scanner.rest().starts_with('{') => {
            put(char::from_u32(scanner.hex_escape(2)?).unwrap_or_default());
        }
        Some('x') => bytes.push(scanner.hex_escape(2)? as u8),
        Some(other) => put(short_escape(other).unwrap_or(other)),
    }
    Ok(())
}

/// What follows `?`: one character, or a backslash and one, never the digits of a longer escape.
fn code_point(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let character = match scanner.next() {
        Some('\\') => scanner.next().map(|escaped| short_escape(escaped).unwrap_or(escaped)),
        first => first,
    };
    match character {
        Some(character) => Ok(Term::from(u32::from(character))),
        None => scanner.expected("a character"),
    }
}

/// The escapes of one character.
fn short_escape(character: char) -> Option<char> {
    match character {
        'a' => Some('\u{7}'),
        '0' => Some('\0'),
        other => Scanner::simple_escape(other),
    }
}

fn charlist(scanner: &mut Scanner<'_>, close: char) -> Parsed<Term> {
    let start = scanner.at();
    match String::from_utf8(quoted(scanner, close)?) {
        Ok(text) => Ok(Term::charlist(&text)),
        Err(_) => scanner.fail_at(start, "a charlist is UTF-8"),
    }
}

/// `~c"..."`, and `~s"..."`, with the usual delimiters.
fn sigil(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let start = scanner.at();
    scanner.next();
    let kind = scanner.next();
    let close = match scanner.next() {
        Some('(') => ')',
        Some('[') => ']',
        Some('{') => '}',
        Some('<') => '>',
        Some(same @ ('"' | '\'' | '/' | '|')) => same,
        _ => return scanner.fail_at(start, "expected ~c\"...\" or ~s\"...\""),
    };
    match kind {
        Some('c') => charlist(scanner, close),
        Some('s') => Ok(Term::binary(quoted(scanner, close)?)),
        _ => scanner.fail_at(start, "of sigils only ~c and ~s have a value here"),
    }
}

fn segment(scanner: &mut Scanner<'_>, bits: &mut Bits) -> Parsed<()> {
    let value = term(scanner)?;
    let size = if scanner.token("::") {
        scanner.skip();
        if scanner.take("size(") {
            let size = term(scanner)?;
            if !scanner.token(")") {
                return scanner.expected("`)`");
            }
            Some(size)
        } else {
            Some(term(scanner)?)
        }
    } else {
        None
    };
    match (&value, &size) {
        (Term::Binary(bytes), None) => {
            bits.push_bytes(bytes);
            Ok(())
        }
        _ => bits.push_integer(scanner, &value, size.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term;

    #[test]
    fn reads_every_notation() {
        let cases = [
            ("{}", term!({})),
            ("{:ok, nil, true}", term!({ok, nil, true})),
            ("[a: 1, \"b c\": 2]", term!([{a, 1}, {@"b c", 2}])),
            ("[1, b?: 2]", term!([1, {@"b?", 2}])),
            ("{1, a: 2}", term!({1, [{a, 2}]})),
            ("[1 | 2]", term!([1 | 2])),
            ("%{a: 1, }", term!(#{a => 1})),
            ("%{\"a\" => 1, :b => 2}", term!(#{"a" => 1, b => 2})),
            ("HAR.Foo # comment", term!(@"Elixir.HAR.Foo")),
            (":\"Elixir.HAR.Foo\"", term!(@"Elixir.HAR.Foo")),
            (":+", term!(@"+")),
            (":a@b", term!(@"a@b")),
            ("~c\"ab\"", term!([97, 98])),
            ("'ab'", term!([97, 98])),
            ("~s(a)", term!("a")),
            ("0x1F", term!(31)),
            ("-1_000.5", term!(-1000.5)),
            ("?a", term!(97)),
            ("[?\\n, ?\\\\, ?\\é, ?é]", term!([10, 92, 233, 233])),
            ("?\\\n", term!(10)),
            ("?\\x", term!(120)),
            ("\"a\\n\\u00e9\\x{1F600}\"", term!("a\né😀")),
            ("<<1, 2>>", Term::binary(&[1u8, 2][..])),
            ("<<\"a\", 255>>", Term::binary(&[97u8, 255][..])),
            ("\"#PID<0.1.2>\"", term!("#PID<0.1.2>")),
        ];
        for (text, term) in cases {
            assert_eq!(parse_elixir(text), Ok(term), "{text}");
        }
        for text in
            ["&HAR.run/2", "&:lists.map/2", "<<5::size(3)>>", "%HAR.Op{a: 1}", "[{HAR.A, 1}]"]
        {
            assert_eq!(parse_elixir(text).unwrap().to_elixir().to_string(), text);
        }
    }

    #[test]
    fn errors_say_where() {
        let cases = [
            ("", 1, 1),
            ("{:ok,\n foo}", 2, 2),
            ("[1, #PID<0.1.2>]", 1, 5),
            ("#PID<0.1.2>", 1, 1),
            ("HAR.run(1)", 1, 4),
            ("\"a#{b}\"", 1, 3),
            ("[a: 1, 2]", 1, 8),
            ("%{1 2}", 1, 5),
            (":", 1, 2),
            ("~r/x/", 1, 1),
        ];
        for (text, line, column) in cases {
            let error = parse_elixir(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse_elixir(&"[".repeat(1_000_000)).is_err());
        assert!(parse_elixir(&"{".repeat(crate::limits::TEXT_DEPTH_MAX + 1)).is_err());
    }
}
