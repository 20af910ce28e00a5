//! The notification of DM 1.1.2 and 1.2: the trigger of a session (`DM 1.2 NOTI §6`).
//!
//! ```text
//! digest (128) | version (10) | ui-mode (2) | initiator (1) | future-use (27) | sessionid (16) | length (8) | server-identifier | vendor-specific
//!              └──────────────────────────────────── trigger, which the digest is about ────────────────────────────────────┘
//! ```

use omadm_mo::ServerId;

use crate::reader::Reader;
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// Octets of the digest.
pub const DIGEST_LENGTH: usize = 16;

/// `version` of the enabler DM 1.2: the notification's own version, 1.1, times ten.
const VERSION: u64 = 11;
/// `version` as DM 1.1.2 has it.
const OLDER_VERSION: u64 = 10;
/// `version` of a notification 1.2, which no enabler defines and some servers send.
pub const NEWER_VERSION: u16 = 12;
/// Octets of version, ui-mode, initiator and future-use.
const HEAD: usize = 5;
const VERSION_SHIFT: u32 = 30;
const UI_MODE_SHIFT: u32 = 28;
const INITIATOR_SHIFT: u32 = 27;

/// How the user is to be involved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UiMode {
    /// As the device likes.
    #[default]
    NotSpecified,
    /// The session goes unnoticed.
    Background,
    /// The user is told.
    Informative,
    /// The user is asked first.
    UserInteraction,
}

impl UiMode {
    const ALL: [Self; 4] = [Self::NotSpecified, Self::Background, Self::Informative, Self::UserInteraction];

    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::NotSpecified => 0,
            Self::Background => 1,
            Self::Informative => 2,
            Self::UserInteraction => 3,
        }
    }

    /// The mode of the two lowest bits.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self::ALL.into_iter().find(|mode| u64::from(mode.bits()) == bits & 3).unwrap_or_default()
    }
}

/// What a trigger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// `ui-mode`.
    pub ui_mode: UiMode,
    /// `initiator`: the server wanted it; otherwise the user or the client caused it.
    pub by_server: bool,
    /// `sessionid` of the session to open, not 0.
    pub session_id: u16,
    /// `server-identifier`, 1 to 255 octets: ServerID of the account.
    pub server_id: ServerId,
    /// `vendor-specific`, what the enabler says nothing about.
    pub vendor: Vec<u8>,
}

impl Trigger {
    /// Appends header and body: what the digest is about.
    fn encode_trigger(&self, out: &mut Vec<u8>) {
        let head = VERSION << VERSION_SHIFT
            | u64::from(self.ui_mode.bits()) << UI_MODE_SHIFT
            | u64::from(self.by_server) << INITIATOR_SHIFT;
        out.extend(head.to_be_bytes().into_iter().skip(size_of::<u64>() - HEAD));
        out.extend(self.session_id.to_be_bytes());
        // A server identifier has at most 255 octets.
        let name = self.server_id.as_str().as_bytes();
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend(name);
        out.extend(&self.vendor);
    }

    /// The octets to send; `digest` computes the digest over the trigger.
    #[must_use]
    pub fn encode(&self, digest: impl FnOnce(&[u8]) -> [u8; DIGEST_LENGTH]) -> Vec<u8> {
        let mut out = vec![0; DIGEST_LENGTH];
        self.encode_trigger(&mut out);
        if let Some((head, trigger)) = out.split_first_chunk_mut::<DIGEST_LENGTH>() {
            *head = digest(trigger);
        }
        out
    }
}

/// A trigger as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// What it says.
    pub trigger: Trigger,
    /// `version`, ten times that of the notification: 10, 11 or [`NEWER_VERSION`].
    pub version: u16,
    /// Its digest.
    pub digest: [u8; DIGEST_LENGTH],
    /// What the digest is about.
    pub octets: &'a [u8],
}

impl<'a> Received<'a> {
    /// Reads a trigger; future-use is not looked at.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &'a [u8], limits: &Limits, leniency: &mut Leniency) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let digest = reader.array("digest")?;
        let octets = reader.rest();
        let at_head = reader.clone();
        let head = reader
            .array::<HEAD>("trigger-hdr")?
            .into_iter()
            .fold(0, |head, octet| head << 8 | u64::from(octet));
        let version = head >> VERSION_SHIFT;
        let older = version == OLDER_VERSION && leniency.allow(Tolerance::OlderTrigger);
        if version != VERSION && version != u64::from(NEWER_VERSION) && !older {
            return Err(at_head.error("version", Problem::Schema("not 11, the version of DM 1.2".into())));
        }
        let at_id = reader.clone();
        let session_id = reader.u16("sessionid")?;
        if session_id == 0 {
            return Err(at_id.error("sessionid", Problem::Schema("0, where a session has 1 to 65535".into())));
        }
        let length = reader.byte("length-identifier")?;
        let at_name = reader.clone();
        let name = reader.take(length.into(), SERVER_IDENTIFIER)?;
        let name =
            std::str::from_utf8(name).map_err(|_| at_name.error(SERVER_IDENTIFIER, Problem::BadUtf8))?;
        let server_id = ServerId::parse(name)
            .map_err(|error| at_name.error(SERVER_IDENTIFIER, Problem::Schema(error.to_string().into())))?;
        let trigger = Trigger {
            ui_mode: UiMode::from_bits(head >> UI_MODE_SHIFT),
            by_server: head >> INITIATOR_SHIFT & 1 == 1,
            session_id,
            server_id,
            vendor: reader.rest().to_vec(),
        };
        // Ten bits.
        Ok(Self { trigger, version: u16::try_from(version).unwrap_or(u16::MAX), digest, octets })
    }
}

