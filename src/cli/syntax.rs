//! Terms on the command line and in the output: Erlang syntax, or Elixir's with `--elixir`.

use erlang_interop::term::{Atom, Term, parse_elixir, parse_erlang};

use super::{Exit, Failure};

/// The syntax of terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `{ok, <<"x">>, 'Elixir.HAR'}`
    Erlang,
    /// `{:ok, "x", HAR}`
    Elixir,
}

impl Syntax {
    pub(super) fn show(self, term: &Term) -> String {
        match self {
            Self::Erlang => term.to_string(),
            Self::Elixir => term.to_elixir().to_string(),
        }
    }

    /// Reads the argument list of a call: one term, a proper list.
    pub(super) fn arguments(self, text: &str) -> Result<Vec<Term>, Failure> {
        let (parsed, example) = match self {
            Self::Erlang => (parse_erlang(text), "[1, {a, <<\"b\">>}]"),
            Self::Elixir => (parse_elixir(text), "[1, {:a, \"b\"}]"),
        };
        let term = parsed.map_err(|error| {
            let place = format!("ARGS column {}", error.column);
            let place =
                if text.contains('\n') { format!("ARGS line {}", error.line) } else { place };
            Failure::new(
                Exit::DataErr,
                format!("{place}: {}; write a list such as '{example}'", error.message),
            )
        })?;
        let arguments = term.list_iter().map(|items| items.collect());
        arguments.ok_or_else(|| {
            let message =
                format!("ARGS must be one list of arguments, such as '{example}' or '[]'");
            Failure::new(Exit::DataErr, message)
        })
    }

    /// Reads the name of a module or function, quoted or not. In Elixir syntax `HAR` is the module
    /// `'Elixir.HAR'`.
    pub(super) fn name(self, text: &str) -> Result<Atom, Failure> {
        let alias = text.starts_with(|first: char| first.is_ascii_uppercase());
        let parsed = match self {
            Self::Elixir if alias && !text.starts_with("Elixir.") => {
                return atom(&format!("Elixir.{text}"));
            }
            Self::Elixir => parse_elixir(text).ok(),
            Self::Erlang => parse_erlang(text).ok(),
        };
        match parsed.as_ref().and_then(Term::as_atom) {
            Some(name) => Ok(name.clone()),
            // `Elixir.HAR` is no atom without quotes, but what else could be meant.
            None => atom(text),
        }
    }
}

fn atom(text: &str) -> Result<Atom, Failure> {
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        return Err(Failure::new(
            Exit::DataErr,
            format!(
                "`{text}` is no name of a module or function; write such as erlang or 'Elixir.HAR'"
            ),
        ));
    }
    Atom::new(text).map_err(|_| Failure::new(Exit::DataErr, "a name has more than 255 characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_in_the_way_of_each_language() {
        for (syntax, text, atom) in [
            (Syntax::Erlang, "erlang", "erlang"),
            (Syntax::Erlang, "'Elixir.HAR'", "Elixir.HAR"),
            (Syntax::Erlang, "Elixir.HAR", "Elixir.HAR"),
            (Syntax::Elixir, "HAR", "Elixir.HAR"),
            (Syntax::Elixir, "HAR.ControlPlane.Router", "Elixir.HAR.ControlPlane.Router"),
            (Syntax::Elixir, "Elixir.HAR", "Elixir.HAR"),
            (Syntax::Elixir, ":erlang", "erlang"),
            (Syntax::Elixir, "erlang", "erlang"),
            (Syntax::Elixir, "healthy?", "healthy?"),
        ] {
            assert_eq!(syntax.name(text).expect(text).as_str(), atom);
        }
        assert!(Syntax::Erlang.name("").is_err());
        assert!(Syntax::Erlang.name("two words").is_err());
        assert!(Syntax::Erlang.name(&"x".repeat(256)).is_err());
    }

    #[test]
    fn arguments_are_one_list() {
        assert_eq!(Syntax::Erlang.arguments("[1, {a}]").expect("a list").len(), 2);
        assert_eq!(Syntax::Elixir.arguments("[1, {:a}, %{b: 1}]").expect("a list").len(), 3);
        assert!(Syntax::Erlang.arguments("[]").expect("a list").is_empty());
        for text in ["1", "{a}", "[1|2]", "[1", "", "[1] x"] {
            let failure = Syntax::Erlang.arguments(text).expect_err(text);
            assert_eq!(failure.exit, Exit::DataErr);
            assert!(failure.to_string().contains("'["), "{failure}");
        }
    }
}
