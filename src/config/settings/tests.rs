//! Which source wins, and what each wrong value is answered with.

use super::super::sources::variables;
use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    Settings::resolve(Flags::default(), &environment(pairs))
}

fn refused(pairs: &[(&str, &str)]) -> String {
    with(pairs).expect_err("must be refused").to_string()
}

#[test]
fn defaults_are_safe() {
    let settings = with(&[("HOME", "/home/someone")]).expect("defaults");
    assert_eq!(settings.name.value, "har@127.0.0.1");
    assert!(settings.interface.value.is_loopback());
    assert!(!settings.diagnostics.value);
    assert_eq!(settings.epmd_port.value, 4369);
    let file = CookieSource::File("/home/someone/.erlang.cookie".into());
    assert_eq!(settings.cookie.expect("a place").value, file);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("har.yaml");
    std::fs::write(&path, "epmd: {port: 1}\nlog: {level: debug}\nnode: {name: filed}\n")
        .expect("write");
    let flags = Flags { config: Some(path.clone()), epmd_port: Some(3), ..Flags::default() };
    let pairs = environment(&[("HAR_EPMD_PORT", "2"), ("HAR_NODE_NAME", "named@h.example")]);
    let settings = Settings::resolve(flags, &pairs).expect("fine");
    assert_eq!(settings.epmd_port, Setting { value: 3, origin: Origin::Flag("--epmd-port") });
    assert_eq!(settings.name.origin, Origin::Variable("HAR_NODE_NAME"));
    let level = Setting { value: "debug".to_owned(), origin: Origin::File(path) };
    assert_eq!(settings.log_level, level);
}

#[test]
fn the_variables_of_a_beam_release_work() {
    let settings = with(&[
        ("RELEASE_NODE", "har@10.1.2.3"),
        ("RELEASE_COOKIE", "SECRET"),
        ("RELEASE_DISTRIBUTION", "name"),
        ("ERL_EPMD_PORT", "14407"),
        ("POD_IP", "10.1.2.3"),
        ("HAR_CLUSTER_NODES", "a@10.0.0.1, b@10.0.0.2,"),
    ])
    .expect("fine");
    assert_eq!(settings.name.value, "har@10.1.2.3");
    assert_eq!(settings.interface.value.to_string(), "10.1.2.3");
    assert_eq!(settings.epmd_port.value, 14407);
    assert_eq!(settings.nodes.value.0, ["a@10.0.0.1", "b@10.0.0.2"]);
    assert_eq!(settings.erlang_cookie(false).expect("given").reveal(), "SECRET");
}

#[test]
fn the_variables_of_erlang_s_epmd_hold_for_the_embedded_one() {
    let daemon = |pairs: &[(&str, &str)]| with(pairs).expect("fine").epmd_daemon;
    let told =
        daemon(&[("ERL_EPMD_ADDRESS", "10.0.0.7,::1"), ("ERL_EPMD_RELAXED_COMMAND_CHECK", "no")]);
    assert_eq!(told.address.value.to_string(), "[10.0.0.7, ::1]");
    // As there, it is set, and what it says does not matter.
    assert!(told.relaxed_command_check.value);
    assert!(!daemon(&[("HOME", "/h")]).relaxed_command_check.value);
    let ours =
        [("HAR_EPMD_RELAXED_COMMAND_CHECK", "false"), ("ERL_EPMD_RELAXED_COMMAND_CHECK", "1")];
    assert!(!daemon(&ours).relaxed_command_check.value);
    assert!(refused(&[("ERL_EPMD_ADDRESS", "localhost")]).contains("ERL_EPMD_ADDRESS"));
}

#[test]
fn short_names_by_release_distribution() {
    let settings = with(&[("RELEASE_DISTRIBUTION", "sname"), ("RELEASE_NODE", "har@box")]);
    assert_eq!(settings.expect("fine").names.value, NameDomain::Short);
    assert!(refused(&[("RELEASE_DISTRIBUTION", "none")]).contains("name or sname"));
}

#[test]
fn a_name_without_host_takes_the_interface() {
    let named = |ip| with(&[("POD_IP", ip)]).expect("fine").name.value;
    assert_eq!(named("10.1.2.3"), "har@10.1.2.3");
    assert_eq!(named("0.0.0.0"), "har@127.0.0.1");
}

#[test]
fn a_cookie_file_flag_beats_a_cookie_variable() {
    let flags = Flags { cookie_file: Some("/x".into()), ..Flags::default() };
    let settings =
        Settings::resolve(flags, &environment(&[("RELEASE_COOKIE", "C")])).expect("fine");
    assert_eq!(settings.cookie.expect("set").value, CookieSource::File("/x".into()));
}

