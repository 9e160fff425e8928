use erlang_interop::term::term;

use super::*;
use crate::semantic::Kind;

fn backend(kind: &str, metadata: Map) -> Backend {
    Backend {
        name: "b".into(),
        kind: kind.into(),
        priority: 50,
        capabilities: vec!["all".into()],
        metadata,
    }
}

fn operation(target: Map) -> Operation {
    Operation { target, ..Operation::new("a", Kind::FileCopy, Map::new()) }
}

fn at(region: &str) -> Map {
    Map::new().with("name", "har@h").with("region", region).with("zone", Value::Null)
}

fn verdict_at(
    facts: &Map,
    policies: &[Policy],
    backend: &Backend,
    operation: &Operation,
    only: Option<&[String]>,
) -> Verdict {
    let mut found = Vec::new();
    applying(policies, operation, only, &mut found);
    judge(&found, backend, facts)
}

fn verdict(policies: &[Policy], backend: &Backend, operation: &Operation) -> Verdict {
    verdict_at(&Map::new(), policies, backend, operation, None)
}

/// The example of the architecture document.
fn residency() -> Policy {
    let node = Map::new().with("region", "eu");
    Policy::from_map(
        &Map::new()
            .with("name", Value::atom("eu_data_residency"))
            .with("match", Map::new().with("data_region", "eu"))
            .with("require", Map::new().with("node", node))
            .with("action", Value::atom("enforce")),
    )
}

#[test]
fn the_defaults() {
    let engine = PolicyEngine::default();
    let policies = engine.policies();
    let dev = operation(Map::new().with("environment", Value::atom("dev")));
    assert_eq!(verdict(policies, &backend("local", Map::new()), &dev), Verdict::Prefer(10));
    assert_eq!(verdict(policies, &backend("remote", Map::new()), &dev), Verdict::Allow);
    assert_eq!(verdict(policies, &backend("", Map::new()), &dev), Verdict::Deny);
    let named = ["default_allow".to_owned()];
    let no_type = backend("", Map::new());
    let only = verdict_at(&Map::new(), policies, &no_type, &dev, Some(&named));
    assert_eq!(only, Verdict::Allow);
}

#[test]
fn data_stays_in_its_region() {
    let policies = [residency()];
    let eu = operation(Map::new().with("data_region", "eu"));
    let us = operation(Map::new().with("data_region", "us"));
    let nested = Map::new().with("node", Map::new().with("region", "eu"));
    let inside = backend("remote", nested);
    let flat = backend("remote", Map::new().with("region", Value::atom("eu")));
    let outside = backend("remote", Map::new().with("region", "us"));
    let (nowhere, local) = (backend("remote", Map::new()), backend("local", Map::new()));
    for (node, backend, operation, want) in [
        ("eu", &inside, &eu, Verdict::Allow),
        ("eu", &flat, &eu, Verdict::Allow),
        ("eu", &local, &eu, Verdict::Allow),
        ("eu", &outside, &eu, Verdict::Deny),
        ("eu", &nowhere, &eu, Verdict::Deny),
        ("us", &inside, &eu, Verdict::Deny),
        ("us", &local, &eu, Verdict::Deny),
        ("us", &outside, &us, Verdict::Allow),
    ] {
        assert_eq!(verdict_at(&at(node), &policies, backend, operation, None), want, "{node}");
    }
    // A node that does not know where it is counts as outside.
    assert_eq!(verdict(&policies, &inside, &eu), Verdict::Deny);
}

#[test]
fn an_enforced_policy_cannot_be_left_out() {
    let (eu, local) =
        (operation(Map::new().with("data_region", "eu")), backend("local", Map::new()));
    for only in [vec![], vec!["default_allow".to_owned()]] {
        let said = verdict_at(&at("us"), &[residency()], &local, &eu, Some(&only));
        assert_eq!(said, Verdict::Deny, "{only:?}");
    }
}

#[test]
fn where_data_belongs_is_found_wherever_the_operation_says_it() {
    let us = || Map::new().with("data_region", "us");
    let eu = || Map::new().with("data_region", "eu");
    for (target, metadata, params) in
        [(eu(), us(), Map::new()), (us(), eu(), Map::new()), (Map::new(), Map::new(), eu())]
    {
        let said = Operation { metadata, params, ..operation(target) };
        let local = backend("local", Map::new());
        assert_eq!(verdict_at(&at("us"), &[residency()], &local, &said, None), Verdict::Deny);
    }
}

