use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use omadm_mo::{Format, Miid, Moid, NodeName, Properties, Time, Value};
use proptest::prelude::*;

use super::{Journal, JournalView, MAX_LINE, STATE, check_length};
use crate::error::PersistError;
use crate::persistence::{Batch, Persistence};
use omadm_mo::NodeRecord;

fn path(names: &[&str]) -> Vec<NodeName> {
    names.iter().map(|name| NodeName::parse(name).unwrap()).collect()
}

fn leaf(value: Value, format: Format) -> NodeRecord {
    NodeRecord { format, value: Some(value), properties: Properties::default(), instance: None }
}

fn batch(number: u64) -> Batch {
    let text = Value::Text(format!("value {number} ü \u{0} \n"));
    Batch {
        nodes: vec![(path(&["a", "b"]), Some(leaf(text, Format::Chr))), (path(&["gone"]), None)],
        entries: vec![("counter".to_owned(), Some(number.to_string())), ("old".to_owned(), None)],
    }
}

fn load(journal: &mut dyn Persistence) -> Result<Vec<Batch>, PersistError> {
    let mut batches = Vec::new();
    journal.load(&mut |batch| {
        batches.push(batch);
        Ok(())
    })?;
    Ok(batches)
}

fn open(directory: &Path) -> (Journal, Vec<Batch>) {
    let mut journal = Journal::open(directory).unwrap();
    let batches = load(&mut journal).unwrap();
    (journal, batches)
}

fn filled(directory: &Path, count: u64) -> Vec<Batch> {
    let (mut journal, _) = open(directory);
    let batches: Vec<Batch> = (0..count).map(batch).collect();
    for batch in &batches {
        journal.append(batch).unwrap();
    }
    batches
}

#[test]
fn keeps_what_was_appended() {
    let directory = tempfile::tempdir().unwrap();
    let batches = filled(directory.path(), 3);
    let (mut journal, found) = open(directory.path());
    assert_eq!(found, batches);
    journal.append(&batch(3)).unwrap();
    drop(journal);
    assert_eq!(open(directory.path()).1.len(), 4, "appending goes on after loading");
}

#[test]
fn keeps_every_kind_of_record() {
    let directory = tempfile::tempdir().unwrap();
    let properties = Properties {
        acl: Some("Get=*".to_owned()),
        title: Some("Title".to_owned()),
        tstamp: Time(-5),
        mime: Some("text/plain".to_owned()),
        ver_no: 65_535,
    };
    let instance = Some((Moid::parse("urn:x:1.0").unwrap(), Miid::parse("m").unwrap(), u64::MAX));
    let root = NodeRecord { format: Format::Node, value: None, properties, instance };
    let leaves = [
        leaf(Value::Null, Format::Null),
        leaf(Value::Bool(true), Format::Bool),
        leaf(Value::Int(i64::MIN), Format::Int),
        leaf(Value::Float(0.1 + 0.2), Format::Float),
        leaf(Value::Float(f64::NEG_INFINITY), Format::Float),
        leaf(Value::Bytes(vec![0, 255, 10]), Format::Bin),
    ];
    let mut nodes = vec![(Vec::new(), Some(root.clone())), (path(&["m"]), Some(root))];
    nodes
        .extend(leaves.into_iter().enumerate().map(|(at, leaf)| (path(&["m", &at.to_string()]), Some(leaf))));
    let kept =
        Batch { nodes, entries: vec![("k".to_owned(), Some("{\"a\":[1,\"b\",\"\\n\"]}\t%".to_owned()))] };
    open(directory.path()).0.append(&kept).unwrap();
    assert_eq!(open(directory.path()).1, [kept]);
}

#[test]
fn cuts_off_a_torn_tail_at_every_octet_of_the_last_line() {
    let original = tempfile::tempdir().unwrap();
    let batches = filled(original.path(), 3);
    let whole = std::fs::read(original.path().join(STATE)).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|octet| *octet == b'\n').unwrap() + 1;
    for end in last..whole.len() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(STATE), &whole[..end]).unwrap();
        let (mut journal, found) = open(directory.path());
        assert_eq!(found, batches[..2], "cut at {end}");
        journal.append(&batch(9)).unwrap();
        drop(journal);
        assert_eq!(
            open(directory.path()).1,
            [batch(0), batch(1), batch(9)],
            "appended after the cut at {end}"
        );
    }
}

#[test]
fn cuts_off_a_last_line_with_sectors_missing() {
    let directory = tempfile::tempdir().unwrap();
    let batches = filled(directory.path(), 3);
    let file = directory.path().join(STATE);
    let mut octets = std::fs::read(&file).unwrap();
    let end = octets.len();
    octets[end - 30..end - 10].fill(0);
    std::fs::write(&file, &octets).unwrap();
    assert_eq!(open(directory.path()).1, batches[..2]);
}

#[test]
fn says_so_when_it_is_damaged_before_the_end() {
    let original = tempfile::tempdir().unwrap();
    filled(original.path(), 3);
    let whole = std::fs::read(original.path().join(STATE)).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|octet| *octet == b'\n').unwrap() + 1;
    for at in 0..last {
        let directory = tempfile::tempdir().unwrap();
        let mut octets = whole.clone();
        octets[at] ^= 0x04;
        std::fs::write(directory.path().join(STATE), &octets).unwrap();
        let mut journal = Journal::open(directory.path()).unwrap();
        let error = load(&mut journal).expect_err("damage");
        assert!(matches!(error, PersistError::Damaged { .. }), "at {at}: {error}");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
        let kept = std::fs::read(directory.path().join(STATE)).unwrap();
        assert_eq!(kept, octets, "a damaged file is left as it is");
    }
}

