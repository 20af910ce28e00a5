//! Objects in several messages, both ways (`DM 1.3 PROTO §7`).

use omadm_codec::dm1::{Command, Data as Carried, Encoding, Form, Item, Operation, Version};
use omadm_mo::{Format, Value};
use omadm_session::dm1::server::{Content, Existence, NodeContent, Task, Verdict};

use super::device::{Device, Host, delete, get, leaf, nodes, told};

fn large(value: Value, format: Format) -> Task {
    let content = Content { format, media_type: None, value };
    Task::Set { uri: "./Cfg/Blob".into(), content, existence: Existence::Present }
}

/// Takes an object of the server to its end; gives what came, and in how many messages.
fn receive(host: &mut Host, device: &mut Device, last: u16) -> (Vec<u8>, usize) {
    let (mut octets, mut messages) = (Vec::new(), 0);
    loop {
        let asked = device.asked();
        let [Command::Operation(Operation { id, kind, items, .. })] = asked.as_slice() else {
            panic!("{asked:?}")
        };
        let [item] = items.as_slice() else { panic!("{items:?}") };
        messages += 1;
        assert_eq!(item.target.as_deref(), Some("./Cfg/Blob"));
        assert_eq!(item.meta.size.is_some(), messages == 1, "Size stands in the first part");
        assert!(item.meta.format.is_some(), "Meta is repeated");
        match item.data.as_ref().unwrap() {
            Carried::Text(text) => octets.extend_from_slice(text.as_bytes()),
            Carried::Opaque(part) => octets.extend_from_slice(part),
        }
        assert_eq!(device.is_final(), !item.more, "Final comes with the last part");
        let most = usize::try_from(device.max_message.unwrap()).unwrap();
        assert!(
            !item.more || device.length + 40 >= most,
            "{} octets of {most} are made use of",
            device.length
        );
        if !item.more {
            let said = vec![device.header_status(212), device.status(id, kind.as_str(), last)];
            device.say(host, said);
            return (octets, messages);
        }
        let said = vec![device.header_status(212), device.status(id, kind.as_str(), 213), device.alert(1222)];
        device.say_part(host, said, false);
        assert_eq!(device.codes()[1], "Alert 200");
    }
}

#[test]
fn a_large_value_goes_in_parts_that_fill_the_messages() {
    let binary: Vec<u8> = (0..5000_u32).flat_map(u32::to_be_bytes).collect();
    let markup = "<a>&\"]]></a>ü€".repeat(1000);
    for form in [Form::Xml, Form::for_version(Encoding::Wbxml, Version::Dm12)] {
        for (value, format) in [
            (Value::Bytes(binary.clone()), Format::Bin),
            (Value::Bytes(binary.clone()), Format::B64),
            (Value::Text(markup.clone()), Format::Chr),
            (Value::Text(markup.clone()), Format::Xml),
        ] {
            for most in [1024, 1500, 4096, 16_384] {
                let (mut host, mut device) =
                    (Host::new(vec![large(value.clone(), format), delete("./Next")]), Device::new());
                (device.form, device.max_message) = (form, Some(most));
                let mut step = device.begin(&mut host);
                if !device.is_final() && device.asked().is_empty() {
                    // The statuses left too little room.
                    let said = vec![device.header_status(212), device.alert(1222)];
                    step = device.say_part(&mut host, said, false);
                }
                assert_eq!(step.sends, [1]);
                let (octets, messages) = receive(&mut host, &mut device, 200);
                let expected = match (&value, format, form) {
                    (Value::Bytes(octets), Format::Bin, Form::Wbxml(_)) => octets.clone(),
                    (value, ..) => value.to_text().into_bytes(),
                };
                assert_eq!(octets, expected, "{format:?} {form:?} {most}");
                assert!(messages > expected.len() / usize::try_from(most).unwrap());
                assert_eq!(host.verdict(1), &Verdict::Done(200));
                assert_eq!(told(&device.asked()), ["Delete ./Next"]);
            }
        }
    }
}

#[test]
fn a_part_that_is_refused_ends_the_object() {
    for (code, verdict, knows) in [
        (413, Verdict::Failed(413), Some(false)),
        (406, Verdict::Failed(406), Some(false)),
        (425, Verdict::Failed(425), None),
        (200, Verdict::Failed(413), Some(false)),
    ] {
        let value = Value::Text("x".repeat(5000));
        let (mut host, mut device) =
            (Host::new(vec![large(value, Format::Chr), delete("./B")]), Device::new());
        device.max_message = Some(2000);
        device.begin(&mut host);
        let said = vec![device.header_status(212), device.status("4", "Replace", code), device.alert(1222)];
        device.say_part(&mut host, said, false);
        assert_eq!(host.verdict(1), &verdict, "{code}");
        assert_eq!(host.account.as_ref().unwrap().capabilities.large_objects, knows);
        assert_eq!((told(&device.asked()), device.is_final()), (vec!["Delete ./B".to_owned()], true));
    }
}

