use std::path::Path;

use super::{Config, LogLevel, MinVersion, Right};

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.toml");
    std::fs::write(&file, text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(&file), environment).map_err(|error| error.to_string())
}

#[test]
fn nothing_is_the_default() {
    assert_eq!(load("", &[]).unwrap(), Config::default());
    assert_eq!(Config::load(None, std::iter::empty()).unwrap(), Config::default());
    let default = Config::default();
    assert_eq!((default.session.poll_interval, default.session.plain_http), (60, false));
    assert_eq!(default.tls.min_version, MinVersion::Tls12);
}

#[test]
fn every_section_is_read() {
    let text = r#"
        [device]
        id = "IMEI:493005100592800"
        data_dir = "/data"
        [bootstrap]
        file = "/etc/omadm/bootstrap.json"
        [tls]
        ca_file = "/etc/omadm/ca.pem"
        min_version = "1.3"
        [session]
        poll_interval = 0
        strict = true
        [limits]
        tree_nodes = 1000
        [access]
        defaults = false
        grants = [{ moid = "urn:x:1.0", server = "*", rights = ["read", "execute"], path = "/Ext" }]
        [ddf]
        dir = "/etc/omadm/ddf"
        base = "https://vendor.example/ddf/"
        [log]
        level = "debug"
    "#;
    let config = load(text, &[]).unwrap();
    assert_eq!(config.device.id.as_deref(), Some("IMEI:493005100592800"));
    assert_eq!((config.session.poll_interval, config.session.strict), (0, true));
    assert_eq!(config.tls.min_version, MinVersion::Tls13);
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!(config.access.grants[0].rights, [Right::Read, Right::Execute]);
    assert_eq!(config.access.grants[0].path, "/Ext");
}

#[test]
fn a_wrong_name_comes_with_the_right_one() {
    for (text, expected) in [
        (
            "[session]\npoll_intervall = 5",
            "there is no setting session.poll_intervall; did you mean poll_interval?",
        ),
        ("[sesion]\npoll_interval = 5", "there is no setting [sesion]; did you mean session?"),
        ("[device]\nqqqqqqqqqqqq = 5", "there is no setting device.qqqqqqqqqqqq"),
    ] {
        let error = load(text, &[]).unwrap_err();
        assert!(error.ends_with(expected), "{error}");
        assert!(error.contains("agent.toml"), "{error}");
    }
    let error = load("", &[("OMADM_AGENT__SESSION__PLAIN_HTP", "true")]).unwrap_err();
    assert!(error.starts_with("OMADM_AGENT__SESSION__PLAIN_HTP:"), "{error}");
    assert!(error.ends_with("did you mean plain_http?"), "{error}");
}

#[test]
fn a_wrong_value_is_refused_with_its_place() {
    for (text, expected) in [
        ("[session]\npoll_interval = \"often\"", "line 2, column"),
        ("[log]\nlevel = \"loud\"", "line 2, column"),
        ("[session", "line 1, column"),
        ("[device]\nid = \"IMEI:12\"", "device.id: an IMEI has 15 digits"),
        ("[session]\npoll_interval = 604801", "session.poll_interval: is more than 604800 seconds"),
        ("[session]\nrequest_timeout = 0", "session.request_timeout: has to be 1 or more"),
        (
            "[access]\ngrants = [{ moid = \"urn:x:1.0\", server = \"*\", rights = [\"own\"] }]",
            "line 2, column",
        ),
    ] {
        let error = load(text, &[]).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let missing = Config::load(Some(Path::new("/no/such/agent.toml")), std::iter::empty()).unwrap_err();
    assert!(missing.to_string().contains("/no/such/agent.toml"), "{missing}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = [
        ("OMADM_AGENT__SESSION__POLL_INTERVAL", "7"),
        ("OMADM_AGENT__SESSION__PLAIN_HTTP", "true"),
        ("OMADM_AGENT__DEVICE__ID", "ESN:12345678"),
        ("OMADM_AGENT__TLS__MIN_VERSION", "1.3"),
        ("OMADM_AGENT__ACCESS__GRANTS", r#"[{ moid = "urn:x:1.0", server = "s1", rights = ["read"] }]"#),
        ("OMADM_AGENT_CONFIG", "not a setting"),
        ("PATH", "/bin"),
    ];
    let config = load("[session]\npoll_interval = 5\nmax_rounds = 9", &environment).unwrap();
    assert_eq!((config.session.poll_interval, config.session.max_rounds), (7, 9));
    assert!(config.session.plain_http);
    assert_eq!(config.device.id.as_deref(), Some("ESN:12345678"), "text stays text");
    assert_eq!(config.tls.min_version, MinVersion::Tls13);
    assert_eq!(config.access.grants[0].server, "s1");
    for (name, value) in [
        ("OMADM_AGENT__SESSION__POLL_INTERVAL", "soon"),
        ("OMADM_AGENT__SESSION", "7"),
        ("OMADM_AGENT__DEVICE__ID", "IMEI:12"),
    ] {
        assert!(load("", &[(name, value)]).is_err(), "{name}={value}");
    }
}
