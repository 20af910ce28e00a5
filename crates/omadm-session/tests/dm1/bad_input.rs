//! What a server must not send.

use omadm_codec::dm1::{Command, Form, OperationKind, Status};
use omadm_codec::{Limits, Tolerance};
use omadm_mo::Value;
use omadm_session::dm1::client::{Cause, Config, HttpReply, Note, Outcome};

use super::support::*;

fn strict() -> Config {
    Config { strict: true, ..config() }
}

fn cause(device: &mut Device) -> Cause {
    match device.outcome() {
        Outcome::Aborted { cause, .. } => cause,
        outcome @ Outcome::Ended { .. } => panic!("{outcome:?}"),
    }
}

#[test]
fn what_cannot_be_read_ends_the_session() {
    let xml = |text: &str| reply(text.as_bytes().to_vec(), Form::Xml);
    let bomb = "<!DOCTYPE SyncML [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><SyncML>&b;</SyncML>";
    let deep = "<SyncML>".to_owned() + &"<a>".repeat(10_000);
    for body in
        ["", "no message", "<SyncML/>", bomb, deep.as_str(), "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr>"]
    {
        let (mut device, _) = begun();
        device.reply(xml(body));
        assert_eq!(cause(&mut device), Cause::Message, "{body:.40}");
    }
    let (mut device, _) = begun();
    device.reply(reply(
        vec![3, 0xA4, 1, 0x6A, 0, 0x6D, 0x6C],
        Form::Wbxml(omadm_codec::dm1::WbxmlVersion::V1_3),
    ));
    assert_eq!(cause(&mut device), Cause::Message);
}

#[test]
fn a_message_beyond_the_limits_ends_the_session() {
    let limits = Limits { bytes: 2_000, ..Limits::default() };
    let (mut device, mut server) = begun_with(Config { limits, ..config() }, start());
    device.reply(server.message(vec![replace("1", "./box/one/Setting", &"x".repeat(2_000))]));
    assert_eq!(cause(&mut device), Cause::Message);
}

#[test]
fn http_errors_end_the_session() {
    for status in [301, 401, 404, 500, 503] {
        let (mut device, _) = begun();
        device.reply(HttpReply { status, ..HttpReply::default() });
        assert_eq!(cause(&mut device), Cause::Http(status));
    }
}

#[test]
fn other_media_types_are_tolerated() {
    for content_type in [None, Some("application/vnd.syncml+xml"), Some("text/xml; charset=utf-8")] {
        let (mut device, mut server) = begun();
        let content_type = content_type.map(str::to_owned);
        let reply = HttpReply {
            content_type: content_type.clone(),
            ..server.message(vec![get("1", "./box/one/Count")])
        };
        device.reply(reply.clone());
        assert_eq!(server.hear(device.post()).code("1"), "200");
        assert!(device.notes.contains(&Note::Tolerated(vec![Tolerance::LooseMediaType])));
        let (mut device, _) = begun_with(strict(), start());
        device.reply(reply);
        assert_eq!(cause(&mut device), Cause::Message);
    }
}

#[test]
fn a_message_of_another_session_ends_this_one() {
    let (mut device, mut server) = begun();
    server.session_id = "2B".into();
    device.reply(server.message(vec![replace("1", "./box/one/Setting", "x")]));
    assert_eq!(cause(&mut device), Cause::Message);
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
}

#[test]
fn numbers_of_messages_only_go_up() {
    let (mut device, mut server) = begun();
    server.message_id = 5;
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Count")]);
    assert_eq!((said.code("1").as_str(), said.statuses()[1].msg_ref.as_ref()), ("200", "5"));
    assert!(device.notes.contains(&Note::Tolerated(vec![Tolerance::SkippedMsgId])));
    server.message_id = 4;
    device.reply(server.message(vec![get("1", "./box/one/Count")]));
    assert_eq!(cause(&mut device), Cause::Message);

    let (mut device, mut server) = begun_with(strict(), start());
    server.message_id = 2;
    device.reply(server.message(vec![get("1", "./box/one/Count")]));
    assert_eq!(cause(&mut device), Cause::Message);
}

#[test]
fn the_largest_number_of_a_message_is_the_last() {
    let (mut device, mut server) = begun();
    let reply = server.message(vec![get("1", "./box/one/Count")]);
    let body = String::from_utf8(reply.body.to_vec()).unwrap();
    let largest = body.replace("<MsgID>1<", &format!("<MsgID>{}<", u64::MAX));
    device.reply(HttpReply { body: largest.into_bytes().into(), ..reply });
    server.hear(device.post());
    device.reply(server.message(Vec::new()));
    assert_eq!(cause(&mut device), Cause::Message);
}

