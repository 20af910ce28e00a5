//! The flow of packages as a device sees it.

use crate::common::*;
use omadm_codec::dm2::{Alert, Initiation};
use omadm_codec::{Leniency, Limits};
use omadm_session::dm2::client::{EffectResult, HttpReply, Input, Note, Outcome, Output, Session, Trigger};
use proptest::prelude::*;

fn initiation(seen: &Seen) -> Initiation {
    Initiation::decode(&seen.posts[0].body, &Limits::default(), &mut Leniency::strict()).unwrap()
}

fn end() -> HttpReply {
    package2("{\"CMD\":[[\"END\"]]}")
}

#[test]
fn package_1_says_why_the_session_started() {
    for (trigger, alert_type, id) in [
        (Trigger::Client, "urn:oma:at:dm:2.0:ClientInitiatedMgmt", None),
        (Trigger::Bootstrap, "urn:oma:at:dm:2.0:BootstrapComplete", None),
        (Trigger::Notification(Some(258)), "urn:oma:at:dm:2.0:ServerInitiatedMgmt", Some(258)),
        (Trigger::Notification(None), "urn:oma:at:dm:2.0:ServerInitiatedMgmt", None),
    ] {
        let mut start = start("DMS1");
        start.trigger = trigger;
        start.alerts = vec![Alert::new("urn:x:pending")];
        let seen = converse_as(config(), start, &mut tree(), &mut World::default(), &[]);
        let post = &seen.posts[0];
        assert_eq!(post.uri, "https://dms.example/dm");
        assert_eq!(post.content_type, "application/vnd.oma.dm.initiation+json");
        assert_eq!(post.accept, "application/vnd.oma.dm.request+json");
        assert_eq!(post.device_id, DEVICE);
        let package = initiation(&seen);
        assert_eq!(package.mos, None);
        assert_eq!(package.alerts.len(), 2);
        assert_eq!(package.alerts[0].alert_type, alert_type);
        assert_eq!(package.alerts[1].alert_type, "urn:x:pending");
        let data = package.alerts[0].data.as_ref();
        assert_eq!(data.and_then(|data| data.data["NOTIFICATION-ID"].as_u64()), id);
        assert_eq!(data.and_then(|data| data.data_type.as_deref()), id.map(|_| "application/json"));
    }
}

#[test]
fn mos_lists_what_the_server_provisioned_and_may_use() {
    let mut with_mos = start("DMS2");
    with_mos.send_mos = true;
    let mut device = tree();
    let seen = converse_as(config(), with_mos.clone(), &mut device, &mut World::default(), &[]);
    let mos = initiation(&seen).mos.unwrap();
    let of = |moid: &str| mos.iter().find(|mo| mo.moid == moid).cloned();
    assert_eq!(of(BOX).unwrap().miids, Vec::<String>::new(), "no right on the instance");
    assert_eq!(of("urn:oma:mo:oma-dm-devinfo:1.2"), None, "not provisioned");
    assert_eq!(of(BOX).unwrap().ddf, "https://ddf.example/box.ddf");
    grant(&mut device, "DMS2", omadm_mo::Rights::READ);
    let seen = converse_as(config(), with_mos, &mut device, &mut World::default(), &[]);
    let mos = initiation(&seen).mos.unwrap();
    assert_eq!(mos.iter().find(|mo| mo.moid == BOX).unwrap().miids, ["one"]);
}

#[test]
fn three_rounds_and_the_end() {
    let read = package2(&format!("{{\"CMD\":[[\"GET\",\"{BOX}/one/Setting\"]]}}"));
    let none = package2("{\"CMD\":[]}");
    let seen = converse(&mut tree(), &mut World::default(), &[read.clone(), none, read, end()]);
    assert_eq!(seen.posts.len(), 4, "Package#1 and three Package#3");
    assert_eq!(seen.posts[1].statuses(), [200]);
    assert_eq!(seen.posts[2].statuses(), [] as [u16; 0]);
    assert_eq!(seen.posts[2].content_type, "application/vnd.oma.dm.response+json");
    assert_eq!(seen.outcome, Some(Outcome::Ended { commands: 2 }));
}

