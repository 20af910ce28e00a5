//! Each bound at its edge, and whatever else a device may do wrong.

use omadm_codec::dm1::{Command, Data as Carried};
use omadm_session::dm1::server::{End, Listing, Outcome, Refusal, RequestHead, Task, Verdict};
use proptest::prelude::*;

use super::device::{Device, Host, delete, exec, get, leaf, set, told};

#[test]
fn a_package_has_so_many_messages() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    host.config.max_messages = 3;
    let package = device.package1();
    device.say_part(&mut host, package, false);
    for last in [false, false, true] {
        let said = vec![device.header_status(212), device.alert(1222)];
        let step = device.say_part(&mut host, said, false);
        assert_eq!(step.ended.is_some(), last);
        assert_eq!(told(&device.asked()), [if last { "Alert 1223" } else { "Alert 1222" }]);
    }
    assert!(device.is_final());
}

#[test]
fn a_session_has_so_many_octets() {
    for (room, ends) in [(0, false), (1, true)] {
        let (mut host, mut device) = (Host::new(vec![get("./A")]), Device::new());
        let package = device.package1();
        let body = device.write(package, true);
        host.config.max_session = body.len() as u64 - room;
        let Outcome::Taken(step) = device.post(&mut host, &body).unwrap() else { panic!() };
        assert_eq!(matches!(step.ended, Some(End::ByServer(_))), ends);
    }
}

#[test]
fn results_have_so_many_nodes() {
    for (most, verdict) in [(3, Verdict::Done(200)), (2, Verdict::Failed(413))] {
        let (mut host, mut device) =
            (Host::new(vec![Task::List { uri: "./A".into(), how: Listing::StructData }]), Device::new());
        device.begin(&mut host);
        host.config.max_nodes = most;
        let items = ["./A/1", "./A/2", "./A/3"].map(|uri| leaf(uri, "chr", Some("x"))).to_vec();
        let said =
            vec![device.header_status(212), device.status("4", "Get", 200), device.results("4", items)];
        device.say(&mut host, said);
        assert_eq!(host.verdict(1), &verdict);

        let (mut host, mut device) =
            (Host::new(vec![Task::List { uri: "./A".into(), how: Listing::Walk }]), Device::new());
        host.config.max_nodes = most;
        device.begin(&mut host);
        let names = leaf("./A", "node", Some("1/2"));
        let said =
            vec![device.header_status(212), device.status("4", "Get", 200), device.results("4", vec![names])];
        device.say(&mut host, said);
        assert_eq!(told(&device.asked()).is_empty(), most == 2);
    }
}

#[test]
fn a_message_has_so_many_commands() {
    for (most, parts) in [(1, 1), (2, 2), (5, 4)] {
        let (mut host, mut device) =
            (Host::new(vec![get("./A"), get("./B"), get("./C"), get("./D")]), Device::new());
        host.config.max_commands = most;
        device.begin(&mut host);
        assert_eq!(device.asked().len(), parts);
    }
}

#[test]
fn session_ids_and_numbers_are_checked() {
    for (session, taken) in [("", false), (&"x".repeat(64)[..], true), (&"x".repeat(65)[..], false)] {
        let (mut host, mut device) = (Host::new(vec![]), Device::new());
        device.session = session.into();
        let package = device.package1();
        let body = device.write(package, true);
        assert_eq!(device.post(&mut host, &body).is_ok(), taken, "{session}");
    }
    for number in ["0", "-1", "x", "", "99999999999999999999999"] {
        let (mut host, mut device) = (Host::new(vec![]), Device::new());
        let package = device.package1();
        let body = String::from_utf8(device.write(package, true)).unwrap();
        let body = body.replace("<MsgID>1</MsgID>", &format!("<MsgID>{number}</MsgID>"));
        let refused: Refusal = device.post(&mut host, body.as_bytes()).unwrap_err();
        assert_eq!(refused.http_status, 400, "{number}");
    }
}

#[test]
fn every_cut_of_a_message_is_refused_or_understood() {
    let (mut host, mut device) = (Host::new(vec![get("./A")]), Device::new());
    let package = device.package1();
    let body = device.write(package, true);
    for end in 0..body.len() {
        let head = RequestHead {
            method: "POST",
            content_type: Some("application/vnd.syncml.dm+xml"),
            ..RequestHead::default()
        };
        assert!(host.serve(&head, &body[..end]).is_err(), "{end}");
    }
    assert!(host.state.is_none());
}

/// What happens to a message on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    /// The answer is lost; the device sends the same octets again.
    AnswerLost,
    /// It comes twice.
    Doubled,
    /// It is cut; the device sends it again.
    Cut(u16),
    /// The device forgets its session and begins another.
    Forgotten,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        5 => Just(Fate::Arrives),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Doubled),
        1 => any::<u16>().prop_map(Fate::Cut),
        1 => Just(Fate::Forgotten),
    ]
}

