//! Just enough Jinja: where the expressions in a text are, and the tokens of an expression.

mod tokens;

pub use tokens::{Token, tokens};

/// A part of a text that may hold Jinja.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Segment<'a> {
    /// Text that stands for itself.
    Text(&'a str),
    /// The inside of `{{ … }}`.
    Expression(&'a str),
    /// A statement or comment, with its braces.
    Other(&'a str),
}

/// Whether a text holds any Jinja.
pub fn has_jinja(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The parts of a text, in order. An opening without its end is text.
pub fn segments(text: &str) -> Vec<Segment<'_>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('{').map(|offset| at + offset) {
        let end = match text.as_bytes().get(found + 1) {
            Some(b'{') => end_of_expression(text, found + 2),
            Some(b'%') => find_after(text, found + 2, "%}"),
            Some(b'#') => find_after(text, found + 2, "#}"),
            _ => None,
        };
        let Some(end) = end else {
            at = found + 1;
            continue;
        };
        if found > start {
            parts.push(Segment::Text(&text[start..found]));
        }
        parts.push(if text[found..].starts_with("{{") {
            Segment::Expression(&text[found + 2..end - 2])
        } else {
            Segment::Other(&text[found..end])
        });
        start = end;
        at = end;
    }
    if start < text.len() {
        parts.push(Segment::Text(&text[start..]));
    }
    parts
}

fn find_after(text: &str, from: usize, mark: &str) -> Option<usize> {
    text[from..].find(mark).map(|offset| from + offset + mark.len())
}

/// The end of an expression, past its `}}`; braces inside quotes do not end it.
fn end_of_expression(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = from;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at + 2),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_found_between_text() {
        let parts = segments("a {{ b['}}'] }} c {% if x %}d{# e #}{ f");
        assert_eq!(
            parts,
            [
                Segment::Text("a "),
                Segment::Expression(" b['}}'] "),
                Segment::Text(" c "),
                Segment::Other("{% if x %}"),
                Segment::Text("d"),
                Segment::Other("{# e #}"),
                Segment::Text("{ f"),
            ]
        );
    }

    #[test]
    fn an_open_expression_is_text() {
        assert_eq!(segments("a {{ b"), [Segment::Text("a {{ b")]);
    }
}