#[test]
fn commands_run_in_order_and_data_is_named_by_index() {
    let mut world = World::serving("https://data.example/x", "text/plain", b"second");
    let commands = format!(
        "[\"GET\",\"{BOX}/one/Setting\"],[\"HGET\",\"https://data.example/x\",\"{BOX}/one/Setting\"],\
         [\"GET\",\"{BOX}/one/No\"],[\"GET\",\"{BOX}/one/Setting\"]"
    );
    let reply = package2(&format!("{{\"CMD\":[{commands}]}}"));
    let seen = converse(&mut tree(), &mut world, &[reply]);
    assert_eq!(seen.posts[1].statuses(), [200, 200, 404, 200]);
    let names: Vec<_> = seen.posts[1].parts().into_iter().map(|part| part.head.name.unwrap()).collect();
    assert_eq!(names, ["0", "3"]);
    assert_eq!(seen.posts[1].items("0")[0].content, text("first"));
    assert_eq!(seen.posts[1].items("3")[0].content, text("second"));
    assert!(seen.posts[1].content_type.starts_with("multipart/form-data; boundary="));
}

#[test]
fn end_counts_wherever_it_stands() {
    for place in 0..3 {
        let mut commands = vec![
            "[\"HGET\",\"https://data.example/x\",\"urn:x-test:mo:box:1.0/one/Setting\"]",
            "[\"DELETE\",\"urn:x-test:mo:box:1.0/one/Items/1\"]",
        ];
        commands.insert(place, "[\"END\"]");
        let mut tree = tree();
        let mut world = World::serving("https://data.example/x", "text/plain", b"x");
        let reply = package2(&format!("{{\"CMD\":[{}]}}", commands.join(",")));
        let seen = converse(&mut tree, &mut world, &[reply]);
        assert_eq!(seen.posts.len(), 1, "no Package#3");
        assert_eq!(seen.outcome, Some(Outcome::Ended { commands: 2 }));
        assert!(!exists(&tree, "urn:x-test:mo:box:1.0/one/Items/1"));
        assert_eq!(world.commits, 2);
    }
    let seen = converse(&mut tree(), &mut World::default(), &[package2("{\"CMD\":[[\"END\",\"x\"]]}")]);
    assert_eq!(seen.outcome, Some(Outcome::Ended { commands: 0 }));
}

#[test]
fn cont_moves_the_session_for_good() {
    let cont = |uris: &[&str]| {
        let words: Vec<_> = uris.iter().map(|uri| format!("[\"CONT\",\"{uri}\"]")).collect();
        package2(&format!("{{\"CMD\":[{}]}}", words.join(",")))
    };
    let replies = [
        cont(&["https://a.example/", "https://b.example/[DevID]", "http://c.example/", "x y"]),
        package2("{\"CMD\":[]}"),
        end(),
    ];
    let seen = converse(&mut tree(), &mut World::default(), &replies);
    assert_eq!(seen.posts[1].statuses(), [200, 200, 400, 400]);
    let uris: Vec<_> = seen.posts.iter().map(|post| post.uri.as_str()).collect();
    assert_eq!(uris, ["https://dms.example/dm", "https://b.example/dev%2F1", "https://b.example/dev%2F1"]);
    assert!(seen.notes.iter().any(|note| matches!(note, Note::Continues { .. })));
    let mut plain = config();
    plain.allow_plain_http = true;
    let seen = converse_as(
        plain,
        start("DMS1"),
        &mut tree(),
        &mut World::default(),
        &[cont(&["http://c.example/"])],
    );
    assert_eq!(seen.posts[1].uri, "http://c.example/");
}

