//! Packages, messages, alerts and commands of the DM protocol, from the side of the device (`DM 1.3 PROTO`, `DM 1.3 REPPRO §7`). The server is
//! a script that is written by hand.

use http::Method;
use omadm_client::dm1::{Cause, Encoding, GenericAlert, Outcome, SessionReport, Start};
use omadm_conformance::{Answer, DEVICE_ID, Dm1Bench, proves, xmllint};
use omadm_mo::ServerId;

const MOID: &str = "urn:example:mo:box:1.0";
const DDF: &str = r#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD>
<Node><NodeName>Box</NodeName><DFProperties><AccessType><Add/><Get/></AccessType><DFFormat><node/></DFFormat>
<Scope><Permanent/></Scope><DFType><DDFName>urn:example:mo:box:1.0</DDFName></DFType></DFProperties>
<Node><NodeName/><DFProperties><AccessType><Add/><Delete/><Get/></AccessType><DFFormat><node/></DFFormat>
<Occurrence><ZeroOrMore/></Occurrence><DFType><DDFName/></DFType></DFProperties>
<Node><NodeName>Setting</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><chr/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
<Node><NodeName>Fixed</NodeName><DFProperties><AccessType><Add/><Get/></AccessType><DFFormat><chr/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
<Node><NodeName>Label</NodeName><DFProperties><AccessType><Add/><Delete/><Get/><Replace/></AccessType><DFFormat><chr/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
</Node></Node></MgmtTree>"#;
const PATH: &str = "/dm";

/// The session that comes after the one in which the server made `./Box/P`.
const SESSION: &str = "2";

/// A device, and a server that follows a script and has made `./Box/P` with what is in it.
async fn bench() -> Dm1Bench {
    let mut bench = Dm1Bench::new(Encoding::Xml, DDF, MOID).await;
    let node = "<Item><Target><LocURI>./Box/P</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">node</Format></Meta></Item>";
    let body = command("Add", 4, node)
        + &command("Add", 5, &(item("./Box/P/Setting", "first") + &item("./Box/P/Fixed", "fixed")));
    let messages = [Message { body: &body, ..Message::default() }, Message::default()];
    let (said, _) = talk(&mut bench, "1", Start::Client, &messages).await;
    assert_eq!(codes(&said[1]), [("0", "212"), ("4", "200"), ("5", "200")]);
    bench
}

/// What a server says in one message, beside 200 for the header.
#[derive(Default)]
struct Message<'a> {
    /// Children of the header after `Source`.
    header: &'a str,
    /// Children of the body after the status for the header.
    body: &'a str,
    /// No `Final`.
    open: bool,
}

impl Message<'_> {
    fn write(&self, bench: &Dm1Bench, session: &str, number: usize) -> String {
        let Self { header, body, open } = self;
        let uri = bench.server.uri(PATH);
        let last = if *open { "" } else { "<Final/>" };
        format!(
            "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.3</VerProto>\
             <SessionID>{session}</SessionID><MsgID>{number}</MsgID><Target><LocURI>{DEVICE_ID}</LocURI></Target>\
             <Source><LocURI>{uri}</LocURI></Source>{header}</SyncHdr><SyncBody><Status><CmdID>1</CmdID><MsgRef>{number}</MsgRef>\
             <CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status>{body}{last}</SyncBody></SyncML>"
        )
    }
}

/// Runs a session in which the server says these messages; gives what the device said.
async fn talk(
    bench: &mut Dm1Bench,
    session: &str,
    start: Start,
    messages: &[Message<'_>],
) -> (Vec<String>, SessionReport) {
    let before = bench.server.requests().len();
    for (message, number) in messages.iter().zip(1..) {
        let octets = message.write(bench, session, number).into_bytes();
        let answer = Answer::body("application/vnd.syncml.dm+xml", octets);
        bench.server.route_once(&Method::POST, PATH, answer);
    }
    let server = ServerId::parse("dm.ex").unwrap();
    let report = bench.client.run_dm1_session(&server, start).await.unwrap();
    let said = bench.server.requests().split_off(before);
    (said.into_iter().map(|request| String::from_utf8(request.body).unwrap()).collect(), report)
}

/// A session: the server says these commands and then nothing more.
async fn answer_to(bench: &mut Dm1Bench, body: &str) -> String {
    let messages = [Message { body, ..Message::default() }, Message::default()];
    let (mut said, report) = talk(bench, SESSION, Start::Client, &messages).await;
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    assert_eq!(said.len(), 2, "{said:?}");
    said.remove(1)
}

/// What stands in each element of this name, in order.
fn each<'t>(text: &'t str, element: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    text.split(&open).skip(1).map(|after| after.split(&close).next().unwrap()).collect()
}

