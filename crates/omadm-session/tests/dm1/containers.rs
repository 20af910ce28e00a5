//! Atomic and Sequence.

use omadm_codec::dm1::{Item, OperationKind, Version};
use omadm_mo::Value;
use omadm_session::dm1::client::{Config, EffectResult, Input, Output, Start, UserAnswer};

use super::support::*;

fn setting(device: &Device) -> String {
    device.value("./box/one/Setting").unwrap().to_text()
}

#[test]
fn an_atomic_is_done_as_a_whole_and_kept_at_once() {
    let (mut device, mut server) = begun();
    let inside = vec![replace("5", "./box/one/Setting", "second"), replace("6", "./box/one/Count", "2")];
    let said = device.exchange(&mut server, vec![atomic("4", inside)]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 200), ("5", 200), ("6", 200)]));
    assert_eq!((setting(&device).as_str(), device.value("./box/one/Count")), ("second", Some(Value::Int(2))));
    assert_eq!(device.committed, 1);
}

#[test]
fn an_atomic_with_a_failure_leaves_nothing_behind() {
    let (mut device, mut server) = begun();
    let inside = vec![
        replace("5", "./box/one/Setting", "second"),
        add("6", "./box/one/Count", "2"),
        delete("7", "./box/one/Items/1"),
    ];
    let said = device.exchange(&mut server, vec![atomic("4", inside), get("8", "./box/one/Setting")]);
    assert_eq!(
        said.codes(),
        codes(&[("0", 212), ("4", 507), ("5", 216), ("6", 418), ("7", 215), ("8", 200)])
    );
    assert_eq!(said.results(), [("./box/one/Setting".to_owned(), "first".to_owned())]);
    assert_eq!(device.committed, 0);
}

#[test]
fn an_atomic_that_is_not_kept_is_rolled_back() {
    let (mut device, mut server) = begun();
    device.commits = [EffectResult::Refused { status: 500, reason: "the plug-in will not".into() }].into();
    let inside = vec![replace("5", "./box/one/Setting", "second"), replace("6", "./box/one/Count", "2")];
    let said = device.exchange(&mut server, vec![atomic("4", inside)]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 507), ("5", 216), ("6", 216)]));
    assert_eq!((setting(&device).as_str(), device.value("./box/one/Count")), ("first", Some(Value::Int(1))));
}

#[test]
fn a_roll_back_that_fails_is_told() {
    let (mut device, mut server) = begun();
    let inside = vec![replace("5", "./box/one/Setting", "second"), replace("6", "./box/one/Count", "2")];
    device.reply(server.message(vec![atomic("4", inside)]));
    let effect = loop {
        if let Output::Effect { id, .. } = device.session.poll_output().unwrap() {
            break id;
        }
    };
    // Something else was kept in the tree meanwhile, so that the change is not the last one.
    set(&mut device.tree, "./box/one/Fixed", Value::Text("other".into()));
    let result = EffectResult::Refused { status: 500, reason: "no".into() };
    device.input(Input::EffectDone { id: effect, result });
    let said = server.hear(device.post());
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 507), ("5", 516), ("6", 516)]));
}

#[test]
fn only_changes_and_questions_stand_in_an_atomic() {
    for (misplaced, name) in [(get("6", "./box/one/Setting"), "Get"), (exec("6", "./box/one/Run"), "Exec")] {
        let (mut device, mut server) = begun();
        let inside =
            vec![replace("5", "./box/one/Setting", "second"), misplaced, delete("7", "./box/one/Items/1")];
        let said = device.exchange(&mut server, vec![atomic("4", inside)]);
        let expected = codes(&[("0", 212), ("4", 507), ("5", 216), ("6", 500), ("7", 215)]);
        assert_eq!(said.codes(), expected, "{name}");
        assert_eq!(setting(&device), "first");
        assert!(device.executed.is_empty() && said.results().is_empty());
    }
}

