//! The dialect of Windows, and what like it comes from other clients of that maker.

use omadm_mo::{Format, Value};
use omadm_session::dm1::server::{Content, Existence, Listing, Outcome, RequestHead, Task, Verdict};

use super::device::{Device, Host, delete, exec, get, pending, read, told};
use omadm_codec::dm1::{Command, Encoding, Message};

const AGENT: &str = "MSFT OMA DM Client/1.2.0.1";

/// A request as Windows writes it.
fn windows(number: u32, session: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD>\
         <VerProto>DM/1.2</VerProto><SessionID>{session}</SessionID><MsgID>{number}</MsgID>\
         <Target><LocURI>https://dm.example/dm?mode=Maintenance&amp;Platform=WoA</LocURI></Target>\
         <Source><LocURI>urn:uuid:device-1</LocURI></Source>\
         <Meta><MaxMsgSize xmlns=\"syncml:metinf\">524288</MaxMsgSize></Meta></SyncHdr><SyncBody>{body}<Final/></SyncBody></SyncML>"
    )
}

const PACKAGE_1: &str = "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert>\
    <Alert><CmdID>3</CmdID><Data>1224</Data><Item><Meta><Type xmlns=\"syncml:metinf\">com.microsoft/MDM/LoginStatus</Type></Meta>\
    <Data>user</Data></Item></Alert>\
    <Replace><CmdID>4</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI></Source><Data>urn:uuid:device-1</Data></Item>\
    <Item><Source><LocURI>./DevInfo/Man</LocURI></Source><Data>VMware, Inc.</Data></Item>\
    <Item><Source><LocURI>./DevInfo/Mod</LocURI></Source><Data>VMware7,1</Data></Item>\
    <Item><Source><LocURI>./DevInfo/DmV</LocURI></Source><Data>1.3</Data></Item>\
    <Item><Source><LocURI>./DevInfo/Lang</LocURI></Source><Data>en-US</Data></Item></Replace>";

fn post(host: &mut Host, body: &str) -> (Outcome, Message<'static>) {
    let head = RequestHead {
        method: "POST",
        content_type: Some("application/vnd.syncml.dm+xml"),
        accept: Some("application/vnd.syncml.dm+xml, application/octet-stream"),
        user_agent: Some(AGENT),
        ..RequestHead::default()
    };
    let outcome = host.serve(&head, body.as_bytes()).unwrap();
    let reply = match &outcome {
        Outcome::Taken(step) => &step.reply,
        Outcome::TurnedAway(away) => &away.reply,
    };
    let message = read(&reply.body, Encoding::Xml);
    (outcome, message)
}

fn asked(message: &Message<'_>) -> Vec<String> {
    let commands = message.commands.iter().filter(|command| !matches!(command, Command::Status(_)));
    commands.map(super::device::tell).collect()
}

#[test]
fn a_session_of_windows_runs_to_its_end() {
    let application = "./Vendor/MSFT/DMClient/Provider/omadm/SyncApplicationVersion";
    let policy = "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera";
    let tasks = vec![
        get("./DevDetail/SwV"),
        Task::Set {
            uri: application.into(),
            content: Content {
                format: Format::Chr,
                media_type: Some("text/plain".into()),
                value: Value::Text("5.0".into()),
            },
            existence: Existence::Present,
        },
        Task::Atomic(vec![
            Task::Set {
                uri: policy.into(),
                content: Content { format: Format::Int, media_type: None, value: Value::Int(0) },
                existence: Existence::Present,
            },
            exec("./Vendor/MSFT/RemoteLock/Lock", None),
        ]),
        exec("./Vendor/MSFT/Reboot/RebootNow", Some("c-1")),
    ];
    for session in ["0", "1F", "31"] {
        let mut host = Host::new(tasks.clone());
        let (outcome, message) = post(&mut host, &windows(1, session, PACKAGE_1));
        let Outcome::Taken(step) = outcome else { panic!() };
        assert_eq!(message.header.session_id, session);
        assert!(step.capabilities.unwrap().windows);
        assert_eq!(asked(&message), ["Get ./DevDetail/SwV".to_owned(), format!("Replace {application}")]);
        assert_eq!(step.alerts[0].items[0].alert_type.as_deref(), Some("com.microsoft/MDM/LoginStatus"));
        let answer = "<Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status>\
            <Status><CmdID>2</CmdID><MsgRef>1</MsgRef><CmdRef>5</CmdRef><Cmd>Get</Cmd><Data>200</Data></Status>\
            <Results><CmdID>3</CmdID><MsgRef>1</MsgRef><CmdRef>5</CmdRef><Cmd>Get</Cmd><Item><Source><LocURI>./DevDetail/SwV</LocURI>\
            </Source><Data>10.0.26200.1</Data></Item></Results>\
            <Status><CmdID>4</CmdID><MsgRef>1</MsgRef><CmdRef>6</CmdRef><Cmd>Replace</Cmd><Data>200</Data></Status>";
        let (_, message) = post(&mut host, &windows(2, session, answer));
        assert_eq!(
            asked(&message),
            [format!("Atomic(Replace {policy}, Exec ./Vendor/MSFT/RemoteLock/Lock)")]
        );
        let Some(Command::Container(atomic)) = message.commands.last() else { panic!() };
        let ids = atomic.commands.iter().map(|command| match command {
            Command::Operation(operation) => operation.id.as_ref(),
            other => panic!("{other:?}"),
        });
        assert!(ids.into_iter().all(|id| !id.is_empty()), "each command in an Atomic has its CmdID");
        let answer = "<Status><CmdID>1</CmdID><MsgRef>2</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status>\
            <Status><CmdID>2</CmdID><MsgRef>2</MsgRef><CmdRef>2</CmdRef><Cmd>Atomic</Cmd><Data>507</Data></Status>\
            <Status><CmdID>3</CmdID><MsgRef>2</MsgRef><CmdRef>3</CmdRef><Cmd>Replace</Cmd>\
            <Data msft:originalerror=\"0x86000002\" xmlns:msft=\"http://schemas.microsoft.com/MobileDevice/MDM\">500</Data></Status>\
            <Status><CmdID>4</CmdID><MsgRef>2</MsgRef><CmdRef>4</CmdRef><Cmd>Exec</Cmd><Data>215</Data></Status>";
        let (_, message) = post(&mut host, &windows(3, session, answer));
        assert_eq!(asked(&message), ["Exec ./Vendor/MSFT/Reboot/RebootNow"]);
        let Some(Command::Operation(exec)) = message.commands.last() else { panic!() };
        assert_eq!(exec.correlator, None, "Windows has no Correlator");
        let answer = "<Status><CmdID>1</CmdID><MsgRef>3</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status>\
            <Status><CmdID>2</CmdID><MsgRef>3</MsgRef><CmdRef>2</CmdRef><Cmd>Exec</Cmd><Data>200</Data></Status>";
        let (outcome, _) = post(&mut host, &windows(4, session, answer));
        assert!(matches!(outcome, Outcome::Taken(step) if step.ended.is_some()));
        assert_eq!((host.verdict(1), host.verdict(2)), (&Verdict::Done(200), &Verdict::Done(200)));
        assert_eq!((host.verdict(3), host.verdict(4)), (&Verdict::Failed(507), &Verdict::Done(200)));
        assert_eq!(host.result(3).detail.as_deref(), Some("original error 0x86000002"));
    }
}