fn only<'t>(text: &'t str, element: &str) -> &'t str {
    let found = each(text, element);
    assert_eq!(found.len(), 1, "{element} in {text}");
    found[0]
}

/// `CmdRef` and code of each status.
fn codes(message: &str) -> Vec<(&str, &str)> {
    each(message, "Status")
        .into_iter()
        .map(|status| (only(status, "CmdRef"), each(status, "Data")[0]))
        .collect()
}

fn item(uri: &str, data: &str) -> String {
    format!("<Item><Target><LocURI>{uri}</LocURI></Target><Data>{data}</Data></Item>")
}

fn command(name: &str, id: u32, items: &str) -> String {
    format!("<{name}><CmdID>{id}</CmdID>{items}</{name}>")
}

fn target(uri: &str) -> String {
    format!("<Item><Target><LocURI>{uri}</LocURI></Target></Item>")
}

#[tokio::test]
async fn package_one_has_the_alert_and_device_info() {
    proves!(
        "P13-DMPRO-6.3-02",
        "P13-DMPRO-6.3-03",
        "P13-DMPRO-6.3-04",
        "P13-DMREPU-7.4-02",
        "P13-DMREPU-7.6.2-01"
    );
    for (start, session, code) in [(Start::Client, SESSION, "1201"), (Start::Server(0xBEEF), "BEEF", "1200")]
    {
        let mut bench = bench().await;
        let (said, report) = talk(&mut bench, session, start, &[Message::default()]).await;
        assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
        let [first] = said.as_slice() else { panic!("{said:?}") };
        xmllint::validate(first);
        assert_eq!(only(first, "SessionID"), session);
        assert_eq!(only(only(first, "Alert"), "Data"), code);
        let info = only(first, "Replace");
        let told: Vec<_> =
            each(info, "Item").into_iter().map(|item| (only(item, "LocURI"), only(item, "Data"))).collect();
        assert!(told.contains(&("./DevInfo/DevId", DEVICE_ID)), "{told:?}");
        for leaf in ["Man", "Mod", "DmV", "Lang"] {
            assert!(told.iter().any(|(uri, _)| *uri == format!("./DevInfo/{leaf}")), "{told:?}");
        }
        assert!(each(info, "Item").iter().all(|item| item.starts_with("<Source>")));
        assert!(first.ends_with("<Final/></SyncBody></SyncML>"));
        assert!(first.contains("<MaxMsgSize"), "{first}");
    }
}

#[tokio::test]
async fn every_command_has_a_status_that_says_what_it_answers() {
    proves!(
        "P13-DMPRO-5-02",
        "P13-DMPRO-6.5-01",
        "P13-DMREPU-7.1.3-01",
        "P13-DMREPU-7.1.4-01",
        "P13-DMREPU-7.1.5-01",
        "P13-DMREPU-7.1.15-01",
        "P13-DMREPU-7.1.16-01",
        "P13-DMREPU-7.1.22-01",
        "P13-DMREPU-7.1.26-01",
        "P13-DMREPU-7.1.29-01",
        "P13-DMREPU-7.4-01",
        "P13-DMREPU-7.5-01",
        "P13-DMREPU-7.6.7-01"
    );
    let mut bench = bench().await;
    let strange = "<Item><Target><LocURI>./Box/P/Setting</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">odd</Format></Meta>\
                   <Data>x</Data></Item>";
    let body = [
        command("Get", 4, &target("./DevInfo/DevId")),
        command("Get", 5, &target("./Nowhere")),
        command("Replace", 6, &item("./Box/P/Setting", "second")),
        command("Replace", 7, strange),
        command("Replace", 0, &item("./Box/P/Setting", "third")),
        command("Get", 8, &(target("./Box/P/Setting") + &target("./Box/P/Nowhere"))),
    ];
    let said = answer_to(&mut bench, &body.concat()).await;
    xmllint::validate(&said);
    assert_eq!((only(&said, "SessionID"), only(&said, "MsgID")), (SESSION, "2"));
    let statuses = each(&said, "Status");
    let told = |field: &str| statuses.iter().map(|status| only(status, field)).collect::<Vec<_>>();
    assert_eq!(told("Cmd"), ["SyncHdr", "Get", "Get", "Replace", "Replace", "Replace", "Get", "Get"]);
    assert_eq!(told("CmdRef"), ["0", "4", "5", "6", "7", "0", "8", "8"]);
    assert!(told("MsgRef").iter().all(|reference| *reference == "1"));
    assert_eq!(told("Data"), ["212", "200", "404", "200", "415", "400", "200", "404"]);
    assert_eq!(
        (only(statuses[0], "TargetRef"), only(statuses[0], "SourceRef")),
        (DEVICE_ID, bench.server.uri(PATH).as_str())
    );
    assert_eq!(
        (only(statuses[6], "TargetRef"), only(statuses[7], "TargetRef")),
        ("./Box/P/Setting", "./Box/P/Nowhere")
    );
    let mut ids = each(&said, "CmdID");
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), count), (10, 10), "{said}");
    let results = each(&said, "Results");
    assert_eq!((only(results[0], "CmdRef"), only(results[0], "Data")), ("4", DEVICE_ID));
    assert!(results[0].contains(">chr</Format>"), "{said}");
    assert_eq!((only(results[1], "CmdRef"), only(results[1], "Data")), ("8", "second"));
    assert!(said.find("</Status><Results>").is_some() && said.rfind("<Status>") < said.find("<Results>"));
}

