//! Package 1, and the commands one by one.

use omadm_codec::dm1::{Command, Container, Data, Item, Meta, Operation, OperationKind, Unknown, Version};
use omadm_mo::Value;
use omadm_session::dm1::client::{Effect, EffectResult, Outcome, Start, Trigger};

use super::support::*;

#[test]
fn package_one_says_why_and_who() {
    let mut device = Device::usual();
    let said = Said::of(device.post());
    let header = &said.message.header;
    assert_eq!((header.session_id.as_ref(), header.message_id.as_ref()), ("2A", "1"));
    assert_eq!((header.target.uri.as_ref(), header.source.uri.as_ref()), (URI, DEVICE));
    assert_eq!((header.ver_dtd.as_ref(), header.ver_proto.as_ref()), ("1.2", "DM/1.2"));
    assert_eq!(header.meta.max_message_size, Some(65_536));
    assert_eq!(header.meta.max_object_size, Some(16 << 20));
    assert!(header.credentials.is_none() && said.post.hmac.is_none());
    assert!(said.message.is_final);
    assert_eq!(said.post.content_type, "application/vnd.syncml.dm+xml");
    assert_eq!(device.refreshed, 1);
    let [Command::Alert(alert), Command::Operation(info)] = said.message.commands.as_slice() else {
        panic!("{said:?}")
    };
    assert_eq!((alert.code.as_ref(), alert.id.as_ref(), alert.items.len()), ("1201", "1", 0));
    assert_eq!((info.kind, info.id.as_ref()), (OperationKind::Replace, "2"));
    let told: Vec<_> = info.items.iter().map(|item| (item.source.clone().unwrap(), data_of(item))).collect();
    let expected = [
        ("./DevInfo/DevId", DEVICE),
        ("./DevInfo/Man", "Acme"),
        ("./DevInfo/Mod", "A1"),
        ("./DevInfo/DmV", "0.4"),
        ("./DevInfo/Lang", "en"),
    ];
    assert_eq!(told, expected.map(|(source, data)| (source.into(), data.to_owned())));
    assert!(info.items.iter().all(|item| item.target.is_none()));
}

#[test]
fn a_notified_session_has_the_id_of_the_notification() {
    let trigger = Trigger::Server { session_id: 0xBEEF };
    let mut device = Device::start(config(), Start { trigger, ..start() });
    let said = Said::of(device.post());
    assert_eq!(said.message.header.session_id, "BEEF");
    assert_eq!(said.alert_codes(), ["1200"]);
}

#[test]
fn a_session_in_which_nothing_is_wanted_ends_without_another_message() {
    let (mut device, mut server) = begun();
    device.reply(server.message(Vec::new()));
    assert_eq!(device.outcome(), Outcome::Ended { commands: 0, version: Version::Dm12 });
}

#[test]
fn get_answers_with_a_status_and_then_the_results() {
    let (mut device, mut server) = begun();
    let said = device.exchange(&mut server, vec![get("4", "./box/one/Setting"), get("5", "box/one/Blob")]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("4", 200), ("5", 200)]));
    assert_eq!(
        said.results(),
        [
            ("./box/one/Setting".to_owned(), "first".to_owned()),
            ("./box/one/Blob".to_owned(), "AQL/".to_owned())
        ]
    );
    let header = said.statuses()[0];
    assert_eq!((header.cmd.as_ref(), header.msg_ref.as_ref()), ("SyncHdr", "1"));
    assert_eq!((header.target_refs[0].as_ref(), header.source_refs[0].as_ref()), (DEVICE, URI));
    let Some(Command::Results(results)) = said.message.commands.get(3) else { panic!("{said:?}") };
    assert_eq!((results.msg_ref.as_ref(), results.cmd_ref.as_ref()), ("1", "4"));
    let meta = &results.items[0].meta;
    assert_eq!((meta.format.as_deref(), meta.media_type.as_deref()), (Some("chr"), Some("text/plain")));
    assert!(said.message.is_final);
    let ids: std::collections::BTreeSet<_> = said
        .message
        .commands
        .iter()
        .map(|command| match command {
            Command::Status(status) => status.id.to_string(),
            Command::Results(results) => results.id.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), said.message.commands.len());
    device.reply(server.message(Vec::new()));
    assert_eq!(device.outcome(), Outcome::Ended { commands: 2, version: Version::Dm12 });
}

