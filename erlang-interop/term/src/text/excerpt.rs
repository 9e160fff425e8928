//! The beginning of a term's text, for errors and logs.

use std::fmt::{self, Write as _};

use crate::term::Term;

/// Takes so many characters and refuses more, so that a long printout is stopped, not cut afterwards.
struct Excerpt {
    text: String,
    left: usize,
}

impl fmt::Write for Excerpt {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}

impl Term {
    /// The first `characters` of the text in Erlang's syntax, and an ellipsis when there are more. Takes
    /// time in proportion to them, however large the term is.
    ///
    /// ```
    /// use erlang_term::term;
    /// assert_eq!(term!([ok, {1, 2}]).excerpt(20), "[ok,{1,2}]");
    /// assert_eq!(term!([ok, {1, 2}]).excerpt(5), "[ok,{…");
    /// ```
    #[must_use]
    pub fn excerpt(&self, characters: usize) -> String {
        let mut excerpt = Excerpt { text: String::new(), left: characters };
        if write!(excerpt, "{self}").is_err() {
            excerpt.text.push('…');
        }
        excerpt.text
    }
}
