use omadm_config::{Size, Span};

use crate::bearer::Bearer;

use super::{Config, ConsentMode, FirmwareMethod, LogLevel, MinVersion, Right};

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.toml");
    std::fs::write(&file, text).unwrap();
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    let place = format!("{}/", directory.path().display());
    Config::load(Some(&file), environment).map_err(|error| error.to_string().replace(&place, ""))
}

#[test]
fn nothing_is_the_default() {
    assert_eq!(load("", &[]).unwrap(), Config::default());
    assert_eq!(Config::load(None, std::iter::empty()).unwrap(), Config::default());
    let default = Config::default();
    assert_eq!((default.session.poll_seconds(), default.session.plain_http), (60, false));
    assert_eq!(default.tls.min_version, MinVersion::Tls12);
    assert_eq!(load(&toml::to_string(&default).unwrap(), &[]).unwrap(), default);
}

#[test]
fn every_section_is_read() {
    let text = r#"
        [device]
        id = "IMEI:493005100592800"
        data_dir = "/data"
        [bootstrap]
        file = "/etc/omadm/bootstrap.json"
        url = "https://bs.example/bootstrap?dev=[DevID]"
        user = "device"
        password_file = "/etc/omadm/password"
        listen = "[::]:9443"
        listen_certificate = "/etc/omadm/device.pem"
        listen_key = "/etc/omadm/device.key"
        senders_ca_file = "/etc/omadm/senders.pem"
        senders = ["dm.example.org"]
        gba_file = "/run/gba"
        consent = "command"
        consent_command = ["/usr/bin/ask", "--quietly"]
        consent_timeout = "1 s"
        [tls]
        ca_file = "/etc/omadm/ca.pem"
        min_version = "1.3"
        max_version = "1.3"
        policy = "oma"
        suites = ["TLS_PSK_WITH_AES_128_GCM_SHA256"]
        [session]
        poll_interval = 0
        connect_timeout = "500 s"
        request_timeout = "5 min"
        strict = true
        [limits]
        package_bytes = "64 KiB"
        fetch_bytes = 1000
        tree_nodes = 1000
        subscriptions = 0
        executions = 1
        [network]
        interfaces = [{ name = "usb0", kind = "mobile" }]
        roaming_file = "/run/roaming"
        mcc = "262"
        sp_name = "Operator"
        [notification]
        sms_messages = 1000
        sms_age = "1 h"
        dm1_default_nonce = "1 min"
        dm1_objects = [{ number = 65535, moid = "urn:oma:mo:oma-dm-devinfo:1.0" }]
        cloud_command = ["/usr/bin/register", "--once"]
        [dm1]
        accounts = ["/etc/omadm/account.json"]
        schemes = ["md5", "mac-md5", "basic"]
        lenient_nonce = true
        max_message = "1 KiB"
        max_object = "1 GiB"
        large_objects = false
        max_rounds = 1
        retry_pause = 0
        uri_depth = 0
        uri_length = 65535
        uri_segment = 12
        user = "command"
        user_command = ["/usr/bin/ask"]
        user_timeout = 1
        [report]
        window = "500 ms"
        retry = 1
        look_interval = 0
        [show]
        command = []
        pages_per_minute = 0
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
    assert_eq!((config.session.poll_seconds(), config.session.strict), (0, true));
    assert_eq!(config.session.connect_timeout, Span::secs(500));
    assert_eq!(config.session.request_timeout, Span::secs(300));
    assert_eq!((config.limits.package_bytes, config.limits.fetch_bytes), (Size(64 << 10), Size(1000)));
    assert_eq!(config.tls.min_version, MinVersion::Tls13);
    assert_eq!(config.tls.suites[0].0.openssl, "PSK-AES128-GCM-SHA256");
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!((config.limits.subscriptions, config.limits.executions), (0, 1));
    assert_eq!(config.network.parameters().mcc.as_deref(), Some("262"));
    assert_eq!(config.network.parameters().mnc, None);
    assert_eq!(config.network.interfaces[0].kind, Bearer::Mobile);
    let parts = config.notification.to_notifications().parts;
    assert_eq!((parts.messages, parts.age), (1_000, 3_600));
    let dm1 = config.notification.to_notifications().dm1;
    assert_eq!((dm1.resynchronise_every.as_secs(), dm1.objects.len()), (60, 1));
    assert_eq!(config.notification.cloud_command[1], "--once");
    let reports = config.report.to_reports();
    assert_eq!((reports.window.as_millis(), reports.retry.as_secs(), reports.attempts), (500, 1, 8));
    assert!(config.show.command.is_empty() && config.show.pages_per_minute == 0);
    assert_eq!(
        (config.bootstrap.consent, config.bootstrap.consent_timeout),
        (ConsentMode::Command, Span::secs(1))
    );
    assert_eq!(config.access.grants[0].rights, [Right::Read, Right::Execute]);
    assert_eq!(config.access.grants[0].path, "/Ext");
}