#[test]
fn a_state_that_is_not_complete_is_damage_and_no_torn_tail() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    journal.compact(&mut (0..3).map(batch)).unwrap();
    drop(journal);
    let file = directory.path().join(STATE);
    let whole = std::fs::read(&file).unwrap();
    for end in 0..whole.len() {
        std::fs::write(&file, &whole[..end]).unwrap();
        let mut journal = Journal::open(directory.path()).unwrap();
        assert!(matches!(load(&mut journal), Err(PersistError::Damaged { .. })), "cut at {end}");
    }
}

#[test]
fn compaction_replaces_what_was_kept() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 5);
    let (mut journal, _) = open(directory.path());
    journal.compact(&mut [batch(7)].into_iter()).unwrap();
    journal.append(&batch(8)).unwrap();
    drop(journal);
    // What a kill in the middle of a rewriting leaves behind is no obstacle.
    std::fs::write(directory.path().join("state.journal.new"), b"half").unwrap();
    let (mut journal, found) = open(directory.path());
    assert_eq!(found, [batch(7), batch(8)]);
    journal.compact(&mut [batch(9)].into_iter()).unwrap();
    drop(journal);
    assert_eq!(open(directory.path()).1, [batch(9)]);
}

#[test]
fn a_compaction_that_fails_leaves_what_was_kept() {
    let directory = tempfile::tempdir().unwrap();
    let batches = filled(directory.path(), 2);
    let (mut journal, _) = open(directory.path());
    let obstacle = directory.path().join("state.journal.new");
    std::fs::create_dir(&obstacle).unwrap();
    assert!(matches!(journal.compact(&mut [batch(7)].into_iter()), Err(PersistError::Io { .. })));
    journal.append(&batch(8)).unwrap();
    drop(journal);
    assert_eq!(open(directory.path()).1, [batches, vec![batch(8)]].concat());
}

#[test]
fn wants_compaction_when_the_appended_part_outgrew_the_state() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    let big = Batch {
        nodes: vec![(path(&["a"]), Some(leaf(Value::Bytes(vec![7; 100_000]), Format::Bin)))],
        entries: Vec::new(),
    };
    let mut appended = 0;
    while !journal.wants_compaction() {
        journal.append(&big).unwrap();
        appended += 1;
        assert!(appended < 10, "it never wants compaction");
    }
    assert!(appended > 1, "a small journal is left alone");
    journal.compact(&mut [big].into_iter()).unwrap();
    assert!(!journal.wants_compaction());
}

#[test]
fn one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let first = Journal::open(directory.path()).unwrap();
    assert!(matches!(Journal::open(directory.path()), Err(PersistError::InUse { .. })));
    drop(first);
    Journal::open(directory.path()).unwrap();
}

#[test]
fn a_view_reads_beside_the_owner_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(load(&mut JournalView::new(directory.path())).unwrap(), [], "no state yet");
    let batches = filled(directory.path(), 2);
    let (_owner, _) = open(directory.path());
    let file = directory.path().join(STATE);
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"0000").unwrap();
    let before = std::fs::read(&file).unwrap();
    let mut view = JournalView::new(directory.path());
    assert_eq!(load(&mut view).unwrap(), batches);
    view.append(&batch(5)).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("state");
    filled(&directory, 1);
    let (mut journal, _) = open(&directory);
    journal.compact(&mut std::iter::empty()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for entry in std::fs::read_dir(&directory).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_line_has_its_largest_size() {
    assert!(check_length(Path::new(STATE), MAX_LINE).is_ok());
    assert!(matches!(check_length(Path::new(STATE), MAX_LINE + 1), Err(PersistError::Full { .. })));
}

/// `/dev/full` takes any write and says that there is no space.
#[cfg(target_os = "linux")]
#[test]
fn no_space_is_told_apart_and_spoils_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let batches = filled(directory.path(), 1);
    let (mut journal, _) = open(directory.path());
    let good = journal.file.replace(OpenOptions::new().write(true).open("/dev/full").unwrap());
    assert!(matches!(journal.append(&batch(1)), Err(PersistError::Full { .. })));
    assert!(
        matches!(journal.append(&batch(2)), Err(PersistError::Unusable { .. })),
        "a device cannot be shortened"
    );
    journal.file = good;
    journal.append(&batch(3)).unwrap();
    drop(journal);
    assert_eq!(open(directory.path()).1, [batches, vec![batch(3)]].concat());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), keep in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 1);
        let file = directory.path().join(STATE);
        let mut content = if keep { std::fs::read(&file).unwrap() } else { Vec::new() };
        content.extend_from_slice(&octets);
        std::fs::write(&file, content).unwrap();
        let mut journal = Journal::open(directory.path()).unwrap();
        let loaded = load(&mut journal);
        prop_assert_eq!(loaded.is_ok(), keep, "{:?}", loaded);
    }
}