#[test]
fn items_that_come_out_differently_have_statuses_of_their_own() {
    let (mut device, mut server) = begun();
    let items = vec![target("./box/one/Setting"), target("./box/one/Nowhere"), target("./box/one/Secret")];
    let said = device.exchange(&mut server, vec![operation(OperationKind::Get, "4", items)]);
    let told: Vec<_> = said
        .statuses()
        .iter()
        .skip(1)
        .map(|status| {
            (status.cmd_ref.to_string(), status.target_refs[0].to_string(), status.code.to_string())
        })
        .collect();
    let expected = [("./box/one/Setting", "200"), ("./box/one/Nowhere", "404"), ("./box/one/Secret", "405")];
    assert_eq!(told, expected.map(|(uri, code)| ("4".to_owned(), uri.to_owned(), code.to_owned())));
    assert_eq!(said.results().len(), 1);
}

#[test]
fn lists_properties_and_names_are_read() {
    let (mut device, mut server) = begun();
    let said = device.exchange(
        &mut server,
        vec![
            get("1", "./box/one/Items"),
            get("2", "./box/one/Items?list=StructData"),
            get("3", "./box/one/Count?prop=Format"),
            get("4", "./box/one?list=TNDS"),
            get("5", "./box/one?prop=Size"),
            get("6", "./box/one?list=Nothing"),
        ],
    );
    assert_eq!(
        said.codes(),
        codes(&[("0", 212), ("1", 200), ("2", 200), ("3", 200), ("4", 200), ("5", 406), ("6", 406)])
    );
    let results = said.results();
    assert_eq!(results[0], ("./box/one/Items".to_owned(), "1".to_owned()));
    assert!(results.contains(&("./box/one/Items/1/Value".to_owned(), "a".to_owned())));
    assert!(results.contains(&("./box/one/Count?prop=Format".to_owned(), "int".to_owned())));
    let (source, document) = results.last().unwrap();
    assert_eq!(source, "./box/one");
    assert!(document.contains("<MgmtTree") && document.contains("<Value>first</Value>"), "{document}");
}

#[test]
fn add_replace_delete_and_copy_change_the_tree() {
    let (mut device, mut server) = begun();
    let copy = Item { source: Some("./box/one/Setting".into()), ..target("./box/one/Items/2/Value") };
    let said = device.exchange(
        &mut server,
        vec![
            replace("1", "./box/one/Setting", "second"),
            add_node("2", "./box/one/Items/2"),
            add("3", "./box/one/Items/2/Value", "b"),
            operation(OperationKind::Copy, "4", vec![copy]),
            delete("5", "./box/one/Items/1"),
        ],
    );
    assert_eq!(
        said.codes(),
        codes(&[("0", 212), ("1", 200), ("2", 200), ("3", 200), ("4", 200), ("5", 200)])
    );
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("second".into())));
    assert_eq!(device.value("./box/one/Items/2/Value"), Some(Value::Text("second".into())));
    assert_eq!(device.value("./box/one/Items/1/Value"), None);
    assert_eq!(device.committed, 5);
}

