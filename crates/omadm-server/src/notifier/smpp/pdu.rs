//! The few PDUs of SMPP 3.4 that an ESME which only sends needs (`SMPP 3.4 §4`).

/// Octets of a header: length, command, status, sequence number.
pub const HEADER: usize = 16;
/// Longest PDU that is read, in octets.
pub const MAX_PDU: usize = 64 << 10;

/// Command identifiers (`§5.1.2.1`).
pub const GENERIC_NACK: u32 = 0x8000_0000;
pub const BIND_TRANSMITTER: u32 = 0x0000_0002;
pub const SUBMIT_SM: u32 = 0x0000_0004;
pub const UNBIND: u32 = 0x0000_0006;
pub const ENQUIRE_LINK: u32 = 0x0000_0015;
/// Bit of the identifier of an answer.
pub const ANSWER: u32 = 0x8000_0000;

/// `ESME_RINVCMDID`: the command is not known.
pub const INVALID_COMMAND: u32 = 0x0000_0003;

/// Version 3.4.
const VERSION: u8 = 0x34;
/// Type and numbering plan of an international number, and of one that says nothing of itself.
const INTERNATIONAL: [u8; 2] = [1, 1];
const UNKNOWN: [u8; 2] = [0, 0];
/// `esm_class` of a message whose user data begin with a header.
const USER_DATA_HEADER: u8 = 0x40;
/// `data_coding` of octets.
const OCTETS: u8 = 0x04;

/// A PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// Command identifier.
    pub command: u32,
    /// Status of an answer, 0 is good.
    pub status: u32,
    /// What an answer repeats.
    pub sequence: u32,
    /// The rest.
    pub body: Vec<u8>,
}

impl Pdu {
    /// The octets on the wire; bodies of ours are short.
    pub fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(HEADER + self.body.len()).unwrap_or(u32::MAX);
        let fields = [length, self.command, self.status, self.sequence];
        let mut out: Vec<u8> = fields.iter().flat_map(|field| field.to_be_bytes()).collect();
        out.extend(&self.body);
        out
    }

    /// Reads a header; gives the PDU without its body, and the octets of the body. `None` when the length is impossible.
    pub fn head(header: [u8; HEADER]) -> Option<(Self, usize)> {
        let mut fields = header
            .chunks_exact(4)
            .map(|field| field.iter().fold(0_u32, |value, octet| value << 8 | u32::from(*octet)));
        let length = usize::try_from(fields.next()?).ok()?;
        let (command, status, sequence) = (fields.next()?, fields.next()?, fields.next()?);
        let rest = length.checked_sub(HEADER).filter(|_| length <= MAX_PDU)?;
        Some((Self { command, status, sequence, body: Vec::new() }, rest))
    }
}

/// Body of `bind_transmitter` (`§4.1.1`).
pub fn bind(system_id: &str, password: &[u8], system_type: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(64);
    for field in [system_id.as_bytes(), password, system_type.as_bytes()] {
        body.extend(field);
        body.push(0);
    }
    // Any address.
    body.extend([VERSION, 0, 0, 0]);
    body
}

/// Body of `submit_sm` (`§4.4.1`); user data are 140 octets at most.
pub fn submit(source: &str, to: &str, data: &[u8]) -> Vec<u8> {
    // The default service.
    let mut body = vec![0];
    for number in [source, to] {
        let (kind, digits) = match number.strip_prefix('+') {
            Some(digits) => (INTERNATIONAL, digits),
            None => (UNKNOWN, number),
        };
        body.extend(kind);
        body.extend(digits.as_bytes());
        body.push(0);
    }
    // Protocol, priority; at once, for as long as the service centre likes; no receipt, no replacement.
    body.extend([USER_DATA_HEADER, 0, 0, 0, 0, 0, 0, OCTETS, 0]);
    body.push(u8::try_from(data.len()).unwrap_or(u8::MAX));
    body.extend(data);
    body
}

/// What a status means, with what to do if the operator can do something.
pub fn explain(status: u32) -> &'static str {
    match status {
        0x0a => "invalid source address: check sms.source",
        0x0b => "invalid destination address: check the number of the device",
        0x0d => "bind failed: check sms.system_id and sms.password_file",
        0x0e => "invalid password: check sms.password_file",
        0x0f => "invalid system_id: check sms.system_id",
        0x14 => "its queue is full",
        0x43 => "it takes no user data header (esm_class)",
        0x45 => "it could not take the message",
        0x53 => "invalid system_type: check sms.system_type",
        0x58 => "it gets too many messages",
        _ => "see SMPP 3.4 §5.1.3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pdus_are_read_as_written() {
        // SMPP 3.4 §3.2.2: a bind_transmitter, here with another password.
        let body = bind("SMPP3TEST", b"secret08", "SUBMIT1");
        let pdu = Pdu { command: BIND_TRANSMITTER, status: 0, sequence: 1, body };
        let octets = pdu.encode();
        let expected = b"\0\0\0\x2f\0\0\0\x02\0\0\0\0\0\0\0\x01SMPP3TEST\0secret08\0SUBMIT1\0\x34\0\0\0";
        assert_eq!(octets, expected);
        let (head, rest) = Pdu::head(octets[..HEADER].try_into().unwrap()).unwrap();
        assert_eq!((head.command, head.sequence, rest), (BIND_TRANSMITTER, 1, octets.len() - HEADER));
    }

    #[test]
    fn a_message_has_header_and_octets() {
        let body = submit("", "+46701", &[6, 5, 4]);
        assert_eq!(body, b"\0\0\0\0\x01\x0146701\0\x40\0\0\0\0\0\0\x04\0\x03\x06\x05\x04");
    }

    #[test]
    fn lengths_are_bounded() {
        let header = |length: u32| {
            let mut header = [0; HEADER];
            header[..4].copy_from_slice(&length.to_be_bytes());
            Pdu::head(header).map(|(_, rest)| rest)
        };
        assert_eq!((header(15), header(16), header(65_536)), (None, Some(0), Some(65_520)));
        assert_eq!((header(65_537), header(u32::MAX)), (None, None));
    }
}
