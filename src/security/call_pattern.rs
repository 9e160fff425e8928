//! Patterns for functions: `HAR.*`, `erlang:node/0`, `HAR.ControlPlane.RoutingTable.reload/1`.

use std::fmt;
use std::str::FromStr;

use erlang_interop::node::NamePattern;
use thiserror::Error;

/// Module, and where given function and arity. In module and function `*` stands for any characters
/// and `?` for one.
///
/// A module that begins with a capital is one of Elixir. One that ends in `.*` is the module before it
/// and all below it. Functions are written as in Erlang (`Module:Function/Arity`), those of an Elixir
/// module also with a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPattern {
    text: String,
    module: NamePattern,
    /// The module itself, where the pattern is for all below it.
    above: Option<String>,
    function: Option<Function>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Function {
    name: NamePattern,
    arity: Option<usize>,
}

/// Why a text is no pattern for functions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` names no functions: write MODULE, MODULE:FUNCTION or MODULE:FUNCTION/ARITY")]
pub struct CallPatternError {
    /// The text.
    text: String,
}

impl CallPattern {
    /// Whether that function fits.
    #[must_use]
    pub fn matches(&self, module: &str, function: &str, arity: usize) -> bool {
        let of_module =
            self.module.matches(module) || self.above.as_deref().is_some_and(|own| own == module);
        of_module
            && self.function.as_ref().is_none_or(|wanted| {
                wanted.name.matches(function) && wanted.arity.is_none_or(|own| own == arity)
            })
    }

    /// Whether it names one function, not whatever looks like it.
    #[must_use]
    pub fn names_function(&self) -> bool {
        let plain = |pattern: &NamePattern| !pattern.as_str().contains(['*', '?']);
        plain(&self.module) && self.function.as_ref().is_some_and(|function| plain(&function.name))
    }
}

/// Splits `HAR.Router.route/2` before `route`; nothing where all parts are names of modules.
fn split_elixir(text: &str) -> Option<(&str, &str)> {
    let (module, last) = text.rsplit_once('.')?;
    last.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        .then_some((module, last))
}

impl Function {
    fn read(text: &str) -> Option<Self> {
        let (name, arity) = match text.rsplit_once('/') {
            // The operator `/` has a slash of its own.
            Some((name, digits)) if !name.is_empty() && !digits.is_empty() => {
                (name, Some(digits.parse().ok()?))
            }
            _ => (text, None),
        };
        Some(Self { name: name.parse().ok()?, arity })
    }
}

impl FromStr for CallPattern {
    type Err = CallPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || CallPatternError { text: text.to_owned() };
        let elixir = text.starts_with(|first: char| first.is_ascii_uppercase());
        let (module, function) = match text.split_once(':') {
            Some((module, function)) => (module, Some(function)),
            None if elixir => match split_elixir(text) {
                Some((module, function)) => (module, Some(function)),
                None => (text, None),
            },
            None => (text, None),
        };
        if module.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '@' || c == ',') {
            return Err(wrong());
        }
        // `erlang/2` forgot the function.
        if function.is_none() && module.contains('/') {
            return Err(wrong());
        }
        let full = match elixir && !module.starts_with("Elixir.") {
            true => format!("Elixir.{module}"),
            false => module.to_owned(),
        };
        let function = function.map(|text| Function::read(text).ok_or_else(wrong)).transpose()?;
        Ok(Self {
            text: text.to_owned(),
            above: full.strip_suffix(".*").map(str::to_owned),
            module: full.parse().map_err(|_| wrong())?,
            function,
        })
    }
}

impl fmt::Display for CallPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_fits(pattern: &str, fitting: &[(&str, &str, usize)], other: &[(&str, &str, usize)]) {
        let pattern: CallPattern = pattern.parse().expect("a pattern");
        for (module, function, arity) in fitting {
            assert!(pattern.matches(module, function, *arity), "{pattern}: {module}:{function}");
        }
        for (module, function, arity) in other {
            assert!(!pattern.matches(module, function, *arity), "{pattern}: {module}:{function}");
        }
    }

    #[test]
    fn modules_functions_and_arities_fit_as_written() {
        assert_fits("erlang", &[("erlang", "node", 0)], &[("erlangs", "node", 0)]);
        assert_fits("erlang:node/0", &[("erlang", "node", 0)], &[("erlang", "node", 1)]);
        assert_fits("erlang:node", &[("erlang", "node", 1)], &[("erlang", "nodes", 0)]);
        assert_fits("erlang:is_*/1", &[("erlang", "is_map", 1)], &[("erlang", "is_map_key", 2)]);
        assert_fits("erlang://2", &[("erlang", "/", 2)], &[("erlang", "/", 1)]);
        assert_fits("erlang:/", &[("erlang", "/", 2)], &[("erlang", "rem", 2)]);
        assert_fits("*:halt", &[("erlang", "halt", 0), ("init", "halt", 1)], &[("a", "b", 0)]);
    }

    #[test]
    fn modules_of_elixir_are_written_as_in_elixir() {
        let route = ("Elixir.HAR.ControlPlane.Router", "route", 2);
        let convert = ("Elixir.HAR", "convert", 3);
        assert_fits("HAR.*", &[route, convert], &[("Elixir.HARD", "x", 0), ("har", "x", 0)]);
        assert_fits("HAR", &[convert], &[route]);
        assert_fits("HAR.convert/3", &[convert], &[("Elixir.HAR", "convert", 2)]);
        assert_fits("Elixir.HAR:convert/3", &[convert], &[route]);
        assert_fits("HAR.ControlPlane.Router.route", &[route], &[convert]);
        assert_fits("HAR.*:route", &[route], &[convert]);
        let healthy = ("Elixir.HAR.ControlPlane.HealthChecker", "healthy?", 1);
        assert_fits("HAR.ControlPlane.HealthChecker.healthy?/1", &[healthy], &[]);
    }

    #[test]
    fn what_names_no_function_is_refused() {
        for text in ["", ":node", "erlang:", "erlang:node/x", "erlang/2", "a b", "a@b", "a,b"] {
            assert!(text.parse::<CallPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_know_whether_they_name_one_function() {
        let names = |text: &str| text.parse::<CallPattern>().expect("a pattern").names_function();
        assert!(names("erlang:halt") && names("erlang:halt/0") && names("Node.stop/0"));
        assert!(!names("erlang") && !names("erlang:*") && !names("*:halt") && !names("HAR.*"));
        assert!(!names("erlang:hal?") && !names("er?ang:halt"));
    }
}