#[tokio::test]
async fn commands_take_effect_in_the_order_of_their_items() {
    proves!("P13-DMPRO-10.2-01", "P13-DMREPU-7.6.1-01", "P13-DMREPU-7.6.5-01", "P13-DMREPU-7.6.12-01");
    let mut bench = bench().await;
    let body = [
        command("Add", 4, &item("./Box/P/Label", "front")),
        command("Add", 5, &item("./Box/P/Label", "back")),
        command("Replace", 6, &(item("./Box/P/Setting", "second") + &item("./Box/P/Setting", "third"))),
        command("Replace", 7, &item("./Box/P/Fixed", "x")),
        command("Get", 8, &target("./Box/P/Label")),
        command("Delete", 9, &target("./Box/P/Label")),
        command("Get", 10, &target("./Box/P/Label")),
        command("Delete", 11, &target("./Box/P/Setting")),
    ];
    let said = answer_to(&mut bench, &body.concat()).await;
    let expected = ["212", "200", "418", "200", "405", "200", "200", "404", "405"];
    assert_eq!(codes(&said).iter().map(|(_, code)| *code).collect::<Vec<_>>(), expected);
    assert_eq!(only(only(&said, "Results"), "Data"), "front");
    assert_eq!(bench.text("Box/P/Setting").as_deref(), Some("third"));
    assert!(bench.node("Box/P/Label").is_none());
}

#[tokio::test]
async fn an_atomic_is_all_or_nothing_and_a_sequence_keeps_its_order() {
    proves!("P13-DMREPU-7.6.3-01", "P13-DMREPU-7.6.15-01");
    let mut bench = bench().await;
    let both = command("Add", 5, &item("./Box/P/Label", "one"))
        + &command("Replace", 6, &item("./Box/P/Setting", "one"));
    let bad = command("Replace", 8, &item("./Box/P/Setting", "two"))
        + &command("Replace", 9, &item("./Box/P/Fixed", "two"));
    let row = command("Replace", 11, &item("./Box/P/Label", "three"))
        + &command("Get", 12, &target("./Box/P/Label"))
        + &command("Replace", 13, &item("./Box/P/Label", "four"));
    let body = [command("Atomic", 4, &both), command("Atomic", 7, &bad), command("Sequence", 10, &row)];
    let said = answer_to(&mut bench, &body.concat()).await;
    let expected = [
        ("0", "212"),
        ("4", "200"),
        ("5", "200"),
        ("6", "200"),
        ("7", "507"),
        ("8", "216"),
        ("9", "405"),
        ("10", "200"),
        ("11", "200"),
        ("12", "200"),
        ("13", "200"),
    ];
    assert_eq!(codes(&said), expected);
    assert_eq!(only(only(&said, "Results"), "Data"), "three");
    assert_eq!(
        (bench.text("Box/P/Setting").as_deref(), bench.text("Box/P/Label").as_deref()),
        (Some("one"), Some("four"))
    );
}

