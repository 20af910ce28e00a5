use super::*;
use crate::{Limits, Problem};

const HEAD: &str = "<MsgID>a-0001</MsgID><Timestamp>2026-11-21T06:40:00Z</Timestamp><From>dm.a.example</From><To>dm.b.example</To>";

fn document(body: &str) -> String {
    format!("<DelegationMessage xmlns=\"{NAMESPACE}\" version=\"1.3\">{HEAD}{body}</DelegationMessage>")
}

fn read(document: &str) -> Result<DelegationMessage, crate::DecodeError> {
    decode(document.as_bytes(), NAMESPACE, &Limits::default())
}

fn request(members: &str) -> String {
    document(&format!(
        "<DelegationRequest><DelegationID>d-77</DelegationID><ServerID>dm.b.example</ServerID>{members}</DelegationRequest>"
    ))
}

const ITEMS: &str = "<DeviceID>IMEI:493005100592800</DeviceID><Target>urn:oma:mo:oma-fumo:1.0</Target>";

fn offer() -> DelegationRequest {
    DelegationRequest {
        delegation_id: "d-77".into(),
        server_id: ServerId::parse("dm.b.example").unwrap(),
        devices: vec![DeviceId::parse("IMEI:493005100592800").unwrap()],
        manufacturer: Some("Acme".into()),
        model: Some("X1".into()),
        targets: vec!["urn:oma:mo:oma-fumo:1.0".into()],
        rights: Rights::GET.union(Rights::REPLACE).union(Rights::EXEC),
        duration: Duration::Temporary,
        mode: Mode::Shared,
        session_id: None,
        not_before: None,
        not_after: Some(Time::from_secs(1_795_329_600)),
        reason: None,
    }
}

#[test]
fn an_offer_says_what_it_offers() {
    let text = include_str!("../../../../vectors/delegation/offer.xml");
    let message = read(text).unwrap();
    assert_eq!(message.body, Body::Request(offer()));
    assert_eq!((message.msg_id.as_str(), message.timestamp), ("a-0001", Time::from_secs(1_795_243_200)));
    assert_eq!(read(&message.to_xml(NAMESPACE)), Ok(message));
}

