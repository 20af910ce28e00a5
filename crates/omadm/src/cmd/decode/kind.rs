//! What a message can be, and how to tell without being told.

use clap::ValueEnum;
use omadm_codec::dm1::{self, Encoding, notification, tnds, trigger};
use omadm_codec::smartcard::{dir, pkcs15};
use omadm_codec::sms::Tpdu;
use omadm_codec::{Leniency, ddf, delegation, media_type, ota_http, pap, provisioning, sip, wsp};
use serde_json::Value;

use super::{card, hex, limits, obex};

/// Kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Package#0: a notification of DM 1.3 or 2.0, in octets or hexadecimal digits.
    #[value(alias = "package0")]
    Notification,
    /// The trigger of a session, as DM 1.1.2 and 1.2 have it, in octets or hexadecimal digits.
    Trigger,
    /// A PDU of WSP without a connection, such as a push to UDP port 2948, in octets or hexadecimal digits.
    Wsp,
    /// A datagram of WTP, which carries WSP to and from UDP port 9201 of a gateway, in octets or hexadecimal digits.
    Wtp,
    /// Packets of OBEX, of one side or of both in their order, in octets or hexadecimal digits.
    Obex,
    /// A short message, SMS-DELIVER or SMS-SUBMIT, in octets or hexadecimal digits.
    Sms,
    /// A push message of cloud messaging with the notification under the key SMS.
    Cloud,
    /// A message of SIP, such as the MESSAGE of a push, in octets or hexadecimal digits.
    Sip,
    /// A push over HTTP: the response of HTTP that nests in it (application/http), in octets or hexadecimal digits.
    HttpPush,
    /// What a Push Proxy Gateway says by the Push Access Protocol.
    Pap,
    /// Package#1: session initiation.
    #[value(alias = "initiation")]
    Package1,
    /// Package#2: commands.
    #[value(alias = "request")]
    Package2,
    /// Package#3: statuses and alerts.
    #[value(alias = "response")]
    Package3,
    /// multipart/form-data: Package#3 with the data of its GET commands.
    Multipart,
    /// application/dmmo+json: MO data, such as a bootstrap.
    #[value(alias = "mo-data")]
    Dmmo,
    /// A device description file, in XML or WBXML.
    Ddf,
    /// A part of a DM 1.x tree as TNDS, in XML or WBXML.
    Tnds,
    /// A SyncML message of DM 1.x, in XML or WBXML.
    Syncml,
    /// A provisioning document, the CP profile of a bootstrap of DM 1.x, in XML or WBXML.
    Provisioning,
    /// A document between servers that delegate devices.
    Delegation,
    /// What was said to a smartcard and what it answered: a trace, a command or a response a line, in hexadecimal digits.
    Apdu,
    /// EF(DIR) of a smartcard, in octets or hexadecimal digits.
    EfDir,
    /// EF(ODF), EF(DODF) or EF(TokenInfo) of a smartcard, in octets or hexadecimal digits.
    Pkcs15,
}