#[test]
fn what_the_tree_refuses_has_its_status() {
    let (mut device, mut server) = begun();
    let said = device.exchange(
        &mut server,
        vec![
            replace("1", "./box/one/Nowhere", "x"),
            replace("2", "./box/one/Fixed", "x"),
            add("3", "./box/one/Setting", "x"),
            delete("4", "./box/one/Setting"),
            delete("5", "."),
            exec("6", "./box/one/Setting"),
            replace("7", "./box/one/../box/one/Setting", "x"),
            replace("8", "./DevInfo/Man", "x"),
            operation(OperationKind::Replace, "9", vec![with_data("./box/one/Count", "foo", "1")]),
            operation(OperationKind::Replace, "10", vec![with_data("./box/one/Count", "int", "many")]),
            add("11", "./box/one/Items/9?prop=ACL", "x"),
        ],
    );
    let expected = [
        ("0", 212),
        ("1", 404),
        ("2", 405),
        ("3", 418),
        ("4", 405),
        ("5", 405),
        ("6", 405),
        ("7", 404),
        ("8", 425),
        ("9", 415),
        ("10", 500),
        ("11", 405),
    ];
    assert_eq!(said.codes(), codes(&expected));
    assert_eq!(device.committed, 0);
}

#[test]
fn the_items_of_a_command_are_done_in_their_order() {
    let (mut device, mut server) = begun();
    let items =
        vec![with_data("./box/one/Setting", "chr", "second"), with_data("./box/one/Setting", "chr", "third")];
    let said = device.exchange(&mut server, vec![operation(OperationKind::Replace, "1", items)]);
    assert_eq!(said.code("1"), "200");
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("third".into())));
    assert_eq!(device.committed, 1);
}

#[test]
fn the_meta_of_a_command_holds_for_its_items() {
    let (mut device, mut server) = begun();
    let meta = Meta { format: Some("int".into()), ..Meta::default() };
    let item = Item { data: Some(Data::Text("7".into())), ..target("./box/one/Count") };
    let command = Operation {
        kind: OperationKind::Replace,
        id: "1".into(),
        no_response: false,
        meta,
        correlator: None,
        items: vec![item],
    };
    let said = device.exchange(&mut server, vec![Command::Operation(command)]);
    assert_eq!(said.code("1"), "200");
    assert_eq!(device.value("./box/one/Count"), Some(Value::Int(7)));
}

#[test]
fn a_change_that_is_not_kept_is_undone() {
    let (mut device, mut server) = begun();
    device.commits = [EffectResult::Refused { status: 420, reason: "no room".into() }].into();
    let said = device.exchange(
        &mut server,
        vec![replace("1", "./box/one/Setting", "second"), replace("2", "./box/one/Count", "5")],
    );
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 420), ("2", 200)]));
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
    assert_eq!(device.value("./box/one/Count"), Some(Value::Int(5)));
}

#[test]
fn exec_runs_with_its_argument_and_correlator() {
    let (mut device, mut server) = begun();
    device.executions = [EffectResult::Accepted].into();
    let command = Operation {
        kind: OperationKind::Exec,
        id: "1".into(),
        no_response: false,
        meta: Meta::default(),
        correlator: Some("job-0042".into()),
        items: vec![with_data("./box/one/Run", "int", "3")],
    };
    let said = device.exchange(&mut server, vec![Command::Operation(command), exec("2", "./box/one/Run")]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 202), ("2", 200)]));
    let [first, second] = device.executed.as_slice() else { panic!("{:?}", device.executed) };
    assert_eq!((first.uri.as_str(), first.correlator.as_deref()), ("./box/one/Run", Some("job-0042")));
    assert_eq!(first.address.to_string(), format!("{BOX}/one/Run"));
    assert_eq!(first.argument.as_ref().unwrap().value, Value::Int(3));
    assert_eq!((second.correlator.as_deref(), &second.argument), (None, &None));
}

#[test]
fn a_refused_execution_has_the_status_of_the_host_if_there_is_one() {
    for (given, told) in [(405, "405"), (420, "420"), (501, "500"), (200, "500")] {
        let (mut device, mut server) = begun();
        device.executions = [EffectResult::Refused { status: given, reason: "no".into() }].into();
        assert_eq!(device.exchange(&mut server, vec![exec("1", "./box/one/Run")]).code("1"), told);
    }
}

