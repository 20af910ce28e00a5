use super::{Config, Size, Span};

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("omadm.toml");
    std::fs::write(&path, text).unwrap();
    let env = env.iter().map(|(name, value)| (name.into(), value.into()));
    let place = format!("{}/", dir.path().display());
    Config::load(Some(&path), env).map_err(|error| error.to_string().replace(&place, ""))
}

#[test]
fn nothing_given_is_the_default() {
    assert_eq!(Config::load(None, std::iter::empty()).unwrap(), Config::default());
    assert_eq!(load("", &[]).unwrap(), Config::default());
    let written = toml::to_string(&Config::default()).unwrap();
    assert_eq!(load(&written, &[]).unwrap(), Config::default());
}

#[test]
fn the_environment_lies_over_the_file() {
    let text =
        "[server]\nid = \"DMS1\"\nname = \"file\"\n[device]\nmax_message = \"2 MiB\"\nidle_timeout = 5\n";
    let env = [
        ("OMADM_SERVER__ID", "2024"),
        ("OMADM_DEVICE__STRICT", "true"),
        ("OMADM_QUEUE__MAX_ATTEMPTS", "7"),
        ("OMADM_DEVICE__LISTEN", "[::1]:0"),
        ("OMADM_DEVICE__HEADER_TIMEOUT", "3"),
        ("OMADM_DDF__FETCH_FROM", "https://a.example/, http://b.example/x/"),
        ("OMADM_TOKEN", "not a setting"),
        ("PATH", "/bin"),
    ];
    let config = load(text, &env).unwrap();
    assert_eq!(config.server.id, "2024", "a number is fine where text is meant");
    assert_eq!(config.server.name, "file");
    assert_eq!(config.device.max_message, Size(2 << 20));
    assert_eq!(config.device.idle_timeout, Span::secs(5));
    assert_eq!(config.device.header_timeout, Span::secs(3));
    let prefixes = ["https://a.example/", "http://b.example/x/"].map(|text| text.parse().unwrap());
    assert_eq!(config.ddf.fetch_from, prefixes);
    assert!(config.device.strict);
    assert_eq!(config.queue.max_attempts, 7);
    assert_eq!(config.device.listen.to_string(), "[::1]:0");
}