impl Kind {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Trigger => "trigger",
            Self::Wsp => "wsp",
            Self::Wtp => "wtp",
            Self::Obex => "obex",
            Self::Sms => "sms",
            Self::Cloud => "cloud",
            Self::Sip => "sip",
            Self::HttpPush => "http-push",
            Self::Pap => "pap",
            Self::Package1 => "package1",
            Self::Package2 => "package2",
            Self::Package3 => "package3",
            Self::Multipart => "multipart",
            Self::Dmmo => "dmmo",
            Self::Ddf => "ddf",
            Self::Tnds => "tnds",
            Self::Syncml => "syncml",
            Self::Provisioning => "provisioning",
            Self::Delegation => "delegation",
            Self::Apdu => "apdu",
            Self::EfDir => "ef-dir",
            Self::Pkcs15 => "pkcs15",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Notification => "Package#0",
            Self::Trigger => "Trigger",
            Self::Wsp => "WSP",
            Self::Wtp => "WTP",
            Self::Obex => "OBEX",
            Self::Sms => "Short message",
            Self::Cloud => "Push message",
            Self::Sip => "SIP message",
            Self::HttpPush => "Push over HTTP",
            Self::Pap => "PAP message",
            Self::Package1 => "Package#1",
            Self::Package2 => "Package#2",
            Self::Package3 => "Package#3",
            Self::Multipart => "Package#3 with data",
            Self::Dmmo => "MO data",
            Self::Ddf => "DDF file",
            Self::Tnds => "TNDS document",
            Self::Syncml => "SyncML message",
            Self::Provisioning => "Provisioning document",
            Self::Delegation => "Delegation message",
            Self::Apdu => "APDU trace",
            Self::EfDir => "EF(DIR)",
            Self::Pkcs15 => "PKCS#15 file",
        }
    }

    /// Whether it can consist of octets rather than of text.
    pub fn may_be_binary(self) -> bool {
        matches!(
            self,
            Self::Notification
                | Self::Trigger
                | Self::Wsp
                | Self::Wtp
                | Self::Obex
                | Self::Sms
                | Self::Sip
                | Self::HttpPush
                | Self::Ddf
                | Self::Tnds
                | Self::Syncml
                | Self::Provisioning
                | Self::EfDir
                | Self::Pkcs15
        )
    }

    /// Whether this input does.
    pub fn is_binary(self, input: &[u8]) -> bool {
        match self {
            Self::Ddf | Self::Tnds | Self::Syncml | Self::Provisioning => encoding(input) == Encoding::Wbxml,
            other => other.may_be_binary(),
        }
    }

    /// The registered media type of this input, if there is one.
    pub fn media_type(self, input: &[u8]) -> Option<&'static str> {
        let media_type = match self {
            Self::Notification => wsp::NOTIFICATION_TYPE,
            Self::Trigger => wsp::TRIGGER_TYPE,
            Self::Wsp | Self::Wtp | Self::Obex | Self::Sms | Self::Sip => return None,
            Self::Apdu | Self::EfDir | Self::Pkcs15 => return None,
            Self::HttpPush => ota_http::NESTED,
            Self::Pap => pap::CONTROL,
            Self::Cloud => "application/json",
            Self::Package1 => media_type::INITIATION_JSON,
            Self::Package2 => media_type::REQUEST_JSON,
            Self::Package3 => media_type::RESPONSE_JSON,
            Self::Multipart => media_type::FORM_DATA,
            Self::Dmmo => media_type::DMMO_JSON,
            Self::Ddf => match encoding(input) {
                Encoding::Xml => "application/vnd.syncml.dmddf+xml",
                Encoding::Wbxml => "application/vnd.syncml.dmddf+wbxml",
            },
            Self::Tnds => match encoding(input) {
                Encoding::Xml => tnds::TNDS_XML,
                Encoding::Wbxml => tnds::TNDS_WBXML,
            },
            Self::Syncml => match encoding(input) {
                Encoding::Xml => media_type::SYNCML_DM_XML,
                Encoding::Wbxml => media_type::SYNCML_DM_WBXML,
            },
            Self::Provisioning => match encoding(input) {
                Encoding::Xml => provisioning::XML_TYPE,
                Encoding::Wbxml => provisioning::WBXML_TYPE,
            },
            Self::Delegation => delegation::MEDIA_TYPE,
        };
        Some(media_type)
    }
}

/// How a document is encoded that is in XML or in WBXML. What looks like neither, text is expected to be.
pub fn encoding(input: &[u8]) -> Encoding {
    let is_text = || std::str::from_utf8(input).is_ok();
    Encoding::sniff(input).unwrap_or_else(|| if is_text() { Encoding::Xml } else { Encoding::Wbxml })
}

/// Tells the kind from the content.
///
/// # Errors
/// Why it could be anything.
pub fn guess(input: &[u8]) -> Result<Kind, String> {
    let text = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input).trim_ascii_start();
    match text {
        [] => Err("it is empty".to_owned()),
        _ if card::begins_like_a_trace(text) => Ok(Kind::Apdu),
        [b'<', ..] if root(text) == Some(b"SyncML".as_slice()) => Ok(Kind::Syncml),
        [b'<', ..] if root(text) == Some(b"DelegationMessage".as_slice()) => Ok(Kind::Delegation),
        [b'<', ..] if root(text) == Some(b"pap".as_slice()) => Ok(Kind::Pap),
        [b'<', ..] if contains(text, b"<wap-provisioningdoc") => Ok(Kind::Provisioning),
        [b'<', ..] => Ok(of_tree(contains(text, b"DFProperties"))),
        [b'-', b'-', ..] => Ok(Kind::Multipart),
        [b'{' | b'[', ..] => guess_json(text),
        [b'H', b'T', b'T', b'P', b'/', b'1', ..] => Ok(Kind::HttpPush),
        _ if contains(first_line(text), sip::VERSION.as_bytes()) => Ok(Kind::Sip),
        _ if text.windows(3).any(|window| window == b"\n--") => Ok(Kind::Multipart),
        _ => guess_binary(input)
            .ok_or("it is neither JSON, nor XML, nor a multipart body, nor a notification".to_owned()),
    }
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|octet| *octet == b'\n').next().unwrap_or_default()
}

