//! `HAR`: parse, route, transform, convert.

use std::time::Instant;

use erlang_interop::otp::{Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Term, atom};

use super::errors::{error, key_error, ok, parse_reason, route_reason, transform_reason};
use super::routing::route;
use super::{keyed, shapes};
use crate::cluster::Cluster;
use crate::control_plane::ControlPlane;
use crate::data_plane::{
    Format, Options, ParseError, Parsed, Report, TransformError, Transformed, find, transform,
};
use crate::semantic::{Graph, terms};
use crate::telemetry::trace::{Attribute, SpanKind};
use crate::telemetry::{Event, Telemetry};

const MODULE: &str = "Elixir.HAR";

pub(super) fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane, cluster: &Cluster) {
    functions.pure(MODULE, "version", 0, |_| Ok(Term::from(env!("CARGO_PKG_VERSION"))));
    let told = plane.telemetry().clone();
    functions
        .blocking(MODULE, "parse", 2, move |args| parse(&told, &args[0], &args[1], &Term::Nil));
    let told = plane.telemetry().clone();
    functions.blocking(MODULE, "parse", 3, move |args| parse(&told, &args[0], &args[1], &args[2]));
    let told = plane.telemetry().clone();
    functions.blocking(MODULE, "transform", 2, move |args| write(&told, &args[0], &args[1]));
    let shared = plane.clone();
    keyed::register_blocking(functions, (plane, cluster), (MODULE, "route"), move |args| {
        route(&shared, &args[0], &args[1])
    });
    let shared = plane.clone();
    functions
        .blocking(MODULE, "convert", 3, move |args| convert(&shared, &args[0], &args[1], &args[2]));
}