#[test]
fn commands_without_a_number_are_malformed() {
    for id in ["", "0"] {
        let (mut device, mut server) = begun();
        let inside = atomic("2", vec![replace(id, "./box/one/Setting", "x")]);
        let said = device.exchange(&mut server, vec![replace(id, "./box/one/Setting", "x"), inside]);
        assert_eq!(said.codes(), codes(&[("0", 212), (id, 400), ("2", 507), (id, 400)]));
        assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
    }
}

#[test]
fn commands_with_one_number_are_all_carried_out() {
    let commands = vec![replace("1", "./box/one/Setting", "x"), get("1", "./box/one/Setting")];
    let (mut device, mut server) = begun();
    let said = device.exchange(&mut server, commands.clone());
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200), ("1", 200)]));
    assert!(device.notes.contains(&Note::Tolerated(vec![Tolerance::DuplicateCmdId])));
    let (mut device, mut server) = begun_with(strict(), start());
    let said = device.exchange(&mut server, commands);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200), ("1", 400)]));
}

#[test]
fn unknown_commands_are_not_implemented() {
    let (mut device, mut server) = begun();
    // The encoder leaves them out, so they are written by hand.
    let reply = server.message(vec![get("1", "./box/one/Count")]);
    let body = String::from_utf8(reply.body.to_vec()).unwrap();
    let with = body.replace("<Get>", "<Move><CmdID>7</CmdID></Move><Search/><Get>");
    device.reply(HttpReply { body: with.into_bytes().into(), ..reply });
    let said = server.hear(device.post());
    assert_eq!(said.codes(), codes(&[("0", 212), ("7", 501), ("1", 200)]));
    assert_eq!(said.statuses()[1].cmd, "Move");
}

#[test]
fn what_only_devices_send_is_not_allowed() {
    let (mut device, mut server) = begun();
    let results = omadm_codec::dm1::Results {
        id: "2".into(),
        msg_ref: "1".into(),
        cmd_ref: "2".into(),
        meta: omadm_codec::dm1::Meta::default(),
        target_ref: None,
        source_ref: None,
        items: vec![target("./box/one/Setting")],
    };
    let commands = vec![
        server_alert("1", 1226, &["x"]),
        Command::Results(results),
        server_alert("3", 1201, &[]),
        server_alert("4", 1227, &[]),
        server_alert("5", 100, &[]),
    ];
    let said = device.exchange(&mut server, commands);
    assert_eq!(
        said.codes(),
        codes(&[("0", 212), ("1", 405), ("2", 405), ("3", 405), ("4", 406), ("5", 406)])
    );
}

#[test]
fn alerts_without_a_code_are_incomplete() {
    let (mut device, mut server) = begun();
    let mut without = server_alert("1", 0, &[]);
    if let Command::Alert(alert) = &mut without {
        alert.code = "".into();
    }
    let mut words = server_alert("2", 0, &[]);
    if let Command::Alert(alert) = &mut words {
        alert.code = "hello".into();
    }
    let said = device.exchange(&mut server, vec![without, words]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 412), ("2", 412)]));
}

#[test]
fn commands_without_items_or_addresses_are_malformed() {
    use omadm_codec::dm1::Item;
    let (mut device, mut server) = begun();
    let said = device.exchange(
        &mut server,
        vec![
            operation(OperationKind::Replace, "2", vec![Item::default()]),
            operation(OperationKind::Copy, "3", vec![target("./box/one/Setting")]),
        ],
    );
    assert_eq!(said.codes(), codes(&[("0", 212), ("2", 400), ("3", 400)]));
}

#[test]
fn statuses_to_nothing_are_ignored() {
    let (mut device, mut server) = begun();
    let commands = vec![
        status(1, "1", "77", "Get", 500),
        status(2, "99", "1", "Alert", 500),
        get("3", "./box/one/Count"),
    ];
    let said = device.exchange(&mut server, commands);
    assert_eq!(said.codes(), codes(&[("0", 212), ("3", 200)]));
}

#[test]
fn a_header_without_a_status_is_tolerated() {
    for (config, goes_on) in [(config(), true), (strict(), false)] {
        let (mut device, mut server) = begun_with(config, start());
        device.reply(server.raw(vec![get("1", "./box/one/Count")]));
        if goes_on {
            assert_eq!(server.hear(device.post()).code("1"), "200");
            assert!(device.notes.contains(&Note::Tolerated(vec![Tolerance::LooseReference])));
        } else {
            assert_eq!(cause(&mut device), Cause::Message);
        }
    }
}