#[test]
fn leaving_is_an_alert_like_any_other() {
    let mut host = Host::new(vec![]);
    let body = "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert><Alert><CmdID>2</CmdID><Data>1226</Data><Item><Meta>\
        <Type xmlns=\"syncml:metinf\">com.microsoft:mdm.unenrollment.userrequest</Type>\
        <Format xmlns=\"syncml:metinfo\">int</Format></Meta><Data>1</Data></Item></Alert>\
        <Replace><CmdID>4</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI></Source><Data>urn:uuid:device-1</Data></Item></Replace>";
    let (outcome, message) = post(&mut host, &windows(1, "0", body));
    let Outcome::Taken(step) = outcome else { panic!() };
    assert!(step.tolerated.iter().any(|t| t.as_str() == "duplicate-cmd-id"));
    assert_eq!(
        step.alerts[0].items[0].alert_type.as_deref(),
        Some("com.microsoft:mdm.unenrollment.userrequest")
    );
    assert_eq!((message.commands.len(), message.is_final), (4, true));
    host.config.strict = true;
    host.state = None;
    let (outcome, message) = post(&mut host, &windows(1, "0", &body.replace("metinfo", "metinf")));
    assert!(matches!(outcome, Outcome::Taken(step) if step.alerts.is_empty()));
    let codes = message.commands.iter().map(|command| match command {
        Command::Status(status) => status.code.as_ref(),
        _ => "",
    });
    assert_eq!(codes.collect::<Vec<_>>(), ["212", "200", "400", "200"]);
}

#[test]
fn what_windows_lacks_is_not_sent() {
    let copy = Task::Copy { source: "./A".into(), target: "./B".into() };
    let question = Task::Ask(omadm_session::dm1::server::Question {
        kind: omadm_session::dm1::server::QuestionKind::Display,
        text: "Hello".into(),
        min_display: None,
        max_display: None,
    });
    let list = Task::List { uri: "./DevDetail".into(), how: Listing::Tnds };
    let mut host = Host::new(vec![copy, question, list]);
    let (_, message) = post(&mut host, &windows(1, "1", PACKAGE_1));
    assert_eq!((host.verdict(1), host.verdict(2)), (&Verdict::Failed(406), &Verdict::Failed(406)));
    assert_eq!(asked(&message), ["Get ./DevDetail"]);
    let large = Content { format: Format::Chr, media_type: None, value: Value::Text("x".repeat(600 << 10)) };
    host.queue = vec![
        pending(4, Task::Set { uri: "./A".into(), content: large, existence: Existence::Present }),
        pending(5, delete("./B")),
    ];
    let (_, message) = post(&mut host, &windows(1, "2", PACKAGE_1));
    assert_eq!(host.verdict(4), &Verdict::Failed(413));
    assert_eq!(asked(&message), ["Delete ./B"]);
}

#[test]
fn a_client_that_says_only_what_it_must_is_served() {
    // One SessionID for ever, items without Meta, an Exec without Data, and nothing but the status of the header at the end.
    let mut host = Host::new(vec![delete("./A")]);
    for round in 0..3 {
        let mut device = Device::new();
        (device.session, device.name) = ("1".into(), None);
        let step = device.begin(&mut host);
        assert!(step.began.is_some(), "{round}");
        assert_eq!(told(&device.asked()), [format!("Delete ./{}", ["A", "B", "C"][round])]);
        let said = device.done(&[]);
        device.say(&mut host, said);
        let said = vec![device.header_status(200)];
        assert!(device.say(&mut host, said).ended.is_some());
        host.now += 200_000_000;
        let next = 2 + i64::try_from(round).unwrap();
        host.queue.push(pending(next, delete(["./B", "./C", "./D"][round])));
    }
    assert_eq!(host.results.len(), 3);
}