/// The format that an atom names, or what the caller gets for any other term.
fn format(name: &Term, unsupported: &'static str) -> Result<&'static dyn Format, Term> {
    let found = name.as_atom().and_then(|name| find(name.as_str()));
    found.ok_or_else(|| error(Term::from((Term::atom(unsupported), name.clone()))))
}

/// `{:ok, graph}`, or with `report: true` `{:ok, graph, report}`.
pub(super) fn parse(telemetry: &Telemetry, from: &Term, content: &Term, options: &Term) -> Outcome {
    let source = shapes::text(content)?;
    let options = shapes::data_options(shapes::options(options)?);
    let format = match format(from, "unsupported_format") {
        Ok(format) => format,
        Err(answer) => return Ok(answer),
    };
    Ok(match parsed(telemetry, format, source, &options) {
        Ok(parsed) => answer(parsed.graph.to_term(), &parsed.report, options.is_on("report")),
        Err(fault) => error(parse_reason(&fault)),
    })
}

/// Parses, and says so.
fn parsed(
    telemetry: &Telemetry,
    from: &dyn Format,
    source: &str,
    options: &Options,
) -> Result<Parsed, ParseError> {
    let started = Instant::now();
    let parsed = from.parse(source, options);
    let format = from.name();
    telemetry.execute(&match &parsed {
        Ok(parsed) => {
            let operations = count(&parsed.graph);
            Event::ParseComplete { format, operations, latency: started.elapsed() }
        }
        Err(_) => Event::ParseError { format },
    });
    parsed
}

/// Writes by `run`, and says so.
fn written(
    telemetry: &Telemetry,
    target: &dyn Format,
    graph: &Graph,
    run: impl FnOnce() -> Result<Transformed, TransformError>,
) -> Result<Transformed, TransformError> {
    let started = Instant::now();
    let done = run();
    let target = target.name();
    telemetry.execute(&match &done {
        Ok(_) => {
            let operations = count(graph);
            Event::TransformComplete { target, operations, latency: started.elapsed() }
        }
        Err(_) => Event::TransformError { target },
    });
    done
}

fn count(graph: &Graph) -> u64 {
    u64::try_from(graph.vertices.len()).unwrap_or(u64::MAX)
}

fn answer(value: Term, report: &Report, wanted: bool) -> Term {
    if wanted {
        Term::from((atom!("ok"), value, terms::term(&report.to_value())))
    } else {
        ok(value)
    }
}

/// `{:ok, text}`, or with `report: true` `{:ok, text, report}`; takes a graph or a routing plan.
pub(super) fn write(telemetry: &Telemetry, graph: &Term, options_term: &Term) -> Outcome {
    let graph = shapes::graph_or_plan(graph)?;
    let options = shapes::options(options_term)?;
    let Some(to) = options.get("to").map(terms::term) else {
        return Err(key_error("to", options_term));
    };
    let target = match format(&to, "unsupported_target") {
        Ok(format) => format,
        Err(answer) => return Ok(answer),
    };
    let options = shapes::data_options(options);
    let run = || target.transform(&graph, &options);
    Ok(match written(telemetry, target, &graph, run) {
        Ok(done) => answer(Term::from(done.text), &done.report, options.is_on("report")),
        Err(fault) => error(transform_reason(&fault)),
    })
}

/// Parse, route, transform. With `report: true` the answer is `{:ok, text, report}`.
fn convert(plane: &ControlPlane, from: &Term, content: &Term, options_term: &Term) -> Outcome {
    let options = shapes::options(options_term)?;
    let Some(to) = options.get("to").cloned() else {
        return Err(key_error("to", options_term));
    };
    let source = shapes::text(content)?;
    let policies = shapes::policy_names(&options);
    let parent = shapes::trace_parent(&options);
    let options = shapes::data_options(options);
    let from = match format(from, "unsupported_format") {
        Ok(format) => format,
        Err(answer) => return Ok(answer),
    };
    let telemetry = plane.telemetry();
    let mut span = telemetry.begin("HAR.convert", SpanKind::Server, parent);
    let started = Instant::now();
    let steps = || -> Result<(Term, u64), Term> {
        let parsed = parsed(telemetry, from, source, &options)
            .map_err(|fault| error(parse_reason(&fault)))?;
        plane
            .route(&parsed.graph, to.clone(), policies.as_deref())
            .map_err(|fault| error(route_reason(&fault)))?;
        let target = format(&terms::term(&to), "unsupported_target")?;
        let graph = &parsed.graph;
        let run = || transform(graph, parsed.report, target, &options);
        let done = written(telemetry, target, graph, run)
            .map_err(|fault| error(transform_reason(&fault)))?;
        let answer = answer(Term::from(done.text), &done.report, options.is_on("report"));
        Ok((answer, count(graph)))
    };
    let outcome = steps();
    let (from, latency) = (from.name(), started.elapsed());
    // A target that does not exist is a name that somebody made up.
    let to = to.as_text().and_then(find).map_or("unsupported", Format::name);
    span.set("har.from", Attribute::Text(from.to_owned()));
    span.set("har.to", Attribute::Text(to.to_owned()));
    telemetry.execute(&match outcome {
        Ok((_, operations)) => {
            span.set("har.operations", Attribute::Whole(operations));
            Event::ConvertComplete { from, to, operations, latency }
        }
        Err(_) => {
            span.fail();
            Event::ConvertError { from, to }
        }
    });
    Ok(outcome.map_or_else(|failed| failed, |(answer, _)| answer))
}

/// `:ok` when a text can be read. spec: contract 1.2, `validate/1`
pub(super) fn validate(format: &dyn Format, content: &Term) -> Outcome {
    let source = content.as_str().ok_or_else(Exception::function_clause)?;
    Ok(match format.parse(source, &crate::data_plane::Options::default()) {
        Ok(_) => Term::Atom(atom!("ok")),
        Err(fault) => error(parse_reason(&fault)),
    })
}

#[cfg(test)]
mod tests {
    use erlang_interop::term::term;

    use super::*;
    use crate::telemetry::events::Meta;

    const PLAYBOOK: &str = "- hosts: all\n  tasks:\n    - name: Install\n      apt: name=nginx\n";

    fn told() -> Telemetry {
        Telemetry::default()
    }

    fn converted(options: Term) -> Outcome {
        convert(&ControlPlane::new(false), &term!(ansible), &Term::from(PLAYBOOK), &options)
    }

    #[test]
    fn convert_works_on_a_fresh_node() {
        let answer = converted(term!([{to, salt}])).unwrap();
        let text = answer.as_tagged("ok").unwrap()[0].as_str().unwrap().to_owned();
        assert!(text.contains("pkg.installed"), "{text}");
        let answer = converted(term!([{to, salt}, {report, true}])).unwrap();
        assert_eq!(answer.as_tagged("ok").unwrap().len(), 2);
    }

    #[test]
    fn a_strict_control_plane_answers_as_the_elixir_one() {
        let plane = ControlPlane::new(true);
        let answer = convert(&plane, &term!(ansible), &Term::from(PLAYBOOK), &term!([{to, salt}]));
        assert_eq!(answer, Ok(term!({error, {routing_failed, [{error, no_backend_available}]}})));
    }

    #[test]
    fn errors_have_the_shapes_of_the_contract() {
        assert_eq!(
            converted(term!([{to, nowhere}])),
            Ok(term!({error, {unsupported_target, nowhere}}))
        );
        let bad = parse(&told(), &term!(bash), &Term::from(""), &Term::Nil);
        assert_eq!(bad, Ok(term!({error, {unsupported_format, bash}})));
        let missing = converted(Term::Nil).unwrap_err();
        let reason = missing.reason.as_map().unwrap();
        assert!(reason.get_atom("__struct__").unwrap().is_atom("Elixir.KeyError"));
        assert!(reason.get_atom("key").unwrap().is_atom("to"));
        let wrong = parse(&told(), &term!(ansible), &Term::from(1), &Term::Nil).unwrap_err();
        assert!(wrong.reason.is_atom("function_clause"));
    }

    #[test]
    fn broken_yaml_is_the_struct_of_yaml_elixir() {
        let source = Term::from("- hosts: [all\n  tasks: {\n");
        let answer = parse(&told(), &term!(ansible), &source, &Term::Nil).unwrap();
        let reason =
            answer.as_tagged("error").unwrap()[0].as_tagged("yaml_parse_error").unwrap()[0].clone();
        let fields = reason.as_map().unwrap();
        assert_eq!(fields.get_atom("line").and_then(Term::as_integer), Some(2));
        assert_eq!(fields.get_atom("column").and_then(Term::as_integer), Some(11));
        assert!(fields.get_atom("type").unwrap().is_atom("unfinished_flow_collection"));
        assert_eq!(
            fields.get_atom("message").and_then(Term::as_str),
            Some("Unfinished flow collection")
        );
        assert_eq!(fields.len(), 6);
    }

    #[test]
    fn a_graph_goes_out_and_comes_back() {
        let parsed = parse(&told(), &term!(ansible), &Term::from(PLAYBOOK), &Term::Nil).unwrap();
        let graph = &parsed.as_tagged("ok").unwrap()[0];
        let written = write(&told(), graph, &term!([{to, salt}])).unwrap();
        assert_eq!(written, converted(term!([{to, salt}])).unwrap());
    }

    #[test]
    fn what_was_done_is_told() {
        let plane = ControlPlane::new(false);
        let ask = |from: Term, source: &str, to: Term| {
            convert(&plane, &from, &Term::from(source), &term!([{to, (to)}])).expect("an answer");
        };
        ask(term!(ansible), PLAYBOOK, term!(salt));
        ask(term!(ansible), "- hosts: [", term!(salt));
        ask(term!(ansible), PLAYBOOK, term!(made_up));
        let happened: Vec<String> = plane
            .telemetry()
            .totals()
            .filter(|(_, total)| *total > 0)
            .map(|(name, total)| format!("{} {total}", name.path().join(".")))
            .collect();
        let wanted = [
            "har.routing.decision 2",
            "har.control_plane.routing.decision 2",
            "har.data_plane.parse.complete 2",
            "har.data_plane.parse.error 1",
            "har.data_plane.transform.complete 1",
            "har.convert.complete 1",
            "har.convert.error 2",
        ];
        assert_eq!(happened, wanted);
        let errors = plane.telemetry().recent(&["har", "convert", "error"]);
        assert_eq!(errors[1].metadata[1], ("to", Meta::Atom("unsupported".into())));
    }
}
