//! What is sent where: credentials, identity, redirects, plain http.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use omadm_client::{Client, ClientConfig, Outcome};
use serde_json::json;

use support::device::{BASIC, DEVICE_ID, THING, bootstrap, client, session};
use support::server::{Answer, Seen, Server};
use support::tls::Authority;

async fn tls_server(authority: &Authority) -> Server {
    Server::start(Some(authority.acceptor(&["localhost"], true))).await
}

fn bootstrapped(authority: &Authority, uri: &str, config: ClientConfig) -> Client {
    let (mut client, _) = client(authority, config);
    client.device_mut().install_bootstrap(&bootstrap("s1", uri)).unwrap();
    client
}

fn is_ended(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ended { .. })
}

fn knows_the_device(seen: &Seen) -> (bool, bool) {
    (seen.header("authorization").is_some(), seen.header("omadm-devid").is_some())
}

#[tokio::test]
async fn credentials_and_identity_stay_at_home() {
    let authority = Authority::new();
    let (home, foreign) = (tls_server(&authority).await, tls_server(&authority).await);
    let mut client = bootstrapped(&authority, &home.at("/dm"), ClientConfig::default());
    home.script([
        Answer::commands(&json!([
            ["HGET", foreign.elsewhere("/value"), format!("{THING}//Value")],
            ["HPUT", foreign.elsewhere("/value"), format!("{THING}//Value")],
            // Another port of the same host is another service.
            ["HPOST", foreign.at("/value"), format!("{THING}//Value")],
        ])),
        Answer::end(),
    ]);
    foreign.script([Answer::challenge(), Answer::challenge(), Answer::challenge()]);
    assert!(is_ended(&session(&mut client).await.outcome));
    let seen = foreign.seen();
    assert_eq!(
        seen.iter().map(knows_the_device).collect::<Vec<_>>(),
        [(false, false), (false, false), (false, false)]
    );
    let packages = home.seen();
    assert_eq!(packages.iter().map(knows_the_device).collect::<Vec<_>>(), [(true, true), (true, true)]);
    assert_eq!(packages[1].statuses(), [419, 419, 419], "a challenge elsewhere is not answered");
}

#[tokio::test]
async fn a_redirect_to_another_host_takes_no_credentials_along() {
    let authority = Authority::new();
    let (home, foreign) = (tls_server(&authority).await, tls_server(&authority).await);
    let mut client = bootstrapped(&authority, &home.at("/dm"), ClientConfig::default());
    home.script([Answer::redirect(307, &foreign.elsewhere("/moved"))]);
    foreign.script([Answer::end()]);
    assert!(is_ended(&session(&mut client).await.outcome));
    let (first, moved) = (home.only(), foreign.only());
    assert_eq!((moved.method.as_str(), moved.uri.path()), ("POST", "/moved"));
    assert_eq!(moved.body, first.body);
    assert_eq!(knows_the_device(&moved), (false, true), "a package names its device, but nothing secret");
    assert_eq!(first.header("authorization"), Some(BASIC));
}

#[tokio::test]
async fn redirects_are_followed_five_times_and_no_more() {
    let authority = Authority::new();
    let home = tls_server(&authority).await;
    let mut client = bootstrapped(&authority, &home.at("/dm"), ClientConfig::default());
    let steps = [301, 302, 307, 308, 307];
    home.script(steps.map(|status| Answer::redirect(status, "/next")));
    home.script([Answer::end()]);
    assert!(is_ended(&session(&mut client).await.outcome));
    assert_eq!(home.seen().len(), 6);

    home.script([307; 6].map(|status| Answer::redirect(status, "/next")));
    let outcome = session(&mut client).await.outcome;
    assert!(format!("{outcome:?}").contains("too many in a row"), "{outcome:?}");
    assert_eq!(home.seen().len(), 6);
}

