//! Properties of the decoders: what decodes must encode to what decodes the same.
//!
//! One function a decoder. The fuzz targets call them, and a test runs them over the fuzz corpus. They panic when a property
//! does not hold, so nothing but tests and fuzzers may call them.

use omadm_mo::{ClientUri, ServerUri};

pub use crate::smartcard::check::{check_apdu, check_ef_dir, check_pkcs15};

use crate::ddf::{self, Decoded};
use crate::delegation;
use crate::dm1::{self, Command, Encoding, Form, Message, WbxmlVersion, notification, tnds, trigger};
use crate::dm2::notification::Received;
use crate::dm2::{CommandEntry, Initiation, Notification, Registration, Request, Response, cloud, mo_data};
use crate::head;
use crate::multipart::{self, Event, Part, Writer};
use crate::obex;
use crate::ota_http::Nested;
use crate::pap;
use crate::provisioning::ProvisioningDocument;
use crate::sip;
use crate::sms::Tpdu;
use crate::wsp::{self, Push, SessionInitiation};
use crate::wtp;
use crate::{AcceptList, DecodeError, Leniency, Limits, MediaType};

/// Limits under which the properties are checked: small enough that a fuzzer meets them.
pub(crate) const LIMITS: Limits = Limits { bytes: 64 * 1024, depth: 16, items: 1000 };

/// Limits for what we encoded ourselves, which may be longer than what it was made from.
pub(crate) const WIDE: Limits = Limits { bytes: 1024 * 1024, depth: 32, items: 10_000 };

/// Checks a decoder and its encoder. What only tolerances let in may come back in another form, but then that form stays.
pub(crate) fn check<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8], &Limits, &mut Leniency) -> Result<T, DecodeError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    let mut leniency = Leniency::lenient();
    let strict = decode(bytes, &LIMITS, &mut Leniency::strict());
    let Ok(value) = decode(bytes, &LIMITS, &mut leniency) else {
        assert!(strict.is_err(), "strict accepts what lenient refuses: {strict:?}");
        return;
    };
    assert_eq!(strict.is_ok(), leniency.used.is_empty(), "tolerances used: {:?}", leniency.used);
    let encoded = encode(&value);
    let again = decode(&encoded, &WIDE, &mut Leniency::strict());
    assert!(again.is_ok(), "{again:?} for {:?}", String::from_utf8_lossy(&encoded));
    let Ok(again) = again else { return };
    if leniency.used.is_empty() {
        assert_eq!(again, value);
    }
    assert_eq!(String::from_utf8_lossy(&encode(&again)), String::from_utf8_lossy(&encoded));
}

/// Package#0: the digest is over as many octets as came, and those differ from them only where it stands.
pub fn check_notification(bytes: &[u8]) {
    let decode = |bytes: &[u8], limits: &Limits, leniency: &mut Leniency| {
        let received = Received::decode(bytes, limits, leniency)?;
        let input = received.digest_input();
        assert_eq!(input.len(), bytes.len());
        let changed = input.iter().zip(bytes).filter(|(zero, octet)| zero != octet).count();
        let digest = received.notification.digest.unwrap_or_default();
        assert_eq!(changed, digest.iter().filter(|octet| **octet != 0).count());
        Ok(received.notification)
    };
    check(bytes, decode, |notification: &Notification| {
        let mut out = Vec::new();
        notification.encode(&mut out);
        out
    });
}

/// Triggers of DM 1.2: the digest is over all octets after it.
pub fn check_trigger(bytes: &[u8]) {
    let decode = |bytes: &[u8], limits: &Limits, leniency: &mut Leniency| {
        let received = trigger::Received::decode(bytes, limits, leniency)?;
        assert_eq!([&received.digest[..], received.octets].concat(), bytes);
        Ok((received.trigger, received.digest))
    };
    check(bytes, decode, |(trigger, digest)| trigger.encode(|_| *digest));
}

/// Notifications of DM 1.3: the digest is over all octets before it.
pub fn check_dm1_notification(bytes: &[u8]) {
    let decode = |bytes: &[u8], limits: &Limits, _: &mut Leniency| {
        let received = notification::Received::decode(bytes, limits)?;
        assert_eq!([received.octets, received.digest].concat(), bytes);
        Ok((received.notification, received.digest.to_vec()))
    };
    check(bytes, decode, |(notification, digest)| notification.encode(|_| digest.clone()));
}

/// Push PDUs of WSP.
pub fn check_wsp(bytes: &[u8]) {
    let Ok(push) = Push::decode(bytes, &LIMITS) else { return };
    let mut out = Vec::new();
    push.encode(&mut out);
    assert_eq!(Push::decode(&out, &WIDE), Ok(push));
}