const SERVER_IDENTIFIER: &str = "server-identifier";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    fn trigger(ui_mode: UiMode, by_server: bool) -> Trigger {
        let server_id = ServerId::parse("com.mgmtsrv.manage").unwrap();
        Trigger { ui_mode, by_server, session_id: 0x1234, server_id, vendor: Vec::new() }
    }

    fn decode(input: &[u8]) -> Result<Received<'_>, DecodeError> {
        Received::decode(input, &Limits::default(), &mut Leniency::strict())
    }

    #[test]
    fn the_head_has_every_mode_and_initiator() {
        let heads = [
            (UiMode::NotSpecified, false, "02c0000000"),
            (UiMode::NotSpecified, true, "02c8000000"),
            (UiMode::Background, false, "02d0000000"),
            (UiMode::Background, true, "02d8000000"),
            (UiMode::Informative, false, "02e0000000"),
            (UiMode::Informative, true, "02e8000000"),
            (UiMode::UserInteraction, false, "02f0000000"),
            (UiMode::UserInteraction, true, "02f8000000"),
        ];
        for (ui_mode, by_server, head) in heads {
            let sent = trigger(ui_mode, by_server).encode(|_| [7; DIGEST_LENGTH]);
            assert_eq!(sent[..DIGEST_LENGTH], [7; DIGEST_LENGTH]);
            assert_eq!(sent[DIGEST_LENGTH..DIGEST_LENGTH + HEAD], hex(head));
            assert_eq!(decode(&sent).unwrap().trigger, trigger(ui_mode, by_server));
        }
    }

    #[test]
    fn a_whole_trigger_is_as_the_fact_sheet_has_it() {
        let digest = hex("686860a800770b26a5d7fa957e8c509a").try_into().unwrap();
        let sent = trigger(UiMode::Background, false).encode(|_| digest);
        let wanted = "686860A800770B26A5D7FA957E8C509A02D0000000123412636F6D2E6D676D747372762E6D616E616765"
            .to_lowercase();
        assert_eq!(sent, hex(&wanted));
        assert_eq!(decode(&sent).unwrap().octets, &sent[DIGEST_LENGTH..]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let good = trigger(UiMode::Background, false).encode(|_| [0; DIGEST_LENGTH]);
        for length in 0..good.len() {
            assert_eq!(decode(&good[..length]).unwrap_err().problem, Problem::Short, "{length}");
        }
        let wrong = |at: usize, octet: u8| {
            let mut octets = good.clone();
            octets[at] = octet;
            decode(&octets).map(|_| ()).map_err(|error| (error.field, error.at))
        };
        assert_eq!(wrong(16, 0x03), Err(("version", 16)));
        assert_eq!(wrong(23, 0), Err((SERVER_IDENTIFIER, 24)));
        assert_eq!(wrong(24, 0xff), Err((SERVER_IDENTIFIER, 24)));
        let mut newer = good.clone();
        newer[16..18].copy_from_slice(&[0x03, 0x10]);
        assert_eq!(decode(&newer).unwrap().version, NEWER_VERSION);
        newer[17] = 0x50;
        assert_eq!(decode(&newer).unwrap_err().field, "version");
        let mut zero = good.clone();
        zero[21..23].fill(0);
        assert_eq!(decode(&zero).unwrap_err().field, "sessionid");
        assert_eq!(wrong(20, 0xff), Ok(()), "future-use is not looked at");
    }

    #[test]
    fn the_older_version_is_a_tolerance() {
        let mut octets = trigger(UiMode::Background, false).encode(|_| [0; DIGEST_LENGTH]);
        octets[16] = 0x02;
        octets[17] = 0x90;
        assert_eq!(decode(&octets).unwrap_err().field, "version");
        let mut leniency = Leniency::lenient();
        assert!(Received::decode(&octets, &Limits::default(), &mut leniency).is_ok());
        assert_eq!(leniency.used.iter().copied().collect::<Vec<_>>(), [Tolerance::OlderTrigger]);
    }

    proptest! {
        #[test]
        fn what_was_sent_is_read(bits in 0_u64..4, by_server: bool, id in 1_u16.., name in "[a-z.]{1,255}", vendor: Vec<u8>) {
            let server_id = ServerId::parse(&name).unwrap();
            let sent = Trigger { ui_mode: UiMode::from_bits(bits), by_server, session_id: id, server_id, vendor };
            let octets = sent.encode(|_| [1; DIGEST_LENGTH]);
            prop_assert_eq!(decode(&octets).unwrap().trigger, sent);
        }

        #[test]
        fn no_input_panics(input: Vec<u8>) {
            let _ = decode(&input);
        }
    }
}