#[tokio::test]
async fn a_package_that_is_too_large_goes_in_messages_of_which_the_last_has_final() {
    proves!(
        "P13-DMPRO-6.1.2-01",
        "P13-DMPRO-7-01",
        "P13-DMPRO-7.2-01",
        "P13-DMPRO-7.2-02",
        "P13-DMREPU-7.4-03"
    );
    let mut bench = bench().await;
    let gets: String = (10..40).map(|id| command("Get", id, &target("./Box/P/Setting"))).collect();
    let limited = "<Meta><MaxMsgSize xmlns=\"syncml:metinf\">1500</MaxMsgSize></Meta>";
    let wanted = || Message { header: limited, body: &gets, open: false };
    let next = || Message {
        body: "<Alert><CmdID>2</CmdID><Data>1222</Data></Alert>",
        open: true,
        ..Message::default()
    };
    let is_last = |message: &String| message.contains("<Final/>");
    // More than enough, to see how many there are.
    let script: Vec<_> = [wanted()].into_iter().chain((0..40).map(|_| next())).collect();
    let (said, _) = talk(&mut bench, SESSION, Start::Client, &script).await;
    let parts = said.iter().skip(1).position(is_last).unwrap() + 1;
    assert!(parts > 3, "{parts}");

    let mut bench = self::bench().await;
    let script: Vec<_> =
        [wanted()].into_iter().chain((1..parts).map(|_| next())).chain([Message::default()]).collect();
    let (said, report) = talk(&mut bench, SESSION, Start::Client, &script).await;
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    let (first, package) = said.split_first().unwrap();
    assert!(is_last(first));
    assert_eq!(package.len(), parts);
    for (place, message) in package.iter().enumerate() {
        assert!(message.len() <= 1500, "{}", message.len());
        assert_eq!(is_last(message), place + 1 == parts, "{message}");
        assert_eq!(codes(message)[0], ("0", "212"));
    }
    let results: usize = package.iter().map(|message| each(message, "Results").len()).sum();
    assert_eq!(results, 30);
}

#[tokio::test]
async fn a_message_of_the_server_without_final_is_followed_by_next_message() {
    proves!("P13-DMREPU-7.4-06");
    for (size, code, value) in [(6, "200", "abcdef"), (7, "424", "first")] {
        let mut bench = bench().await;
        let chunk = |data: &str, meta: &str, more: &str| {
            let item = format!(
                "<Item><Target><LocURI>./Box/P/Setting</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">chr</Format>{meta}</Meta>\
                 <Data>{data}</Data>{more}</Item>"
            );
            command("Replace", 4, &item)
        };
        let first = chunk("abc", &format!("<Size xmlns=\"syncml:metinf\">{size}</Size>"), "<MoreData/>");
        let second = chunk("def", "", "");
        let script = [
            Message { body: &first, open: true, ..Message::default() },
            Message { body: &second, ..Message::default() },
            Message::default(),
        ];
        let (said, report) = talk(&mut bench, SESSION, Start::Client, &script).await;
        assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
        let [_, kept, done] = said.as_slice() else { panic!("{said:?}") };
        assert_eq!(codes(kept), [("0", "212"), ("4", "213")]);
        assert_eq!(only(only(kept, "Alert"), "Data"), "1222");
        assert!(!kept.contains("<Final/>"));
        assert_eq!(codes(done), [("0", "212"), ("4", code)]);
        assert_eq!(bench.text("Box/P/Setting").as_deref(), Some(value));
    }
}

#[tokio::test]
async fn the_server_ends_a_session_at_once() {
    proves!("P13-DMPRO-6.1-01", "P13-DMPRO-6.1-03");
    let mut bench = bench().await;
    let body = "<Alert><CmdID>2</CmdID><Data>1223</Data></Alert>".to_owned()
        + &command("Replace", 3, &item("./Box/P/Setting", "second"));
    let (said, report) =
        talk(&mut bench, SESSION, Start::Client, &[Message { body: &body, ..Message::default() }]).await;
    assert_eq!(said.len(), 1, "nothing is answered");
    assert!(matches!(report.outcome, Outcome::Aborted { cause: Cause::Server, .. }), "{report:?}");
    assert_eq!(bench.text("Box/P/Setting").as_deref(), Some("first"));
}

