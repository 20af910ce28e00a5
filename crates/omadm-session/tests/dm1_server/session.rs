//! Packages, their messages, and versions (`DM 1.3 PROTO §5, §6`).

use omadm_codec::dm1::{Alert, AlertCode, Command, Form, Item, Operation, Version};
use omadm_session::dm1::server::{End, Outcome, RequestHead, Task, Verdict, decode};

use super::device::{Device, Host, config, delete, get, leaf, nodes, set, tell, told};

#[test]
fn a_session_without_anything_to_do_is_two_packages() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    let step = device.begin(&mut host);
    assert_eq!(device.codes(), ["SyncHdr 212", "Alert 200", "Replace 200"]);
    assert_eq!(device.answers()[1].1, "1/1");
    assert!(device.is_final() && device.asked().is_empty());
    assert_eq!(step.ended, Some(End::Complete));
    let began = step.began.unwrap();
    assert_eq!((began.session_id.as_str(), began.alert), ("2A", Some(AlertCode::ClientInitiated)));
    let told: Vec<_> = step.told.iter().map(|node| node.uri.as_str()).collect();
    assert_eq!(
        told,
        ["./DevInfo/DevId", "./DevInfo/Man", "./DevInfo/Mod", "./DevInfo/DmV", "./DevInfo/Lang"]
    );
    assert!(host.state.unwrap().has_ended());
}

#[test]
fn a_get_comes_back_with_its_value() {
    for form in [Form::Xml, Form::for_version(omadm_codec::dm1::Encoding::Wbxml, Version::Dm13)] {
        let (mut host, mut device) = (Host::new(vec![get("./DevDetail/FwV")]), Device::new());
        device.form = form;
        let step = device.begin(&mut host);
        assert_eq!((told(&device.asked()), step.sends), (vec!["Get ./DevDetail/FwV".to_owned()], vec![1]));
        assert!(device.is_final() && step.ended.is_none());
        let results = device.results("4", vec![leaf("./DevDetail/FwV", "chr", Some("7.1.2"))]);
        let said = vec![device.header_status(212), device.status("4", "Get", 200), results];
        let step = device.say(&mut host, said);
        assert_eq!(device.codes(), ["SyncHdr 212"], "results with 200 get no status");
        assert_eq!(step.ended, Some(End::Complete));
        assert_eq!(host.verdict(1), &Verdict::Done(200));
        assert_eq!(nodes(host.result(1))["./DevDetail/FwV"], "7.1.2");
    }
}

#[test]
fn headers_of_answers_are_those_of_the_session() {
    let (mut host, mut device) = (Host::new(vec![get("./A"), delete("./B")]), Device::new());
    host.account.as_mut().unwrap().resp_uri = Some("https://dm.example/dm?s=1".into());
    device.session = "01f".into();
    for number in ["1", "2"] {
        if number == "1" {
            device.begin(&mut host);
        } else {
            let said = device.done(&[]);
            device.say(&mut host, said);
        }
        let header = device.heard.clone().unwrap().header;
        assert_eq!((header.session_id.as_ref(), header.message_id.as_ref()), ("01f", number));
        assert_eq!((header.ver_dtd.as_ref(), header.ver_proto.as_ref()), ("1.2", "DM/1.2"));
        assert_eq!(header.target.uri, super::device::DEVICE);
        assert_eq!(header.source.uri, super::device::SERVER);
        assert_eq!(header.resp_uri.as_deref(), Some("https://dm.example/dm?s=1"));
        assert_eq!(header.meta.max_message_size, Some(1 << 20));
        assert_eq!(header.meta.max_object_size, Some(64 << 20));
    }
}

#[test]
fn every_version_is_answered_as_it_opened() {
    for version in [Version::Dm11, Version::Dm12, Version::Dm13] {
        let (mut host, mut device) = (Host::new(vec![]), Device::new());
        device.version = version;
        let step = device.begin(&mut host);
        assert_eq!(step.began.unwrap().version, version);
        let header = device.heard.unwrap().header;
        assert_eq!(
            (header.ver_dtd.as_ref(), header.ver_proto.as_ref()),
            (version.ver_dtd(), version.ver_proto())
        );
    }
}

