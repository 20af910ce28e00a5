//! Objects in chunks, both ways.

use omadm_codec::dm1::{Command, Data, Item, Meta, OperationKind};
use omadm_mo::Value;
use omadm_session::dm1::client::Config;

use super::support::*;

fn chunk(id: &str, uri: &str, size: Option<u64>, data: &str, more: bool) -> Command<'static> {
    let meta = Meta { format: Some("chr".into()), size, ..Meta::default() };
    let item = Item { meta, data: Some(Data::Text(data.to_owned().into())), more, ..target(uri) };
    operation(OperationKind::Replace, id, vec![item])
}

/// Sends a chunk that is not the last.
fn send(device: &mut Device, server: &mut Server, command: Command<'static>) -> Said {
    server.is_final = false;
    let said = device.exchange(server, vec![command]);
    server.is_final = true;
    said
}

fn setting(device: &Device) -> String {
    device.value("./box/one/Setting").unwrap().to_text()
}

#[test]
fn an_object_is_carried_out_when_its_last_chunk_is_there() {
    let (mut device, mut server) = begun();
    let said = send(&mut device, &mut server, chunk("1", "./box/one/Setting", Some(9), "abc", true));
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 213)]));
    assert_eq!(said.alert_codes(), ["1222"]);
    assert!(!said.message.is_final);
    let said = send(&mut device, &mut server, chunk("1", "./box/one/Setting", None, "def", true));
    assert_eq!(said.code("1"), "213");
    assert_eq!(setting(&device), "first");
    let said = device.exchange(&mut server, vec![chunk("1", "./box/one/Setting", None, "ghi", false)]);
    assert_eq!(said.code("1"), "200");
    assert!(said.message.is_final);
    assert_eq!(setting(&device), "abcdefghi");
    assert_eq!(device.committed, 1);
}

#[test]
fn base64_may_be_announced_as_carried_or_as_decoded() {
    for size in [8, 5] {
        let (mut device, mut server) = begun();
        let part = |id: &str, size, data: &str, more| {
            let meta = Meta { format: Some("b64".into()), size, ..Meta::default() };
            let item = Item {
                meta,
                data: Some(Data::Text(data.to_owned().into())),
                more,
                ..target("./box/one/Blob")
            };
            operation(OperationKind::Replace, id, vec![item])
        };
        send(&mut device, &mut server, part("1", Some(size), "AQID", true));
        let said = device.exchange(&mut server, vec![part("1", None, "BAU=", false)]);
        assert_eq!(said.code("1"), "200");
        assert_eq!(device.value("./box/one/Blob"), Some(Value::Bytes(vec![1, 2, 3, 4, 5])));
    }
}

#[test]
fn an_object_of_another_size_is_refused() {
    for size in [5, 7] {
        let (mut device, mut server) = begun();
        send(&mut device, &mut server, chunk("1", "./box/one/Setting", Some(size), "abc", true));
        let said = device.exchange(&mut server, vec![chunk("1", "./box/one/Setting", None, "def", false)]);
        assert_eq!(said.code("1"), "424");
        assert_eq!(setting(&device), "first");
    }
}

#[test]
fn something_else_breaks_an_object() {
    for other in
        [replace("1", "./box/one/Count", "2"), chunk("1", "./box/one/Items/1/Value", Some(4), "ab", true)]
    {
        let (mut device, mut server) = begun();
        send(&mut device, &mut server, chunk("1", "./box/one/Setting", Some(6), "abc", true));
        let said = device.exchange(&mut server, vec![other]);
        let broken = said.alerts().into_iter().find(|alert| alert.code == "1225").unwrap();
        assert_eq!(broken.items[0].target.as_deref(), Some("./box/one/Setting"));
        assert!(matches!(said.code("1").as_str(), "200" | "213"));
        // What comes of the object later is a new one.
        assert_eq!(setting(&device), "first");
    }
}

#[test]
fn a_message_without_the_next_chunk_breaks_an_object() {
    let (mut device, mut server) = begun();
    send(&mut device, &mut server, chunk("1", "./box/one/Setting", Some(6), "abc", true));
    let said = device.exchange(&mut server, Vec::new());
    assert_eq!(said.alert_codes(), ["1225"]);
}