#[test]
fn settings_of_an_agent_beside_the_server_are_left_alone() {
    let config = load("", &[("OMADM_AGENT__SESSION__POLL_INTERVAL", "5 min")]).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn unknown_names_come_with_the_nearest_one() {
    let error = load("[device]\nmax_mesage = 1", &[]).unwrap_err();
    let expected =
        "omadm.toml line 2: there is no setting device.max_mesage; did you mean device.max_message?";
    assert_eq!(error, expected);
}

#[test]
fn bad_values_name_their_origin() {
    let error = load("[device]\n\nlisten = \"everywhere\"", &[]).unwrap_err();
    assert!(error.starts_with("omadm.toml line 3: device.listen: "), "{error}");
    let error = load("[device]\nstrict = true", &[("OMADM_DEVICE__STRICT", "perhaps")]).unwrap_err();
    assert!(error.starts_with("the environment variable OMADM_DEVICE__STRICT: device.strict: "), "{error}");
    let error = load("[ddf]\nfetch_from = [\"https://a.example/x\"]", &[]).unwrap_err();
    assert!(error.starts_with("omadm.toml line 2: ddf.fetch_from: \"https://a.example/x\""), "{error}");
    let error = load("[server]\nid = \"a b\"", &[]).unwrap_err();
    assert!(error.starts_with("omadm.toml line 2: server.id: \"a b\" has to be"), "{error}");
    let error = load("[server]\npublic_url = \"http://dm.example.org\"", &[]).unwrap_err();
    assert!(error.contains("server.public_url") && error.contains("not https"), "{error}");
    let error = load("[device]\ncertificate = \"server.pem\"", &[]).unwrap_err();
    assert!(error.starts_with("the default: device.key: "), "{error}");
    let error = load("[queue]\ndefault_expiry = \"9ms\"", &[]).unwrap_err();
    assert!(error.ends_with("queue.default_expiry: has to be one second or more"), "{error}");
    let error = load("[operator]\nbody_timeout = 0", &[]).unwrap_err();
    assert!(error.ends_with("operator.body_timeout: has to be one second or more"), "{error}");
    let error = load("[queue]\nmax_commands_per_package = 0", &[]).unwrap_err();
    assert!(error.contains("has to be 1 to 1000"), "{error}");
    for (setting, problem) in [
        ("[tls]\nclient_certificates = \"optional\"", "tls.client_ca: is needed"),
        ("[tls]\nclient_ca = \"ca.pem\"", "tls.client_certificates: has to be"),
        ("[tls]\nsecond_certificate = \"x.pem\"", "tls.second_key: is needed"),
        (
            "[tls]\nsecond_certificate = \"x.pem\"\nsecond_key = \"x.key\"",
            "tls.second_certificate: is for use beside",
        ),
        ("[tls]\nreload_interval = \"99 ms\"", "tls.reload_interval: has to be 100 ms or more"),
        ("[tls]\npolicy = \"weak\"", "tls.policy: unknown variant `weak`"),
        ("[auth]\ndigest = [\"SHA\"]", "auth.digest: unknown variant `SHA`"),
        ("[auth]\nmax_delay = 0", "auth.max_delay: has to be one second or more"),
        ("[auth]\nnonce_lifetime = 0", "auth.nonce_lifetime: has to be one second or more"),
        ("[bootstrap]\nsend_timeout = \"999ms\"", "bootstrap.send_timeout: has to be one second or more"),
        ("[bootstrap]\nmoids = [\"\"]", "bootstrap.moids: "),
        ("[device]\nopen_session_idle = \"999ms\"", "device.open_session_idle: has to be one second or more"),
        ("[device]\nlongest_retry = 29", "device.longest_retry: has to be device.retry_after or more"),
        ("[metrics]\ninterval = 0", "metrics.interval: has to be one second or more"),
        ("[package]\nbucket_timeout = \"999ms\"", "package.bucket_timeout: has to be 1 s to 10 minutes"),
        ("[package]\nbucket_timeout = 601", "package.bucket_timeout: has to be 1 s to 10 minutes"),
        (
            "[metrics]\nopen = true\n[operator]\nlisten = \"0.0.0.0:8080\"",
            "metrics.open: needs operator.listen on a loopback address",
        ),
    ] {
        let error = load(setting, &[]).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
    for (setting, range) in [
        ("[auth]\nnonces = 0", "1 to 10000000"),
        ("[auth]\nuser_failures = 0", "1 to 1000000"),
        ("[auth]\nsource_failures = 0", "1 to 1000000"),
        ("[device]\nmax_new_sessions = 1000001", "0 to 1000000"),
        ("[device]\nmax_open_sessions = 0", "1 to 10000000"),
        ("[device]\nmax_handshakes = 0", "1 to 100000"),
        ("[device]\nmax_store_queue = 1000001", "1 to 1000000"),
        ("[operator]\nmax_connections = 0", "1 to 1000000"),
        ("[device]\nremembered_sessions = 1000001", "0 to 1000000"),
        ("[device]\nmax_alerts = 100001", "0 to 100000"),
        ("[data]\nmax_payload = 0", "1 to 536870912"),
        ("[data]\nmax_upload = \"513 MiB\"", "1 to 536870912"),
        ("[data]\nmax_items = 99", "100 to 1000000"),
        ("[trace]\nkeep_bytes = \"513 MiB\"", "0 to 536870912"),
        ("[notifier]\nmax_attempts = 101", "1 to 100"),
        ("[notifier]\nmax_per_day = 0", "1 to 100000"),
        ("[notifier]\nconcurrent = 1001", "1 to 1000"),
    ] {
        let error = load(setting, &[]).unwrap_err();
        assert!(error.ends_with(&format!("has to be {range}")), "{error}");
    }
    let moids = |count| load(&format!("[bootstrap]\nmoids = {:?}", vec!["urn:x:1.0"; count]), &[]);
    assert!(moids(1_000).is_ok());
    assert!(moids(1_001).unwrap_err().ends_with("bootstrap.moids: a bootstrap has 1 to 1000 MOIDs"));
    assert!(load("[device]\nmax_new_sessions = 0\n[trace]\nkeep_bytes = 0", &[]).is_ok(), "maintenance");
    assert!(load("[device]\nlongest_retry = 30", &[]).is_ok());
}

#[test]
fn gateways_and_services_need_their_address() {
    let ends = |text: &str, end: &str| {
        let error = load(text, &[]).unwrap_err();
        assert!(error.ends_with(end), "{error}");
    };
    ends("[sms]\ngateway = \"http\"", "sms.url: is needed to reach the gateway");
    ends("[sms]\ngateway = \"smpp\"", "sms.address: is needed to reach the gateway");
    ends("[cloud]\nservice = \"fcm\"", "cloud.url: is needed to reach the service");
    ends("[cloud]\nurl = \"ftp://a\"", "cloud.url: has to begin with https:// or http://");
    ends("[sms]\nsystem_id = \"1234567890123456\"", "has at most 15 printable ASCII characters");
    ends("[sms]\nsystem_type = \"1234567890123\"", "has at most 12 printable ASCII characters");
    ends(
        "[sms]\nsource = \"me\"",
        "sms.source: is no number: write 1 to 20 digits, after a + if with country code",
    );
    ends("[notifier]\nretry_after = \"9ms\"", "notifier.retry_after: has to be one second or more");
    let error = load("[notifier]\nconnections = [\"any\", \"wlan\"]", &[]).unwrap_err();
    assert!(error.contains("notifier.connections: WLAN comes after ANY_AVAILABLE"), "{error}");
    let good = "[sms]\ngateway = \"smpp\"\naddress = \"a:2775\"\nsystem_id = \"123456789012345\"\n\
                [notifier]\nconnections = [\"wlan\", \"any\"]\nmax_attempts = 100\nmin_interval = 0";
    assert!(load(good, &[]).is_ok(), "{:?}", load(good, &[]));
}

#[test]
fn endpoints_of_dm1_are_paths_of_their_own() {
    let endpoints = |list: &str| load(&format!("[dm1]\nendpoints = {list}"), &[]);
    let two = endpoints("[{ path = \"/dm\" }, { path = \"/b/dm\", server_id = \"B\" }]").unwrap();
    let of = |number: usize| two.dm1.endpoints[number].server_id(&two).to_owned();
    assert_eq!((of(0).as_str(), of(1).as_str()), ("omadm", "B"));
    let env = [("OMADM_DM1__ENDPOINTS", "[{ path = \"/x\" }]"), ("OMADM_DM1__SCHEMES", "md5, basic")];
    let given = load("", &env).unwrap();
    assert_eq!((given.dm1.endpoints[0].path.as_str(), given.dm1.schemes.len()), ("/x", 2));
    for (bad, why) in [
        ("[]", "one endpoint at least"),
        ("[{ path = \"dm\" }]", "is no path"),
        ("[{ path = \"/a b\" }]", "is no path"),
        ("[{ path = \"/{x}\" }]", "is no path"),
        ("[{ path = \"/dm/2.0\" }]", "serves something else"),
        ("[{ path = \"/data/x\" }]", "serves something else"),
        ("[{ path = \"/dm\" }, { path = \"/dm\" }]", "is there twice"),
        ("[{ path = \"/dm\", server_id = \"a b\" }]", "has to be 1 to 64"),
        ("[{ paht = \"/dm\" }]", "unknown field"),
    ] {
        let error = endpoints(bad).unwrap_err();
        assert!(error.contains("dm1.endpoints") && error.contains(why), "{bad}: {error}");
    }
}

#[test]
fn settings_of_dm1_have_bounds() {
    for (good, bad) in [
        ("max_message = 4096", "max_message = 4095"),
        ("max_message = \"64 MiB\"", "max_message = 67108865"),
        ("max_object = \"512 MiB\"", "max_object = 536870913"),
        ("max_reply = 1024", "max_reply = 1023"),
        ("max_session = \"64 GiB\"", "max_session = \"65 GiB\""),
        ("max_messages = 100000", "max_messages = 0"),
        ("max_challenges = 100", "max_challenges = 101"),
        ("session_timeout = 1", "session_timeout = 0"),
        ("versions = [\"1.2\"]", "versions = []"),
        ("versions = [\"1.1\", \"1.3\"]", "versions = [\"2.0\"]"),
        ("schemes = [\"basic\", \"md5\"]", "schemes = [\"rot13\"]"),
    ] {
        assert!(load(&format!("[dm1]\n{good}"), &[]).is_ok(), "{good}");
        let error = load(&format!("[dm1]\n{bad}"), &[]).unwrap_err();
        assert!(error.starts_with("omadm.toml line 2: dm1."), "{bad}: {error}");
    }
    assert!(
        load("[dm1]\nenabled = false\nendpoints = []\nversions = []", &[]).is_ok(),
        "nothing is needed of it then"
    );
}

#[test]
fn the_packaged_example_is_good_as_it_is_and_with_everything_in_it_switched_on() {
    let packaged = include_str!("../../../../packaging/etc/omadm.toml");
    let shipped = load(packaged, &[]).unwrap();
    assert!(shipped.sip.from.is_none() && shipped.ppg.url.is_none());
    assert!(!shipped.delegation.enabled && shipped.dm1.obex.listen.is_none());
    assert_eq!(shipped.server.id, "omadm");
    let is_setting = |line: &str| line.starts_with('[') || line.split_once(" = ").is_some();
    let lines = packaged.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) => setting,
        _ => line,
    });
    let all = lines.collect::<Vec<_>>().join("\n");
    let switched_on = load(&all, &[]).unwrap_or_else(|error| panic!("{error}\n{all}"));
    assert_ne!(switched_on, shipped);
}

#[test]
fn pauses_between_notifications_have_a_longest() {
    for key in ["longest_retry", "min_interval"] {
        assert!(load(&format!("[notifier]\n{key} = \"7 d\""), &[]).is_ok());
        let error = load(&format!("[notifier]\n{key} = 604801"), &[]).unwrap_err();
        assert!(error.ends_with(&format!("notifier.{key}: has to be 7 days or less")), "{error}");
    }
}
