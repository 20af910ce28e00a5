//! OBEX packets, with the messages that they carry.

use omadm_codec::dm1::Encoding;
use omadm_codec::obex::{
    Challenge, ConnectFields, Header, HeaderId, Opcode, Proof, Request, Response, ResponseCode, length_of,
};
use omadm_codec::{DecodeError, Leniency, Problem};
use serde_json::{Value, json};

use super::hex::digits;
use super::{Decoded, Outline, limits, syncml};

/// One packet, or several one after the other: what one side has sent, or what both have in the order in which it was sent.
pub fn packets(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let mut decoded = Decoded { outline: Outline::new(), content: Value::Null, warnings: Vec::new() };
    let mut reading = Reading::default();
    let mut packets = Vec::new();
    let mut at = 0;
    while at < input.len() {
        let rest = input.get(at..).unwrap_or_default();
        let within = |error: DecodeError| DecodeError { at: at + error.at, ..error };
        let short = || DecodeError { at, field: "packet", problem: Problem::Short };
        let length = length_of(rest).map_err(within)?.ok_or_else(short)?;
        let packet = rest.get(..length).ok_or_else(short)?;
        packets.push(reading.packet(&mut decoded, packet, leniency).map_err(within)?);
        at += length;
    }
    if !reading.body.is_empty() {
        decoded.warnings.push(format!("{} octets of an object whose end is not there", reading.body.len()));
    }
    decoded.content = json!({ "packets": packets });
    Ok(decoded)
}

/// What is kept from one packet to the next.
#[derive(Default)]
struct Reading {
    /// Whether the answer to Connect comes next.
    to_connect: bool,
    /// The object as far as it has come.
    body: Vec<u8>,
}

impl Reading {
    fn packet(
        &mut self,
        decoded: &mut Decoded,
        packet: &[u8],
        leniency: &mut Leniency,
    ) -> Result<Value, DecodeError> {
        let opcode = packet.first().and_then(|octet| Opcode::of(*octet));
        let (name, connect, headers) = match opcode {
            Some((opcode, is_final)) => {
                let request = Request::decode(packet, &limits())?;
                self.to_connect = opcode == Opcode::Connect;
                let name = if is_final { format!("{opcode:?}") } else { format!("{opcode:?}, more to come") };
                (name, request.connect, request.headers)
            }
            None => {
                let response = self.response(packet)?;
                self.to_connect = false;
                (response.code.to_string(), response.connect, response.headers)
            }
        };
        decoded.outline.push(0, &format!("{name}, {} bytes", packet.len()));
        if let Some(ConnectFields { max_packet }) = connect {
            decoded.outline.push(1, &format!("largest packet: {max_packet}"));
        }
        let mut values = Vec::new();
        let mut message = Value::Null;
        for header in &headers {
            let value = shown(header);
            decoded.outline.push(1, &format!("{}: {value}", name_of(header.id())));
            values.push(json!({ "header": name_of(header.id()), "value": value }));
            if let Header::Octets(id @ (HeaderId::BODY | HeaderId::END_OF_BODY), part) = header {
                self.body.extend_from_slice(part);
                if *id == HeaderId::END_OF_BODY {
                    message = object(decoded, &std::mem::take(&mut self.body), leniency);
                }
            }
        }
        let max_packet = connect.map(|fields| fields.max_packet);
        Ok(json!({ "packet": name, "max_packet": max_packet, "headers": values, "message": message }))
    }

    /// A response. That it answers Connect can also show by itself.
    fn response<'a>(&self, packet: &'a [u8]) -> Result<Response<'a>, DecodeError> {
        let read = |to_connect| Response::decode(packet, to_connect, &limits());
        match read(self.to_connect) {
            Err(_) if !self.to_connect => read(true).or_else(|_| read(false)),
            other => other,
        }
    }
}

/// What a whole object is, if it is a message of DM.
fn object(decoded: &mut Decoded, body: &[u8], leniency: &mut Leniency) -> Value {
    if Encoding::sniff(body).is_none() {
        return Value::Null;
    }
    match syncml::message(body, leniency) {
        Ok(message) => {
            decoded.outline.append(2, message.outline);
            decoded.warnings.extend(message.warnings);
            message.content
        }
        Err(error) => {
            decoded.warnings.push(format!("the object is no DM message: {error}"));
            Value::Null
        }
    }
}

