//! A configuration as a program has it, read from files and variables.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use omadm_config::{ConfigError, Fault, Loaded, Origin, Size, Span, load};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    lamp: Lamp,
    access: Access,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Lamp {
    name: String,
    listen: SocketAddr,
    lit: bool,
    watts: u32,
    glow: Span,
    memory: Size,
    warmth: f64,
    shade: Option<PathBuf>,
    bulbs: Option<u32>,
}

impl Default for Lamp {
    fn default() -> Self {
        Self {
            name: "lamp".to_owned(),
            listen: ([127, 0, 0, 1], 80).into(),
            lit: false,
            watts: 60,
            glow: Span::secs(90),
            memory: Size(1 << 20),
            warmth: 0.5,
            shade: None,
            bulbs: None,
        }
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Access {
    hosts: Vec<String>,
    grants: Vec<Grant>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    who: String,
    rights: Vec<String>,
}

fn loaded(text: &str, prefix: &str, env: &[(&str, &str)]) -> Result<Loaded<Config>, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lamp.toml");
    std::fs::write(&path, text).unwrap();
    let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let place = format!("{}/", dir.path().display());
    load::<Config>(Some(&path), prefix, env).map_err(|error| error.to_string().replace(&place, ""))
}

fn read(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    loaded(text, "LAMP_", env)?.check(|_| Ok(())).map_err(|error| error.to_string())
}

#[test]
fn nothing_given_is_the_default() {
    let nothing = load::<Config>(None, "LAMP_", std::iter::empty()).unwrap();
    assert_eq!(nothing.check(|_| Ok(())).unwrap(), Config::default());
    assert_eq!(read("", &[]).unwrap(), Config::default());
}

#[test]
fn the_environment_lies_over_the_file() {
    let text = "[lamp]\nname = \"file\"\nwatts = 5\nglow = \"5 min\"\nmemory = \"2 MiB\"\nlit = false\n";
    let env = [
        ("LAMP_LAMP__NAME", "2024"),
        ("LAMP_LAMP__LISTEN", "[::1]:0"),
        ("LAMP_LAMP__LIT", "true"),
        ("LAMP_LAMP__MEMORY", "3"),
        ("LAMP_LAMP__WARMTH", "0.25"),
        ("LAMP_LAMP__SHADE", "/etc/shade"),
        ("LAMP_LAMP__BULBS", "3"),
        ("LAMP_TOKEN", "not a setting"),
        ("PATH", "/bin"),
    ];
    let config = read(text, &env).unwrap().lamp;
    assert_eq!(config.name, "2024", "a number is fine where text is meant");
    assert_eq!((config.watts, config.lit), (5, true));
    assert_eq!((config.glow, config.memory), (Span::secs(300), Size(3)));
    assert_eq!(config.listen.to_string(), "[::1]:0");
    assert_eq!(config.shade.as_deref(), Some(Path::new("/etc/shade")));
    assert_eq!((config.bulbs, config.warmth), (Some(3), 0.25));
}

#[test]
fn lists_are_toml_or_separated_by_commas() {
    let grant = |who: &str, right: &str| Grant { who: who.to_owned(), rights: vec![right.to_owned()] };
    let text = "[[access.grants]]\nwho = \"a\"\nrights = [\"x\"]\n[[access.grants]]\nwho = \"b\"\nrights = [\"y\"]\n";
    assert_eq!(read(text, &[]).unwrap().access.grants, [grant("a", "x"), grant("b", "y")]);
    let env = [
        ("LAMP_ACCESS__GRANTS", r#" [{ who = "c", rights = ["z"] }]"#),
        ("LAMP_ACCESS__HOSTS", "[::1]:80, a.example,"),
    ];
    let access = read(text, &env).unwrap().access;
    assert_eq!(
        (access.grants, access.hosts),
        (vec![grant("c", "z")], vec!["[::1]:80".into(), "a.example".into()])
    );
    let hosts = |text| read("", &[("LAMP_ACCESS__HOSTS", text)]).unwrap().access.hosts;
    assert_eq!(hosts(r#"["a,b"]"#), ["a,b"]);
    assert!(hosts("").is_empty());
}

#[test]
fn unknown_names_come_with_the_nearest_one() {
    let cases = [
        ("[lamp]\nmemry = 1", "lamp.toml line 2: there is no setting lamp.memry; did you mean lamp.memory?"),
        ("\n[lamps]", "lamp.toml line 2: there is no setting lamps; did you mean lamp?"),
        ("[lamp]\nname = 'a'\nqqq = 1", "lamp.toml line 3: there is no setting lamp.qqq"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text, &[]).unwrap_err(), expected);
    }
    let error = read("", &[("LAMP_LAMP__LISTN", "x")]).unwrap_err();
    let expected = "the environment variable LAMP_LAMP__LISTN: there is no setting lamp.listn; did you mean lamp.listen?";
    assert_eq!(error, expected);
}

#[test]
fn bad_values_name_their_origin() {
    for (text, expected) in [
        ("[lamp]\n\nlisten = \"everywhere\"", "lamp.toml line 3: lamp.listen: invalid socket address"),
        (
            "[lamp]\nglow = \"often\"",
            "lamp.toml line 2: lamp.glow: \"often\" is no duration; write seconds, or such",
        ),
        ("[lamp]\nmemory = -1", "lamp.toml line 2: lamp.memory: \"-1\" is no size; write octets, or such"),
        ("[lamp]\nwatts = 99999999999", "lamp.toml line 2: lamp.watts: invalid value: integer"),
        ("[lamp]\nwatts = 99999999999999999999", "lamp.toml line 2: lamp.watts: "),
        (
            "\n[[access.grants]]\nwho = \"a\"\nright = []",
            "lamp.toml line 2: access.grants: unknown field `right`",
        ),
        ("lamp = 1", "lamp.toml line 1: lamp: is a section; write [lamp]"),
        ("[lamp\n", "the configuration file lamp.toml is not TOML: TOML parse error at line 1"),
    ] {
        let error = read(text, &[]).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    for (name, value, problem) in [
        ("LAMP_LAMP__LIT", "perhaps", "lamp.lit: invalid type: string \"perhaps\", expected a boolean"),
        ("LAMP_LAMP__BULBS", "many", "lamp.bulbs: invalid type: string \"many\", expected u32"),
        ("LAMP_ACCESS__GRANTS", "[{ who = ", "access.grants: invalid type: string \"[{ who =\""),
    ] {
        let error = read("[lamp]\nlit = true", &[(name, value)]).unwrap_err();
        assert!(error.starts_with(&format!("the environment variable {name}: {problem}")), "{error}");
    }
    let missing = load::<Config>(Some(Path::new("/no/such/lamp.toml")), "LAMP_", std::iter::empty());
    let error = missing.unwrap_err().to_string();
    assert!(error.starts_with("the configuration file /no/such/lamp.toml cannot be read: "), "{error}");
}

#[test]
fn the_program_checks_and_the_loader_says_where() {
    let dim = |watts: &'static str| {
        loaded("[lamp]\nname = \"x\"\nwatts = 1\n", "LAMP_", &[("LAMP_LAMP__GLOW", "1")])
            .unwrap()
            .check(|config| Err(Fault::new(watts, format!("{} is too dim", config.lamp.watts))))
            .unwrap_err()
    };
    assert!(dim("lamp.watts").to_string().ends_with("lamp.toml line 3: lamp.watts: 1 is too dim"));
    assert!(matches!(dim("lamp.glow"), ConfigError::Invalid { origin: Origin::Environment(name), .. }
        if name == "LAMP_LAMP__GLOW"));
    assert_eq!(dim("lamp.lit").to_string(), "the default: lamp.lit: 1 is too dim");
}

#[test]
fn below_a_prefix_of_its_own_every_variable_is_a_setting() {
    let read = |name| loaded("", "LAMP__", &[(name, "5")]);
    assert!(read("LAMP__LAMP__WATTS").is_ok());
    assert!(read("LAMP_CONFIG").is_ok(), "somebody else's");
    let expected = "the environment variable LAMP__LAMP: lamp: is no setting; write LAMP__SECTION__KEY";
    assert_eq!(read("LAMP__LAMP").unwrap_err(), expected);
}

#[cfg(unix)]
#[test]
fn what_is_no_unicode_is_no_setting() {
    use std::os::unix::ffi::OsStringExt as _;
    let bad = || OsString::from_vec(vec![b'L', 0xff]);
    assert!(load::<Config>(None, "L", [(bad(), bad())].into_iter()).is_ok());
    let error = load::<Config>(None, "LAMP_", [("LAMP_LAMP__NAME".into(), bad())].into_iter()).unwrap_err();
    let expected = "the environment variable LAMP_LAMP__NAME: lamp.name: is not Unicode text";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_written_is_read() {
    let text = toml::to_string(&Config::default()).unwrap();
    assert_eq!(read(&text, &[]).unwrap(), Config::default());
}