#[test]
fn values_are_brought_up_to_date_before_they_are_read() {
    let (mut device, mut server) = begun();
    let before = device.refreshed;
    device.exchange(&mut server, vec![get("1", "./box/one/Setting"), replace("2", "./box/one/Setting", "x")]);
    assert_eq!(device.refreshed, before + 1);
}

#[test]
fn wbxml_says_the_same_with_opaque_octets() {
    let mut device = Device::start(omadm_session::dm1::client::Config { wbxml: true, ..config() }, start());
    let mut server = Server {
        form: omadm_codec::dm1::Form::Wbxml(omadm_codec::dm1::WbxmlVersion::V1_2),
        ..Server::default()
    };
    let first = server.hear(device.post());
    assert_eq!(first.post.content_type, "application/vnd.syncml.dm+wbxml");
    assert_eq!(first.alert_codes(), ["1201"]);
    let meta = Meta { format: Some("bin".into()), ..Meta::default() };
    let item = Item { meta, data: Some(Data::Opaque(vec![9, 0, 8].into())), ..target("./box/one/Blob") };
    let said = device.exchange(
        &mut server,
        vec![
            operation(OperationKind::Replace, "1", vec![item]),
            get("2", "./box/one/Blob"),
            get("3", "./box/one?list=TNDS"),
        ],
    );
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200), ("2", 200), ("3", 200)]));
    assert_eq!(device.value("./box/one/Blob"), Some(Value::Bytes(vec![9, 0, 8])));
    assert_eq!(said.results()[0], ("./box/one/Blob".to_owned(), "[9, 0, 8]".to_owned()));
    let Some(Command::Results(results)) = said.message.commands.last() else { panic!("{said:?}") };
    assert_eq!(results.items[0].meta.media_type.as_deref(), Some("application/vnd.syncml.dmtnds+wbxml"));
}

#[test]
fn alerts_go_with_package_one_until_the_server_has_them() {
    let mut first = alert(7, "urn:x-test:at:done:1.0", "ResultCode=200");
    first.correlator = Some("job-0042".into());
    first.source = Some("./box/one/Run".into());
    first.mark = Some(omadm_codec::dm1::Mark::Warning);
    let second =
        omadm_session::dm1::client::DeviceAlert { generic: false, ..alert(8, "com.example/Event", "") };
    let (mut device, mut server) = begun_with(config(), Start { alerts: vec![first, second], ..start() });
    let reply = server.message(Vec::new());
    device.reply(reply);
    assert_eq!(device.outcome(), Outcome::Ended { commands: 0, version: Version::Dm12 });
    assert_eq!(device.delivered, [(7, 200), (8, 200)]);
}

#[test]
fn a_generic_alert_has_all_that_the_standard_wants() {
    let mut told = alert(7, "urn:x-test:at:done:1.0", "ResultCode=200");
    told.correlator = Some("job-0042".into());
    told.source = Some("./box/one/Run".into());
    told.mark = Some(omadm_codec::dm1::Mark::Critical);
    let (mut device, mut server) = begun();
    device.input(omadm_session::dm1::client::Input::Alert(told));
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    let [alert] = said.alerts()[..] else { panic!("{said:?}") };
    assert_eq!((alert.code.as_ref(), alert.correlator.as_deref()), ("1226", Some("job-0042")));
    let [item] = alert.items.as_slice() else { panic!("{alert:?}") };
    assert_eq!((item.source.as_deref(), data_of(item).as_str()), (Some("./box/one/Run"), "ResultCode=200"));
    assert_eq!(item.meta.media_type.as_deref(), Some("urn:x-test:at:done:1.0"));
    assert_eq!(
        (item.meta.format.as_deref(), item.meta.mark),
        (Some("chr"), Some(omadm_codec::dm1::Mark::Critical))
    );
    server.alert_code = 500;
    device.reply(server.message(Vec::new()));
    device.outcome();
    assert_eq!(device.delivered, [(7, 500)]);
}

