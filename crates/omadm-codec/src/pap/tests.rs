use super::*;

fn push() -> PushMessage {
    PushMessage {
        push_id: "12\"ab@dm.example".to_owned(),
        address: Address::Plmn("+46708251358".to_owned()),
        gateway: "ppg.example".to_owned(),
        notify_to: Some("https://dm.example/pap?a=1&b=2".to_owned()),
        deliver_before: None,
        priority: Priority::High,
        delivery: Delivery::Unconfirmed,
        network: None,
        bearer: Some(Wanted { name: "SMS".to_owned(), required: false }),
    }
}

fn said(message: &str) -> Result<Said, (&'static str, Problem)> {
    let text = format!("<?xml version=\"1.0\"?>{DOCTYPE}<pap>{message}</pap>");
    decode(text.as_bytes(), &Limits::default()).map_err(|error| (error.field, error.problem))
}

#[test]
fn a_push_says_what_for_whom_and_how() {
    let xml = push().to_xml();
    let root = parse(xml.as_bytes(), &Limits::default(), |_| true).unwrap();
    let message = &root.children[0];
    assert_eq!(message.name, "push-message");
    assert_eq!(message.attribute("push-id"), Some("12\"ab@dm.example"));
    assert_eq!(message.attribute("ppg-notify-requested-to"), Some("https://dm.example/pap?a=1&b=2"));
    assert_eq!(message.attribute("deliver-before-timestamp"), None);
    let [address, quality] = &message.children[..] else { panic!("{xml}") };
    assert_eq!(address.attribute("address-value"), Some("WAPPUSH=+46708251358/TYPE=PLMN@ppg.example"));
    assert_eq!(quality.attribute("priority"), Some("high"));
    assert_eq!(quality.attribute("delivery-method"), Some("unconfirmed"));
    assert_eq!(quality.attribute("bearer-required"), Some("false"));
    assert_eq!(quality.attribute("network"), None);
}

#[test]
fn addresses_are_as_wappush_has_them() {
    let value = |address| PushMessage { address, ..push() }.address_value();
    assert_eq!(value(Address::Ipv4([127, 0, 0, 1].into())), "WAPPUSH=127.0.0.1/TYPE=IPv4@ppg.example");
    let loopback = std::net::Ipv6Addr::LOCALHOST;
    assert_eq!(value(Address::Ipv6(loopback)), "WAPPUSH=0:0:0:0:0:0:0:1/TYPE=IPv6@ppg.example");
    assert_eq!(value(Address::User("john".to_owned())), "WAPPUSH=john/TYPE=USER@ppg.example");
}

#[test]
fn the_body_has_the_control_entity_and_the_content() {
    let content = Content {
        media_type: "application/x",
        application: "app",
        headers: &[("x-y", "z")],
        octets: b"\x00\xff\r\n--",
    };
    let body = push().to_multipart(&content, "b1");
    let wanted = format!("--b1\r\nContent-Type: application/xml; charset=UTF-8\r\n\r\n{}", push().to_xml());
    assert!(body.starts_with(wanted.as_bytes()));
    let end = b"Content-Transfer-Encoding: binary\r\n\r\n\x00\xff\r\n--\r\n--b1--\r\n";
    assert!(body.ends_with(end), "{:?}", String::from_utf8_lossy(&body));
    assert_eq!(related("b1"), "multipart/related; type=\"application/xml\"; boundary=\"b1\"");
}

#[test]
fn what_a_gateway_says_is_read() {
    let response = "<push-response push-id=\"p\"><progress-note stage=\"a\"/><response-result code=\"1001\" desc=\"ok\"/></push-response>";
    assert_eq!(
        said(response),
        Ok(Said::Response { push_id: "p".into(), code: Code(1001), description: Some("ok".into()) })
    );
    let result = "<resultnotification-message push-id=\"p\" message-state=\"undeliverable\" code=\"5236\"><address address-value=\"x\"/></resultnotification-message>";
    let state = MessageState::Undeliverable;
    assert_eq!(
        said(result),
        Ok(Said::Result { push_id: "p".into(), state, code: Code(5236), description: None })
    );
    let status = "<statusquery-response push-id=\"p\"><statusquery-result message-state=\"expired\" code=\"3004\" desc=\"d\"/></statusquery-response>";
    let (state, description) = (MessageState::Expired, Some("d".into()));
    assert_eq!(said(status), Ok(Said::Status { push_id: "p".into(), state, code: Code(3004), description }));
    assert_eq!(
        said("<badmessage-response code=\"2000\"/>"),
        Ok(Said::BadMessage { code: Code(2000), description: None })
    );
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(said("").unwrap_err(), ("pap", Problem::Missing));
    assert_eq!(said("<push-response push-id=\"p\"/>").unwrap_err(), ("response-result", Problem::Missing));
    let response = |attributes: &str| {
        said(&format!("<push-response {attributes}><response-result code=\"1000\"/></push-response>"))
    };
    assert_eq!(response("").unwrap_err(), ("push-id", Problem::Missing));
    assert_eq!(response("push-id=\"\"").unwrap_err(), ("push-id", Problem::Missing));
    let status =
        |result: &str| said(&format!("<statusquery-response push-id=\"p\">{result}</statusquery-response>"));
    assert_eq!(status("").unwrap_err(), ("statusquery-result", Problem::Missing));
    assert_eq!(status("<statusquery-result code=\"1000\"/>").unwrap_err().0, "message-state");
    assert_eq!(status("<statusquery-result message-state=\"pending\"/>").unwrap_err().0, "code");
    assert_eq!(said("<badmessage-response code=\"77\"/>").unwrap_err().0, "code");
    assert_eq!(said("<badmessage-response code=\"x\"/>").unwrap_err().0, "code");
    assert_eq!(said("<pushed/>").unwrap_err().0, "pap");
    let state = "<resultnotification-message push-id=\"p\" message-state=\"gone\" code=\"1000\"/>";
    assert_eq!(said(state).unwrap_err().0, "message-state");
    assert!(decode(b"<html/>", &Limits::default()).is_err());
}

#[test]
fn codes_mean_what_their_class_says() {
    let meanings = [
        (1000, Meaning::Accepted),
        (1001, Meaning::Accepted),
        (1999, Meaning::Accepted),
        (2000, Meaning::Permanent),
        (2007, Meaning::Accepted),
        (3007, Meaning::Temporary),
        (4001, Meaning::Temporary),
        (5236, Meaning::Permanent),
    ];
    for (code, meaning) in meanings {
        assert_eq!(Code(code).meaning(), meaning, "{code}");
    }
}

#[test]
fn states_have_their_names() {
    for (state, name) in MessageState::ALL {
        assert_eq!(state.as_str(), name);
        assert_eq!(MessageState::parse(name), Some(state));
        assert_eq!(state.is_failure(), !["pending", "delivered", "unknown"].contains(&name), "{name}");
    }
    assert_eq!(MessageState::parse("lost"), None);
}

#[test]
fn answers_and_cancellations_name_the_push() {
    assert!(
        result_response("p", Code::OK).contains("<resultnotification-response push-id=\"p\" code=\"1000\"/>")
    );
    assert!(status_query("p&q").contains("<statusquery-message push-id=\"p&amp;q\"/>"));
    assert!(cancel("p").contains("<cancel-message push-id=\"p\"/>"));
    let bad = bad_message(Code::BAD_REQUEST, "no <pap>");
    assert_eq!(
        decode(bad.as_bytes(), &Limits::default()),
        Ok(Said::BadMessage { code: Code::BAD_REQUEST, description: Some("no <pap>".to_owned()) })
    );
}
