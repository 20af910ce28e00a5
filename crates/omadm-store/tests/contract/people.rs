//! Users, their sessions and tokens, the audit log, and webhooks.

use omadm_store::filter::{Filter, FilterLimits};
use omadm_store::{
    AuditEntry, AuditHead, AuditQuery, ChainCheck, DeadLetter, Group, Login, NewWebhook, Store, StoreError,
    Token, User, UserChange, WebhookStep,
};
use uuid::Uuid;

use crate::support::*;

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
        role: "viewer".to_owned(),
        password: b"phc".to_vec().into(),
        groups: Some(vec!["a".to_owned(), "b".to_owned()]),
        created: at(1),
        changed: at(1),
    }
}

fn login(digest: u8, name: &str) -> Login {
    Login { digest: vec![digest; 32], user: name.to_owned(), created: at(2), expires: at(50) }
}

fn token(name: &str, digest: Option<u8>, of: Option<&str>) -> Token {
    Token {
        name: name.to_owned(),
        verifier: vec![7; 48],
        digest: digest.map(|digest| vec![digest; 32]),
        user: of.map(str::to_owned),
        role: "operator".to_owned(),
        scopes: Some(vec!["devices:read".to_owned()]),
        groups: None,
        created: at(3),
        expires: Some(at(99)),
    }
}

/// The groups that users are kept to.
async fn groups(store: &dyn Store) {
    for name in ["a", "b"] {
        let group = Group {
            name: name.to_owned(),
            filter: "id = \"x\"".to_owned(),
            description: String::new(),
            version: 0,
            created: at(0),
            updated: at(0),
        };
        let filter = Filter::parse(&group.filter, &FilterLimits::default()).unwrap();
        store.put_group(group, &filter, vec![], at(1)).await.unwrap();
    }
}

pub async fn groups_are_used_by_who_is_kept_to_them(store: &dyn Store) {
    let unknown = store.add_user(user("u")).await.unwrap_err();
    assert!(matches!(unknown, StoreError::GroupUnknown(_)), "{unknown:?}");
    assert_eq!(store.user("u").await.unwrap(), None);
    groups(store).await;
    let uses = async |group: &str| store.group_uses(group, 10).await.unwrap();
    store.add_user(user("u")).await.unwrap();
    let of_user = Token { groups: Some(vec!["a".to_owned()]), ..token("t", Some(1), Some("u")) };
    store.add_token(of_user.clone()).await.unwrap();
    store.add_token(Token { name: "s".to_owned(), user: None, ..of_user.clone() }).await.unwrap();
    assert_eq!(uses("a").await, ["token:s", "token:t", "user:u"]);
    assert!(!store.add_user(User { groups: None, ..user("u") }).await.unwrap());
    assert!(!store.add_token(Token { groups: None, ..of_user }).await.unwrap());
    assert_eq!(uses("a").await.len(), 3, "who was not added changes nothing");
    let password = UserChange { password: Some(b"new".to_vec().into()), ..UserChange::default() };
    store.change_user("u", password, None, at(2)).await.unwrap();
    assert_eq!(uses("b").await, ["user:u"]);
    let change = UserChange { groups: Some(Some(vec!["a".to_owned()])), ..UserChange::default() };
    store.change_user("u", change, None, at(3)).await.unwrap();
    assert!(uses("b").await.is_empty() && store.remove_group("b", vec![], at(4)).await.unwrap());
    store.remove_user("u").await.unwrap();
    assert_eq!(uses("a").await, ["token:s"]);
    store.remove_token("s").await.unwrap();
    assert!(store.remove_group("a", vec![], at(5)).await.unwrap());
}

