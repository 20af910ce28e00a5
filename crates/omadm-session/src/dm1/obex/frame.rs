//! Packets out of a stream of octets.

use omadm_codec::obex::length_of;
use omadm_codec::{DecodeError, Problem};

/// Collects octets until they are a packet.
#[derive(Debug, Default)]
pub(super) struct Framer {
    octets: Vec<u8>,
}

impl Framer {
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The next packet of at most `limit` octets, if all of it has come. After an error there is no next one: nobody knows where it begins.
    pub(super) fn next(&mut self, limit: u16) -> Result<Option<Vec<u8>>, DecodeError> {
        let Some(length) = length_of(&self.octets)? else { return Ok(None) };
        let limit = usize::from(limit);
        if length > limit {
            return Err(DecodeError { at: 1, field: "packet length", problem: Problem::TooLarge { limit } });
        }
        if self.octets.len() < length {
            return Ok(None);
        }
        let rest = self.octets.split_off(length);
        Ok(Some(core::mem::replace(&mut self.octets, rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in_however_they_are_cut() {
        let octets = [&[0x81, 0, 3][..], &[0x82, 0, 6, 0x49, 0, 3], &[0xff, 0, 3]].concat();
        for size in 1..=octets.len() {
            let mut framer = Framer::default();
            let mut packets = Vec::new();
            for part in octets.chunks(size) {
                framer.push(part);
                packets.extend(std::iter::from_fn(|| framer.next(255).unwrap()));
            }
            assert_eq!(packets, [&octets[..3], &octets[3..9], &octets[9..]], "{size}");
        }
    }

    #[test]
    fn a_packet_may_be_as_long_as_is_allowed_and_no_longer() {
        let whole = [&[0x82, 0x01, 0x00][..], &[0; 253]].concat();
        let mut framer = Framer::default();
        framer.push(&whole);
        assert_eq!(framer.next(256), Ok(Some(whole)));
        framer.push(&[0x82, 1, 1]);
        assert!(framer.next(256).is_err(), "refused by its head alone");
        let mut framer = Framer::default();
        framer.push(&[0x82, 0, 2]);
        assert!(framer.next(256).is_err());
    }
}
