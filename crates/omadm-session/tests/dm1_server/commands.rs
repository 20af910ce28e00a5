//! What operators ask for, and how it comes out.

use std::time::Duration;

use omadm_codec::dm1::tnds::TNDS_XML;
use omadm_codec::dm1::{Command, Data as Carried, Item, Status};
use omadm_mo::{Format, Value};
use omadm_session::dm1::server::{
    Answer, Content, Data, Existence, Listing, Question, QuestionKind, RawItem, Task, Verdict,
};

use super::device::{Device, Host, delete, exec, get, leaf, nodes, set, tell, text, told};

fn started(tasks: Vec<Task>) -> (Host, Device) {
    let (mut host, mut device) = (Host::new(tasks), Device::new());
    device.begin(&mut host);
    (host, device)
}

/// Answers the only command of the last message with a status, and with items as its results.
fn answer(host: &mut Host, device: &mut Device, code: u16, items: Vec<Item<'static>>) {
    let asked = device.asked();
    let [Command::Operation(operation)] = asked.as_slice() else { panic!("{asked:?}") };
    let mut said =
        vec![device.header_status(212), device.status(&operation.id, operation.kind.as_str(), code)];
    if !items.is_empty() {
        said.push(device.results(&operation.id, items));
    }
    device.say(host, said);
}

#[test]
fn a_set_is_tried_the_other_way_once() {
    let set = |existence| Task::Set { uri: "./A".into(), content: text("x"), existence };
    for (existence, ways, code) in [
        (Existence::Present, ["Replace ./A", "Add ./A"], 404),
        (Existence::Unknown, ["Replace ./A", "Add ./A"], 404),
        (Existence::Absent, ["Add ./A", "Replace ./A"], 418),
    ] {
        for (second, verdict) in
            [(200, Verdict::Done(200)), (404, Verdict::Failed(404)), (418, Verdict::Failed(418))]
        {
            let (mut host, mut device) = started(vec![set(existence)]);
            assert_eq!(told(&device.asked()), [ways[0]]);
            answer(&mut host, &mut device, code, vec![]);
            assert_eq!(told(&device.asked()), [ways[1]]);
            answer(&mut host, &mut device, second, vec![]);
            assert_eq!((host.verdict(1), host.results.len()), (&verdict, 1));
        }
        let (mut host, mut device) = started(vec![set(existence)]);
        answer(&mut host, &mut device, 425, vec![]);
        assert_eq!(host.verdict(1), &Verdict::Failed(425));
    }
}

#[test]
fn nothing_overtakes_a_set_that_may_need_another_try() {
    let unknown = Task::Set { uri: "./A".into(), content: text("x"), existence: Existence::Unknown };
    let (mut host, mut device) = started(vec![delete("./Z"), unknown, exec("./Run", None)]);
    let mut order = Vec::new();
    while !device.asked().is_empty() {
        order.extend(device.asked().iter().map(tell));
        let said = if order.last().unwrap() == "Replace ./A" {
            device.done(&[("Replace", 404)])
        } else {
            device.done(&[])
        };
        device.say(&mut host, said);
    }
    assert_eq!(order, ["Delete ./Z", "Replace ./A", "Add ./A", "Exec ./Run"]);
}