#[test]
fn versions_that_are_not_spoken_are_told_so() {
    let (mut host, mut device) = (Host::new(vec![get("./A")]), Device::new());
    host.config.versions = vec![Version::Dm12];
    device.version = Version::Dm13;
    let package = device.package1();
    device.turned_away(&mut host, package);
    assert_eq!(device.codes(), ["SyncHdr 513"]);
    assert!(device.is_final() && host.state.is_none());
    for (from, to, code) in
        [("DM/1.2", "DM/2.0", "513"), ("DM/1.2", "SyncML/1.2", "513"), ("<VerDTD>1.2", "<VerDTD>1.9", "505")]
    {
        let mut device = Device::new();
        let package = device.package1();
        let body = String::from_utf8(device.write(package, true)).unwrap().replace(from, to);
        let Ok(Outcome::TurnedAway(_)) = device.post(&mut host, body.as_bytes()) else { panic!("{to}") };
        assert_eq!(device.codes(), [format!("SyncHdr {code}")]);
        assert_eq!(device.heard.unwrap().header.ver_proto, "DM/1.2");
    }
}

#[test]
fn a_package_in_several_messages_is_asked_for_with_1222() {
    let (mut host, mut device) = (Host::new(vec![get("./A"), set("./B", "x")]), Device::new());
    let package = device.package1();
    let step = device.say_part(&mut host, package, false);
    assert_eq!(device.codes(), ["SyncHdr 212", "Alert 200", "Replace 200"]);
    assert_eq!((told(&device.asked()), device.is_final()), (vec!["Alert 1222".to_owned()], false));
    assert!(step.sends.is_empty() && step.ended.is_none());

    let next = vec![device.header_status(212), device.status("4", "Alert", 200), device.alert(1222)];
    device.say_part(&mut host, next, false);
    assert_eq!(device.codes(), ["SyncHdr 212", "Alert 200"]);
    assert_eq!(told(&device.asked()), ["Alert 1222"]);

    let last = vec![device.header_status(212), device.status("3", "Alert", 200)];
    let step = device.say(&mut host, last);
    assert_eq!(step.sends, [1, 2]);
    assert!(device.is_final());
}

#[test]
fn results_in_three_messages_are_one_answer_each_way() {
    let (mut host, mut device) = (Host::new(vec![get("./A"), get("./B")]), Device::new());
    device.begin(&mut host);
    let first =
        vec![device.header_status(212), device.status("4", "Get", 200), device.status("5", "Get", 200)];
    let sent = device.heard.clone();
    let step = device.say_part(&mut host, first, false);
    assert_eq!((told(&device.asked()), step.results.len()), (vec!["Alert 1222".to_owned()], 0));
    for (cmd, uri, value, is_final) in [("4", "./A", "1", false), ("5", "./B", "2", true)] {
        let next = device.heard.clone();
        let said = vec![device.header_status(212), device.status("2", "Alert", 200)];
        device.heard = sent.clone();
        let results = device.results(cmd, vec![leaf(uri, "int", Some(value))]);
        device.heard = next;
        device.say_part(&mut host, said.into_iter().chain([results]).collect(), is_final);
    }
    assert_eq!((host.verdict(1), host.verdict(2)), (&Verdict::Done(200), &Verdict::Done(200)));
    assert_eq!((nodes(host.result(1))["./A"].as_str(), nodes(host.result(2))["./B"].as_str()), ("1", "2"));
}

#[test]
fn a_device_that_does_not_tell_of_itself_is_asked() {
    let (mut host, mut device) = (Host::new(vec![delete("./A")]), Device::new());
    let alert = device.alert(1201);
    let step = device.say(&mut host, vec![alert]);
    assert_eq!(step.tolerated.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["no-dev-info"]);
    let asked = device.asked();
    let leaves = "Get ./DevInfo/DevId ./DevInfo/Man ./DevInfo/Mod ./DevInfo/DmV ./DevInfo/Lang";
    assert_eq!(told(&asked), [format!("Sequence({leaves}, Delete ./A)")]);
    let mut said = device.done(&[]);
    said.push(device.results("4", vec![leaf("./DevInfo/Man", "chr", Some("Acme"))]));
    let step = device.say(&mut host, said);
    assert_eq!(step.told.len(), 1);
    assert_eq!((host.verdict(1), step.ended), (&Verdict::Done(200), Some(End::Complete)));

    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    host.config.strict = true;
    let alert = device.alert(1201);
    let step = device.say(&mut host, vec![alert]);
    assert!(matches!(step.ended, Some(End::ByServer(reason)) if reason.contains("DevInfo")));
    assert_eq!(told(&device.asked()), ["Alert 1223"]);
}

