//! What the encoders emit: valid against the schemas of `DM 2.0 §7.2.1`, and decoded strictly to the same values.

use std::fs;
use std::sync::LazyLock;

use jsonschema::Validator;
use omadm_codec::dm2::alert::AlertData;
use omadm_codec::dm2::{
    Alert, Command, CommandEntry, Initiation, Mark, MoItem, Request, Response, StatusCode, StatusEntry,
    SupportedMo, mo_data,
};
use omadm_codec::{Leniency, Limits};
use omadm_mo::{ClientUri, Content, Moid, NodeName, ServerUri, Value};
use proptest::option::of;
use proptest::prelude::*;

use crate::common;

fn schema(name: &str) -> Validator {
    let text = fs::read_to_string(common::folder("vectors/schema").join(name)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

static ALERT: LazyLock<Validator> = LazyLock::new(|| schema("alert.json"));
static PACKAGE_1: LazyLock<Validator> = LazyLock::new(|| schema("package1.json"));
static PACKAGE_2: LazyLock<Validator> = LazyLock::new(|| schema("package2.json"));
static PACKAGE_3: LazyLock<Validator> = LazyLock::new(|| schema("package3.json"));
static MO_DATA: LazyLock<Validator> = LazyLock::new(|| schema("mo_data.json"));

fn validate(schema: &Validator, json: &[u8]) -> Result<(), TestCaseError> {
    let json = serde_json::from_slice(json).unwrap();
    schema.validate(&json).map_err(|error| TestCaseError::fail(format!("{error} in {json}")))
}

#[test]
fn the_schemas_tell_good_from_bad() {
    for (schema, good, bad) in [
        (&ALERT, r#"{"Alert":[{"AlertType":"a"}]}"#, r#"{"Alert":[{}]}"#),
        (&PACKAGE_1, r#"{"MOS":[{"MIID":[]}]}"#, r#"{"MOS":[{"MOID":"a"}]}"#),
        (&PACKAGE_1, r#"{"Alert":[{"AlertType":"a"}]}"#, r#"{"Alert":{"Alert":[]}}"#),
        (&PACKAGE_2, r#"{"CMD":[["END"]]}"#, r#"{"CMD":["END"]}"#),
        (&PACKAGE_3, r#"{"Status":[{"sc":200}]}"#, r#"{"Status":[200]}"#),
        (&MO_DATA, r#"[{"ClientURI":"a","MOData":{}}]"#, r#"{"ClientURI":"a","MOData":{}}"#),
    ] {
        assert!(validate(schema, good.as_bytes()).is_ok(), "{good}");
        assert!(validate(schema, bad.as_bytes()).is_err(), "{bad}");
    }
}

/// Any text, rich in what JSON has to escape.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z:/.]{0,12}", "\\PC{0,8}", "[\"\\\\\u{0}-\u{1f}\u{7f}é𝄞]{0,6}"]
}

fn number() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f).map(Into::into)),
    ]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        number(),
        text().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 16, 4, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(text(), value, 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = serde_json::Value> {
    prop::collection::btree_map(text(), json(), 0..4)
        .prop_map(|members| serde_json::Value::Object(members.into_iter().collect()))
}

fn mark() -> impl Strategy<Value = Mark> {
    prop::sample::select(vec![
        Mark::Fatal,
        Mark::Critical,
        Mark::Minor,
        Mark::Warning,
        Mark::Informational,
        Mark::Harmless,
        Mark::Indeterminate,
    ])
}

fn media_type() -> impl Strategy<Value = String> {
    "[a-z]{1,8}/[a-z][a-z0-9.+-]{0,8}"
}

fn alert() -> impl Strategy<Value = Alert> {
    let data =
        (media_type(), object()).prop_map(|(data_type, data)| AlertData { data_type: Some(data_type), data });
    (text(), of(text()), of(text()), mark(), of(data))
        .prop_map(|(alert_type, source, target, mark, data)| Alert { alert_type, source, target, mark, data })
}

fn alerts() -> impl Strategy<Value = Vec<Alert>> {
    prop::collection::vec(alert(), 0..3)
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..3)
}

fn server_uri() -> impl Strategy<Value = ServerUri> {
    "https://[a-z]{1,8}\\.example(:[0-9]{1,4})?/[a-zA-Z0-9._~-]{0,8}(/\\[DevID\\])?(\\?[a-z]=[0-9])?"
        .prop_map(|text| ServerUri::parse(&text).unwrap())
}

fn client_uri() -> impl Strategy<Value = ClientUri> {
    "urn:oma:mo:[a-z-]{1,8}:1\\.[0-9]/(|\\*|[a-z0-9]{1,4})(/|/[A-Za-z0-9~]{1,6}(/(\\*|[A-Za-z]{1,6})){0,3})"
        .prop_map(|text| ClientUri::parse(&text).unwrap())
}

fn client_uris() -> impl Strategy<Value = Vec<ClientUri>> {
    prop::collection::vec(client_uri(), 1..4)
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (server_uri(), of(client_uri())).prop_map(|(server, client)| Command::HGet { server, client }),
        (server_uri(), client_uris()).prop_map(|(server, clients)| Command::HPut { server, clients }),
        (server_uri(), client_uris()).prop_map(|(server, clients)| Command::HPost { server, clients }),
        client_uri().prop_map(Command::Delete),
        (client_uri(), of(server_uri())).prop_map(|(client, server)| Command::Exec { client, server }),
        client_uri().prop_map(Command::Get),
        server_uri().prop_map(Command::Show),
        server_uri().prop_map(Command::Cont),
        Just(Command::End),
        (server_uri(), "urn:[a-z]{1,9}:1\\.0")
            .prop_map(|(server, moid)| Command::Default { server, moid: Moid::parse(&moid).unwrap() }),
        (server_uri(), client_uri()).prop_map(|(server, client)| Command::Sub { server, client }),
        client_uri().prop_map(Command::Unsub),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("JSON has finite numbers only", |f| f.is_finite()).prop_map(Value::Float),
        text().prop_map(Value::Text),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    value().prop_map(Content::Leaf).prop_recursive(4, 16, 4, |child| {
        prop::collection::btree_map("[A-Za-z0-9._:-]{2,6}é?", child, 0..4).prop_map(|children| {
            let named = |(name, child): (String, Content)| Some((NodeName::parse(&name).ok()?, child));
            Content::Interior(children.into_iter().filter_map(named).collect())
        })
    })
}

fn item() -> impl Strategy<Value = MoItem> {
    (of(text()), text(), of(text()), "\\PC{1,8}", content())
        .prop_map(|(ddf, client_uri, cv, label, content)| MoItem { ddf, client_uri, cv, label, content })
}

/// An item of MOS.
fn supported() -> impl Strategy<Value = SupportedMo> {
    (text(), text(), texts()).prop_map(|(ddf, moid, miids)| SupportedMo { ddf, moid, miids })
}

fn status() -> impl Strategy<Value = StatusEntry> {
    (any::<u16>(), texts()).prop_map(|(code, uris)| StatusEntry { code: StatusCode(code), uris })
}

proptest! {
    #[test]
    fn package_1(mos in of(prop::collection::vec(supported(), 0..3)), alerts in alerts()) {
        let package = Initiation { mos, alerts };
        let mut out = Vec::new();
        package.encode(&mut out);
        validate(&PACKAGE_1, &out)?;
        validate(&ALERT, &out)?;
        prop_assert_eq!(Initiation::decode(&out, &Limits::default(), &mut Leniency::strict()), Ok(package));
    }

    #[test]
    fn package_2(commands in prop::collection::vec(command(), 0..6)) {
        let mut out = Vec::new();
        Request::encode(&commands, &mut out);
        validate(&PACKAGE_2, &out)?;
        let entries = commands.into_iter().map(CommandEntry::Valid).collect();
        let decoded = Request::decode(&out, &Limits::default(), &mut Leniency::strict(), &|_| false);
        prop_assert_eq!(decoded, Ok(Request { entries }));
    }

    #[test]
    fn package_3(statuses in prop::collection::vec(status(), 0..6), alerts in alerts()) {
        let package = Response { statuses, alerts };
        let mut out = Vec::new();
        package.encode(&mut out);
        validate(&PACKAGE_3, &out)?;
        validate(&ALERT, &out)?;
        prop_assert_eq!(Response::decode(&out, &Limits::default(), &mut Leniency::strict()), Ok(package));
    }

    #[test]
    fn management_object_data(items in prop::collection::vec(item(), 0..4)) {
        let mut out = Vec::new();
        mo_data::encode(&items, &mut out);
        validate(&MO_DATA, &out)?;
        prop_assert_eq!(mo_data::decode(&out, &Limits::default(), &mut Leniency::strict()), Ok(items));
    }

    /// What no schema allows is brought into a form that it allows.
    #[test]
    fn loose_alert_data_are_sent_as_the_schema_has_them(data in json(), data_type in of(media_type()), odd in any::<bool>()) {
        let data_type = if odd { Some("int".to_owned()) } else { data_type };
        let alert = Alert { data: Some(AlertData { data_type: data_type.clone(), data: data.clone() }), ..Alert::new("a") };
        let mut out = Vec::new();
        Response { statuses: Vec::new(), alerts: vec![alert] }.encode(&mut out);
        validate(&PACKAGE_3, &out)?;
        let decoded = Response::decode(&out, &Limits::default(), &mut Leniency::strict()).unwrap();
        let sent = decoded.alerts[0].data.as_ref().unwrap();
        let expected = data_type.filter(|_| !odd).unwrap_or_else(|| "application/json".to_owned());
        prop_assert_eq!(sent.data_type.as_ref(), Some(&expected));
        prop_assert_eq!(if data.is_object() { &sent.data } else { &sent.data["DM1x"] }, &data);
    }
}

#[test]
fn octets_are_base64_and_integers_and_floats_keep_their_kind() {
    let leaf = |name: &str, value| (NodeName::parse(name).unwrap(), Content::Leaf(value));
    let content = Content::Interior(vec![
        leaf("bin", Value::Bytes(vec![0xfb, 0xff, 0])),
        leaf("int", Value::Int(1)),
        leaf("float", Value::Float(1.0)),
    ]);
    let item = MoItem { ddf: None, client_uri: "urn:x//".into(), cv: None, label: "x".into(), content };
    let mut out = Vec::new();
    mo_data::encode(&[item], &mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, r#"[{"ClientURI":"urn:x//","MOData":{"x":{"bin":"+/8A","int":1,"float":1.0}}}]"#);
}