/// The name of the root element, without a prefix.
fn root(text: &[u8]) -> Option<&[u8]> {
    let mut tags =
        text.split(|octet| *octet == b'<').filter(|tag| tag.first().is_some_and(u8::is_ascii_alphabetic));
    let name = tags
        .next()
        .and_then(|tag| tag.split(|octet| !octet.is_ascii_alphanumeric() && *octet != b':').next());
    name.and_then(|name| name.rsplit(|octet| *octet == b':').next())
}

/// The kind of a document with the root element `MgmtTree`.
fn of_tree(is_definition: bool) -> Kind {
    if is_definition { Kind::Ddf } else { Kind::Tnds }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn guess_binary(input: &[u8]) -> Option<Kind> {
    let octets = hex::octets(input).ok()?;
    match *octets {
        // WBXML with the number of SyncML 1.0 to 1.2, or without a number.
        [1..=3, 0xa4, 0x01, ..] | [1..=3, 0x9f, 0x51 | 0x53, ..] => Some(Kind::Syncml),
        [1..=3, 0x00 | 0x01, ..] if is_syncml_wbxml(&octets) => Some(Kind::Syncml),
        [1..=3, 0x00 | 0x01, ..] => Some(of_tree(ddf::decode(&octets, &limits()).is_ok())),
        // WBXML with the number of provisioning documents.
        [1..=3, 0x0b, ..] => Some(Kind::Provisioning),
        [0x61, ..] if dir::decode(&octets, &limits(), &mut Leniency::lenient()).is_ok() => Some(Kind::EfDir),
        [0x30 | 0xa0..=0xa8, ..] if is_pkcs15(&octets) => Some(Kind::Pkcs15),
        [0x80 | 0xa0, ..] if obex::begins_with_connect(&octets) => Some(Kind::Obex),
        [0x20..=0x2f, ..] => Some(Kind::Notification),
        [_, 0x06, ..] => Some(Kind::Wsp),
        // A method with a body, of which nothing else begins like that.
        [_, 0x60 | 0x61, ..] if wsp::Pdu::decode_with_tid(&octets, &limits()).is_ok() => Some(Kind::Wsp),
        _ => {
            let (limits, octets) = (limits(), &*octets);
            let sms = || Tpdu::decode(octets, &limits).or_else(|_| Tpdu::decode_from_modem(octets, &limits));
            // A trigger begins with any octets: what reads as one is one.
            let is_trigger = trigger::Received::decode(octets, &limits, &mut Leniency::lenient()).is_ok();
            match octets {
                _ if is_trigger => Some(Kind::Trigger),
                [0x10..=0x1f, ..] if notification::Received::decode(octets, &limits).is_ok() => {
                    Some(Kind::Notification)
                }
                _ => sms().is_ok().then_some(Kind::Sms),
            }
        }
    }
}

fn is_pkcs15(octets: &[u8]) -> bool {
    let mut leniency = Leniency::lenient();
    pkcs15::decode_odf(octets, &limits(), &mut leniency).is_ok()
        || pkcs15::decode_dodf(octets, &limits(), &mut leniency).is_ok_and(|objects| !objects.is_empty())
        || pkcs15::TokenInfo::decode(octets, &limits(), &mut leniency).is_ok()
}

fn is_syncml_wbxml(octets: &[u8]) -> bool {
    dm1::decode(octets, Encoding::Wbxml, &limits(), &mut Leniency::lenient()).is_ok()
}

fn guess_json(text: &[u8]) -> Result<Kind, String> {
    let members = match serde_json::from_slice(text) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return Ok(Kind::Dmmo),
        Err(error) => return guess_broken(text, &error),
    };
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    match by_members(|name| members.contains_key(name)) {
        Some(kind) => Ok(kind),
        None if names.is_empty() => Ok(Kind::Package1),
        None => {
            let names: Vec<&str> = names.into_iter().take(5).collect();
            Err(format!("it is JSON, but no DM message has the members {}", names.join(", ")))
        }
    }
}

/// The member that only one kind has.
fn by_members(has: impl Fn(&str) -> bool) -> Option<Kind> {
    [
        ("CMD", Kind::Package2),
        ("Status", Kind::Package3),
        ("MOData", Kind::Dmmo),
        ("ClientURI", Kind::Dmmo),
        ("MOS", Kind::Package1),
        ("Alert", Kind::Package1),
        ("SMS", Kind::Cloud),
        ("registration_ids", Kind::Cloud),
        ("message", Kind::Cloud),
        ("data", Kind::Cloud),
    ]
    .into_iter()
    .find_map(|(name, kind)| has(name).then_some(kind))
}