#[test]
fn an_object_that_is_too_large_is_refused_to_its_end() {
    for (size, parts) in [(Some(100), ["abc", "def"]), (None, ["abcdef", "ghijkl"])] {
        let (mut device, mut server) = begun_with(Config { max_object: 8, ..config() }, start());
        let first = send(&mut device, &mut server, chunk("1", "./box/one/Setting", size, parts[0], true));
        assert_eq!(first.code("1"), if size.is_some() { "413" } else { "213" });
        let said = send(&mut device, &mut server, chunk("1", "./box/one/Setting", None, parts[1], true));
        assert_eq!(said.code("1"), "413");
        let said = device.exchange(&mut server, vec![chunk("1", "./box/one/Setting", None, "end", false)]);
        assert_eq!(said.code("1"), "413");
        assert_eq!(setting(&device), "first");
        let said = device.exchange(&mut server, vec![chunk("1", "./box/one/Setting", None, "new", false)]);
        assert_eq!(said.code("1"), "200");
    }
}

#[test]
fn a_device_without_large_objects_says_so() {
    let (mut device, mut server) = begun_with(Config { large_objects: false, ..config() }, start());
    let said = send(&mut device, &mut server, chunk("1", "./box/one/Setting", Some(6), "abc", true));
    assert_eq!(said.code("1"), "413");
    assert_eq!(said.message.header.meta.max_object_size, None);
}

#[test]
fn chunks_stand_alone() {
    let (mut device, mut server) = begun();
    let item = |data: &str| Item { more: true, ..with_data("./box/one/Setting", "chr", data) };
    let two = operation(OperationKind::Replace, "1", vec![item("a"), item("b")]);
    let inside = sequence("2", vec![chunk("3", "./box/one/Setting", Some(6), "abc", true)]);
    let said = device.exchange(&mut server, vec![two, inside]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 400), ("2", 200), ("3", 400)]));
    assert_eq!(setting(&device), "first");
}

#[test]
fn a_chunk_with_final_is_waited_for_all_the_same() {
    let (mut device, mut server) = begun();
    let said = device.exchange(&mut server, vec![chunk("1", "./box/one/Setting", Some(6), "abc", true)]);
    assert_eq!(said.code("1"), "213");
    assert!(!said.message.is_final);
    let said = device.exchange(&mut server, vec![chunk("1", "./box/one/Setting", None, "def", false)]);
    assert_eq!(said.code("1"), "200");
    assert_eq!(setting(&device), "abcdef");
}

#[test]
fn a_document_goes_in_chunks_too() {
    let text = "<x>&amp;]]></x>".repeat(400);
    let form = omadm_codec::dm1::Form::Xml;
    let (items, _) =
        told_in_chunks(form, Value::Text(text.clone()), "Setting", "./box/one?list=TNDS", "./box/one");
    assert!(items.len() > 3 && items.iter().rev().skip(1).all(|item| item.more));
    let document: String = items.iter().map(data_of).collect();
    assert_eq!(items[0].meta.size, Some(document.len() as u64));
    let mut leniency = omadm_codec::Leniency::strict();
    let limits = omadm_codec::Limits::default();
    let encoding = omadm_codec::dm1::Encoding::Xml;
    let read = omadm_codec::dm1::tnds::read(document.as_bytes(), encoding, &limits, &mut leniency).unwrap();
    let setting = read.nodes[0].children.iter().find(|node| node.name.as_deref() == Some("Setting")).unwrap();
    assert_eq!(setting.value, Some(Value::Text(text)));
}

/// What the device tells of a value that does not fit into one message.
fn told_in_chunks(
    form: omadm_codec::dm1::Form,
    value: Value,
    uri: &str,
    asked: &str,
    source: &str,
) -> (Vec<Item<'static>>, u64) {
    let wbxml = !matches!(form, omadm_codec::dm1::Form::Xml);
    let mut tree = tree();
    set(&mut tree, &format!("./box/one/{uri}"), value);
    let mut device = Device::start_with(Config { wbxml, ..config() }, start(), tree);
    let limit = 2_000;
    let mut server = Server { form, max_message: Some(limit), ..Server::default() };
    server.hear(device.post());
    let mut said = device.exchange(&mut server, vec![get("1", asked), get("2", "./box/one/Count")]);
    let mut items = Vec::new();
    loop {
        assert!(said.post.body.len() as u64 <= limit, "{}", said.post.body.len());
        for command in &said.message.commands {
            if let Command::Results(results) = command {
                items.extend(
                    results.items.iter().filter(|item| item.source.as_deref() == Some(source)).cloned(),
                );
            }
        }
        if said.message.is_final {
            break;
        }
        server.is_final = false;
        said = device.exchange(&mut server, vec![server_alert("1", 1222, &[])]);
    }
    assert!(said.results().iter().any(|(source, _)| source == "./box/one/Count"));
    (items, limit)
}

