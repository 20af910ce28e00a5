//! Commands whose effect outlives the session: SHOW, DEFAULT, SUB, UNSUB, and EXEC that is reported later.

use omadm_codec::dm2::StatusCode;
use omadm_mo::{Actor, ClientUri, Moid, Rights, ServerId, ServerUri, Value};
use omadm_session::dm2::client::{Effect, EffectResult, Observed, Retrieval, RetrievalStep, observe};

use crate::common::*;

const SOURCE: &str = "https://prov.example/[MCC]/box";

fn words(words: &[&str]) -> String {
    serde_json::to_string(words).unwrap()
}

#[test]
fn a_page_is_shown_at_its_expanded_address() {
    let (mut tree, mut world) = (tree(), World::default());
    let page = words(&["SHOW", "https://dms.example/ui?id=[MCC]&uiid=1234"]);
    assert_eq!(statuses(&mut tree, &mut world, &page), [200]);
    assert_eq!(world.kept, ["page https://dms.example/ui?id=-1&uiid=1234"]);
    for (refused, sent) in [(500, 500), (501, 501), (503, 503), (507, 507), (404, 500), (403, 500)] {
        world.refuse = Some(refused);
        assert_eq!(statuses(&mut tree, &mut world, &page), [sent]);
    }
}

#[test]
fn only_addresses_of_sessions_are_let_through() {
    let (mut tree, mut world) = (tree(), World::default());
    let address = format!("{BOX}//Setting");
    let exec = format!("{BOX}//Run");
    for uri in ["file:///etc/passwd", "javascript:alert(1)", "http://dms.example/", "tel:112"] {
        for command in [
            words(&["SHOW", uri]),
            words(&["DEFAULT", uri, BOX]),
            words(&["SUB", uri, &address]),
            words(&["EXEC", &exec, uri]),
        ] {
            assert_eq!(statuses(&mut tree, &mut world, &command), [400], "{command}");
        }
    }
    assert!(world.kept.is_empty() && world.executed.is_empty(), "{:?}", world.kept);
}

#[test]
fn a_default_is_for_a_known_and_provisioned_moid() {
    let (mut tree, mut world) = (tree(), World::default());
    assert_eq!(statuses(&mut tree, &mut world, &words(&["DEFAULT", SOURCE, BOX])), [200]);
    assert_eq!(world.kept, [format!("{BOX} {SOURCE}")], "the parameters are replaced when it is used");
    assert_eq!(statuses(&mut tree, &mut world, &words(&["DEFAULT", SOURCE, "urn:nobody:knows:1.0"])), [404]);
    let stranger = statuses_for("DMS9", &mut tree, &mut world, &words(&["DEFAULT", SOURCE, BOX]));
    assert_eq!(stranger, [403]);
    assert_eq!(world.kept.len(), 1);
}

#[test]
fn who_subscribes_has_to_be_allowed_to_read() {
    let (mut tree, mut world) = (tree(), World::default());
    let sub = |client: &str| words(&["SUB", "https://dms.example/r", &format!("{BOX}{client}")]);
    assert_eq!(statuses(&mut tree, &mut world, &sub("/one/Setting")), [200]);
    assert_eq!(statuses(&mut tree, &mut world, &sub("/*/")), [200]);
    assert_eq!(statuses(&mut tree, &mut world, &sub("/one/Nothing")), [404]);
    assert!(!world.refreshed.is_empty(), "live values are up to date before they are compared with");
    grant(&mut tree, "DMS2", Rights::WRITE);
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &sub("/one/Setting")), [403]);
    assert_eq!(world.kept.len(), 2);
    let unsub = words(&["UNSUB", &format!("{BOX}/one/Setting")]);
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &unsub), [403]);
    assert_eq!(statuses(&mut tree, &mut world, &unsub), [200]);
    world.refuse = Some(404);
    assert_eq!(statuses(&mut tree, &mut world, &unsub), [404]);
}

#[test]
fn an_execution_that_is_reported_later_is_accepted() {
    let (mut tree, mut world) = (tree(), World::default());
    let run = format!("{BOX}//Run");
    let exec = words(&["EXEC", &run, "https://dms.example/result"]);
    assert_eq!(statuses(&mut tree, &mut world, &exec), [202]);
    assert_eq!(world.kept, ["execution https://dms.example/result"]);
    let setting = words(&["EXEC", &format!("{BOX}//Setting"), "https://dms.example/result"]);
    assert_eq!(statuses(&mut tree, &mut world, &setting), [405], "what cannot begin is told at once");
    assert_eq!(world.executed.len(), 1);
}

fn dms(name: &str) -> ServerId {
    ServerId::parse(name).unwrap()
}