#[test]
fn a_wrong_name_comes_with_the_right_one() {
    let error = load("[session]\npoll_intervall = 5", &[]).unwrap_err();
    let expected =
        "agent.toml line 2: there is no setting session.poll_intervall; did you mean session.poll_interval?";
    assert_eq!(error, expected);
    let error = load("", &[("OMADM_AGENT__SESSION__PLAIN_HTP", "true")]).unwrap_err();
    assert!(error.starts_with("the environment variable OMADM_AGENT__SESSION__PLAIN_HTP: "), "{error}");
    assert!(error.ends_with("did you mean session.plain_http?"), "{error}");
}

#[test]
fn a_wrong_value_is_refused_with_its_place() {
    for (text, expected) in [
        ("[session]\npoll_interval = \"often\"", "line 2: session.poll_interval: \"often\" is no duration"),
        ("[session]\npoll_interval = 604801", "line 2: session.poll_interval: is more than 604800 seconds"),
        ("[session]\npoll_interval = \"8 d\"", "line 2: session.poll_interval: is more than 604800 seconds"),
        (
            "[session]\nextra_interval = \"8 d\"",
            "line 2: session.extra_interval: is more than 604800 seconds",
        ),
        (
            "[session]\npoll_interval = \"1500 ms\"",
            "line 2: session.poll_interval: has to be in whole seconds",
        ),
        ("[session]\nrequest_timeout = 0", "line 2: session.request_timeout: has to be one second or more"),
        (
            "[session]\nconnect_timeout = \"9ms\"",
            "line 2: session.connect_timeout: has to be one second or more",
        ),
        ("[session]\nmax_rounds = 0", "line 2: session.max_rounds: has to be 1 or more"),
        ("[report]\nattempts = 0", "line 2: report.attempts: has to be 1 or more"),
        ("[report]\nretry = \"999 ms\"", "line 2: report.retry: has to be one second or more"),
        ("[dm1]\nmax_message = 1023", "line 2: dm1.max_message: has to be 1 KiB to 1 GiB"),
        ("[dm1]\nmax_object = \"1025 MiB\"", "line 2: dm1.max_object: has to be 1 KiB to 1 GiB"),
        ("[dm1]\nmax_rounds = 0", "line 2: dm1.max_rounds: has to be 1 or more"),
        ("[dm1]\nuser = \"command\"", "line 2: dm1.user: \"command\" needs dm1.user_command"),
        ("[dm1]\nuser_timeout = \"999 ms\"", "line 2: dm1.user_timeout: has to be one second or more"),
        ("[dm1]\nschemes = [\"sha1\"]", "line 2: dm1.schemes: unknown variant `sha1`"),
        ("[dm1]\nuri_depth = 65536", "line 2: dm1.uri_depth: "),
        ("[show]\ncommand = [\"\"]", "line 2: show.command: has to begin with a program"),
        ("[dm1.bootstrap]\nattempts = 257", "line 1: dm1.bootstrap.attempts: has to be 0 to 256"),
        ("[dm1.bootstrap]\nwaiting = 0", "line 1: dm1.bootstrap.waiting: has to be 1 to 1000"),
        ("[dm1.bootstrap]\nwaiting = 1001", "line 1: dm1.bootstrap.waiting: has to be 1 to 1000"),
        ("[dm1.bootstrap]\nexpiry = \"59 s\"", "line 1: dm1.bootstrap.expiry: has to be one minute or more"),
        (
            "[dm1.bootstrap]\nmax_size = \"1023 B\"",
            "line 1: dm1.bootstrap.max_size: has to be 1 KiB to 16 MiB",
        ),
        ("[dm1.bootstrap]\nrights = [\"add\"]", "line 1: dm1.bootstrap.rights: has to have \"get\""),
        (
            "[dm1.bootstrap]\nurl = \"http://b.example/\"",
            "line 1: dm1.bootstrap.url: \"http://b.example/\" is no address of a bootstrap: it is not https",
        ),
        (
            "[dm1.bootstrap]\nauth = \"psk\"",
            "line 1: dm1.bootstrap.auth: needs dm1.bootstrap.user and dm1.bootstrap.secret_file, but for \"transport\" and of the latter for \"3gpp-gba\"",
        ),
        ("[maintenance]\ncommand = [\"\"]", "line 2: maintenance.command: has to begin with a program"),
        ("[maintenance]\ntimeout = \"999 ms\"", "line 2: maintenance.timeout: has to be one second or more"),
        ("[limits]\ntree_bytes = \"big\"", "line 2: limits.tree_bytes: \"big\" is no size"),
        ("[log]\nlevel = \"loud\"", "line 2: log.level: unknown variant `loud`"),
        ("[bootstrap]\nurl = \"http://bs.example/\"", "line 2: bootstrap.url: has to be https"),
        ("[bootstrap]\nurl = \"nowhere\"", "line 2: bootstrap.url: "),
        ("[bootstrap]\nuser = \"u\"", "line 2: bootstrap.user: needs bootstrap.password_file"),
        ("[bootstrap]\npassword_file = \"/p\"", "line 2: bootstrap.password_file: needs bootstrap.user"),
        (
            "[bootstrap]\nconsent = \"command\"",
            "line 2: bootstrap.consent: \"command\" needs bootstrap.consent_command",
        ),
        (
            "[bootstrap]\nconsent_timeout = \"999 ms\"",
            "line 2: bootstrap.consent_timeout: has to be one second or more",
        ),
        (
            "[bootstrap]\nlisten = \"[::]:1\"",
            "line 2: bootstrap.listen: needs bootstrap.senders_ca_file and bootstrap.senders",
        ),
        (
            "[bootstrap]\nsenders_ca_file = \"/ca\"\nlisten = \"[::]:1\"",
            "line 3: bootstrap.listen: needs bootstrap.senders_ca_file and bootstrap.senders",
        ),
        (
            "[bootstrap]\nsenders_ca_file = \"/ca\"\nsenders = [\"s\"]\nlisten = \"[::]:1\"",
            "line 4: bootstrap.listen: needs bootstrap.listen_certificate or tls.certificate",
        ),
        (
            "[bootstrap]\nlisten_key = \"/k\"",
            "line 2: bootstrap.listen_key: needs bootstrap.listen_certificate",
        ),
        (
            "[bootstrap]\nlisten_certificate = \"/c\"",
            "line 2: bootstrap.listen_certificate: needs bootstrap.listen_key",
        ),
        ("[tls]\nmin_version = \"1.1\"", "line 2: tls.min_version: before 1.2 needs tls.policy"),
        ("[tls]\nmax_version = \"1.1\"", "line 2: tls.max_version: is older than tls.min_version"),
        ("[tls]\nsuites = [\"RC4\"]", "line 2: tls.suites: there is no suite \"RC4\" here"),
        ("[session]\ndigest = [\"SHA\"]", "line 2: session.digest: unknown variant `SHA`"),
        ("[notification]\nremembered = 0", "line 2: notification.remembered: has to be 1 to 1000"),
        ("[notification]\nremembered = 1001", "line 2: notification.remembered: has to be 1 to 1000"),
        ("[notification]\nsms_messages = 1001", "line 2: notification.sms_messages: has to be 0 to 1000"),
        ("[notification]\nsms_age = \"1500 ms\"", "line 2: notification.sms_age: has to be in whole seconds"),
        ("[notification]\nin_all = 0", "line 2: notification.in_all: has to be 1 or more"),
        ("[notification]\nper_source = 0", "line 2: notification.per_source: has to be 1 or more"),
        (
            "[notification]\ndm1_default_nonce = \"59 s\"",
            "line 2: notification.dm1_default_nonce: has to be one minute or more",
        ),
        (
            "[notification]\ndm1_objects = [{ number = 1, moid = \"urn:a:1.0\" }, { number = 1, moid = \"urn:b:1.0\" }]",
            "line 2: notification.dm1_objects: has the number 1 twice",
        ),
        ("[notification]\nmax_age = \"9ms\"", "line 2: notification.max_age: has to be one second or more"),
        ("\n[device]\nid = \"IMEI:12\"", "line 3: device.id: an IMEI has 15 digits"),
        (
            "[access]\ngrants = [{ moid = \"urn:x:1.0\", server = \"*\", rights = [\"own\"] }]",
            "line 2: access.grants: unknown variant `own`",
        ),
    ] {
        let error = load(text, &[]).unwrap_err();
        assert!(error.starts_with(&format!("agent.toml {expected}")), "{text}: {error}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = [
        ("OMADM_AGENT__SESSION__POLL_INTERVAL", "7"),
        ("OMADM_AGENT__SESSION__PLAIN_HTTP", "true"),
        ("OMADM_AGENT__SESSION__REQUEST_TIMEOUT", "2 min"),
        ("OMADM_AGENT__DEVICE__ID", "ESN:12345678"),
        ("OMADM_AGENT__TLS__MIN_VERSION", "1.3"),
        ("OMADM_AGENT__ACCESS__GRANTS", r#"[{ moid = "urn:x:1.0", server = "s1", rights = ["read"] }]"#),
        ("OMADM_AGENT_CONFIG", "not a setting"),
        ("PATH", "/bin"),
    ];
    let config = load("[session]\npoll_interval = 5\nmax_rounds = 9", &environment).unwrap();
    assert_eq!((config.session.poll_seconds(), config.session.max_rounds), (7, 9));
    assert_eq!(config.session.request_timeout, Span::secs(120));
    assert!(config.session.plain_http);
    assert_eq!(config.device.id.as_deref(), Some("ESN:12345678"), "text stays text");
    assert_eq!(config.tls.min_version, MinVersion::Tls13);
    assert_eq!(config.access.grants[0].server, "s1");
    for (name, value) in [
        ("OMADM_AGENT__SESSION__POLL_INTERVAL", "soon"),
        ("OMADM_AGENT__SESSION", "7"),
        ("OMADM_AGENT__DEVICE__ID", "IMEI:12"),
    ] {
        let error = load("", &[(name, value)]).unwrap_err();
        assert!(error.starts_with(&format!("the environment variable {name}: ")), "{name}={value}: {error}");
    }
}

#[test]
fn the_packaged_example_is_good_as_it_is_and_with_everything_in_it_switched_on() {
    let packaged = include_str!("../../../../packaging/etc/agent.toml");
    let shipped = load(packaged, &[]).unwrap();
    assert!(shipped.push.http.listen_tls.is_none() && shipped.push.sip.listen.is_none());
    assert!(!shipped.notification.enabled && shipped.dm1.obex.listen.is_none());
    assert_eq!(shipped.session.poll_seconds(), 3_600);
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
fn what_acts_on_the_machine_is_off_and_has_to_be_complete() {
    let default = Config::default();
    assert_eq!(default.firmware.method, FirmwareMethod::None);
    assert!(!default.software.enabled && !default.diagnostics.enabled && !default.lock.enabled);
    let slots = "[firmware]\nmethod = \"slots\"\nslots = [\"/a\", \"/b\"]\npointer = \"/c\"\n";
    let long = "disks = [".to_owned() + &"{ name = \"a\", path = \"/\" },".repeat(64) + "]";
    for good in [
        slots,
        "[firmware]\nmethod = \"hook\"\ninstall = [\"true\"]\nexit_codes = [{ exit = 3, result = 599 }]\n",
        "[software]\nwaiting = 1000\nmax_packages = 1\nmax_components = 100000\n",
        "[lock]\nallow_wipe = true\nwipe_items = [{ name = \"x\", command = [\"true\"] }]\n",
        "[packages]\nattempts = 1\nstall = 1\ntime_limit = 1\n",
        &format!("[diagnostics]\n{long}\nlog_bytes = \"1 MiB\"\n"),
    ] {
        load(good, &[]).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for (bad, key) in [
        ("[firmware]\nmethod = \"hook\"\n", "firmware.install"),
        ("[firmware]\nmethod = \"slots\"\nslots = [\"/a\"]\npointer = \"/c\"\n", "firmware.slots"),
        ("[firmware]\nmethod = \"slots\"\nslots = [\"/a\", \"/a\"]\npointer = \"/c\"\n", "firmware.slots"),
        ("[firmware]\nmethod = \"slots\"\nslots = [\"/a\", \"b\"]\npointer = \"/c\"\n", "firmware.slots"),
        ("[firmware]\nmethod = \"slots\"\nslots = [\"/a\", \"/b\"]\n", "firmware.pointer"),
        (&format!("{slots}starts = 0\n"), "firmware.starts"),
        (&format!("{slots}timeout = \"999 ms\"\n"), "firmware.timeout"),
        (&format!("{slots}exit_codes = [{{ exit = 3, result = 600 }}]\n"), "firmware.exit_codes"),
        ("[software]\nwaiting = 1001\n", "software.waiting"),
        ("[software]\nmax_packages = 0\n", "software.max_packages"),
        ("[software]\nmax_components = 100001\n", "software.max_components"),
        ("[software]\nremove = [\"\"]\n", "software.remove"),
        ("[lock]\nwipe_items = [{ name = \"x\", command = [\"true\"] }]\n", "lock.allow_wipe"),
        ("[lock]\nfactory_reset = [\"true\"]\n", "lock.allow_wipe"),
        ("[packages]\nattempts = 0\n", "packages.attempts"),
        ("[packages]\nstall = 0\n", "packages.stall"),
        ("[diagnostics]\nlog_bytes = 0\n", "diagnostics.log_bytes"),
        ("[diagnostics]\ndisks = [{ name = \"a/b\", path = \"/\" }]\n", "diagnostics.disks"),
    ] {
        let error = load(bad, &[]).unwrap_err();
        assert!(error.contains(key), "{bad}: {error}");
    }
}
