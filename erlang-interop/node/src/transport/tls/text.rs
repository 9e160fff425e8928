//! Text in an options file: `"..."`, which is a list of characters, or a binary.

use erlang_term::Term;

/// The text of a list of characters (not the empty one) or of a binary.
pub(super) fn text_of(value: &Term) -> Option<String> {
    match value {
        Term::Binary(_) => value.as_str().map(str::to_owned),
        Term::List(_) => {
            let character = |term: &Term| {
                char::from_u32(u32::try_from(term.as_integer()?).ok()?).filter(|c| *c != '\0')
            };
            value.list_iter()?.map(|term| character(&term)).collect()
        }
        _ => None,
    }
}