#[test]
fn servers_of_dm_1_1_get_client_events_without_correlator() {
    let mut told = alert(7, "urn:x-test:at:done:1.0", "x");
    told.correlator = Some("job".into());
    let start = Start { alerts: vec![told], versions: vec![Version::Dm11], ..start() };
    let mut device = Device::start(config(), start);
    let said = Said::of(device.post());
    assert_eq!(
        (said.message.header.ver_dtd.as_ref(), said.message.header.ver_proto.as_ref()),
        ("1.1", "DM/1.1")
    );
    assert_eq!(said.alert_codes(), ["1201", "1224"]);
    assert_eq!(said.alerts()[1].correlator, None);
}

#[test]
fn management_objects_that_were_asked_for_go_with_package_one() {
    let requested = vec![omadm_mo::Moid::parse(BOX).unwrap()];
    let mut device = Device::start(config(), Start { requested, ..start() });
    let said = Said::of(device.post());
    let Some(Command::Operation(told)) = said.message.commands.last() else { panic!("{said:?}") };
    let [item] = told.items.as_slice() else { panic!("{told:?}") };
    assert_eq!((told.kind, item.source.as_deref()), (OperationKind::Replace, Some("./box/one")));
    assert!(
        data_of(item).contains("<NodeName>Setting</NodeName>") && !data_of(item).contains("hidden from all")
    );
}

#[test]
fn the_effects_of_a_session_come_one_at_a_time() {
    let (mut device, mut server) = begun();
    device.reply(
        server.message(vec![replace("1", "./box/one/Setting", "a"), replace("2", "./box/one/Setting", "b")]),
    );
    let mut effects = 0;
    while let Some(output) = device.session.poll_output() {
        if let omadm_session::dm1::client::Output::Effect { effect, .. } = output {
            assert!(matches!(effect, Effect::Commit { .. }));
            effects += 1;
        }
    }
    assert_eq!(effects, 1);
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("a".into())));
}

/// `REPPRO §7.1`: what has `NoResp` is carried out, and gets no Status.
#[test]
fn what_wants_no_status_gets_none() {
    let (mut device, mut server) = begun();
    let silent = |command| match command {
        Command::Operation(operation) => Command::Operation(Operation { no_response: true, ..operation }),
        Command::Container(container) => Command::Container(Container { no_response: true, ..container }),
        other => other,
    };
    let said = device.exchange(
        &mut server,
        vec![
            silent(replace("1", "./box/one/Setting", "quiet")),
            silent(get("2", "./box/one/Setting")),
            silent(delete("3", "./none")),
            silent(sequence("4", vec![get("5", "./box/one/Count"), silent(get("6", "./none"))])),
            silent(operation(OperationKind::Get, "0", Vec::new())),
            silent(server_alert("7", 1999, &[])),
            Command::Unknown(Unknown { name: "Put".into(), id: "8".into(), no_response: true }),
        ],
    );
    assert_eq!(said.codes(), codes(&[("0", 212), ("5", 200), ("7", 406)]));
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("quiet".into())));
    let results = said.message.commands.iter().filter(|command| matches!(command, Command::Results(_)));
    assert_eq!(results.count(), 2, "what was asked for comes all the same");
}

#[test]
fn a_header_that_wants_no_status_gets_none_for_the_whole_message() {
    let (mut device, mut server) = begun();
    server.no_response = true;
    let said = device.exchange(
        &mut server,
        vec![replace("1", "./box/one/Setting", "quiet"), get("2", "./box/one/Setting")],
    );
    assert_eq!(said.codes(), codes(&[]));
    assert!(matches!(said.message.commands.as_slice(), [Command::Results(_)]), "{said:?}");
    device.reply(server.message(vec![replace("1", "./box/one/Setting", "silent")]));
    assert!(matches!(device.outcome(), Outcome::Ended { .. }), "nothing is left to say");
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("silent".into())));
}