fn task(kind: u8, number: usize) -> Task {
    let uri = format!("./N{number}");
    match kind % 5 {
        0 => get(&uri),
        1 => delete(&uri),
        2 => exec(&uri, None),
        3 => Task::Atomic(vec![set(&uri, "a"), delete(&uri)]),
        _ => set(&uri, &"long ".repeat(usize::from(kind))),
    }
}

/// The commands that a device carries out with a message, each by its address; an object only with its last part.
fn carried_out(commands: &[Command<'_>], done: &mut Vec<String>) {
    for command in commands {
        match command {
            Command::Operation(operation) if operation.items.iter().all(|item| !item.more) => {
                done.push(operation.items[0].target.clone().unwrap_or_default().into_owned());
            }
            Command::Container(container) => carried_out(&container.commands, done),
            _ => {}
        }
    }
}

fn answered(device: &mut Device) -> (Vec<Command<'static>>, bool) {
    let heard = device.heard.clone().unwrap();
    let is_chunk = |command: &Command<'_>| match command {
        Command::Operation(operation) => operation.items.iter().any(|item| item.more),
        _ => false,
    };
    if heard.commands.iter().any(is_chunk) {
        let mut said = device.done(&[("Replace", 213)]);
        said.push(device.alert(1222));
        return (said, false);
    }
    let mut said = device.done(&[]);
    for command in &heard.commands {
        if let Command::Operation(operation) = command
            && operation.kind.as_str() == "Get"
        {
            let uri = operation.items[0].target.clone().unwrap().into_owned();
            said.push(device.results(&operation.id, vec![leaf(&uri, "chr", Some("value"))]));
        }
    }
    if !heard.is_final {
        said.push(device.alert(1222));
    }
    (said, heard.is_final)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens to messages: each command has one verdict, none is lost, and they were carried out in their order.
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(
        kinds in prop::collection::vec(any::<u8>(), 1..8),
        fates in prop::collection::vec(fate(), 0..30),
        most in prop_oneof![Just(1100_u64), Just(2000), Just(100_000)],
    ) {
        let tasks: Vec<Task> = kinds.iter().zip(1..).map(|(kind, number)| task(*kind, number)).collect();
        let count = tasks.len();
        let mut host = Host::new(tasks);
        host.config.max_attempts = 1000;
        let mut fates = fates.into_iter();
        let mut done: Vec<String> = Vec::new();
        for session in 0..200 {
            let mut device = Device::new();
            device.session = session.to_string();
            device.max_message = Some(most);
            let mut said = (device.package1(), true);
            loop {
                let body = device.write(said.0, said.1);
                let fate = fates.next().unwrap_or(Fate::Arrives);
                match fate {
                    Fate::Arrives | Fate::Forgotten => {}
                    Fate::AnswerLost | Fate::Doubled => { device.post(&mut host, &body).unwrap(); }
                    Fate::Cut(at) => {
                        let end = usize::from(at) % body.len();
                        prop_assert!(device.post(&mut host, &body[..end]).is_err());
                    }
                }
                device.post(&mut host, &body).unwrap();
                if matches!(fate, Fate::Forgotten) {
                    break;
                }
                let heard = device.heard.clone().unwrap();
                carried_out(&heard.commands, &mut done);
                if heard.is_final && device.asked().is_empty() {
                    break;
                }
                said = answered(&mut device);
            }
            host.now += 1_000_000_000;
            if host.queue.is_empty() {
                break;
            }
        }
        prop_assert!(host.queue.is_empty(), "{:?}", host.queue);
        for seq in 1..=i64::try_from(count).unwrap() {
            let last: Vec<_> = host.results.iter().filter(|result| result.seq == seq).map(|r| &r.verdict).collect();
            let settled = last.iter().filter(|verdict| !matches!(verdict, Verdict::Again(_))).count();
            prop_assert_eq!(settled, 1);
            prop_assert_eq!(*last.last().unwrap(), &Verdict::Done(200));
        }
        // Repeated after a session broke off, but never out of order: the first time of each is after that of those before it.
        let first = |number: usize| done.iter().position(|uri| *uri == format!("./N{number}"));
        let places: Vec<_> = (1..=count).map(first).collect();
        prop_assert!(places.iter().all(Option::is_some));
        prop_assert!(places.is_sorted(), "{:?}", done);
    }

    /// No message that can be read brings the engine into disorder.
    #[test]
    fn any_statuses_are_taken(
        said in prop::collection::vec((0_u32..12, prop_oneof![Just(1_u64), Just(2), Just(9)], 100_u16..600), 0..20),
        is_final in any::<bool>(),
    ) {
        let (mut host, mut device) = (Host::new(vec![get("./A"), set("./B", "x"), Task::Atomic(vec![delete("./C")])]), Device::new());
        device.begin(&mut host);
        let statuses = said.into_iter().map(|(command, message, code)| {
            let mut status = device.status(&command.to_string(), "X", code);
            if let Command::Status(status) = &mut status {
                status.msg_ref = message.to_string().into();
            }
            status
        });
        let statuses: Vec<_> = statuses.collect();
        let body = device.write(statuses, is_final);
        let outcome = device.post(&mut host, &body);
        prop_assert!(outcome.is_ok());
        let finished = host.results.iter().filter(|result| !matches!(result.verdict, Verdict::Again(_)));
        prop_assert_eq!(finished.count() + host.queue.len(), 3);
    }
}