#[tokio::test]
async fn the_session_goes_on_at_the_address_that_the_server_names() {
    proves!("P13-DMREPU-7.1.21-01");
    let mut bench = bench().await;
    let other = bench.server.uri("/other?sid=7");
    let header = format!("<RespURI>{other}</RespURI>");
    let body = command("Get", 2, &target("./Box/P/Setting"));
    let last = Message::default().write(&bench, SESSION, 2).into_bytes();
    bench.server.route_once(
        &Method::POST,
        "/other?sid=7",
        Answer::body("application/vnd.syncml.dm+xml", last),
    );
    let (said, report) =
        talk(&mut bench, SESSION, Start::Client, &[Message { header: &header, body: &body, open: false }])
            .await;
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    assert_eq!(said.len(), 2);
    assert_eq!(only(only(&said[1], "Target"), "LocURI"), other);
}

#[tokio::test]
async fn alerts_of_the_device_say_what_they_are_and_what_they_are_about() {
    proves!(
        "P13-DMPRO-6.3-01",
        "P13-DMPRO-6.7-02",
        "P13-DMPRO-6.7-03",
        "P13-DMPRO-6.7-04",
        "P13-DMPRO-6.7.1.6-01",
        "P13-DMREPU-7.6.2-02"
    );
    let mut bench = bench().await;
    let server = ServerId::parse("dm.ex").unwrap();
    let about =
        GenericAlert { source: Some("./Box".into()), ..GenericAlert::new("urn:example:at:box:1.0", "full") };
    let plain = GenericAlert::new("urn:example:at:event:1.0", "");
    for alert in [about, plain] {
        bench.client.device_mut().raise_dm1_alert(&server, alert).unwrap();
    }
    let ok = |id: u32, reference: u32| {
        format!(
            "<Status><CmdID>{id}</CmdID><MsgRef>1</MsgRef><CmdRef>{reference}</CmdRef><Cmd>Alert</Cmd><Data>200</Data></Status>"
        )
    };
    let body = ok(2, 3) + &ok(3, 4) + &command("Get", 4, &target("./Box"));
    let messages = [Message { body: &body, ..Message::default() }, Message::default()];
    let (said, _) = talk(&mut bench, SESSION, Start::Client, &messages).await;
    xmllint::validate(&said[0]);
    let [session, about, plain] = each(&said[0], "Alert")[..] else { panic!("{said:?}") };
    assert_eq!(only(session, "Data"), "1201");
    assert_eq!((each(about, "Data")[0], each(plain, "Data")[0]), ("1226", "1226"));
    assert_eq!(only(only(about, "Source"), "LocURI"), "./Box");
    assert!(
        about.contains(">urn:example:at:box:1.0</Type>") && about.contains("<Data>full</Data>"),
        "{about}"
    );
    assert!(plain.contains(">urn:example:at:event:1.0</Type>") && !plain.contains("<Source>"), "{plain}");
    // What the alert is about is there, and the server has both.
    assert_eq!(codes(&said[1]).last(), Some(&("4", "200")));
    assert!(bench.client.device().dm1_alerts(&server).is_empty());
}

#[tokio::test]
async fn versions_that_the_device_does_not_speak_are_told() {
    proves!("P13-DMREPU-7.2-03");
    for (from, to, code) in
        [("<VerDTD>1.2<", "<VerDTD>9.9<", "505"), ("<VerProto>DM/1.3<", "<VerProto>DM/9.9<", "513")]
    {
        let mut bench = bench().await;
        let body = command("Replace", 3, &item("./Box/P/Setting", "second"));
        let first = Message { body: &body, ..Message::default() }.write(&bench, SESSION, 1).replace(from, to);
        let answer = Answer::body("application/vnd.syncml.dm+xml", first.into_bytes());
        bench.server.route_once(&Method::POST, PATH, answer);
        let last = Message::default().write(&bench, SESSION, 2).into_bytes();
        bench.server.route_once(&Method::POST, PATH, Answer::body("application/vnd.syncml.dm+xml", last));
        let (said, _) = talk(&mut bench, SESSION, Start::Client, &[]).await;
        assert_eq!(codes(&said[1]), [("0", code)]);
        assert!(said[0].contains(
            "<VerDTD>1.2</VerDTD><VerProto>DM/1.3</VerProto><SessionID>2</SessionID><MsgID>1</MsgID>"
        ));
        assert_eq!(bench.text("Box/P/Setting").as_deref(), Some("first"));
    }
}