/// Messages of SIP, by themselves and in a stream.
pub fn check_sip(bytes: &[u8]) {
    if let Ok(Some(length)) = sip::frame(bytes, &LIMITS) {
        assert!(length <= bytes.len());
    }
    let Ok(message) = sip::decode(bytes, &LIMITS) else { return };
    let mut out = Vec::new();
    message.encode(&mut out);
    // Names in their long form may no longer fit into a head.
    let head = out.len() - message.body.len();
    if head > head::MAX_HEAD || out.len() > sip::MAX_MESSAGE {
        return;
    }
    assert_eq!(sip::frame(&out, &WIDE), Ok(Some(out.len())));
    assert_eq!(sip::decode(&out, &WIDE).as_ref(), Ok(&message));
    if message.method().is_some() {
        let mut response = Vec::new();
        message.response(200, "tag").encode(&mut response);
        assert!(sip::decode(&response, &WIDE).is_ok(), "{}", String::from_utf8_lossy(&response));
    }
}

/// Session initiation requests.
pub fn check_sia(bytes: &[u8]) {
    let Ok(request) = SessionInitiation::decode(bytes, &LIMITS) else { return };
    let mut out = Vec::new();
    request.encode(&mut out);
    assert_eq!(SessionInitiation::decode(&out, &WIDE), Ok(request));
}

/// The response that nests in a push over HTTP.
pub fn check_ota_http(bytes: &[u8]) {
    let Ok(nested) = Nested::decode(bytes, &LIMITS) else { return };
    let mut out = Vec::new();
    nested.encode(&mut out);
    if out.len() - nested.body.len() <= head::MAX_HEAD {
        assert_eq!(Nested::decode(&out, &WIDE), Ok(nested));
    }
}

/// What Push Proxy Gateways say: it says the same when it is answered.
pub fn check_pap(bytes: &[u8]) {
    if let Ok(pap::Said::Result { push_id, code, .. }) = pap::decode(bytes, &LIMITS) {
        let response = pap::result_response(&push_id, code);
        assert!(crate::xml::parse(response.as_bytes(), &WIDE, |_| true).is_ok(), "{response}");
    }
}

/// OBEX packets: requests, responses, and answers to Connect; and the challenge and proof in them.
pub fn check_obex(bytes: &[u8]) {
    if let Ok(request) = obex::Request::decode(bytes, &LIMITS)
        && let Some(again) = request.encode()
    {
        assert_eq!(obex::Request::decode(&again, &WIDE), Ok(request));
    }
    for to_connect in [false, true] {
        if let Ok(response) = obex::Response::decode(bytes, to_connect, &LIMITS)
            && let Some(again) = response.encode()
        {
            assert_eq!(obex::Response::decode(&again, to_connect, &WIDE), Ok(response));
        }
    }
    if let Ok(challenge) = obex::Challenge::decode(bytes) {
        assert_eq!(obex::Challenge::decode(&challenge.encode()), Ok(challenge));
    }
    if let Ok(proof) = obex::Proof::decode(bytes) {
        assert_eq!(obex::Proof::decode(&proof.encode()), Ok(proof));
    }
}

/// PDUs of methods and sessions of WSP.
pub fn check_wsp_session(bytes: &[u8]) {
    let Ok(pdu) = wsp::Pdu::decode(bytes, &LIMITS) else { return };
    let mut out = Vec::new();
    pdu.encode(&mut out);
    assert_eq!(wsp::Pdu::decode(&out, &WIDE), Ok(pdu));
}

/// Datagrams of WTP.
pub fn check_wtp(bytes: &[u8]) {
    let Ok(pdus) = wtp::datagram(bytes, &LIMITS) else { return };
    for pdu in pdus {
        let mut out = Vec::new();
        pdu.encode(&mut out);
        assert_eq!(wtp::datagram(&out, &WIDE), Ok(vec![pdu]));
    }
}

/// Short messages.
pub fn check_sms(bytes: &[u8]) {
    let Ok(message) = Tpdu::decode(bytes, &LIMITS) else { return };
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(Tpdu::decode(&out, &WIDE), Ok(message));
}

/// Push messages of cloud messaging.
pub fn check_cloud(bytes: &[u8]) {
    let decode = |bytes: &[u8], limits: &Limits, leniency: &mut Leniency| {
        cloud::notification(bytes, cloud::KEY, limits, leniency)
    };
    check(bytes, decode, |notification| {
        let push = cloud::CloudPush {
            registration: "r",
            notification,
            key: cloud::KEY,
            time_to_live: None,
            collapse_key: None,
        };
        push.to_fcm()
    });
}