#[test]
fn a_session_without_its_alert_is_tolerated_by_name() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    let info = device.device_info();
    let step = device.say(&mut host, vec![info.clone()]);
    assert_eq!(step.tolerated.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["no-start-alert"]);
    let mut host = Host::new(vec![]);
    host.config.strict = true;
    let step = Device::new().say(&mut host, vec![info]);
    assert!(matches!(step.ended, Some(End::ByServer(_))));
}

#[test]
fn only_what_a_device_may_send_is_taken() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    let mut package = device.package1();
    let Command::Operation(replace) = device.device_info() else { panic!() };
    for (kind, uri) in [
        (omadm_codec::dm1::OperationKind::Add, "./DevInfo/X"),
        (omadm_codec::dm1::OperationKind::Get, "./DevInfo/X"),
        (omadm_codec::dm1::OperationKind::Replace, "./Other"),
        (omadm_codec::dm1::OperationKind::Replace, "./DevInformation"),
    ] {
        let items = vec![Item { source: Some(uri.into()), ..Item::default() }];
        let id = device.id().into();
        package.push(Command::Operation(omadm_codec::dm1::Operation { kind, id, items, ..replace.clone() }));
    }
    let body = String::from_utf8(device.write(package, true)).unwrap();
    let put = "<Put><CmdID>77</CmdID><Item/></Put><Sequence><CmdID>78</CmdID><Get><CmdID>79</CmdID><Item/></Get></Sequence><Final/>";
    let body = body.replace("<Final/>", put);
    let Ok(Outcome::Taken(step)) = device.post(&mut host, body.as_bytes()) else { panic!() };
    let expected = [
        "SyncHdr 212",
        "Alert 200",
        "Replace 200",
        "Add 405",
        "Get 405",
        "Replace 405",
        "Replace 405",
        "Put 501",
        "Sequence 405",
        "Get 405",
    ];
    assert_eq!(device.codes(), expected);
    assert_eq!(step.ended, Some(End::Complete));
}

#[test]
fn a_sender_is_found_by_name_or_address() {
    let (mut device, mut host) = (Device::new(), Host::new(vec![]));
    let package = device.package1();
    let body = device.write(package, true);
    let head = RequestHead {
        method: "POST",
        content_type: Some("application/vnd.syncml.dm+xml"),
        ..RequestHead::default()
    };
    let sender = decode(&config(), &head, &body).unwrap().sender();
    assert_eq!((sender.user.as_deref(), sender.device.as_str()), (Some("dev-1"), super::device::DEVICE));
    let signed = RequestHead { hmac: Some("username=\"u\", mac=uuy8CVxX/0kCMT7+M0y2nA=="), ..head };
    device.name = None;
    let package = device.package1();
    let body = device.write(package, true);
    assert_eq!(decode(&config(), &head, &body).unwrap().sender().user, None);
    assert_eq!(decode(&config(), &signed, &body).unwrap().sender().user.as_deref(), Some("u"));
    host.account.as_mut().unwrap().device_id = "another".into();
    for proven in [true, false] {
        host.account.as_mut().unwrap().transport_authenticated = proven;
        let mut device = Device::new();
        let package = device.package1();
        let away = device.turned_away(&mut host, package);
        assert_eq!((away.bad_credentials, device.challenge().is_none()), (proven, proven));
        let code = if proven { 401 } else { 407 };
        let expected = ["SyncHdr", "Alert", "Replace"].map(|cmd| format!("{cmd} {code}"));
        assert_eq!(device.codes(), expected);
    }
}

