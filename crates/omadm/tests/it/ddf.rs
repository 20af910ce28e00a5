//! `omadm ddf check`.

use crate::{repository, run};

#[test]
fn the_ddf_files_of_the_repository_are_good() {
    let files: Vec<String> = std::fs::read_dir(repository("ddf"))
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(".ddf"))
        .collect();
    assert!(!files.is_empty(), "an empty folder proves nothing");
    let mut arguments = vec!["ddf", "check"];
    arguments.extend(files.iter().map(String::as_str));
    let ran = run(&arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout.lines().filter(|line| line.contains(": good,")).count(), files.len(), "{ran:?}");
}

#[test]
fn a_broken_file_is_told_by_line_and_column_beside_good_ones() {
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.ddf");
    std::fs::write(
        &broken,
        "<MgmtTree>\n  <VerDTD>1.2</VerDTD>\n  <Node><NodeName>A/B</NodeName></Node>\n</MgmtTree>",
    )
    .unwrap();
    let good = repository("ddf/dm_devinfo-v1_2.ddf");
    let ran = run(&["ddf", "check", broken.to_str().unwrap(), good.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("dm_devinfo-v1_2.ddf: good"), "{ran:?}");
    assert!(ran.stderr.contains("broken.ddf:3:"), "{ran:?}");

    let ran = run(&["ddf", "check", "--output", "json", broken.to_str().unwrap(), good.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let json = ran.json();
    assert_eq!((json[0]["good"].as_bool(), json[1]["good"].as_bool()), (Some(false), Some(true)), "{json}");
    assert_eq!(json[0]["line"], 3, "{json}");
    assert_eq!(json[1]["objects"][0], "urn:oma:mo:oma-dm-devinfo:1.2", "{json}");
}

#[test]
fn required_nodes_that_are_not_described_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("less.ddf");
    let session_info = std::fs::read_to_string(repository("ddf/dm_sessioninfo-v1_0.ddf")).unwrap();
    std::fs::write(&file, session_info.replace("<NodeName>ROAMING<", "<NodeName>Other<")).unwrap();
    let ran = run(&["ddf", "check", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("less.ddf: not complete, 3 nodes"), "{ran:?}");
    assert!(ran.stderr.contains("ROAMING of urn:oma:mo:oma-sessioninfomo:1.0 is required"), "{ran:?}");
    assert!(!ran.stderr.contains("CBT"), "{ran:?}");
    let json = run(&["ddf", "check", "--output", "json", file.to_str().unwrap()]).json();
    assert_eq!(
        (json[0]["good"].as_bool(), json[0]["missing"][0]["path"].as_str()),
        (Some(false), Some("ROAMING"))
    );
}

#[test]
fn a_file_that_is_not_there_is_status_one() {
    let ran = run(&["ddf", "check", "/nonexistent/file.ddf"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("/nonexistent/file.ddf"), "{ran:?}");
}