/// Registrations for cloud messaging.
pub fn check_registration(bytes: &[u8]) {
    let Ok(registration) = Registration::decode(bytes, &LIMITS) else { return };
    let again = Registration::decode(registration.encode().as_bytes(), &WIDE);
    assert_eq!(again.map(|again| again.encode()), Ok(registration.encode()));
}

/// Package#1.
pub fn check_initiation(bytes: &[u8]) {
    check(bytes, Initiation::decode, |package| {
        let mut out = Vec::new();
        package.encode(&mut out);
        out
    });
}

/// Package#2. Entries that are no commands have no encoding and are left out.
pub fn check_request(bytes: &[u8]) {
    let decode = |bytes: &[u8], limits: &Limits, leniency: &mut Leniency| {
        let package = Request::decode(bytes, limits, leniency, &|_| false)?;
        let valid = package.entries.into_iter().filter_map(|entry| match entry {
            CommandEntry::Valid(command) => Some(command),
            CommandEntry::Unknown { .. } | CommandEntry::Malformed { .. } => None,
        });
        Ok(valid.collect::<Vec<_>>())
    };
    check(bytes, decode, |commands| {
        let mut out = Vec::new();
        Request::encode(commands, &mut out);
        out
    });
}

/// Package#3.
pub fn check_response(bytes: &[u8]) {
    check(bytes, Response::decode, |package| {
        let mut out = Vec::new();
        package.encode(&mut out);
        out
    });
}

/// MO data.
pub fn check_mo_data(bytes: &[u8]) {
    check(bytes, mo_data::decode, |items| {
        let mut out = Vec::new();
        mo_data::encode(items, &mut out);
        out
    });
}

/// Multipart bodies with the boundary `b`: chunks of any length give the same parts, and these survive a round trip.
pub fn check_multipart(bytes: &[u8]) {
    let whole = multipart::decode(bytes, "b", &LIMITS, &mut Leniency::lenient());
    for length in [1, 2, 7] {
        let chunked = decode_chunked(bytes, length);
        assert_eq!(chunked.is_ok(), whole.is_ok(), "in chunks of {length}");
        if let (Ok(chunked), Ok(whole)) = (chunked, &whole) {
            assert_eq!(&chunked, whole, "in chunks of {length}");
        }
    }
    let Ok(parts) = whole else { return };
    // Our head may be longer than the one that was read, up to the limit that no head may pass.
    let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > 2000);
    if parts.iter().any(|part| long(&part.head.name) || long(&part.head.content_type)) {
        return;
    }
    let bodies: Vec<&[u8]> = parts.iter().map(|part| part.body.as_slice()).collect();
    let boundary = multipart::boundary_for(0, &bodies);
    let mut writer = Writer::new(&boundary);
    let mut out = Vec::new();
    for part in &parts {
        writer.begin(&part.head, &mut out);
        out.extend_from_slice(&part.body);
    }
    writer.finish(&mut out);
    assert_eq!(multipart::decode(&out, &boundary, &WIDE, &mut Leniency::lenient()), Ok(parts));
}

fn decode_chunked(bytes: &[u8], length: usize) -> Result<Vec<Part>, DecodeError> {
    let mut reader = multipart::Reader::new("b", LIMITS)?;
    let mut parts: Vec<Part> = Vec::new();
    let mut leniency = Leniency::lenient();
    for chunk in bytes.chunks(length) {
        let mut events = Vec::new();
        reader.feed(chunk, &mut leniency, &mut events)?;
        for event in events {
            match event {
                Event::Head(head) => parts.push(Part { head, body: Vec::new() }),
                Event::Data(data) => parts.last_mut().into_iter().for_each(|part| part.body.extend(&data)),
                Event::EndOfPart | Event::End => {}
            }
        }
    }
    reader.finish().map(|()| parts)
}

/// DDF files: both encodings bring back what was read, XML as far as it can hold the characters.
pub fn check_ddf(bytes: &[u8]) {
    let Ok(Decoded { ddf: model, .. }) = ddf::decode(bytes, &LIMITS) else { return };
    let from_wbxml = ddf::decode(&ddf::encode_wbxml(&model), &WIDE).map(|again| again.ddf);
    assert_eq!(from_wbxml.as_ref(), Ok(&model));
    let xml = |model: &_| {
        let mut out = Vec::new();
        ddf::encode(model, &mut out);
        out
    };
    let from_xml = ddf::decode(&xml(&model), &WIDE).map(|again| again.ddf);
    let holds_all = bytes.first().is_some_and(|octet| *octet > 3);
    assert!(from_xml.as_ref() == Ok(&model) || !holds_all, "{from_xml:?} for {model:?}");
    assert_eq!(from_xml.map(|again| xml(&again)), Ok(xml(&model)));
}