pub async fn users_are_kept_by_name(store: &dyn Store) {
    groups(store).await;
    assert!(store.add_user(user("b")).await.unwrap() && store.add_user(user("a")).await.unwrap());
    assert!(!store.add_user(User { role: "admin".to_owned(), ..user("a") }).await.unwrap());
    assert_eq!(store.user("a").await.unwrap(), Some(user("a")));
    assert_eq!(store.users("", 10).await.unwrap(), [user("a"), user("b")]);
    assert_eq!(store.users("a", 10).await.unwrap(), [user("b")]);
    assert_eq!(store.users("", 1).await.unwrap(), [user("a")]);
    let change = UserChange { groups: Some(None), ..UserChange::default() };
    assert!(store.change_user("a", change.clone(), None, at(9)).await.unwrap());
    assert!(!store.change_user("c", change, None, at(9)).await.unwrap());
    assert_eq!(store.user("a").await.unwrap(), Some(User { groups: None, changed: at(9), ..user("a") }));
    assert!(store.remove_user("a").await.unwrap() && !store.remove_user("a").await.unwrap());
    assert_eq!(store.user("a").await.unwrap(), None);
}

pub async fn sessions_end_with_what_they_rest_on(store: &dyn Store) {
    groups(store).await;
    store.add_user(user("a")).await.unwrap();
    assert!(!store.add_login(login(1, "a"), at(0)).await.unwrap(), "the user was changed meanwhile");
    assert!(!store.add_login(login(1, "b"), at(1)).await.unwrap(), "there is no such user");
    for digest in [1, 2] {
        assert!(store.add_login(login(digest, "a"), at(1)).await.unwrap());
    }
    assert_eq!(store.login(&[1; 32], at(49)).await.unwrap(), Some((login(1, "a"), user("a"))));
    assert_eq!(store.login(&[1; 32], at(50)).await.unwrap(), None, "its time is over");
    let password = UserChange { password: Some(b"new".to_vec().into()), ..UserChange::default() };
    store.change_user("a", password, Some(vec![2; 32]), at(9)).await.unwrap();
    assert_eq!(store.login(&[1; 32], at(10)).await.unwrap(), None);
    assert_eq!(store.login(&[2; 32], at(10)).await.unwrap().unwrap().1.password.expose(), b"new");
    store.remove_login(&[2; 32]).await.unwrap();
    assert_eq!(store.login(&[2; 32], at(10)).await.unwrap(), None);
    store.add_login(login(3, "a"), at(9)).await.unwrap();
    assert_eq!(store.prune_logins(at(49), 10).await.unwrap(), 0);
    assert_eq!(store.prune_logins(at(50), 10).await.unwrap(), 1);
}

pub async fn tokens_are_found_by_digest_with_their_user(store: &dyn Store) {
    groups(store).await;
    store.add_user(user("a")).await.unwrap();
    let (of_user, of_nobody, old) =
        (token("t", Some(1), Some("a")), token("u", Some(2), None), token("old", None, None));
    for token in [&of_user, &of_nobody, &old] {
        assert!(store.add_token(token.clone()).await.unwrap());
    }
    assert_eq!(store.tokens_like(&[1; 32]).await.unwrap(), [(of_user, Some(user("a")))]);
    assert_eq!(store.tokens_like(&[2; 32]).await.unwrap(), [(of_nobody, None)]);
    assert_eq!(store.tokens_like(&[3; 32]).await.unwrap(), [(old, None)], "it may be one of these");
    store.remove_user("a").await.unwrap();
    assert_eq!(store.tokens().await.unwrap().len(), 2, "those of a user go with the user");
}

/// Whoever makes a token may have seen the user just before they were removed.
pub async fn what_comes_after_its_user_is_not_that_of_the_next(store: &dyn Store) {
    groups(store).await;
    store.add_token(token("t", Some(1), Some("a"))).await.unwrap();
    assert_eq!(store.tokens_like(&[1; 32]).await.unwrap(), [(token("t", Some(1), Some("a")), None)]);
    let next = User { created: at(4), ..user("a") };
    store.add_user(next.clone()).await.unwrap();
    assert_eq!(store.tokens_like(&[1; 32]).await.unwrap()[0].1, None);
    store.add_login(login(1, "a"), at(1)).await.unwrap();
    assert_eq!(store.login(&[1; 32], at(10)).await.unwrap(), None);
    let own = Token { created: at(4), ..token("u", Some(2), Some("a")) };
    store.add_token(own).await.unwrap();
    assert_eq!(store.tokens_like(&[2; 32]).await.unwrap()[0].1, Some(next));
}

