//! User interaction alerts.

use std::time::Duration;

use omadm_session::dm1::client::{Config, InputType, QuestionKind, UserAnswer, UserInteraction};

use super::support::*;

fn ask(code: u16, texts: &[&str], answer: UserAnswer) -> (Device, Said) {
    let (mut device, mut server) = begun();
    device.user = [answer].into();
    let said = device.exchange(&mut server, vec![server_alert("4", code, texts)]);
    (device, said)
}

fn items(said: &Said) -> Vec<String> {
    said.statuses()[1].items.iter().map(data_of).collect()
}

#[test]
fn answers_come_with_the_status() {
    for (code, texts, answer, status, told) in [
        (1100, &["", "Hello"][..], UserAnswer::Shown, "200", &[][..]),
        (1101, &["", "Sure?"], UserAnswer::Accepted, "200", &[]),
        (1101, &["", "Sure?"], UserAnswer::Rejected, "304", &[]),
        (1102, &["", "Name?"], UserAnswer::Text("dora".into()), "200", &["dora"]),
        (1103, &["", "Which?", "a", "b"], UserAnswer::Chosen(vec![2]), "200", &["2"]),
        (1104, &["", "Which?", "a", "b", "c"], UserAnswer::Chosen(vec![1, 3]), "200", &["1", "3"]),
        (1104, &["", "Which?", "a"], UserAnswer::Chosen(Vec::new()), "200", &[]),
        (1101, &["", "Sure?"], UserAnswer::Cancelled, "214", &[]),
        (1102, &["MAXDT=5", "Name?"], UserAnswer::TimedOut, "408", &[]),
        (1103, &["", "Which?", "a"], UserAnswer::NotDisplayable, "416", &[]),
        (1103, &["", "Which?", "a"], UserAnswer::Chosen(vec![2]), "500", &[]),
        (1101, &["", "Sure?"], UserAnswer::Text("x".into()), "500", &[]),
    ] {
        let (_, said) = ask(code, texts, answer.clone());
        assert_eq!(said.code("4"), status, "{code} {answer:?}");
        assert_eq!(items(&said), told, "{code} {answer:?}");
    }
}

#[test]
fn options_are_read_whatever_their_order_and_unknown_ones_skipped() {
    let options = "MAXLEN=8&FOO=1&IT=N&ET=P&DR=a+b%26c&MAXDT=30&MINDT=2&MAXDT=20";
    let (device, _) = ask(1102, &[options, "PIN?"], UserAnswer::Text("1234".into()));
    let question = &device.asked[0];
    assert_eq!(question.text, "PIN?");
    assert_eq!(
        (question.min_display, question.max_display),
        (Some(Duration::from_secs(2)), Some(Duration::from_secs(20)))
    );
    assert_eq!(
        question.kind,
        QuestionKind::Text {
            default: "a b&c".into(),
            max_length: Some(8),
            input: InputType::Numeric,
            hidden: true
        }
    );
    assert_eq!(question.server.as_str(), SERVER);
}

#[test]
fn default_answers_only_preselect() {
    for (code, options, expected) in [
        (1101, "DR=0", QuestionKind::Confirm { default: Some(false) }),
        (1101, "DR=1", QuestionKind::Confirm { default: Some(true) }),
        (1101, "DR=7", QuestionKind::Confirm { default: None }),
        (1103, "DR=2", QuestionKind::Single { choices: vec!["a".into(), "b".into()], default: Some(2) }),
        (1103, "DR=9", QuestionKind::Single { choices: vec!["a".into(), "b".into()], default: None }),
        (
            1104,
            "DR=1-2-9",
            QuestionKind::Multiple { choices: vec!["a".into(), "b".into()], defaults: vec![1, 2] },
        ),
    ] {
        let (device, _) = ask(code, &[options, "Which?", "a", "b"], UserAnswer::TimedOut);
        assert_eq!(device.asked[0].kind, expected, "{options}");
    }
}

#[test]
fn every_input_type_has_its_letter() {
    for (letter, input) in [
        ("A", InputType::Alphanumeric),
        ("N", InputType::Numeric),
        ("D", InputType::Date),
        ("T", InputType::Time),
        ("P", InputType::Phone),
        ("I", InputType::Ipv4),
        ("X", InputType::Alphanumeric),
    ] {
        let (device, _) = ask(1102, &[&format!("IT={letter}"), "?"], UserAnswer::TimedOut);
        let QuestionKind::Text { input: read, .. } = device.asked[0].kind else { panic!("no text") };
        assert_eq!(read, input, "{letter}");
    }
}

#[test]
fn what_is_shown_has_no_control_characters_and_an_end() {
    let long = format!("\u{7f}[2Jtext\n{}", "x".repeat(9_000));
    let (device, _) = ask(1100, &["", &long], UserAnswer::Shown);
    let shown = &device.asked[0].text;
    assert!(shown.starts_with("[2Jtext\nxxx"), "{shown}");
    assert_eq!(shown.chars().count(), omadm_session::dm1::client::MAX_TEXT);
}

#[test]
fn what_is_incomplete_or_too_much_is_not_asked() {
    for (code, texts, status) in [
        (1100, &[][..], "412"),
        (1100, &[""][..], "412"),
        (1103, &["", "Which?"], "412"),
        (1103, &["", "Which?", "a", "b", "c", "d", "e"], "416"),
        (1105, &["", "?"], "406"),
        (1199, &["", "?"], "406"),
    ] {
        let (mut device, mut server) = begun();
        let said = device.exchange(&mut server, vec![server_alert("4", code, texts)]);
        assert_eq!(said.code("4"), status, "{code} {texts:?}");
        assert!(device.asked.is_empty());
    }
}

#[test]
fn a_device_without_user_supports_none_of_it() {
    let config = Config { user_interaction: UserInteraction::NONE, ..config() };
    let (mut device, mut server) = begun_with(config, start());
    let said = device.exchange(&mut server, vec![server_alert("4", 1100, &["", "Hello"])]);
    assert_eq!(said.code("4"), "406");
}