#[test]
fn heads_are_refused_for_what_is_wrong_with_them() {
    let good = RequestHead {
        method: "POST",
        content_type: Some("application/vnd.syncml.dm+xml; charset=utf-8"),
        ..RequestHead::default()
    };
    let mut device = Device::new();
    let package = device.package1();
    let body = device.write(package, true);
    let refusal =
        |head: &RequestHead<'_>| decode(&config(), head, &body).map(|_| ()).unwrap_err().http_status;
    assert!(decode(&config(), &good, &body).is_ok());
    assert_eq!(refusal(&RequestHead { method: "GET", ..good }), 405);
    assert_eq!(refusal(&RequestHead { content_type: None, ..good }), 415);
    assert_eq!(refusal(&RequestHead { content_type: Some("application/json"), ..good }), 415);
    assert_eq!(refusal(&RequestHead { content_encoding: Some("gzip"), ..good }), 415);
    assert_eq!(refusal(&RequestHead { accept: Some("text/html"), ..good }), 406);
    let wbxml = RequestHead { accept: Some("application/vnd.syncml.dm+wbxml"), ..good };
    assert!(decode(&config(), &wbxml, &body).is_ok(), "answered in the other encoding");
    for content_type in ["application/vnd.syncml+xml", "text/xml", "application/vnd.syncml.dm+wbxml"] {
        let loose = RequestHead { content_type: Some(content_type), ..good };
        assert!(decode(&config(), &loose, &body).is_ok(), "{content_type}");
        let mut strict = config();
        strict.strict = true;
        assert!(decode(&strict, &loose, &body).is_err(), "{content_type}");
    }
    let mut small = config();
    small.max_message = u32::try_from(body.len()).unwrap();
    assert!(decode(&small, &good, &body).is_ok());
    small.max_message -= 1;
    assert_eq!(decode(&small, &good, &body).map(|_| ()).unwrap_err().http_status, 413);
    for broken in ["", "<SyncML", "\u{3}"] {
        assert_eq!(decode(&config(), &good, broken.as_bytes()).map(|_| ()).unwrap_err().http_status, 400);
    }
}

#[test]
fn commands_that_change_go_in_one_sequence_in_their_order() {
    let tasks = vec![set("./A", "1"), get("./A"), delete("./A"), Task::Get { uris: vec!["./B".into()] }];
    let (mut host, mut device) = (Host::new(tasks), Device::new());
    device.begin(&mut host);
    let asked = device.asked();
    assert_eq!(told(&asked), ["Sequence(Replace ./A, Get ./A, Delete ./A, Get ./B)"]);
    let said = device.done(&[("./A", 404)]);
    device.say(&mut host, said);
    assert_eq!(host.account.as_ref().unwrap().capabilities.sequence, Some(true));
    assert_eq!(host.verdict(3), &Verdict::Failed(404));
    assert_eq!(told(&device.asked()), ["Add ./A"]);
}

#[test]
fn a_device_without_sequences_gets_commands_one_by_one() {
    let (mut host, mut device) = (Host::new(vec![delete("./A"), get("./B"), delete("./C")]), Device::new());
    device.begin(&mut host);
    assert_eq!(device.asked().len(), 1);
    let said = vec![device.header_status(200), device.status("4", "Sequence", 406)];
    device.say(&mut host, said);
    let mut order = Vec::new();
    while !device.asked().is_empty() {
        order.extend(device.asked().iter().map(tell));
        let said = device.done(&[]);
        device.say(&mut host, said);
    }
    assert_eq!(order, ["Delete ./A", "Get ./B", "Delete ./C"]);
    assert!(host.queue.is_empty() && host.results.len() == 3);
    assert_eq!(host.account.unwrap().capabilities.sequence, Some(false));
}

/// `REPPRO §7.1`: what has `NoResp` is taken, and gets no Status.
#[test]
fn what_wants_no_status_gets_none() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    let silent = |command| match command {
        Command::Alert(alert) => Command::Alert(Alert { no_response: true, ..alert }),
        Command::Operation(operation) => Command::Operation(Operation { no_response: true, ..operation }),
        other => other,
    };
    let package: Vec<_> = device.package1().into_iter().map(silent).collect();
    let step = device.say(&mut host, package);
    assert_eq!(device.codes(), ["SyncHdr 212"], "whether it is known, a device has to hear");
    assert!(!step.told.is_empty(), "DevInfo is taken");

    let mut device = Device::new();
    device.no_response = true;
    let package = device.package1();
    device.say(&mut host, package);
    assert_eq!(device.codes(), ["SyncHdr 212"]);
}