#[test]
fn the_cookie_is_shown_nowhere() {
    let settings = with(&[("HAR_COOKIE", "SECRET")]).expect("fine");
    assert!(!format!("{settings:?}").contains("SECRET"));
    assert!(!format!("{:?}", settings.rows()).contains("SECRET"));
}

#[test]
fn show_lists_every_key() {
    let shown: Vec<_> = with(&[]).expect("fine").rows().into_iter().map(|row| row.0).collect();
    assert_eq!(shown, schema::keys());
}

#[test]
fn every_key_has_its_own_variable() {
    for key in schema::keys() {
        let ours = format!("HAR_{}", key.replace('.', "_").to_uppercase());
        assert_eq!(variables(&key).first(), Some(&ours.as_str()));
    }
}

#[test]
fn wrong_values_name_their_source_and_the_cure() {
    assert_eq!(
        refused(&[("ERL_EPMD_PORT", "many")]),
        "epmd.port (from environment ERL_EPMD_PORT): `many` is not a port (0 to 65535)"
    );
    assert!(refused(&[("HAR_EPMD_PORT", "0")]).contains("4369"));
    assert!(refused(&[("HAR_LOG_FORMAT", "xml")]).contains("text, compact, json"));
    assert!(refused(&[("HAR_LOG_LEVEL", "loud=very=")]).contains("error, warn"));
    assert!(refused(&[("HAR_NODE_NAME", "a@box")]).contains("--sname"));
    assert!(refused(&[("HAR_CLUSTER_NODES", "nohost")]).contains("cluster.nodes"));
    assert!(refused(&[("HAR_COOKIE", "a b")]).contains("HAR_COOKIE"));
    assert!(refused(&[("HAR_DISTRIBUTION_NET_TICKTIME_S", "0")]).contains("60"));
}

#[test]
fn a_port_range_must_be_one() {
    let low = ("HAR_DISTRIBUTION_LISTEN_MIN", "9100");
    assert_eq!(with(&[low]).expect("one port").listen_max.value, 9100);
    assert!(refused(&[low, ("HAR_DISTRIBUTION_LISTEN_MAX", "9000")]).contains("below"));
    assert!(refused(&[("HAR_DISTRIBUTION_LISTEN_MAX", "9199")]).contains("listen_min"));
}

#[test]
fn tls_is_what_its_options_file_asks_for() {
    let settings = with(&[("HAR_TLS_OPTFILE", "/ssl.conf")]).expect("fine");
    assert_eq!(settings.proto_dist.value, ProtoDist::InetTls);
    assert_eq!(with(&[]).expect("fine").proto_dist.value, ProtoDist::InetTcp);
    let error = refused(&[("HAR_DISTRIBUTION_PROTO_DIST", "inet_tls")]);
    assert!(error.contains("har certs init"), "{error}");
    let both = [("HAR_TLS_OPTFILE", "/ssl.conf"), ("HAR_DISTRIBUTION_PROTO_DIST", "inet_tcp")];
    assert!(refused(&both).contains("would leave the TLS options unused"));
    let flags = Flags { proto_dist: Some(ProtoDist::InetTcp), ..Flags::default() };
    let once = Settings::resolve(flags, &environment(&both[..1])).expect("overruled");
    assert_eq!(once.proto_dist.value, ProtoDist::InetTcp);
}

#[test]
fn without_epmd_every_node_has_one_port() {
    let settings = with(&[("ERL_DIST_PORT", "9100")]).expect("fine");
    let origin = Origin::Variable("ERL_DIST_PORT");
    assert_eq!(settings.dist_port, Setting { value: 9100, origin });
    let same = [("HAR_EPMD_DIST_PORT", "9100"), ("HAR_DISTRIBUTION_LISTEN_MIN", "9100")];
    assert_eq!(with(&same).expect("the same port").dist_port.value, 9100);
    let range = [("HAR_EPMD_DIST_PORT", "9100"), ("HAR_DISTRIBUTION_LISTEN_MIN", "9200")];
    assert!(refused(&range).starts_with("distribution.listen_min (from environment"));
    for strategy in ["local_epmd", "erlang_hosts"] {
        let topologies = format!("{{lan: {{strategy: {strategy}}}}}");
        let pairs = [("HAR_EPMD_DIST_PORT", "9100"), ("HAR_CLUSTER_TOPOLOGIES", &*topologies)];
        let reason = refused(&pairs);
        assert!(reason.contains(&format!("lan: {strategy} asks EPMD")), "{reason}");
    }
}