#[test]
fn a_large_value_is_told_in_chunks() {
    let text: String = (0..2_500).map(|n| if n % 7 == 0 { 'ü' } else { '&' }).collect();
    let octets: Vec<u8> = (0..6_000).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let wbxml = omadm_codec::dm1::Form::Wbxml(omadm_codec::dm1::WbxmlVersion::V1_2);
    let xml = omadm_codec::dm1::Form::Xml;
    for (form, value, uri) in [
        (xml, Value::Text(text.clone()), "Setting"),
        (wbxml, Value::Text(text), "Setting"),
        (xml, Value::Bytes(octets.clone()), "Blob"),
        (wbxml, Value::Bytes(octets), "Blob"),
    ] {
        let at = format!("./box/one/{uri}");
        let (items, _) = told_in_chunks(form, value.clone(), uri, &at, &at);
        assert!(items.len() >= 2, "{}", items.len());
        let (last, before) = items.split_last().unwrap();
        assert!(before.iter().all(|item| item.more) && !last.more);
        assert!(
            items
                .iter()
                .skip(1)
                .all(|item| item.meta.size.is_none() && item.meta.format == items[0].meta.format)
        );
        let mut whole = Vec::new();
        for item in &items {
            match item.data.as_ref().unwrap() {
                Data::Text(text) => {
                    let base64 = item.meta.format.as_deref() == Some("b64");
                    assert!(!base64 || !item.more || text.len() % 4 == 0);
                    whole.extend_from_slice(text.as_bytes());
                }
                Data::Opaque(octets) => whole.extend_from_slice(octets),
            }
        }
        assert_eq!(items[0].meta.size, Some(whole.len() as u64));
        let expected = match (&value, form) {
            (Value::Bytes(octets), omadm_codec::dm1::Form::Wbxml(_)) => octets.clone(),
            (value, _) => value.to_text().into_bytes(),
        };
        assert_eq!(whole, expected);
    }
}

#[test]
fn an_object_that_the_server_does_not_take_is_not_sent() {
    let (mut device, mut server) = begun();
    server.max_object = Some(4);
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting"), get("2", "./box/one/Blob")]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 413), ("2", 200)]));
    assert_eq!(said.results().len(), 1);
}

#[test]
fn an_object_that_the_server_refuses_half_way_is_not_sent_to_its_end() {
    for refuse in [424, 413] {
        let mut tree = tree();
        set(&mut tree, "./box/one/Setting", Value::Text("x".repeat(5_000)));
        let mut device = Device::start_with(config(), start(), tree);
        let mut server = Server { max_message: Some(2_000), ..Server::default() };
        server.hear(device.post());
        let said =
            device.exchange(&mut server, vec![get("1", "./box/one/Setting"), get("2", "./box/one/Count")]);
        assert!(!said.message.is_final);
        server.is_final = false;
        let Some(Command::Results(results)) = said.message.commands.last() else { panic!("{said:?}") };
        let message = said.message.header.message_id.clone();
        let refused = status(950, &message, &results.id, "Results", refuse);
        let said = device.exchange(&mut server, vec![refused, server_alert("1", 1222, &[])]);
        assert!(said.results().iter().all(|(source, _)| source == "./box/one/Count"), "{:?}", said.results());
    }
}

#[test]
fn an_alert_that_no_message_can_hold_goes_in_chunks_or_is_given_back() {
    for (large_objects, delivered) in [(true, 200), (false, 413)] {
        let (mut device, mut server) = begun_with(Config { large_objects, ..config() }, start());
        server.max_message = Some(1_500);
        device.input(omadm_session::dm1::client::Input::Alert(alert(
            5,
            "urn:x-test:at:log:1.0",
            &"l".repeat(4_000),
        )));
        let mut said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
        while !said.message.is_final {
            server.is_final = false;
            let last = server.message(vec![server_alert("1", 1222, &[])]);
            device.reply(last);
            said = server.hear(device.post());
            server.is_final = true;
        }
        device.reply(server.message(Vec::new()));
        device.outcome();
        assert_eq!(device.delivered, [(5, delivered)]);
    }
}
