//! `HAR.DataPlane.*`: parser and transformer, whole and for each format.

use erlang_interop::otp::FunctionsBuilder;
use erlang_interop::term::{Atom, Term, atom, term};

use super::errors::{error, graph_reason};
use super::{har, shapes};
use crate::data_plane::format::FORMATS;
use crate::telemetry::Telemetry;

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

pub(super) fn register(functions: &mut FunctionsBuilder, telemetry: &Telemetry) {
    for arity in [2, 3] {
        let told = telemetry.clone();
        functions.blocking(PARSER, "parse", arity, move |args| {
            har::parse(&told, &args[0], &args[1], args.get(2).unwrap_or(&Term::Nil))
        });
    }
    for arity in [1, 2] {
        let told = telemetry.clone();
        functions.blocking(TRANSFORMER, "transform", arity, move |args| {
            har::write(&told, &args[0], args.get(1).unwrap_or(&Term::Nil))
        });
    }
    for format in FORMATS.iter().copied() {
        let Some((_, parser, transformer)) = MODULES.iter().find(|row| row.0 == format.name())
        else {
            continue;
        };
        let name = Term::Atom(Atom::from_checked(format.name()));
        for arity in [1, 2] {
            let (told, own) = (telemetry.clone(), name.clone());
            functions.blocking(parser, "parse", arity, move |args| {
                har::parse(&told, &own, &args[0], args.get(1).unwrap_or(&Term::Nil))
            });
            let (told, own) = (telemetry.clone(), name.clone());
            functions.blocking(transformer, "transform", arity, move |args| {
                let options = with_target(&own, args.get(1).unwrap_or(&Term::Nil));
                har::write(&told, &args[0], &options)
            });
        }
        functions.blocking(parser, "validate", 1, move |args| har::validate(format, &args[0]));
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