#[test]
fn content_is_said_with_its_format_and_type() {
    let content =
        Content { format: Format::Int, media_type: Some("text/plain".into()), value: Value::Int(7) };
    let raw = Task::Raw {
        kind: omadm_codec::dm1::OperationKind::Replace,
        items: vec![RawItem {
            target: Some("./A?prop=ACL".into()),
            source: None,
            content: Some(text("Get=*")),
        }],
    };
    let tasks = vec![
        Task::Set { uri: "./N".into(), content, existence: Existence::Present },
        raw,
        Task::Copy { source: "./A".into(), target: "./B".into() },
        Task::Exec { uri: "./Run".into(), content: Some(text("now")), correlator: Some("c-1".into()) },
    ];
    let (_, device) = started(tasks);
    let asked = device.asked();
    let [Command::Container(sequence)] = asked.as_slice() else { panic!("{asked:?}") };
    let operation = |index: usize| match &sequence.commands[index] {
        Command::Operation(operation) => operation.clone(),
        other => panic!("{other:?}"),
    };
    let number = operation(0).items[0].clone();
    assert_eq!(number.meta.format.as_deref(), Some("int"));
    assert_eq!(number.meta.media_type.as_deref(), Some("text/plain"));
    assert_eq!(number.data, Some(Carried::Text("7".into())));
    assert_eq!(operation(1).items[0].target.as_deref(), Some("./A?prop=ACL"));
    let copy = operation(2).items[0].clone();
    assert_eq!((copy.source.as_deref(), copy.target.as_deref()), (Some("./A"), Some("./B")));
    let exec = operation(3);
    assert_eq!(
        (exec.correlator.as_deref(), &exec.items[0].data),
        (Some("c-1"), &Some(Carried::Text("now".into())))
    );
}

#[test]
fn several_addresses_of_one_get_may_come_out_differently() {
    let task = Task::Get { uris: vec!["./A".into(), "./B".into()] };
    let (mut host, mut device) = started(vec![task]);
    assert_eq!(told(&device.asked()), ["Get ./A ./B"]);
    let of = |device: &mut Device, uri: &str, code| {
        let mut status = device.status("4", "Get", code);
        if let Command::Status(Status { target_refs, .. }) = &mut status {
            target_refs.push(uri.to_owned().into());
        }
        status
    };
    let said = vec![
        device.header_status(212),
        of(&mut device, "./A", 200),
        of(&mut device, "./B", 404),
        device.results("4", vec![leaf("./A", "chr", Some("a"))]),
    ];
    device.say(&mut host, said);
    assert_eq!(host.verdict(1), &Verdict::Failed(404));
    assert_eq!(nodes(host.result(1)).into_iter().collect::<Vec<_>>(), [("./A".into(), "a".into())]);
}

#[test]
fn interior_nodes_come_as_names_and_properties_as_text() {
    let task = Task::Get { uris: vec!["./A".into(), "./A?prop=ACL".into(), "./E".into()] };
    let (mut host, mut device) = started(vec![task]);
    let items = vec![
        leaf("./A", "node", Some("b/c%20d")),
        leaf("./A?prop=ACL", "chr", Some("Get=*")),
        leaf("./E", "node", None),
    ];
    answer(&mut host, &mut device, 200, items);
    let nodes = nodes(host.result(1));
    assert_eq!(
        (nodes["./A"].as_str(), nodes["./A?prop=ACL"].as_str(), nodes["./E"].as_str()),
        ("b c%20d", "Get=*", "")
    );
}

fn list(how: Listing) -> Task {
    Task::List { uri: "./A".into(), how }
}

#[test]
fn a_subtree_is_read_as_a_document_where_that_can_be() {
    let (mut host, mut device) = started(vec![list(Listing::Tnds)]);
    assert_eq!(told(&device.asked()), ["Get ./A?list=TNDS"]);
    let document = "<MgmtTree xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD><Node><NodeName>A</NodeName>\
        <RTProperties><Format><node/></Format></RTProperties><Node><NodeName>B</NodeName><Value>1</Value></Node></Node></MgmtTree>";
    let mut item = leaf("./A", "xml", Some(document));
    item.meta.media_type = Some(TNDS_XML.into());
    answer(&mut host, &mut device, 200, vec![item]);
    assert_eq!(host.verdict(1), &Verdict::Done(200));
    assert_eq!(nodes(host.result(1))["./A/B"], "1");
    assert_eq!(host.account.unwrap().capabilities.tnds, Some(true));
}