#[test]
fn conditions_may_name_a_part_of_the_operation() {
    let deny = |condition: Map| {
        Policy::from_map(&Map::new().with("type", Value::atom("deny")).with("condition", condition))
    };
    let eu = operation(Map::new().with("site", Map::new().with("region", "eu")));
    let local = backend("local", Map::new());
    let site = Map::new().with("site", Map::new().with("region", "eu"));
    for (condition, want) in [
        (Map::new().with("target", site.clone()), Verdict::Deny),
        (site.clone(), Verdict::Deny),
        (Map::new().with("metadata", site), Verdict::Allow),
        (Map::new().with("operation_type", "file_*"), Verdict::Deny),
        (Map::new().with("operation", "service_*"), Verdict::Allow),
    ] {
        assert_eq!(verdict(&[deny(condition)], &local, &eu), want);
    }
}

#[test]
fn a_policy_that_says_nothing_known_denies() {
    let local = backend("local", Map::new());
    let tuple = Value::Opaque(term!({a, b}));
    for odd in [
        Map::new().with("name", "odd").with("type", Value::atom("perhaps")),
        // Who may take it is not said.
        Map::new().with("type", Value::atom("require")),
        Map::new().with("require", Map::new().with("node", Map::new())),
        Map::new().with("require", Map::new().with("region", tuple.clone())),
        // When it applies cannot be read.
        Map::new()
            .with("type", Value::atom("deny"))
            .with("condition", Map::new().with("environment", tuple.clone())),
    ] {
        let policy = Policy::from_map(&odd);
        assert_eq!(verdict(&[policy], &local, &operation(Map::new())), Verdict::Deny, "{odd:?}");
    }
    let prefer = Map::new()
        .with("type", Value::atom("prefer"))
        .with("condition", Map::new().with("environment", tuple));
    let prefer = Policy::from_map(&prefer);
    assert_eq!(verdict(&[prefer], &local, &operation(Map::new())), Verdict::Allow);
}

#[test]
fn requirements_of_a_backend() {
    let requires = |require: Map| Policy::from_map(&Map::new().with("require", require));
    let fit = backend("cloud", Map::new().with("tier", "gold").with("locality", "remote"));
    let list = |names: &[&str]| Value::List(names.iter().map(|name| (*name).into()).collect());
    for (require, want) in [
        (Map::new().with("type", Value::atom("cloud")), Verdict::Allow),
        (Map::new().with("backend_type", "local"), Verdict::Deny),
        (Map::new().with("name", "b"), Verdict::Allow),
        (Map::new().with("locality", "remote"), Verdict::Allow),
        (Map::new().with("capabilities", list(&["all"])), Verdict::Allow),
        (Map::new().with("capabilities", list(&["all", "more"])), Verdict::Deny),
        (Map::new().with("tier", list(&["silver", "gold"])), Verdict::Allow),
        (Map::new().with("backend", Map::new().with("tier", "gold")), Verdict::Allow),
        (Map::new().with("backend", Map::new().with("tier", "silver")), Verdict::Deny),
        (Map::new().with("tier", "gold").with("absent", "x"), Verdict::Deny),
    ] {
        let policy = [requires(require.clone())];
        assert_eq!(verdict(&policy, &fit, &operation(Map::new())), want, "{require:?}");
    }
}

#[test]
fn preferences_add_up_and_do_not_overflow() {
    let prefer = |boost: i64| {
        let map = Map::new().with("type", Value::atom("prefer"));
        Policy::from_map(&map.with("action", Map::new().with("boost", boost)))
    };
    let (local, any) = (backend("local", Map::new()), operation(Map::new()));
    assert_eq!(verdict(&[prefer(2), prefer(3)], &local, &any), Verdict::Prefer(5));
    let most = [prefer(i64::MAX), prefer(i64::MAX)];
    assert_eq!(verdict(&most, &local, &any), Verdict::Prefer(i64::MAX));
}

#[test]
fn too_many_policies_are_refused_and_the_old_ones_stay() {
    let mut engine = PolicyEngine::default();
    assert_eq!(engine.load(vec![residency(); POLICIES_MAX + 1]), Err(TooManyPolicies));
    assert_eq!(engine.policies().len(), 3);
    assert_eq!(engine.load(vec![residency(); POLICIES_MAX]), Ok(()));
    assert_eq!(engine.add(residency()), Err(TooManyPolicies));
}

#[test]
fn rates_have_two_decimals() {
    let engine = PolicyEngine::default();
    assert!(engine.stats().denial_rate().abs() < f64::EPSILON);
    engine.count(3, 1);
    assert!((engine.stats().denial_rate() - 33.33).abs() < 1e-9);
}