#[test]
fn a_missing_node_is_noticed_at_the_first_part() {
    let value = Value::Text("x".repeat(5000));
    let (mut host, mut device) = (Host::new(vec![large(value, Format::Chr)]), Device::new());
    device.max_message = Some(2000);
    device.begin(&mut host);
    let said = vec![device.header_status(212), device.status("4", "Replace", 404)];
    device.say(&mut host, said);
    assert_eq!(told(&device.asked()), ["Add ./Cfg/Blob"]);
    assert_eq!(receive(&mut host, &mut device, 200).0.len(), 5000, "from its beginning");
    assert_eq!(host.verdict(1), &Verdict::Done(200));
}

#[test]
fn an_object_that_the_device_lost_is_sent_again_from_its_beginning() {
    let value = Value::Text("x".repeat(5000));
    let (mut host, mut device) = (Host::new(vec![large(value, Format::Chr)]), Device::new());
    device.max_message = Some(2000);
    device.begin(&mut host);
    let said = vec![device.header_status(212), device.status("4", "Replace", 213), device.alert(1222)];
    device.say_part(&mut host, said, false);
    let said = vec![device.header_status(212), device.alert(1225)];
    device.say_part(&mut host, said, false);
    assert_eq!(receive(&mut host, &mut device, 200).0.len(), 5000);
}

#[test]
fn what_is_too_large_for_the_device_is_not_sent() {
    for (bounds, length, sent) in [((None, Some(1000)), 1001, false), ((None, Some(1000)), 1000, true)] {
        let value = Value::Text("x".repeat(length));
        let (mut host, mut device) = (Host::new(vec![large(value, Format::Chr)]), Device::new());
        (device.max_message, device.max_object) = bounds;
        device.begin(&mut host);
        assert_eq!(!device.asked().is_empty(), sent);
        if !sent {
            assert_eq!(host.verdict(1), &Verdict::Failed(413));
        }
    }
    // Nor is what cannot be cut: many addresses, or a device that takes no parts.
    let many = Task::Get { uris: (0..100).map(|n| format!("./Node/With/A/Long/Name/{n}")).collect() };
    let value = Value::Text("x".repeat(5000));
    for task in [many, Task::Atomic(vec![large(value.clone(), Format::Chr)]), large(value, Format::Chr)] {
        let (mut host, mut device) = (Host::new(vec![task, delete("./B")]), Device::new());
        host.account.as_mut().unwrap().capabilities.large_objects = Some(false);
        device.max_message = Some(2000);
        let info = device.package1();
        device.say(&mut host, info);
        if !device.is_final() {
            let said = vec![device.header_status(212), device.alert(1222)];
            device.say_part(&mut host, said, false);
        }
        assert_eq!(host.verdict(1), &Verdict::Failed(413));
        assert_eq!(told(&device.asked()), ["Delete ./B"]);
    }
}

fn part(data: &str, more: bool, size: Option<u64>) -> Item<'static> {
    let mut item = leaf("./Log", "chr", Some(data));
    (item.more, item.meta.size) = (more, size);
    item
}

/// Sends parts of the results of the only Get, each in a message of its own; gives the statuses of each answer.
fn send(host: &mut Host, device: &mut Device, parts: Vec<Item<'static>>) -> Vec<Vec<String>> {
    let sent = device.heard.clone();
    let (mut answers, last) = (Vec::new(), parts.len());
    for (number, item) in parts.into_iter().enumerate() {
        let now = std::mem::replace(&mut device.heard, sent.clone());
        let results = device.results("4", vec![item]);
        let status = (number == 0).then(|| device.status("4", "Get", 200));
        device.heard = now;
        let said = [vec![device.header_status(212)], status.into_iter().collect(), vec![results]].concat();
        device.say_part(host, said, number + 1 == last);
        let asked = told(&device.asked());
        assert!(
            number + 1 == last || asked == ["Alert 1222"] || asked == ["Alert 1225", "Alert 1222"],
            "{asked:?}"
        );
        answers.push(device.codes().into_iter().chain(asked).collect());
    }
    answers
}

#[test]
fn a_large_result_comes_in_parts() {
    for size in [Some(9), None] {
        let (mut host, mut device) = (Host::new(vec![get("./Log")]), Device::new());
        device.begin(&mut host);
        let parts = vec![part("abc", true, size), part("def", true, None), part("ghi", false, None)];
        let answers = send(&mut host, &mut device, parts);
        assert_eq!(answers[0], ["SyncHdr 212", "Results 213", "Alert 1222"]);
        assert_eq!(answers[1], ["SyncHdr 212", "Results 213", "Alert 1222"]);
        assert_eq!(answers[2], ["SyncHdr 212"]);
        assert_eq!(host.verdict(1), &Verdict::Done(200));
        assert_eq!(nodes(host.result(1))["./Log"], "abcdefghi");
    }
}