#[test]
fn a_device_that_cannot_list_is_asked_node_by_node() {
    let (mut host, mut device) = started(vec![list(Listing::Tnds), delete("./A")]);
    answer(&mut host, &mut device, 406, vec![]);
    assert_eq!(told(&device.asked()), ["Get ./A?list=StructData"]);
    answer(&mut host, &mut device, 406, vec![]);
    assert_eq!(told(&device.asked()), ["Get ./A"]);
    answer(&mut host, &mut device, 200, vec![leaf("./A", "node", Some("B/C/D"))]);
    assert_eq!(told(&device.asked()), ["Get ./A/B ./A/C ./A/D"]);
    let items = vec![
        leaf("./A/B", "chr", Some("1")),
        leaf("./A/C", "node", Some("E")),
        leaf("./A/D", "node", Some("")),
    ];
    answer(&mut host, &mut device, 200, items);
    assert_eq!(told(&device.asked()), ["Get ./A/C/E"]);
    // What may not be read is left out.
    answer(&mut host, &mut device, 405, vec![]);
    let told_nodes = nodes(host.result(1));
    assert_eq!(told_nodes.keys().collect::<Vec<_>>(), ["./A", "./A/B", "./A/C", "./A/D"]);
    assert_eq!(
        (host.verdict(1), told(&device.asked())),
        (&Verdict::Done(200), vec!["Delete ./A".to_owned()])
    );
    let capabilities = host.account.as_ref().unwrap().capabilities;
    assert_eq!((capabilities.tnds, capabilities.struct_data), (Some(false), Some(false)));
    // The next time it is known.
    host.queue.push(super::device::pending(9, list(Listing::Tnds)));
    let said = device.done(&[]);
    device.say(&mut host, said);
    assert_eq!(told(&device.asked()), ["Get ./A"]);
}

#[test]
fn a_device_that_does_not_know_lists_answers_with_names() {
    let (mut host, mut device) = started(vec![list(Listing::StructData)]);
    answer(&mut host, &mut device, 200, vec![leaf("./A", "node", Some("B"))]);
    assert_eq!(told(&device.asked()), ["Get ./A"]);
    assert_eq!(host.account.as_ref().unwrap().capabilities.struct_data, Some(false));
    let (mut host, mut device) = started(vec![list(Listing::StructData)]);
    let items = vec![leaf("./A", "node", None), leaf("./A/B", "int", Some("4"))];
    answer(&mut host, &mut device, 200, items);
    assert_eq!(nodes(host.result(1)), [("./A".into(), "-".into()), ("./A/B".into(), "4".into())].into());
    // What is not there is not looked for in other ways.
    let (mut host, mut device) = started(vec![list(Listing::Tnds)]);
    answer(&mut host, &mut device, 404, vec![]);
    assert_eq!(host.verdict(1), &Verdict::Failed(404));
    let (mut host, mut device) = started(vec![list(Listing::Walk)]);
    answer(&mut host, &mut device, 404, vec![]);
    assert_eq!(host.verdict(1), &Verdict::Failed(404));
}

#[test]
fn roots_of_management_objects_are_listed_in_their_way_only() {
    for (how, query) in [(Listing::MoRoot, "MORoot"), (Listing::MoRootData, "MORootData")] {
        let (mut host, mut device) = started(vec![Task::List { uri: ".".into(), how }]);
        assert_eq!(told(&device.asked()), [format!("Get .?list={query}")]);
        answer(&mut host, &mut device, 406, vec![]);
        assert_eq!(host.verdict(1), &Verdict::Failed(406));
        assert_eq!(host.account.unwrap().capabilities.mo_root, Some(false));
    }
}

fn statuses(device: &mut Device, codes: &[u16]) -> Vec<Command<'static>> {
    let mut said = vec![device.header_status(212)];
    let asked = device.asked();
    let [Command::Container(container)] = asked.as_slice() else { panic!("{asked:?}") };
    let first: usize = container.id.parse().unwrap();
    for (index, code) in codes.iter().enumerate() {
        if *code != 0 {
            said.push(device.status(&(first + index).to_string(), "X", *code));
        }
    }
    said
}

