//! `HAR.DataPlane.*`: parser and transformer, whole and for each format.

use erlang_interop::otp::FunctionsBuilder;
use erlang_interop::term::{Atom, Term, atom, term};

use super::errors::{error, graph_reason};
use super::{har, shapes};
use crate::data_plane::format::FORMATS;

const PARSER: &str = "Elixir.HAR.DataPlane.Parser";
const TRANSFORMER: &str = "Elixir.HAR.DataPlane.Transformer";

/// The modules of each format: its name, parser module, transformer module.
const MODULES: &[(&str, &str, &str)] = &[
    (
        "ansible",
        "Elixir.HAR.DataPlane.Parsers.Ansible",
        "Elixir.HAR.DataPlane.Transformers.Ansible",
    ),
    ("salt", "Elixir.HAR.DataPlane.Parsers.Salt", "Elixir.HAR.DataPlane.Transformers.Salt"),
];

pub(super) fn register(functions: &mut FunctionsBuilder) {
    functions.blocking(PARSER, "parse", 2, |args| har::parse(&args[0], &args[1], &Term::Nil));
    functions.blocking(PARSER, "parse", 3, |args| har::parse(&args[0], &args[1], &args[2]));
    functions.blocking(TRANSFORMER, "transform", 1, |args| har::write(&args[0], &Term::Nil));
    functions.blocking(TRANSFORMER, "transform", 2, |args| har::write(&args[0], &args[1]));
    for format in FORMATS.iter().copied() {
        let Some((_, parser, transformer)) = MODULES.iter().find(|row| row.0 == format.name())
        else {
            continue;
        };
        let name = Term::Atom(Atom::from_checked(format.name()));
        let own = name.clone();
        functions.blocking(parser, "parse", 1, move |args| har::parse(&own, &args[0], &Term::Nil));
        let own = name.clone();
        functions.blocking(parser, "parse", 2, move |args| har::parse(&own, &args[0], &args[1]));
        functions.blocking(parser, "validate", 1, move |args| har::validate(format, &args[0]));
        let own = name.clone();
        functions.blocking(transformer, "transform", 1, move |args| {
            har::write(&args[0], &with_target(&own, &Term::Nil))
        });
        functions.blocking(transformer, "transform", 2, move |args| {
            har::write(&args[0], &with_target(&name, &args[1]))
        });
        functions.pure(transformer, "validate", 1, |args| {
            Ok(match shapes::graph(&args[0])?.validate() {
                Ok(()) => term!(ok),
                Err(fault) => error(graph_reason(&fault)),
            })
        });
    }
}

/// The caller's options with this target in front.
fn with_target(target: &Term, options: &Term) -> Term {
    let own = Term::from((atom!("to"), target.clone()));
    Term::list(std::iter::once(own).chain(options.list_iter().into_iter().flatten()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_modules() {
        for format in FORMATS {
            assert!(MODULES.iter().any(|row| row.0 == format.name()), "{}", format.name());
        }
    }
}