#[test]
fn an_observation_changes_with_what_is_seen_and_with_nothing_else() {
    let mut tree = tree();
    let root = ClientUri::parse(&format!("{BOX}/one/?lv=1&cv=x")).unwrap();
    let state = |tree: &omadm_mo::Tree, uri: &ClientUri| match observe(tree, &dms("DMS1"), uri) {
        Observed::Data(observation) => observation.state().to_vec(),
        other => panic!("{other:?}"),
    };
    let before = state(&tree, &root);
    assert!(!String::from_utf8_lossy(&before).contains("\"CV\""));
    let leaf = ClientUri::parse(&format!("{BOX}/one/Setting")).unwrap();
    let found = tree.resolve(&Actor::Device, &leaf).unwrap();
    let mut change = tree.begin(Actor::Device, NOW);
    change.set(found[0].node, Value::Text("another".into())).unwrap();
    change.commit();
    assert_ne!(state(&tree, &root), before);
    let gone = ClientUri::parse(&format!("{BOX}/none/")).unwrap();
    assert!(matches!(observe(&tree, &dms("DMS1"), &gone), Observed::Gone(_)));
    assert!(matches!(observe(&tree, &dms("DMS9"), &leaf), Observed::Forbidden));
}

#[test]
fn a_report_has_a_form_that_is_accepted() {
    let tree = tree();
    let leaf = ClientUri::parse(&format!("{BOX}/one/Setting")).unwrap();
    let Observed::Data(observation) = observe(&tree, &dms("DMS1"), &leaf) else { panic!("it is there") };
    for (accept, content_type) in [
        (None, Some("application/dmmo+json")),
        (Some("application/dmmo+json"), Some("application/dmmo+json")),
        (Some("text/plain"), Some("text/plain")),
        (Some("*/*"), Some("application/dmmo+json")),
        (Some("application/x-foo"), None),
    ] {
        let report = observation.report(accept);
        assert_eq!(report.as_ref().map(|report| report.content_type.as_str()), content_type, "{accept:?}");
    }
}

/// Runs a retrieval of BOX and gives how it ended.
fn retrieve(tree: &mut omadm_mo::Tree, world: &mut World) -> RetrievalStep {
    let (source, moid) = (ServerUri::parse(SOURCE).unwrap(), Moid::parse(BOX).unwrap());
    let (mut retrieval, mut step) = Retrieval::start(config(), dms("DMS1"), &source, moid, tree, NOW);
    while let RetrievalStep::Effect(effect) = step {
        assert!(matches!(effect, Effect::Fetch { .. } | Effect::Commit { .. }), "{effect:?}");
        let result = world.carry_out(effect);
        step = retrieval.resume(tree, NOW, result);
    }
    assert!(matches!(
        retrieval.resume(tree, NOW, EffectResult::Done),
        RetrievalStep::Failed { status: StatusCode::INTERNAL_ERROR, .. }
    ));
    step
}

#[test]
fn a_retrieval_stores_what_it_was_for() {
    let mut tree = tree();
    let body = format!(
        "[{{\"ClientURI\":\"{BOX}//\",\"MOData\":{{\"new\":{{\"Setting\":\"fetched\"}}}}}},\
          {{\"ClientURI\":\"urn:oma:mo:oma-dm-devinfo:1.2//\",\"MOData\":{{\"x\":{{\"DevID\":\"evil\"}}}}}}]"
    );
    let expanded = "https://prov.example/-1/box";
    let mut world = World::serving(expanded, "application/dmmo+json", body.as_bytes());
    let stored = retrieve(&mut tree, &mut world);
    assert_eq!(stored, RetrievalStep::Stored(vec![format!("{BOX}/new/")]));
    assert_eq!(world.fetches[0].0, expanded);
    let server = ClientUri::parse(&format!("{BOX}/new/Setting")).unwrap();
    assert!(tree.authorise(&Actor::Server(dms("DMS1")), &server, omadm_mo::Operation::Get).is_ok());
    for (content_type, body) in [
        ("text/plain", "x".to_owned()),
        ("application/dmmo+json", "[]".to_owned()),
        ("application/dmmo+json", "[{\"ClientURI\":\"urn:x:1.0//\",\"MOData\":{\"a\":{}}}]".to_owned()),
    ] {
        let mut world = World::serving(expanded, content_type, body.as_bytes());
        let failed = retrieve(&mut tree, &mut world);
        assert!(matches!(failed, RetrievalStep::Failed { .. }), "{body}: {failed:?}");
    }
    let failed = retrieve(&mut tree, &mut World::default());
    assert!(
        matches!(failed, RetrievalStep::Failed { status: StatusCode::SERVER_URI_ERROR, .. }),
        "{failed:?}"
    );
}