#[test]
fn an_atomic_in_an_atomic_fails_with_all_around_it() {
    let (mut device, mut server) = begun();
    let inner = atomic("6", vec![replace("7", "./box/one/Count", "2")]);
    let inside = vec![replace("5", "./box/one/Setting", "second"), inner, delete("8", "./box/one/Items/1")];
    let said = device.exchange(&mut server, vec![atomic("4", inside)]);
    assert_eq!(
        said.codes(),
        codes(&[("0", 212), ("4", 507), ("5", 216), ("6", 500), ("7", 215), ("8", 215)])
    );
    assert_eq!(setting(&device), "first");
}

#[test]
fn a_no_of_the_user_takes_an_atomic_back() {
    let (mut device, mut server) = begun();
    device.user = [UserAnswer::Rejected].into();
    let inside = vec![
        replace("5", "./box/one/Setting", "second"),
        server_alert("6", 1101, &["", "Go on?"]),
        delete("7", "./box/one/Items/1"),
    ];
    let said = device.exchange(&mut server, vec![atomic("4", inside), replace("8", "./box/one/Count", "3")]);
    assert_eq!(
        said.codes(),
        codes(&[("0", 212), ("4", 507), ("5", 216), ("6", 304), ("7", 215), ("8", 200)])
    );
    assert_eq!(setting(&device), "first");
}

#[test]
fn a_yes_of_the_user_lets_an_atomic_through() {
    let (mut device, mut server) = begun();
    device.user = [UserAnswer::Accepted, UserAnswer::Text("dora".into())].into();
    let inside = vec![
        server_alert("5", 1101, &["", "Go on?"]),
        replace("6", "./box/one/Setting", "second"),
        server_alert("7", 1102, &["", "Name?"]),
    ];
    let said = device.exchange(&mut server, vec![atomic("4", inside)]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 200), ("5", 200), ("6", 200), ("7", 200)]));
    assert_eq!(data_of(&said.statuses()[4].items[0]), "dora");
    assert_eq!((device.asked.len(), setting(&device).as_str()), (2, "second"));
}

#[test]
fn nobody_is_asked_about_an_atomic_that_fails_before() {
    let (mut device, mut server) = begun();
    let inside = vec![replace("5", "./box/one/Nowhere", "x"), server_alert("6", 1101, &["", "Go on?"])];
    let said = device.exchange(&mut server, vec![atomic("4", inside)]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 507), ("5", 404), ("6", 215)]));
    assert!(device.asked.is_empty());
}

#[test]
fn a_sequence_goes_on_after_a_failure() {
    let (mut device, mut server) = begun();
    let inside = vec![
        replace("5", "./box/one/Nowhere", "x"),
        replace("6", "./box/one/Setting", "second"),
        get("7", "./box/one/Setting"),
    ];
    let said = device.exchange(&mut server, vec![sequence("4", inside)]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 200), ("5", 404), ("6", 200), ("7", 200)]));
    assert_eq!(said.results(), [("./box/one/Setting".to_owned(), "second".to_owned())]);
}

#[test]
fn a_no_of_the_user_ends_the_sequence_and_nothing_else() {
    let (mut device, mut server) = begun();
    device.user = [UserAnswer::Rejected].into();
    let inside = vec![
        replace("5", "./box/one/Count", "2"),
        server_alert("6", 1101, &["", "Go on?"]),
        replace("7", "./box/one/Setting", "second"),
        atomic("8", vec![replace("9", "./box/one/Setting", "third")]),
    ];
    let said =
        device.exchange(&mut server, vec![sequence("4", inside), replace("10", "./box/one/On", "false")]);
    assert_eq!(
        said.codes(),
        codes(&[
            ("0", 212),
            ("4", 200),
            ("5", 200),
            ("6", 304),
            ("7", 215),
            ("8", 215),
            ("9", 215),
            ("10", 200)
        ])
    );
    assert_eq!(setting(&device), "first");
}