#[test]
fn a_status_that_is_no_number_ends_the_session() {
    let (mut device, mut server) = begun();
    let mut header = status(1, "1", "0", "SyncHdr", 200);
    if let Command::Status(Status { code, .. }) = &mut header {
        *code = "fine".into();
    }
    device.reply(server.raw(vec![header]));
    assert_eq!(cause(&mut device), Cause::Message);
}

#[test]
fn a_package_that_never_ends_meets_the_limit() {
    let (mut device, mut server) = begun_with(Config { max_rounds: 20, ..config() }, start());
    server.is_final = false;
    for _ in 0..20 {
        let said = device.exchange(&mut server, Vec::new());
        assert_eq!(said.alert_codes(), ["1222"]);
    }
    device.reply(server.message(Vec::new()));
    assert_eq!(cause(&mut device), Cause::Limit);
}

#[test]
fn addresses_beyond_the_limits_of_the_device_are_too_long() {
    let uri_limits = omadm_mo::dm1::UriLimits { max_depth: 3, max_total: 20, max_segment: 8 };
    let (mut device, mut server) = begun_with(Config { uri_limits, ..config() }, start());
    let said = device.exchange(
        &mut server,
        vec![
            get("1", "./box/one/Setting"),
            get("2", "./box/one/a/b/c"),
            get("3", "./box/one/abcdefghi"),
            get("4", "./box/one/Setting?prop=ACL"),
            get("5", "./box/one//Setting"),
            get("6", "./box/one/%zz"),
        ],
    );
    let expected = [("0", 212), ("1", 200), ("2", 414), ("3", 414), ("4", 414), ("5", 404), ("6", 404)];
    assert_eq!(said.codes(), codes(&expected));
}

#[test]
fn a_tnds_document_that_cannot_be_read_changes_nothing() {
    let (mut device, mut server) = begun();
    let mut document = with_data("./box/one/Items", "xml", "<MgmtTree><Node></MgmtTree>");
    document.meta.media_type = Some("application/vnd.syncml.dmtnds+xml".into());
    let said = device.exchange(&mut server, vec![operation(OperationKind::Add, "1", vec![document])]);
    assert_eq!(said.code("1"), "400");
    assert_eq!(device.committed, 0);
}

#[test]
fn loose_addresses_are_tolerated() {
    for (uri, tolerance) in
        [("/box/one/Count", Tolerance::LeadingSlash), ("./box/one/Count?prop=format", Tolerance::KeywordCase)]
    {
        let (mut device, mut server) = begun();
        assert_eq!(device.exchange(&mut server, vec![get("1", uri)]).code("1"), "200", "{uri}");
        assert!(device.notes.contains(&Note::Tolerated(vec![tolerance])));
        let (mut device, mut server) = begun_with(strict(), start());
        assert_eq!(device.exchange(&mut server, vec![get("1", uri)]).code("1"), "404", "{uri}");
    }
}

#[test]
fn what_is_as_it_should_be_needs_no_tolerance() {
    let (mut device, mut server) = begun();
    let count = operation(OperationKind::Replace, "2", vec![with_data("./box/one/Count", "int", "2")]);
    let blob = operation(OperationKind::Replace, "3", vec![with_data("./box/one/Blob", "b64", "AQID")]);
    let said =
        device.exchange(&mut server, vec![get("1", "./box/one"), count, blob, exec("4", "./box/one/Run")]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200), ("2", 200), ("3", 200), ("4", 200)]));
    assert!(!device.notes.iter().any(|note| matches!(note, Note::Tolerated(_))), "{:?}", device.notes);
}

#[test]
fn a_message_of_an_unknown_version_is_not_carried_out() {
    for (from, to, code) in
        [("<VerDTD>1.2<", "<VerDTD>9.9<", "505"), ("<VerProto>DM/1.2<", "<VerProto>DM/9.9<", "513")]
    {
        let (mut device, mut server) = begun();
        let reply = server.message(vec![replace("1", "./box/one/Setting", "x")]);
        let body = String::from_utf8(reply.body.to_vec()).unwrap().replace(from, to);
        device.reply(HttpReply { body: body.into_bytes().into(), ..reply });
        let said = server.hear(device.post());
        assert_eq!(said.codes(), [("0".to_owned(), code.to_owned())]);
        assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
    }
}