#[test]
fn an_atomic_is_one_command_with_parts() {
    let atomic = || Task::Atomic(vec![set("./A", "1"), set("./B", "2"), delete("./C")]);
    for (codes, verdict, parts) in [
        ([200, 200, 200, 200], Verdict::Done(200), vec![200, 200, 200]),
        ([507, 216, 418, 215], Verdict::Failed(507), vec![216, 418, 215]),
        ([507, 516, 418, 215], Verdict::Failed(507), vec![516, 418, 215]),
        ([517, 216, 216, 216], Verdict::Failed(517), vec![216, 216, 216]),
        ([406, 215, 215, 215], Verdict::Failed(406), vec![215, 215, 215]),
        // Some devices execute what is in it and leave out its own status.
        ([0, 200, 200, 200], Verdict::Done(200), vec![200, 200, 200]),
        ([0, 200, 404, 200], Verdict::Failed(404), vec![200, 404, 200]),
    ] {
        let (mut host, mut device) = started(vec![atomic(), get("./D")]);
        assert_eq!(told(&device.asked()), ["Atomic(Replace ./A, Replace ./B, Delete ./C)"]);
        let said = statuses(&mut device, &codes);
        device.say(&mut host, said);
        assert_eq!((host.verdict(1), &host.result(1).data), (&verdict, &Some(Data::Parts(parts))));
        assert_eq!(told(&device.asked()), ["Get ./D"]);
    }
}

#[test]
fn a_sequence_goes_on_after_a_failure_and_says_so() {
    let sequence = || Task::Sequence(vec![set("./A", "1"), delete("./B"), exec("./C", None)]);
    for (codes, verdict) in [
        ([200, 200, 200, 200], Verdict::Done(200)),
        ([200, 200, 404, 200], Verdict::Failed(404)),
        ([407, 0, 0, 0], Verdict::Failed(407)),
    ] {
        let (mut host, mut device) = started(vec![sequence()]);
        let said = statuses(&mut device, &codes);
        device.say(&mut host, said);
        assert_eq!(host.verdict(1), &verdict);
    }
    let (mut host, mut device) = started(vec![Task::Atomic(vec![get("./A")]), delete("./B")]);
    assert_eq!(host.verdict(1), &Verdict::Failed(500), "not sent: an Atomic has no Get");
    assert_eq!(told(&device.asked()), ["Delete ./B"]);
    let said = device.done(&[]);
    device.say(&mut host, said);
}

fn question(kind: QuestionKind) -> Task {
    Task::Ask(Question {
        kind,
        text: "Go on?".into(),
        min_display: None,
        max_display: Some(Duration::from_secs(60)),
    })
}

#[test]
fn answers_of_the_user_are_recorded() {
    let choices: Vec<String> = vec!["a".into(), "b".into(), "c".into()];
    let single = QuestionKind::Single { choices: choices.clone(), default: None };
    let multiple = QuestionKind::Multiple { choices, defaults: Vec::new() };
    let (default, input) = (String::new(), Default::default());
    let input = QuestionKind::Text { default, max_length: None, input, hidden: false };
    let confirm = QuestionKind::Confirm { default: None };
    for (kind, code, items, verdict, expected) in [
        (QuestionKind::Display, 200, vec![], Verdict::Done(200), Some(Answer::Shown)),
        (confirm.clone(), 200, vec![], Verdict::Done(200), Some(Answer::Yes)),
        (confirm.clone(), 304, vec![], Verdict::Done(304), Some(Answer::No)),
        (confirm.clone(), 214, vec![], Verdict::Failed(214), Some(Answer::Cancelled)),
        (confirm.clone(), 408, vec![], Verdict::Failed(408), Some(Answer::TimedOut)),
        (confirm.clone(), 406, vec![], Verdict::Failed(406), None),
        (confirm, 416, vec![], Verdict::Failed(416), None),
        (input, 200, vec!["hello"], Verdict::Done(200), Some(Answer::Text("hello".into()))),
        (single, 200, vec!["2"], Verdict::Done(200), Some(Answer::Chosen(vec![2]))),
        (multiple.clone(), 200, vec!["3", "1"], Verdict::Done(200), Some(Answer::Chosen(vec![3, 1]))),
        (multiple, 200, vec![], Verdict::Done(200), Some(Answer::Chosen(vec![]))),
    ] {
        let (mut host, mut device) = started(vec![question(kind), delete("./A")]);
        assert_eq!(device.asked().len(), 1, "a question is alone in its message");
        let mut status = device.status("4", "Alert", code);
        if let Command::Status(status) = &mut status {
            let item =
                |text: &str| Item { data: Some(Carried::Text(text.to_owned().into())), ..Item::default() };
            status.items = items.into_iter().map(item).collect();
        }
        let said = vec![device.header_status(212), status];
        device.say(&mut host, said);
        assert_eq!(host.verdict(1), &verdict);
        assert_eq!(host.result(1).data, expected.map(Data::Answer));
        assert_eq!(told(&device.asked()), ["Delete ./A"], "what was asked for beside goes on");
    }
}