#[test]
fn whatever_is_no_package_2_aborts_and_executes_nothing() {
    let delete = format!("{{\"CMD\":[[\"DELETE\",\"{BOX}/one/Items/1\"]]}}");
    let ok = package2(&delete);
    let bad = [
        HttpReply { status: 404, ..ok.clone() },
        HttpReply { status: 503, ..ok.clone() },
        HttpReply { status: 302, ..ok.clone() },
        HttpReply { content_type: Some("text/html".into()), ..ok.clone() },
        HttpReply { content_type: None, ..ok.clone() },
        HttpReply { content_type: Some("nonsense".into()), ..ok.clone() },
        package2("{}"),
        package2("{\"CMD\":{}}"),
        package2(&delete[..delete.len() - 1]),
        package2(""),
    ];
    for reply in bad {
        let mut tree = tree();
        let before = snapshot(&tree);
        let mut with_alert = start("DMS1");
        with_alert.alerts = vec![Alert::new("urn:x:kept")];
        let mut session = Session::start(config(), with_alert, &tree);
        let mut seen = Seen::default();
        settle(&mut session, &mut tree, &mut World::default(), &mut seen);
        session.handle(&mut tree, NOW, Input::Reply(reply.clone()));
        settle(&mut session, &mut tree, &mut World::default(), &mut seen);
        let Some(Outcome::Aborted { reason, http_status, alerts_delivered }) = seen.outcome else {
            panic!("{reply:?} did not abort")
        };
        assert!(!reason.is_empty() && !alerts_delivered);
        assert_eq!(http_status, Some(reply.status).filter(|status| *status != 200));
        assert_eq!(session.undelivered_alerts().count(), 1);
        assert_eq!((seen.posts.len(), snapshot(&tree)), (1, before));
    }
}

#[test]
fn a_request_without_answer_aborts() {
    let mut tree = tree();
    let mut session = Session::start(config(), start("DMS1"), &tree);
    let mut seen = Seen::default();
    session.handle(&mut tree, NOW, Input::NoReply { reason: "timed out".into() });
    settle(&mut session, &mut tree, &mut World::default(), &mut seen);
    assert!(matches!(
        seen.outcome,
        Some(Outcome::Aborted { http_status: None, alerts_delivered: false, reason }) if reason.contains("timed out")
    ));
}

#[test]
fn a_session_starts_only_over_https() {
    for uri in ["http://dms.example/", "ftp://dms.example/", "not a uri"] {
        let mut forbidden = start("DMS1");
        forbidden.uri = uri.into();
        let seen = converse_as(config(), forbidden, &mut tree(), &mut World::default(), &[]);
        assert!(seen.posts.is_empty());
        assert!(matches!(seen.outcome, Some(Outcome::Aborted { .. })), "{uri}");
    }
}

#[test]
fn a_server_that_never_ends_is_left() {
    let mut short = config();
    short.max_rounds = 2;
    let again = || package2(&format!("{{\"CMD\":[[\"DELETE\",\"{BOX}/one/Items/*\"]]}}"));
    let none = || package2("{\"CMD\":[]}");
    let mut tree = tree();
    let seen =
        converse_as(short, start("DMS1"), &mut tree, &mut World::default(), &[none(), none(), again()]);
    assert!(matches!(seen.outcome, Some(Outcome::Aborted { alerts_delivered: true, .. })));
    assert!(exists(&tree, &format!("{BOX}/one/Items/1")), "the package too many was not executed");
}

#[test]
fn alerts_go_into_the_next_package_and_stay_until_it_is_taken() {
    let mut tree = tree();
    let mut world = World::default();
    let mut with_alert = start("DMS1");
    with_alert.alerts = vec![Alert::new("urn:x:1")];
    let mut session = Session::start(config(), with_alert, &tree);
    let mut seen = Seen::default();
    settle(&mut session, &mut tree, &mut world, &mut seen);
    session.handle(&mut tree, NOW, Input::Alert(Alert::new("urn:x:2")));
    let kinds =
        |session: &Session| session.undelivered_alerts().map(|a| a.alert_type.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&session), ["urn:x:1", "urn:x:2"]);
    session.handle(&mut tree, NOW, Input::Reply(package2("{\"CMD\":[]}")));
    settle(&mut session, &mut tree, &mut world, &mut seen);
    let sent: Vec<_> = seen.posts[1].response().0.alerts.into_iter().map(|alert| alert.alert_type).collect();
    assert_eq!(sent, ["urn:x:2"]);
    assert_eq!(kinds(&session), ["urn:x:2"]);
    session.handle(&mut tree, NOW, Input::Alert(Alert::new("urn:x:3")));
    session.handle(&mut tree, NOW, Input::Reply(HttpReply { status: 500, ..HttpReply::default() }));
    settle(&mut session, &mut tree, &mut world, &mut seen);
    assert!(matches!(seen.outcome, Some(Outcome::Aborted { alerts_delivered: true, .. })));
    assert_eq!(kinds(&session), ["urn:x:2", "urn:x:3"]);
}

