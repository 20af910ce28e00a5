//! No debug output shows a secret: logs are made of it.

use crate::common::*;
use omadm_codec::Limits;
use omadm_mo::{Quota, Tree};
use omadm_session::dm2::client::{Input, Output, Session, install_bootstrap};

const SERVED: &str = "https://data.example/x";
const SECRET: &str = "hunter2 of the account";
const BASE64: &str = "aHVudGVyMiBvZiB0aGUgYWNjb3VudA==";

/// Refuses output that shows the secret as text, in base64, or as a list of octets.
fn check(output: &str) {
    let octets = format!("{:?}", SECRET.as_bytes());
    for shown in [SECRET, BASE64, octets.trim_matches(['[', ']'])] {
        assert!(!output.contains(shown), "{shown} in {output}");
    }
}

/// Carries out what the engine says; gives all of it as debug output.
fn drain(session: &mut Session, tree: &mut Tree, world: &mut World) -> String {
    let mut said = String::new();
    while let Some(output) = session.poll_output() {
        said += &format!("{output:?}\n");
        if let Output::Effect { id, effect } = output {
            let input = Input::EffectDone { id, result: world.carry_out(effect) };
            said += &format!("{input:?}\n");
            session.handle(tree, NOW, input);
        }
    }
    said
}

fn conversation(content_type: &str, body: &str, command: &str) -> String {
    let mut tree = tree();
    let mut world = World::serving(SERVED, content_type, body.as_bytes());
    let mut session = Session::start(config(), start("DMS1"), &tree);
    let mut said = drain(&mut session, &mut tree, &mut world);
    let reply = package2(&format!("{{\"CMD\":[{command}]}}"));
    session.handle(&mut tree, NOW, Input::Reply(reply));
    said += &drain(&mut session, &mut tree, &mut world);
    said + &format!("{tree:?} {:?}", tree.records().collect::<Vec<_>>())
}

#[test]
fn a_session_shows_none_whether_data_fit_or_not() {
    let noti = "urn:oma:mo:oma-dm-dmacc:1.2/dms1/Auth/Noti";
    let mo_data =
        |label: &str, value: &str| format!(r#"[{{"ClientURI":"x","MOData":{{"{label}":{value}}}}}]"#);
    let quoted = format!("\"{SECRET}\"");
    let json = "application/dmmo+json";
    for (place, content_type, body, status) in [
        (format!("{noti}/Secret"), "text/plain", SECRET.to_owned(), 200),
        (format!("{noti}/Secret"), json, mo_data("Secret", &format!("\"{BASE64}\"")), 200),
        (format!("{noti}/Secret"), json, mo_data("Secret", &quoted), 415),
        (format!("{noti}/Secret"), json, quoted.clone(), 415),
        (format!("{noti}/Secret"), json, format!("[{quoted}]"), 415),
        (format!("{noti}/Secret"), json, format!(r#"[{{"ClientURI":"x","MOData":{quoted}}}]"#), 415),
        (format!("{BOX}/one/Count"), "text/plain", SECRET.to_owned(), 415),
        (format!("{BOX}/one/Count"), json, mo_data("Count", &quoted), 415),
        (format!("{BOX}/one/Setting"), "text/plain", SECRET.to_owned(), 200),
    ] {
        let said = conversation(content_type, &body, &format!("[\"HGET\",\"{SERVED}\",\"{place}\"]"));
        assert!(said.contains(&format!("status: StatusCode({status})")), "{place} {body}: {said}");
        check(&said);
    }
}

#[test]
fn what_is_read_shows_none() {
    let mut tree = tree();
    let secret = "urn:oma:mo:oma-dm-dmacc:1.2/dms1/Auth/Noti/Secret";
    let mut world = World::serving(SERVED, "text/plain", SECRET.as_bytes());
    assert_eq!(statuses(&mut tree, &mut world, &format!("[\"HGET\",\"{SERVED}\",\"{secret}\"]")), [200]);
    let mut session = Session::start(config(), start("DMS1"), &tree);
    drain(&mut session, &mut tree, &mut world);
    let commands = format!("[\"GET\",\"{secret}\"],[\"HPUT\",\"{SERVED}\",\"{secret}\"]");
    let reply = package2(&format!("{{\"CMD\":[{commands}]}}"));
    session.handle(&mut tree, NOW, Input::Reply(reply));
    let said = drain(&mut session, &mut tree, &mut world);
    assert_eq!(said.matches("Body(").count(), 3, "upload, its answer and package: {said}");
    check(&said);
}

#[test]
fn a_bootstrap_shows_none_whether_it_fits_or_not() {
    let account = |secret: &str| {
        format!(
            r#"[{{"ClientURI":"urn:oma:mo:oma-dm-dmacc:1.2//","MOData":{{"acc":{{"SrvID":"A","SrvURI":"https://a/",
            "Name":"n","Perm":{{"1":{{"MOID":"*"}}}},"Auth":{{"Trsp":{{"Data":"dXNlcg==","Secret":{secret}}}}}}}}}}}]"#
        )
    };
    for (secret, good) in [
        (format!("\"{BASE64}\""), true),
        (format!("\"{SECRET}\""), false),
        (format!("[\"{SECRET}\"]"), false),
    ] {
        let mut tree = Tree::new(catalogue(), Quota::default());
        let body = account(&secret);
        let outcome = install_bootstrap(&mut tree, NOW, body.as_bytes(), &Limits::default(), false);
        assert_eq!(outcome.is_ok(), good, "{outcome:?}");
        check(&format!("{outcome:?}"));
        if let Err(error) = outcome {
            check(&error.to_string());
        }
    }
}
