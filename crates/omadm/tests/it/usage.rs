//! Exit status 2 is for wrong usage, and for nothing else; what cannot be done says what to do.

use crate::run;

#[test]
fn wrong_usage_is_status_two() {
    let cases: [&[&str]; 16] = [
        &[],
        &["nonsense"],
        &["device"],
        &["device", "show"],
        &["device", "ls", "--limit", "0"],
        &["command", "ls", "UUID:1", "--limit", "0"],
        &["session", "ls", "UUID:1", "--limit", "0"],
        &["device", "ls", "--output", "yaml"],
        &["run", "UUID:1", "set", "urn:x//a"],
        &["run", "UUID:1", "set", "urn:x//a", "value", "--file", "also"],
        &["run", "UUID:1", "upload"],
        &["decode", "--boundary", "b", "--as", "ddf"],
        &["sim", "--protocol", "dm9", "--devices", "1"],
        &["sim", "--protocol", "dm2.0", "--devices", "0"],
        &["token", "new", "name", "--expires-in", "0"],
        &["device", "ls", "--server", "ftp://localhost"],
    ];
    for arguments in cases {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.stdout.is_empty(), "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn help_and_version_are_status_zero() {
    for arguments in
        [&["--help"][..], &["--version"], &["run", "--help"], &["run", "UUID:1", "set", "--help"]]
    {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        assert!(!ran.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_status_one_and_says_what_to_do() {
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("http://127.0.0.1:{port}");
    let ran = run(&["device", "ls", "--server", &server]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains(&server) && ran.stderr.contains("omadm serve"), "{ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
}

#[test]
fn a_token_file_that_holds_no_token_is_status_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "two words").unwrap();
    let ran = run(&["device", "ls", "--token-file", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("OMADM_TOKEN") && !ran.stderr.contains("two words"), "{ran:?}");
}