#[test]
fn inputs_that_do_not_fit_are_ignored_with_a_note() {
    let mut tree = tree();
    let mut session = Session::start(config(), start("DMS1"), &tree);
    let mut outputs = Vec::new();
    let mut drain = |session: &mut Session| {
        outputs.extend(std::iter::from_fn(|| session.poll_output()));
        std::mem::take(&mut outputs)
    };
    drain(&mut session);
    let done = Input::EffectDone { id: 0, result: EffectResult::Done };
    session.handle(&mut tree, NOW, done.clone());
    assert!(matches!(drain(&mut session)[..], [Output::Note(Note::Ignored { .. })]));
    session.handle(
        &mut tree,
        NOW,
        Input::Reply(package2(&format!("{{\"CMD\":[[\"EXEC\",\"{BOX}//Run\"]]}}"))),
    );
    assert!(matches!(drain(&mut session)[..], [Output::Effect { id: 0, .. }]));
    session.handle(&mut tree, NOW, Input::Reply(end()));
    session.handle(&mut tree, NOW, Input::EffectDone { id: 1, result: EffectResult::Done });
    assert_eq!(drain(&mut session).len(), 2);
    // An effect that ends as none of its kind can is the host's fault, and no reason to stop.
    session.handle(&mut tree, NOW, Input::EffectDone { id: 0, result: EffectResult::TooLarge });
    let outputs = drain(&mut session);
    assert!(matches!(
        &outputs[..],
        [Output::Note(Note::Answered { status, .. }), Output::Post { .. }] if status.0 == 500
    ));
}

fn any_input() -> impl Strategy<Value = Input> {
    let bodies = prop_oneof![
        Just("{\"CMD\":[[\"END\"]]}".to_owned()),
        Just(format!(
            "{{\"CMD\":[[\"GET\",\"{BOX}//\"],[\"DELETE\",\"{BOX}//Items/*\"],[\"EXEC\",\"{BOX}//Run\"]]}}"
        )),
        Just(format!("{{\"CMD\":[[\"HGET\",\"https://a/\"],[\"HPUT\",\"https://a/\",\"{BOX}//\"]]}}")),
        ".{0,40}",
    ];
    let reply = (bodies, prop_oneof![Just(200_u16), any::<u16>()], any::<Option<bool>>()).prop_map(
        |(body, status, kind)| HttpReply {
            status,
            content_type: kind.map(|package| {
                if package { "application/vnd.oma.dm.request+json" } else { "text/plain" }.into()
            }),
            omadm_accept: None,
            body: body.into_bytes().into(),
        },
    );
    let result = prop_oneof![
        Just(EffectResult::Done),
        Just(EffectResult::Accepted),
        Just(EffectResult::TooLarge),
        reply.clone().prop_map(EffectResult::Http),
        any::<u16>().prop_map(|code| EffectResult::Refused {
            status: omadm_codec::dm2::StatusCode(code),
            reason: String::new()
        }),
        Just(EffectResult::NoReply { reason: String::new() }),
    ];
    prop_oneof![
        3 => reply.prop_map(Input::Reply),
        1 => Just(Input::NoReply { reason: "lost".into() }),
        6 => (0..8_u32, result).prop_map(|(id, result)| Input::EffectDone { id, result }),
        1 => Just(Input::Alert(Alert::new("urn:x:a"))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_order_of_inputs_upsets_the_engine(inputs in prop::collection::vec(any_input(), 0..30)) {
        let mut tree = tree();
        let mut session = Session::start(config(), start("DMS1"), &tree);
        let mut finished = 0;
        for input in inputs {
            while let Some(output) = session.poll_output() {
                match output {
                    Output::Finished(_) => finished += 1,
                    Output::Post { .. } | Output::Effect { .. } => prop_assert_eq!(finished, 0),
                    Output::Note(_) => {}
                }
            }
            session.handle(&mut tree, NOW, input);
        }
        prop_assert!(finished <= 1);
    }
}