#[tokio::test]
async fn a_redirect_may_be_relative_and_keeps_its_host() {
    let authority = Authority::new();
    let home = tls_server(&authority).await;
    let mut client = bootstrapped(&authority, &home.at("/a/dm?x"), ClientConfig::default());
    home.script(["next", "../up", "?y"].map(|to| Answer::redirect(307, to)));
    home.script([Answer::end()]);
    assert!(is_ended(&session(&mut client).await.outcome));
    let seen = home.seen();
    let targets: Vec<&str> =
        seen.iter().filter_map(|seen| Some(seen.uri.path_and_query()?.as_str())).collect();
    assert_eq!(targets, ["/a/dm?x", "/a/next", "/up", "/up?y"]);
    assert!(seen.iter().all(|seen| knows_the_device(seen) == (true, true)));
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_never_followed() {
    let authority = Authority::new();
    let (home, plain) = (tls_server(&authority).await, Server::start(None).await);
    let config = ClientConfig { plain_http: true, ..ClientConfig::default() };
    let mut client = bootstrapped(&authority, &home.at("/dm"), config);
    home.script([Answer::redirect(307, &plain.at("/dm"))]);
    let outcome = session(&mut client).await.outcome;
    assert!(format!("{outcome:?}").contains("from https to http"), "{outcome:?}");
    assert!(plain.seen().is_empty());
}

#[tokio::test]
async fn see_other_is_for_get_only() {
    let authority = Authority::new();
    let home = tls_server(&authority).await;
    let mut client = bootstrapped(&authority, &home.at("/dm"), ClientConfig::default());
    home.script([
        Answer::commands(&json!([["HGET", home.at("/value"), format!("{THING}//Value")]])),
        Answer::redirect(303, "/there"),
        Answer::status(200).with("content-type", "text/plain").body("second"),
        Answer::end(),
    ]);
    assert!(is_ended(&session(&mut client).await.outcome));
    assert_eq!(home.seen()[3].statuses(), [200]);

    home.script([Answer::redirect(303, "/there")]);
    assert!(!is_ended(&session(&mut client).await.outcome));
    assert_eq!(home.seen().len(), 1);
}

#[tokio::test]
async fn wrong_credentials_are_tried_once() {
    let authority = Authority::new();
    let home = tls_server(&authority).await;
    let mut client = bootstrapped(&authority, &home.at("/dm"), ClientConfig::default());
    home.script([Answer::challenge()]);
    let outcome = session(&mut client).await.outcome;
    assert!(matches!(outcome, Outcome::Aborted { http_status: Some(401), .. }), "{outcome:?}");
    assert_eq!(home.only().header("authorization"), Some(BASIC));
}

#[tokio::test]
async fn a_challenge_is_answered_once_and_remembered_for_the_session() {
    let authority = Authority::new();
    let home = tls_server(&authority).await;
    let config = ClientConfig { preemptive_basic: false, ..ClientConfig::default() };
    let mut client = bootstrapped(&authority, &home.at("/dm"), config);
    let get = json!([["GET", format!("{THING}//Value")]]);
    home.script([Answer::challenge(), Answer::commands(&get), Answer::end()]);
    assert!(is_ended(&session(&mut client).await.outcome));
    let sent: Vec<bool> = home.seen().iter().map(|seen| seen.header("authorization").is_some()).collect();
    assert_eq!(sent, [false, true, true]);

    home.script([Answer::challenge(), Answer::challenge()]);
    let outcome = session(&mut client).await.outcome;
    assert!(matches!(outcome, Outcome::Aborted { http_status: Some(401), .. }), "{outcome:?}");
    assert_eq!(home.seen().len(), 2);

    home.script([Answer::status(401).with("www-authenticate", "Bearer realm=\"Basic\"")]);
    assert!(!is_ended(&session(&mut client).await.outcome));
    assert_eq!(home.only().header("authorization"), None, "no other scheme is answered with Basic");
}

#[tokio::test]
async fn plain_http_has_to_be_allowed_and_gets_credentials_only_when_it_asks() {
    let authority = Authority::new();
    let plain = Server::start(None).await;
    let mut client = bootstrapped(&authority, &plain.at("/dm"), ClientConfig::default());
    assert!(!is_ended(&session(&mut client).await.outcome));
    assert!(plain.seen().is_empty());

    let config = ClientConfig { plain_http: true, ..ClientConfig::default() };
    let mut client = bootstrapped(&authority, &plain.at("/dm"), config.clone());
    plain.script([Answer::challenge()]);
    let outcome = session(&mut client).await.outcome;
    assert!(matches!(outcome, Outcome::Aborted { http_status: Some(401), .. }), "{outcome:?}");
    assert_eq!(plain.only().header("authorization"), None, "Basic without TLS has to be allowed by name");

    let config = ClientConfig { basic_without_tls: true, ..config };
    let mut client = bootstrapped(&authority, &plain.at("/dm"), config);
    plain.script([Answer::end(), Answer::challenge(), Answer::end()]);
    assert!(is_ended(&session(&mut client).await.outcome));
    let open = plain.only();
    assert_eq!((open.header("authorization"), open.header("omadm-devid")), (None, Some(DEVICE_ID)));
    assert!(is_ended(&session(&mut client).await.outcome));
    let sent: Vec<bool> = plain.seen().iter().map(|seen| seen.header("authorization").is_some()).collect();
    assert_eq!(sent, [false, true]);
}

#[tokio::test]
async fn an_https_account_never_gives_its_credentials_to_plain_http() {
    let authority = Authority::new();
    let (home, plain) = (tls_server(&authority).await, Server::start(None).await);
    let config = ClientConfig { plain_http: true, ..ClientConfig::default() };
    let mut client = bootstrapped(&authority, &home.at("/dm"), config);
    home.script([
        Answer::commands(&json!([["HGET", plain.at("/value"), format!("{THING}//Value")]])),
        Answer::end(),
    ]);
    plain.script([Answer::challenge(), Answer::end()]);
    assert!(is_ended(&session(&mut client).await.outcome));
    assert_eq!(knows_the_device(&plain.only()), (false, false));
}

#[tokio::test]
async fn parameters_in_the_host_of_an_account_name_its_home() {
    let authority = Authority::new();
    let home = tls_server(&authority).await;
    let mut config = ClientConfig::default();
    config.parameters.sp_name = Some("host".into());
    let uri = home.at("/dm").replace("localhost", "local[SPName]");
    let mut client = bootstrapped(&authority, &uri, config);
    home.script([Answer::end()]);
    assert!(is_ended(&session(&mut client).await.outcome));
    assert_eq!(knows_the_device(&home.only()), (true, true));
}