#[test]
fn a_cancel_of_the_user_ends_the_message() {
    let (mut device, mut server) = begun();
    device.user = [UserAnswer::Cancelled].into();
    let inside = vec![server_alert("5", 1101, &["", "Go on?"]), replace("6", "./box/one/Setting", "second")];
    let behind = sequence("7", vec![replace("8", "./box/one/Setting", "third")]);
    let said = device.exchange(&mut server, vec![sequence("4", inside), behind]);
    assert_eq!(
        said.codes(),
        codes(&[("0", 212), ("4", 200), ("5", 214), ("6", 215), ("7", 215), ("8", 215)])
    );
    assert_eq!(setting(&device), "first");
}

#[test]
fn a_no_outside_of_containers_changes_nothing() {
    let (mut device, mut server) = begun();
    device.user = [UserAnswer::Rejected].into();
    let commands =
        vec![server_alert("4", 1101, &["", "Go on?"]), replace("5", "./box/one/Setting", "second")];
    let said = device.exchange(&mut server, commands);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 304), ("5", 200)]));
    assert_eq!(setting(&device), "second");
}

#[test]
fn a_sequence_in_a_sequence_is_refused_and_an_atomic_in_it_carried_out() {
    let (mut device, mut server) = begun();
    let inside = vec![
        sequence("5", vec![replace("6", "./box/one/Count", "2")]),
        atomic("7", vec![replace("8", "./box/one/Setting", "second")]),
    ];
    let said = device.exchange(&mut server, vec![sequence("4", inside)]);
    assert_eq!(
        said.codes(),
        codes(&[("0", 212), ("4", 200), ("5", 500), ("6", 215), ("7", 200), ("8", 200)])
    );
    assert_eq!(device.value("./box/one/Count"), Some(Value::Int(1)));
}

#[test]
fn empty_containers_are_malformed() {
    let (mut device, mut server) = begun();
    let said = device.exchange(&mut server, vec![atomic("4", Vec::new()), sequence("5", Vec::new())]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 400), ("5", 400)]));
}

#[test]
fn a_copy_in_an_atomic_reads_what_is_up_to_date() {
    let (mut device, mut server) = begun();
    let before = device.refreshed;
    let item = Item { source: Some("./box/one/Setting".into()), ..target("./box/one/Items/1/Value") };
    let inside = vec![operation(OperationKind::Copy, "5", vec![item])];
    let said = device.exchange(&mut server, vec![atomic("4", inside)]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 200), ("5", 200)]));
    assert_eq!(device.refreshed, before + 1);
    assert_eq!(device.value("./box/one/Items/1/Value"), Some(Value::Text("first".into())));
}

/// `REPPRO §7.6.3`: where the answers have to be in one message, one octet less than they take is too little.
#[test]
fn an_atomic_whose_answers_do_not_fit_into_one_message_is_not_done() {
    let run = |split_atomic, version, max_message| {
        let start = Start { versions: vec![version], ..start() };
        let (mut device, mut server) = begun_with(Config { split_atomic, ..config() }, start);
        (server.version, server.max_message) = (version, max_message);
        let inside = (2..20).map(|id: u32| replace(&id.to_string(), "./box/one/Setting", "second"));
        let said = device.exchange(&mut server, vec![atomic("1", inside.collect())]);
        let length = said.post.body.len() as u64;
        (device, said, length)
    };
    let (_, whole, length) = run(false, Version::Dm12, None);
    assert_eq!((whole.code("1"), whole.message.is_final), ("200".to_owned(), true));
    assert!(length > 1024, "a smaller MaxMsgSize is not believed");
    for (split, most, version, code) in [
        (false, length, Version::Dm12, 200),
        (false, length - 1, Version::Dm12, 517),
        (false, length - 1, Version::Dm11, 500),
        (true, length - 1, Version::Dm12, 200),
    ] {
        let (device, said, sent) = run(split, version, Some(most));
        assert_eq!(said.code("1"), code.to_string(), "{split} {most}");
        assert!(sent <= most);
        let expected = if code == 200 { "second" } else { "first" };
        assert_eq!(device.value("./box/one/Setting"), Some(Value::Text(expected.into())));
        let inside = if code == 200 { "200" } else { "216" };
        assert_eq!(said.code("2"), inside);
    }
}