async fn chain(store: &dyn Store, chain: &str) -> Vec<AuditEntry> {
    store.audit(AuditQuery::Chain { chain: chain.to_owned(), after: 0 }, 100).await.unwrap()
}

pub async fn entries_of_the_audit_log_are_chained(store: &dyn Store) {
    assert!(store.audit_heads().await.unwrap().is_empty());
    let add = |name: &'static str, entries: &[&str], secs| {
        store.add_audit(name, entries.iter().map(|entry| (*entry).to_owned()).collect(), at(secs))
    };
    add("n1", &["1", "2"], 10).await.unwrap();
    add("n2", &["3"], 11).await.unwrap();
    let head = add("n1", &["4"], 12).await.unwrap();
    assert_eq!(head.seq, 3);
    let entries = chain(store, "n1").await;
    let texts: Vec<_> = entries.iter().map(|entry| entry.entry.as_str()).collect();
    assert_eq!(texts, ["1", "2", "4"]);
    let mut check = ChainCheck::new(store.audit_heads().await.unwrap());
    for entry in entries.iter().chain(&chain(store, "n2").await) {
        check.next(entry).unwrap();
    }
    let heads = check.end().unwrap();
    assert_eq!(heads, store.audit_heads().await.unwrap());
    assert_eq!(heads[0], head);

    let texts = async |query| -> Vec<String> {
        store.audit(query, 2).await.unwrap().into_iter().map(|entry| entry.entry).collect()
    };
    let before = |secs, chain: &str, seq| AuditQuery::Before { at: at(secs), chain: chain.to_owned(), seq };
    assert_eq!(texts(before(100, "", 0)).await, ["4", "3"]);
    assert_eq!(texts(before(11, "n2", 1)).await, ["2", "1"]);
}

pub async fn an_old_part_of_the_audit_log_is_cut_off(store: &dyn Store) {
    for (name, secs) in [("n1", 10), ("n1", 11), ("n1", 20), ("n2", 5)] {
        store.add_audit(name, vec!["{}".to_owned()], at(secs)).await.unwrap();
    }
    let whole = chain(store, "n1").await;
    let head = |entry: &AuditEntry| AuditHead {
        chain: entry.chain.clone(),
        seq: entry.seq,
        hash: entry.hash.clone(),
    };
    let prune = async |before, limit| store.prune_audit(before, limit, "n3", at(200)).await.unwrap();
    let oldest = async || store.oldest_audit().await.unwrap();
    assert_eq!(oldest().await, Some(at(10)), "the last one of a chain stays, so its age is none");
    assert_eq!(prune(at(15), 1).await, [head(&whole[0])]);
    assert_eq!(oldest().await, Some(at(11)));
    assert_eq!(prune(at(99), 10).await, [head(&whole[1])], "the last one stays");
    assert_eq!(prune(at(99), 10).await, []);
    let mut check = ChainCheck::default();
    for name in ["n1", "n2", "n3"] {
        chain(store, name).await.iter().for_each(|entry| check.next(entry).unwrap());
    }
    check.end().unwrap();
    assert_eq!(chain(store, "n1").await, whole[2..]);
    assert_eq!(chain(store, "n2").await.len(), 1);
    let next = store.add_audit("n1", vec!["{}".to_owned()], at(30)).await.unwrap();
    assert_eq!(next.seq, 4);
}

fn webhook(name: &str) -> NewWebhook {
    NewWebhook {
        name: name.to_owned(),
        url: "https://h.example/x".to_owned(),
        secret: b"key".to_vec().into(),
        kinds: vec!["command".to_owned()],
    }
}

