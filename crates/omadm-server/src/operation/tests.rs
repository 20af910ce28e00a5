use omadm_mo::Time;
use omadm_store::CommandState;
use serde_json::json;

use super::*;

const URL: &str = "https://dm.example.org:8443";
const LEAF: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Lang";

fn request(json: Value) -> Request {
    serde_json::from_value(json).unwrap()
}

fn operation(json: Value) -> Result<(Operation, Option<Body>), String> {
    Operation::from_request(request(json), 1024)
}

/// Through the store and into words, as a device gets it.
fn words(json: Value) -> Result<Vec<String>, String> {
    let (operation, _) = operation(json)?;
    let stored = Operation::from_stored(&stored(operation.verb(), operation.address(), &operation.args()))?;
    assert_eq!(stored, operation, "what is stored is what was asked");
    operation.to_dm2(Uuid::nil(), URL, &|_| false).map(|command| command.to_words())
}

fn stored(verb: &str, address: &str, args: &str) -> store::Command {
    store::Command {
        id: Uuid::nil(),
        device: omadm_mo::DeviceId::parse("IMEI:1").unwrap(),
        generation: 1,
        seq: 1,
        verb: verb.into(),
        address: address.into(),
        args: args.into(),
        payload: None,
        state: CommandState::Queued,
        status: None,
        reason: None,
        result: None,
        attempts: 0,
        created: Time(0),
        sent: None,
        finished: None,
        expires: Time(1),
        created_by: "test".into(),
 origin: None,
    }
}