/// TNDS documents: both encodings bring back what was read, with a type for each node, and XML as far as it can hold the characters.
pub fn check_tnds(bytes: &[u8]) {
    let Some(encoding) = Encoding::sniff(bytes) else { return };
    let Ok(snapshot) = tnds::read(bytes, encoding, &LIMITS, &mut Leniency::lenient()) else { return };
    let wbxml = Form::Wbxml(WbxmlVersion::V1_3);
    for form in [Form::Xml, wbxml] {
        let written = tnds::write(&snapshot, form);
        let again = tnds::read(&written, form.encoding(), &WIDE, &mut Leniency::lenient());
        assert!(again.is_ok(), "{again:?} for {snapshot:?}");
        let Ok(again) = again else { return };
        assert_eq!(tnds::write(&again, form), written);
        if form == wbxml {
            assert_eq!(tnds::write(&again, Form::Xml), tnds::write(&snapshot, Form::Xml));
        }
    }
}

/// Documents between servers: what is written reads back the same.
pub fn check_delegation(bytes: &[u8]) {
    let namespace = delegation::NAMESPACE;
    let Ok(message) = delegation::decode(bytes, namespace, &LIMITS) else { return };
    let written = message.to_xml(namespace);
    assert_eq!(delegation::decode(written.as_bytes(), namespace, &WIDE), Ok(message));
}

/// SyncML messages: what we send of them comes back from the form they came in.
pub fn check_syncml(bytes: &[u8]) {
    let Some(encoding) = Encoding::sniff(bytes) else { return };
    let form = match encoding {
        Encoding::Xml => Form::Xml,
        Encoding::Wbxml => Form::Wbxml(WbxmlVersion::V1_3),
    };
    let decode = |bytes: &[u8], limits: &Limits, leniency: &mut Leniency| {
        let mut message = dm1::decode(bytes, encoding, limits, leniency)?.message.into_owned();
        let old = message.header.ver_dtd == "1.1";
        keep_what_is_sent(&mut message.commands, old);
        Ok(message)
    };
    check(bytes, decode, |message: &Message<'_>| dm1::encode(message, form));
}

/// Takes out what no encoder writes: unknown commands, attributes, and correlators where `VerDTD` is 1.1.
fn keep_what_is_sent(commands: &mut Vec<Command<'_>>, old: bool) {
    commands.retain(|command| !matches!(command, Command::Unknown(_)));
    for command in commands {
        match command {
            Command::Status(status) => status.code_attributes.clear(),
            Command::Alert(alert) if old => alert.correlator = None,
            Command::Operation(operation) if old => operation.correlator = None,
            Command::Container(container) => keep_what_is_sent(&mut container.commands, old),
            _ => {}
        }
    }
}

/// ClientURIs.
pub fn check_client_uri(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(uri) = ClientUri::parse(text) {
        assert_eq!(ClientUri::parse(&uri.to_string()), Ok(uri));
    }
}

/// ServerURIs: kept as written, and legal again.
pub fn check_server_uri(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(uri) = ServerUri::parse(text) {
        assert_eq!(uri.as_str(), text);
        let expanded = uri.expand(&omadm_mo::ParameterValues::default());
        assert!(ServerUri::parse(&expanded).is_ok(), "{expanded}");
    }
}

/// `Accept` lists and media types.
pub fn check_accept(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(list) = AcceptList::parse(text) {
        assert!(list.ranges.iter().all(|(_, quality)| *quality <= 1000));
        assert_eq!(AcceptList::parse(&list.to_string()), Ok(list));
    }
    if let Ok(media_type) = MediaType::parse(text) {
        assert_eq!(MediaType::parse(&media_type.to_string()), Ok(media_type));
    }
}

/// A provisioning document, in XML if it begins like that, else in WBXML. Either encoding says the same.
pub fn check_provisioning(bytes: &[u8]) {
    let of_wbxml = ProvisioningDocument::from_wbxml;
    let to_wbxml = |document: &ProvisioningDocument| document.to_wbxml();
    if bytes.first() == Some(&b'<') {
        let decode =
            |bytes: &[u8], limits: &Limits, _: &mut Leniency| ProvisioningDocument::from_xml(bytes, limits);
        check(bytes, decode, |document| document.to_xml().into_bytes());
        if let Ok(document) = ProvisioningDocument::from_xml(bytes, &LIMITS) {
            let again = of_wbxml(&document.to_wbxml(), &WIDE, &mut Leniency::strict());
            assert_eq!(again, Ok(document));
        }
    } else {
        check(bytes, of_wbxml, to_wbxml);
    }
}