pub async fn a_webhook_is_taken_by_one_and_goes_on(store: &dyn Store) {
    let events = |count| vec![event(None, "command"); count];
    store.add_events(events(2), at(1)).await.unwrap();
    let newest = store.newest_event().await.unwrap();
    assert!(store.add_webhook(webhook("a"), at(2)).await.unwrap());
    assert!(!store.add_webhook(NewWebhook { url: "x".to_owned(), ..webhook("a") }, at(3)).await.unwrap());
    let kept = store.webhook("a").await.unwrap().unwrap();
    assert_eq!((&kept.given, kept.position, kept.problem.as_deref()), (&webhook("a"), newest, None));
    assert!(store.claim_webhooks(at(9), at(20), 10).await.unwrap().is_empty(), "there is no news");
    store.add_events(events(3), at(4)).await.unwrap();
    assert!(store.claim_webhooks(at(1), at(20), 10).await.unwrap().is_empty(), "it is not due");
    let claimed = store.claim_webhooks(at(9), at(20), 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert!(store.claim_webhooks(at(9), at(20), 10).await.unwrap().is_empty(), "somebody has it");
    let step = WebhookStep {
        name: "a".to_owned(),
        version: claimed[0].version,
        position: newest + 2,
        due: at(9),
        attempts: 1,
        problem: Some("no".to_owned()),
        dead: None,
    };
    store.advance_webhook(step.clone(), 10).await.unwrap();
    let stale = store.advance_webhook(step, 10).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    let after = store.webhooks().await.unwrap().remove(0);
    assert_eq!((after.position, after.attempts, after.problem.as_deref()), (newest + 2, 1, Some("no")));
    let taken = store.claim_webhooks(at(9), at(20), 10).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(store.claim_webhooks(at(20), at(30), 10).await.unwrap().len(), 1, "who had it is gone");
    let year = 365 * 86_400;
    let version = store.webhook("a").await.unwrap().unwrap().version;
    let (due, dead) = (at(30 + year), None);
    let step =
        WebhookStep { name: "a".to_owned(), version, position: 0, due, attempts: 1, problem: None, dead };
    store.advance_webhook(step, 10).await.unwrap();
    assert_eq!(store.claim_webhooks(at(30), at(31), 10).await.unwrap().len(), 1, "the clock was set back");
    let newest = store.newest_event().await.unwrap();
    assert!(store.move_webhook("a", newest, at(21)).await.unwrap());
    assert!(store.claim_webhooks(at(99), at(100), 10).await.unwrap().is_empty());
    assert!(store.remove_webhook("a").await.unwrap() && !store.remove_webhook("a").await.unwrap());
    assert!(!store.move_webhook("a", 0, at(21)).await.unwrap());
}

pub async fn what_was_given_up_is_kept_to_a_number(store: &dyn Store) {
    store.add_webhook(webhook("a"), at(2)).await.unwrap();
    let letter = |number: u128| DeadLetter {
        id: Uuid::from_u128(number),
        webhook: "a".to_owned(),
        at: at(5),
        first: 1,
        last: 2,
        attempts: 3,
        problem: "no".to_owned(),
    };
    for number in 1..=3 {
        let version = store.webhook("a").await.unwrap().unwrap().version;
        let step = WebhookStep {
            name: "a".to_owned(),
            version,
            position: 2,
            due: at(9),
            attempts: 0,
            problem: None,
            dead: Some((letter(number), format!("body {number}"))),
        };
        store.advance_webhook(step, 2).await.unwrap();
    }
    assert_eq!(store.dead_letters("a", None, 10).await.unwrap(), [letter(2), letter(3)]);
    assert_eq!(store.dead_letters("a", Some(Uuid::from_u128(2)), 10).await.unwrap(), [letter(3)]);
    let body = async |number| store.dead_letter_body("a", Uuid::from_u128(number)).await.unwrap();
    assert_eq!((body(1).await, body(2).await), (None, Some("body 2".to_owned())));
    assert_eq!(store.counts().await.unwrap().dead_letters, 2);
    assert!(store.remove_dead_letter("a", Uuid::from_u128(2)).await.unwrap());
    assert!(!store.remove_dead_letter("a", Uuid::from_u128(2)).await.unwrap());
    store.remove_webhook("a").await.unwrap();
    assert!(store.dead_letters("a", None, 10).await.unwrap().is_empty());
}