#[test]
fn what_goes_on_has_verbs_of_its_own() {
    let id = Uuid::nil();
    let cases = [
        (json!({ "verb": "exec", "address": LEAF, "later": true }), format!("EXEC {LEAF} {URL}/dm/2.0")),
        (json!({ "verb": "show", "url": "https://h/[DevID]?x" }), "SHOW https://h/[DevID]?x".to_owned()),
        (json!({ "verb": "subscribe", "address": LEAF }), format!("SUB {URL}/data/s/{id} {LEAF}")),
        (json!({ "verb": "unsubscribe", "address": LEAF }), format!("UNSUB {LEAF}")),
        (
            json!({ "verb": "default", "moid": "urn:x:mo:1.0", "from": "http://h/x" }),
            "DEFAULT http://h/x urn:x:mo:1.0".to_owned(),
        ),
        (
            json!({ "verb": "default", "moid": "urn:x:mo:1.0", "items": [
                { "ClientURI": "urn:x:mo:1.0//", "MOData": { "a": {} } }] }),
            format!("DEFAULT {URL}/data/c/{id} urn:x:mo:1.0"),
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(words(request).unwrap().join(" "), expected);
    }
    let shown = words(json!({ "verb": "show", "page": "p" })).unwrap();
    let token = shown[1].strip_prefix(&format!("{URL}/ui/")).unwrap();
    assert_eq!(read_page_token(token).unwrap().0, id);
    assert_ne!(words(json!({ "verb": "show", "page": "p" })).unwrap(), shown, "unguessable");
    for wrong in ["", "x", &token[1..], &format!("{token}0"), &format!("ä{}", &token[2..])] {
        assert_eq!(read_page_token(wrong), None, "{wrong}");
    }
}

#[test]
fn every_verb_becomes_its_command() {
    let payload = format!("{URL}/data/c/{}", Uuid::nil());
    let upload = format!("{URL}/data/u/{}", Uuid::nil());
    let other = "urn:oma:mo:x:1.0/1/a";
    let cases = [
        (json!({"verb": "get", "address": LEAF}), vec!["GET", LEAF]),
        (json!({"verb": "delete", "address": LEAF}), vec!["DELETE", LEAF]),
        (json!({"verb": "exec", "address": LEAF}), vec!["EXEC", LEAF]),
        (json!({"verb": "set", "address": LEAF, "value": "de"}), vec!["HGET", &payload, LEAF]),
        (json!({"verb": "set", "address": LEAF, "value_base64": "AAE="}), vec!["HGET", &payload, LEAF]),
        (
            json!({"verb": "set", "items": [{"ClientURI": "urn:oma:mo:x:1.0//", "MOData": {"x": {"a": 1}}}]}),
            vec!["HGET", &payload],
        ),
        (json!({"verb": "upload", "address": LEAF}), vec!["HPUT", &upload, LEAF]),
        (
            json!({"verb": "upload", "addresses": [LEAF, other], "method": "POST"}),
            vec!["HPOST", &upload, LEAF, other],
        ),
        (
            json!({"verb": "fetch", "from": "https://cdn.example.org/[DevID]/fw", "address": LEAF}),
            vec!["HGET", "https://cdn.example.org/[DevID]/fw", LEAF],
        ),
        (
            json!({"verb": "fetch", "from": "http://cdn.example.org/x"}),
            vec!["HGET", "http://cdn.example.org/x"],
        ),
        (
            json!({"verb": "raw", "words": ["SUB", "https://a.example/[DevID]", LEAF]}),
            vec!["SUB", "https://a.example/[DevID]", LEAF],
        ),
        (
            json!({"verb": "raw", "words": ["CONT", "https://a.example/dm"]}),
            vec!["CONT", "https://a.example/dm"],
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(words(request.clone()).unwrap(), expected, "{request}");
    }
}

#[test]
fn what_cannot_be_sent_is_refused_before_it_is_queued() {
    let cases = [
        (json!({"verb": "frobnicate"}), "no verb"),
        (json!({"verb": "get"}), "needs an address"),
        (json!({"verb": "get", "address": "nonsense"}), "is not legal"),
        (json!({"verb": "get", "address": LEAF, "value": 1}), "takes no \"value\""),
        (json!({"verb": "set", "address": LEAF}), "set needs"),
        (json!({"verb": "set", "address": LEAF, "value": [1]}), "string, a number or a bool"),
        (json!({"verb": "set", "address": "urn:oma:mo:x:1.0/*/a", "value": 1}), "wildcard"),
        (json!({"verb": "exec", "address": "urn:oma:mo:x:1.0/1/*"}), "wildcard"),
        (json!({"verb": "set", "address": LEAF, "value_base64": "?"}), "not base64"),
        (json!({"verb": "set", "address": LEAF, "value": "x", "content_type": "plain"}), "no media type"),
        (json!({"verb": "set", "address": LEAF, "value_base64": "A".repeat(2000)}), "the limit is 1024"),
        (json!({"verb": "set", "address": LEAF, "value": "A".repeat(1025)}), "the limit is 1024"),
        (json!({"verb": "set", "items": {"a": 1}}), "no MO data"),
        (json!({"verb": "set", "items": []}), "empty"),
        (json!({"verb": "upload"}), "1 to 256 addresses"),
        (json!({"verb": "fetch", "address": LEAF}), "needs \"from\""),
        (json!({"verb": "fetch", "from": "ftp://a.example/x"}), "https://"),
        (json!({"verb": "fetch", "from": "::::"}), "https://"),
        (json!({"verb": "raw"}), "needs \"words\""),
        (json!({"verb": "raw", "words": ["END"]}), "END cannot be queued"),
        (json!({"verb": "raw", "words": ["get", LEAF]}), "is no DM 2.0 command"),
        (json!({"verb": "raw", "words": ["GET"]}), "malformed"),
        (json!({"verb": "raw", "words": []}), ""),
    ];
    for (request, expected) in cases {
        let error = words(request.clone()).unwrap_err();
        assert!(error.contains(expected), "{request}: {error}");
    }
    assert!(serde_json::from_value::<Request>(json!({"verb": "get", "adress": LEAF})).is_err());
}

#[test]
fn a_value_without_a_type_is_served_in_several_forms() {
    let (text, kept) = operation(json!({"verb": "set", "address": LEAF, "value": "de"})).unwrap();
    let forms = text.forms().unwrap();
    let plain = Body { content_type: "text/plain".into(), octets: b"de".to_vec() };
    assert_eq!((forms.equal, kept), (vec![plain], None));
    let (typed, kept) =
        operation(json!({"verb": "set", "address": LEAF, "value": "<a/>", "content_type": "text/xml"}))
            .unwrap();
    assert_eq!(typed.forms(), None);
    assert_eq!(kept, Some(Body { content_type: "text/xml".into(), octets: b"<a/>".to_vec() }));
}

#[test]
fn what_the_ddf_says_is_stored_with_the_value() {
    for (args, content_type) in [
        (r#"{"format":"bin","mime":"image/png","value":"eHl6"}"#, "image/png"),
        (r#"{"format":"null","value":null}"#, "application/dmmo+json"),
    ] {
        let operation = Operation::from_stored(&stored("set", LEAF, args)).unwrap();
        assert_eq!(operation.args(), args);
        assert_eq!(operation.forms().unwrap().equal[0].content_type, content_type);
    }
}

#[test]
fn only_writes_of_a_leaf_supersede_each_other() {
    let key = |json| operation(json).unwrap().0.supersede_key();
    assert_eq!(key(json!({"verb": "set", "address": LEAF, "value": 1})), Some(format!("set {LEAF}")));
    assert_eq!(key(json!({"verb": "get", "address": LEAF})), None);
    assert_eq!(key(json!({"verb": "exec", "address": LEAF})), None);
    let items = json!([{"ClientURI": "urn:oma:mo:x:1.0//", "MOData": {"x": {}}}]);
    assert_eq!(key(json!({"verb": "set", "items": items})), None);
}

#[test]
fn a_stored_command_that_cannot_be_read_says_why() {
    let cases = [
        ("get", "{", "cannot be read"),
        ("get", "{\"colour\":1}", "cannot be read"),
        ("upload", "{}", "lack \"addresses\""),
        ("dance", "{}", "unknown verb"),
        ("set", r#"{"value":1,"format":"string"}"#, "unknown format"),
    ];
    for (verb, args, expected) in cases {
        let error = Operation::from_stored(&stored(verb, LEAF, args)).unwrap_err();
        assert!(error.contains(expected), "{verb} {args}: {error}");
    }
}