#[test]
fn the_namespace_is_that_of_the_configuration() {
    let message = read(include_str!("../../../../vectors/delegation/cancel.xml")).unwrap();
    let other = message.to_xml("urn:x-test:other");
    assert_eq!(decode(other.as_bytes(), "urn:x-test:other", &Limits::default()), Ok(message));
    let error = read(&other).unwrap_err();
    assert_eq!(error.field, "DelegationMessage");
    assert!(error.to_string().contains(NAMESPACE), "{error}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let rest = "<Rights>Get</Rights><Type>permanent</Type>";
    for (text, field, problem) in [
        (document(""), "DelegationRequest", "missing"),
        (request(rest), "DeviceID", "missing"),
        (request(&format!("<DeviceID>A:1</DeviceID>{rest}")), "Target", "missing"),
        (request(&format!("<DeviceID>A 1</DeviceID><Target>./A</Target>{rest}")), "DeviceID", "A 1"),
        (request(&format!("{ITEMS}<Target/>{rest}")), "Target", "empty"),
        (request(&format!("{ITEMS}{rest}{rest}")), "Rights", "twice"),
        (request(&format!("{ITEMS}<Rights> </Rights><Type>permanent</Type>")), "Rights", "no right"),
        (request(&format!("{ITEMS}<Rights>Get Copy</Rights><Type>permanent</Type>")), "Rights", "Copy"),
        (request(&format!("{ITEMS}<Rights>Get</Rights><Type>eternal</Type>")), "Type", "eternal"),
        (request(&format!("{ITEMS}<Rights>Get</Rights><Type mode=\"x\">permanent</Type>")), "mode", "\"x\""),
        (request(&format!("{ITEMS}{rest}<SessionID>1G</SessionID>")), "SessionID", "1G"),
        (
            request(&format!("{ITEMS}{rest}<SessionID>{}</SessionID>", "1".repeat(17))),
            "SessionID",
            "more than 16",
        ),
        (request(&format!("{ITEMS}{rest}<NotAfter>tomorrow</NotAfter>")), "NotAfter", "tomorrow"),
        (
            request(&format!("{ITEMS}{rest}<Reason>{}</Reason>", "x".repeat(1_025))),
            "Reason",
            "more than 1024",
        ),
        (document("<DelegationResponse><Status>OK</Status></DelegationResponse>"), "Status", "OK"),
        (document("<DelegationResponse><Status>0200</Status></DelegationResponse>"), "Status", "0200"),
        (
            document(
                "<DelegationNotify><DelegationID>d</DelegationID><Event>gone</Event></DelegationNotify>",
            ),
            "Event",
            "gone",
        ),
        (
            document(
                "<DelegationCancel><DelegationID>d</DelegationID></DelegationCancel><DelegationNotify/>",
            ),
            "DelegationMessage",
            "one message",
        ),
        (document(&format!("<MsgID>2</MsgID>{rest}")), "MsgID", "twice"),
        (document("").replace("a-0001", &"x".repeat(129)), "MsgID", "more than 128"),
        (document("").replace("T06", "T66"), "Timestamp", "T66"),
        (document("").replace("DelegationMessage", "Message"), "DelegationMessage", "Message"),
        (document("").replace("</To>", ""), "document", ""),
        ("<!DOCTYPE x [<!ENTITY a \"aa\">]><x>&a;</x>".into(), "document", "entity"),
    ] {
        let error = read(&text).unwrap_err();
        assert_eq!(error.field, field, "{text}: {error}");
        assert!(error.to_string().contains(problem), "{text}: {error}");
    }
    let error = read(&request(&format!("{ITEMS}<Target/>{rest}"))).unwrap_err();
    assert!(request(&format!("{ITEMS}<Target/>{rest}"))[error.at..].starts_with("<Target/>"));
}

#[test]
fn what_is_not_known_is_passed_over_and_an_unknown_message_is_named() {
    let more = "<New xmlns='urn:x'><Deep/></New><Colour>red</Colour>";
    let known = format!("<DelegationCancel>{more}<DelegationID>d</DelegationID></DelegationCancel>{more}");
    let cancel = DelegationCancel { delegation_id: "d".into(), reason: None };
    assert_eq!(read(&document(&known)).unwrap().body, Body::Cancel(cancel));
    let unknown =
        read(&document("<DelegationQuery><DelegationID>d</DelegationID></DelegationQuery>")).unwrap();
    assert_eq!(unknown.body, Body::Unknown("DelegationQuery".into()));
}

#[test]
fn bounds_are_kept() {
    let text = request(&format!("{ITEMS}<Rights>Get</Rights><Type>permanent</Type>"));
    let limited = |limits: Limits| decode(text.as_bytes(), NAMESPACE, &limits).map_err(|error| error.problem);
    let (bytes, items) = (text.len(), text.matches("</").count());
    let exact = Limits { bytes, depth: 3, items };
    assert!(limited(exact).is_ok());
    assert_eq!(limited(Limits { bytes: bytes - 1, ..exact }), Err(Problem::TooLarge { limit: bytes - 1 }));
    assert_eq!(limited(Limits { depth: 2, ..exact }), Err(Problem::TooDeep { limit: 2 }));
    assert_eq!(limited(Limits { items: items - 1, ..exact }), Err(Problem::TooMany { limit: items - 1 }));
}

#[test]
fn a_long_reason_is_cut_when_it_is_written() {
    let body = Body::Cancel(DelegationCancel { delegation_id: "d".into(), reason: Some("é".repeat(2_000)) });
    let message = DelegationMessage { body, ..read(&document("<X/>")).unwrap() };
    match read(&message.to_xml(NAMESPACE)).unwrap().body {
        Body::Cancel(cancel) => assert_eq!(cancel.reason, Some("é".repeat(MAX_TEXT))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rights_have_names() {
    let all = Rights::ALL.iter().fold(Rights::NONE, |sum, (right, _)| sum.union(*right));
    assert_eq!(all.to_string(), "Add Get Replace Delete Exec");
    assert_eq!(Rights::parse(" Exec\tAdd\nExec "), Ok(Rights::EXEC.union(Rights::ADD)));
    assert_eq!(Rights::parse("Get get"), Err("get"));
    assert!(all.contains(Rights::DELETE) && !Rights::GET.contains(all) && Rights::NONE.is_empty());
}