#[test]
fn statuses_wait_for_room_and_none_is_left_out() {
    for most in [1024, 1500, 3000] {
        let (mut host, mut device) = (Host::new(vec![delete("./A")]), Device::new());
        device.max_message = Some(most);
        let mut package = device.package1();
        let alerts: Vec<_> = (0..100).map(|_| device.alert(1224)).collect();
        package.extend(alerts);
        device.say(&mut host, package);
        let mut answers = Vec::new();
        for _ in 0..100 {
            let of_first =
                device.answers().into_iter().filter(|(_, reference, _)| reference.starts_with("1/"));
            answers
                .extend(of_first.map(|(_, reference, _)| reference).filter(|reference| reference != "1/0"));
            if device.is_final() {
                break;
            }
            assert!(device.asked().is_empty(), "nothing else goes before them");
            let said = vec![device.header_status(212), device.alert(1222)];
            device.say_part(&mut host, said, false);
        }
        let expected: Vec<_> = (1..=102).map(|number| format!("1/{number}")).collect();
        assert_eq!(answers, expected, "{most}: each once and in order");
        assert_eq!(told(&device.asked()), ["Delete ./A"]);
    }
}

#[test]
fn statuses_that_nobody_takes_end_the_session() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    device.max_message = Some(1024);
    let package = device.package1();
    device.say_part(&mut host, package, false);
    for round in 0..10 {
        let alerts: Vec<_> = (0..1500).map(|_| device.alert(1224)).collect();
        if device.say_part(&mut host, alerts, false).ended.is_some() {
            assert!(round > 5);
            assert!(told(&device.asked()).contains(&"Alert 1223".to_owned()));
            return;
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn data_does_not_print() {
    let (mut host, mut device) = (Host::new(vec![get("./A")]), Device::new());
    device.begin(&mut host);
    let said = vec![
        device.header_status(212),
        device.status("4", "Get", 200),
        device.results("4", vec![leaf("./A", "chr", Some("hunter2"))]),
    ];
    let step = device.say_part(&mut host, said, false);
    assert!(!format!("{:?}", step.state).contains("hunter2"));
    let data = Carried::Text("hunter2".into());
    assert!(!format!("{data:?}").contains("hunter2"));
    let answer = omadm_session::dm1::server::Answer::Text("hunter2".into());
    assert_eq!(format!("{answer:?}"), "Text(7 octets)");
}

#[test]
fn addresses_are_as_long_as_the_device_takes_and_no_longer() {
    let read = ["./DevDetail/URI/MaxDepth", "./DevDetail/URI/MaxSegLen"];
    let tasks = vec![
        Task::Get { uris: read.map(str::to_owned).into() },
        get("./a/bbbb"),
        get("./a/b/c"),
        delete("./a/bbbbb"),
    ];
    let (mut host, mut device) = (Host::new(tasks), Device::new());
    host.config.max_commands = 1;
    device.begin(&mut host);
    let said = vec![
        device.header_status(200),
        device.status("4", "Get", 200),
        device.results("4", vec![leaf(read[0], "int", Some("2")), leaf(read[1], "int", Some("4"))]),
    ];
    let step = device.say(&mut host, said);
    let learnt = step.capabilities.unwrap();
    assert_eq!((learnt.uri_depth, learnt.uri_segment, learnt.uri_length), (Some(2), Some(4), None));
    assert_eq!(told(&device.asked()), ["Get ./a/bbbb"], "to the character");
    for seq in [3, 4] {
        assert_eq!(host.verdict(seq), &Verdict::Failed(414));
        let sentence = host.result(seq).sentence.clone().unwrap();
        assert!(sentence.contains("./a/b") && sentence.contains("It was not sent"), "{sentence}");
    }
}