fn name_of(id: HeaderId) -> String {
    match id.name() {
        "header" => format!("header 0x{:02X}", id.0),
        name => name.to_owned(),
    }
}

fn shown(header: &Header<'_>) -> String {
    match header {
        Header::Number(_, number) => number.to_string(),
        Header::Octet(_, octet) => octet.to_string(),
        Header::Octets(HeaderId::CHALLENGE, value) => Challenge::decode(value).map_or_else(
            |error| format!("{} ({error})", digits(value)),
            |challenge| format!("nonce {}", digits(&challenge.nonce)),
        ),
        Header::Octets(HeaderId::PROOF, value) => Proof::decode(value).map_or_else(
            |error| format!("{} ({error})", digits(value)),
            |proof| format!("user {}", String::from_utf8_lossy(proof.user)),
        ),
        Header::Octets(HeaderId::BODY | HeaderId::END_OF_BODY, value) => format!("{} bytes", value.len()),
        Header::Octets(_, value) => {
            let text = value.strip_suffix(&[0]).unwrap_or(value);
            match std::str::from_utf8(text) {
                Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
                    text.trim_end().to_owned()
                }
                _ => digits(value),
            }
        }
    }
}

/// Whether these octets begin with a Connect.
pub fn begins_with_connect(octets: &[u8]) -> bool {
    let first = length_of(octets).ok().flatten().and_then(|length| octets.get(..length));
    first.is_some_and(|packet| {
        Request::decode(packet, &limits()).is_ok_and(|request| request.opcode == Opcode::Connect)
            || Response::decode(packet, true, &limits()).is_ok_and(|response| {
                response.code == ResponseCode::SUCCESS
                    && response.headers.iter().any(|header| header.id() == HeaderId::WHO)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x80\x00\x13\x10\x00\x20\x00\x46\x00\x0cSYNCML-DM";
    const CONNECTED: &[u8] = b"\xa0\x00\x18\x10\x00\x20\x00\xcb\x00\x00\x00\x01\x4a\x00\x0cSYNCML-DM";

    #[test]
    fn a_conversation_is_shown_with_its_messages() {
        let message = b"<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>s</LocURI></Target><Source><LocURI>d</LocURI></Source></SyncHdr><SyncBody><Final/></SyncBody></SyncML>";
        let (first, last) = message.split_at(50);
        let put = |is_final, header| {
            Request { opcode: Opcode::Put, is_final, connect: None, headers: vec![header] }.encode().unwrap()
        };
        let conversation = [
            CONNECT,
            CONNECTED,
            &put(false, Header::Octets(HeaderId::BODY, first)),
            b"\x90\0\x03",
            &put(true, Header::Octets(HeaderId::END_OF_BODY, last)),
            b"\xa0\0\x03",
        ]
        .concat();
        let decoded = packets(&conversation, &mut Leniency::lenient()).ok().unwrap();
        let shown = &decoded.content["packets"];
        assert_eq!(shown.as_array().unwrap().len(), 6);
        assert_eq!(shown[0]["headers"][0], json!({ "header": "Target", "value": "SYNCML-DM" }));
        assert_eq!((&shown[1]["max_packet"], &shown[1]["packet"]), (&json!(8192), &json!("0xA0 Success")));
        assert!(shown[2]["message"].is_null() && !shown[4]["message"].is_null());
        assert!(decoded.warnings.is_empty());
        assert!(begins_with_connect(&conversation) && begins_with_connect(CONNECTED));
        assert!(!begins_with_connect(b"\x82\0\x03"));
    }

    #[test]
    fn where_it_is_wrong_is_told_from_the_first_octet() {
        let wrong = [CONNECT, b"\x82\0\x06\x49\0\x09"].concat();
        let error = packets(&wrong, &mut Leniency::lenient()).err().unwrap();
        assert!(error.at > CONNECT.len(), "{error}");
        for cut in 1..CONNECT.len() {
            assert!(packets(&CONNECT[..cut], &mut Leniency::lenient()).is_err());
        }
        let open = packets(b"\x02\0\x07\x48\0\x04x", &mut Leniency::lenient()).ok().unwrap();
        assert_eq!(open.warnings.len(), 1);
    }
}