/// A message that is no JSON goes to the decoder of the kind whose member it names, which says best what is wrong.
fn guess_broken(text: &[u8], error: &serde_json::Error) -> Result<Kind, String> {
    let names = |name: &str| contains(text, format!("\"{name}\"").as_bytes());
    by_members(names).ok_or_else(|| format!("it begins like JSON, but: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        let cases: [(&[u8], Kind); 38] = [
            (b"80 0013 10 00 2000 46000c 53594e434d4c2d444d", Kind::Obex),
            (b"MESSAGE sip:a@b SIP/2.0\r\nVia: x", Kind::Sip),
            (b"SIP/2.0 200 OK\r\n", Kind::Sip),
            (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n", Kind::HttpPush),
            (
                b"<?xml version=\"1.0\"?><!DOCTYPE pap PUBLIC \"x\" \"y\"><pap><push-response/></pap>",
                Kind::Pap,
            ),
            (b" {}", Kind::Package1),
            (b"\xef\xbb\xbf{\"MOS\":[]}", Kind::Package1),
            (br#"{"CMD":[["END"]]}"#, Kind::Package2),
            (br#"{"Alert":[],"Status":[]}"#, Kind::Package3),
            (b"[]", Kind::Dmmo),
            (br#"{"ClientURI":"a","MOData":{}}"#, Kind::Dmmo),
            (b"<?xml version=\"1.0\"?><MgmtTree><Node><DFProperties/></Node></MgmtTree>", Kind::Ddf),
            (b"<MgmtTree><Node/></MgmtTree>", Kind::Tnds),
            (b"03016a00 000260 77 03312e3200 01 64 66036100 01 01 01", Kind::Tnds),
            (b"\x03\x00\x00\x6a", Kind::Tnds),
            (b"03016a00 000260 77 03312e3200 01 64 56 05 55 0b 01 01 01 01", Kind::Ddf),
            (b"<!DOCTYPE SyncML><SyncML><SyncHdr/></SyncML>", Kind::Syncml),
            (b"<?xml version=\"1.0\"?><s:SyncML xmlns:s='SYNCML:SYNCML1.2'/>", Kind::Syncml),
            (b"<!-- x --><d:DelegationMessage xmlns:d='urn:x'/>", Kind::Delegation),
            (b"02a4016a00", Kind::Syncml),
            (b"\x03\x9f\x53\x6a\x00", Kind::Syncml),
            (b"<wap-provisioningdoc/>", Kind::Provisioning),
            (b"030b6a0045", Kind::Provisioning),
            (b"--b\r\n\r\n--b--", Kind::Multipart),
            (b"preamble\r\n--b\r\n\r\n--b--", Kind::Multipart),
            (b"2080 6000\n", Kind::Notification),
            (b"\x20\x80\x60\x00", Kind::Notification),
            (b"01 06 03 d8 af87", Kind::Wsp),
            (b"01 60 01 01 61 c2 02", Kind::Wsp),
            (b"04 00 91 00 04 00000000000000 01 ff", Kind::Sms),
            (b"0191 04 00 91 00 04 00000000000000 01 ff", Kind::Sms),
            (b"# a card\n> 00A40004022F00\n< 9000\n", Kind::Apdu),
            (b"00000012 APDU: 00 A4 00 04 02 2F 00\n", Kind::Apdu),
            (b"61 09 4f 07 a0000000871002 ffff", Kind::EfDir),
            (b"a7 06 30 04 04 02 6420 ff", Kind::Pkcs15),
            (b"30 14 30 00 30 06 06 04 672b0701 a1 08 30 06 04 04 3f006421", Kind::Pkcs15),
            (br#"{"SMS":"IIBgAA=="}"#, Kind::Cloud),
            (br#"{"message":{"data":{}}}"#, Kind::Cloud),
        ];
        for (input, kind) in cases {
            assert_eq!(guess(input), Ok(kind), "{}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        assert!(guess(b"").unwrap_err().contains("empty"));
        assert!(guess(b"hello").unwrap_err().contains("neither"));
        assert!(guess(br#"{"Foo":1}"#).unwrap_err().contains("Foo"));
        assert!(guess(b"{\n  \"CMX\": [").unwrap_err().contains("line 2"));
    }

    #[test]
    fn broken_messages_go_to_the_decoder_of_the_member_they_name() {
        assert_eq!(guess(b"{\"CMD\": ["), Ok(Kind::Package2));
        assert_eq!(guess(b"[{\"ClientURI\": }"), Ok(Kind::Dmmo));
    }
}