#[test]
fn the_size_may_count_the_octets_behind_base64() {
    for size in [4, 3] {
        let (mut host, mut device) = (Host::new(vec![get("./Log")]), Device::new());
        device.begin(&mut host);
        let mut parts = vec![part("AA", true, Some(size)), part("EC", false, None)];
        parts.iter_mut().for_each(|part| part.meta.format = Some("b64".into()));
        send(&mut host, &mut device, parts);
        let Some(omadm_session::dm1::server::Data::Nodes(nodes)) = &host.result(1).data else { panic!() };
        assert_eq!(nodes[0].content, NodeContent::Value(Value::Bytes(vec![0, 1, 2])));
    }
}

#[test]
fn a_size_that_is_not_met_is_424() {
    let (mut host, mut device) = (Host::new(vec![get("./Log")]), Device::new());
    device.begin(&mut host);
    let answers = send(&mut host, &mut device, vec![part("abc", true, Some(9)), part("def", false, None)]);
    assert_eq!(answers[1], ["SyncHdr 212", "Results 424"]);
    assert_eq!(host.verdict(1), &Verdict::Failed(424));
    // A device may send the whole object again.
    let (mut host, mut device) = (Host::new(vec![get("./Log")]), Device::new());
    device.begin(&mut host);
    let parts = vec![part("abc", true, Some(9)), part("def", false, None)];
    let again = vec![part("abc", true, Some(6)), part("def", false, None)];
    let sent = device.heard.clone();
    for (number, item) in parts.into_iter().chain(again).enumerate() {
        let now = std::mem::replace(&mut device.heard, sent.clone());
        let said = [device.results("4", vec![item]), device.status("4", "Get", 200)];
        device.heard = now;
        let said = [vec![device.header_status(212)], said.into()].concat();
        device.say_part(&mut host, said, number == 3);
    }
    assert_eq!(nodes(host.result(1))["./Log"], "abcdef");
}

#[test]
fn an_object_beyond_what_was_said_is_413() {
    let limit = |most| {
        let (mut host, mut device) = (Host::new(vec![get("./Log")]), Device::new());
        host.config.max_object = most;
        device.begin(&mut host);
        (host, device)
    };
    for (most, size, code) in
        [(6, Some(6), None), (5, Some(6), Some("413")), (5, None, Some("413")), (6, None, None)]
    {
        let (mut host, mut device) = limit(most);
        let parts = vec![part("abc", true, size), part("def", false, None)];
        let answers = send(&mut host, &mut device, parts).concat();
        let refused = answers.iter().find(|answer| answer.starts_with("Results 4"));
        assert_eq!(
            refused.map(String::as_str),
            code.map(|code| format!("Results {code}")).as_deref(),
            "{most} {size:?}"
        );
        assert_eq!(host.verdict(1) == &Verdict::Done(200), code.is_none());
    }
}

#[test]
fn an_object_that_breaks_off_is_told_with_1225() {
    let (mut host, mut device) = (Host::new(vec![get("./Log")]), Device::new());
    device.begin(&mut host);
    let mut other = part("new", true, Some(6));
    other.source = Some("./Other".into());
    let mut rest = part("ish", false, None);
    rest.source = Some("./Other".into());
    let answers = send(&mut host, &mut device, vec![part("abc", true, Some(9)), other, rest]);
    assert_eq!(answers[1], ["SyncHdr 212", "Results 213", "Alert 1225", "Alert 1222"]);
    assert_eq!(nodes(host.result(1)), [("./Other".into(), "newish".into())].into());

    // Two items that both want more: the first one is broken off.
    let (mut host, mut device) = (Host::new(vec![get("./Log")]), Device::new());
    device.begin(&mut host);
    let mut second = part("def", true, None);
    second.source = Some("./Other".into());
    let results = device.results("4", vec![part("abc", true, None), second]);
    let said = vec![device.header_status(212), results];
    device.say_part(&mut host, said, false);
    let asked = device.asked();
    assert_eq!(told(&asked), ["Alert 1225", "Alert 1222"]);
    let Command::Alert(alert) = &asked[0] else { panic!() };
    assert_eq!(alert.items[0].source.as_deref(), Some("./Log"));
    // The package ends without the rest.
    let said = vec![device.header_status(212)];
    device.say(&mut host, said);
    assert_eq!(told(&device.asked())[0], "Alert 1225");
    assert!(matches!(host.verdict(1), Verdict::Again(_)));
}