#[test]
fn statuses_that_are_not_the_last_word_bring_the_command_back() {
    for code in [215, 216, 417, 420, 503, 101] {
        let (mut host, mut device) = started(vec![delete("./A"), set("./B", "x"), delete("./C")]);
        let said = device.done(&[("./A", code)]);
        let step = device.say(&mut host, said);
        assert!(matches!(host.verdict(1), Verdict::Again(_)), "{code}");
        assert!(step.ended.is_some(), "the session is over, so that nothing overtakes it");
        let mut device = Device::new();
        device.session = "2B".into();
        device.begin(&mut host);
        assert_eq!(told(&device.asked()), ["Delete ./A"], "{code}");
    }
}

#[test]
fn a_command_that_never_comes_through_is_quarantined() {
    let (mut host, mut device) = (Host::new(vec![delete("./A"), delete("./B")]), Device::new());
    for attempt in 1..=3 {
        device.number = 0;
        device.session = attempt.to_string();
        device.begin(&mut host);
        let expected = ["Sequence(Delete ./A, Delete ./B)", "Sequence(Delete ./A, Delete ./B)", "Delete ./A"];
        assert_eq!(told(&device.asked()), [expected[attempt - 1]], "the last attempt is made alone");
    }
    device.session = "4".into();
    device.number = 0;
    device.begin(&mut host);
    assert!(matches!(host.verdict(1), Verdict::Quarantined(_)));
    assert_eq!(told(&device.asked()), ["Delete ./B"]);
    let said = device.done(&[]);
    device.say(&mut host, said);
    assert_eq!(host.verdict(2), &Verdict::Done(200));
}

#[test]
fn what_a_failure_says_beside_its_status_is_kept() {
    let (mut host, mut device) = started(vec![delete("./A")]);
    let mut status = device.status("4", "Delete", 405);
    if let Command::Status(status) = &mut status {
        status.items = vec![Item { target: Some("./A/Fixed".into()), ..Item::default() }];
    }
    let said = vec![device.header_status(212), status];
    device.say(&mut host, said);
    let result = host.result(1);
    assert_eq!(result.detail.as_deref(), Some("./A/Fixed"));
    assert!(
        result.sentence.as_deref().unwrap().starts_with("Delete ./A failed with 405 Command not allowed: ")
    );
}

#[test]
fn results_without_a_status_are_results() {
    let (mut host, mut device) = started(vec![get("./A")]);
    let results = device.results("4", vec![leaf("./A", "chr", Some("a"))]);
    let said = vec![device.header_status(212), results.clone(), results];
    let step = device.say(&mut host, said);
    assert_eq!(host.verdict(1), &Verdict::Done(200));
    assert_eq!(nodes(host.result(1)).len(), 1, "results that came twice are one");
    assert!(step.notes.iter().any(|note| note.contains("came twice")));
    assert!(step.tolerated.iter().any(|t| t.as_str() == "loose-reference"));
}

#[test]
fn statuses_that_fit_nothing_are_ignored() {
    let (mut host, mut device) = started(vec![get("./A")]);
    let said = vec![
        device.header_status(212),
        device.status("77", "Get", 200),
        device.status("x", "Get", 200),
        device.status("4", "Get", 404),
        device.status("4", "Get", 200),
    ];
    let step = device.say(&mut host, said);
    assert_eq!((host.verdict(1), step.notes.len()), (&Verdict::Failed(404), 3));
}
