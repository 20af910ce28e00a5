//! Command APDUs, as the card reads them (`ISO 7816-4 §5.1`).

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Class.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Data.
    pub data: Vec<u8>,
    /// Most octets that may come back, if any.
    pub le: Option<usize>,
}

impl Command {
    /// Reads a command in its short or its extended form. `sim` is the form of `TS 51.011`, where the fifth octet alone says how much
    /// comes back.
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<Self> {
        let [cla, ins, p1, p2, rest @ ..] = octets else { return None };
        let (data, le) = body(rest)?;
        Some(Self { cla: *cla, ins: *ins, p1: *p1, p2: *p2, data, le })
    }

    /// CLA, INS, P1 and P2.
    #[must_use]
    pub fn header(&self) -> [u8; 4] {
        [self.cla, self.ins, self.p1, self.p2]
    }

    /// The file identifier, length or offset in both parameters.
    #[must_use]
    pub fn parameters(&self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }
}

/// Data and Le.
fn body(rest: &[u8]) -> Option<(Vec<u8>, Option<usize>)> {
    let short = |le: u8| if le == 0 { 256 } else { usize::from(le) };
    let long = |high: u8, low: u8| match usize::from(u16::from_be_bytes([high, low])) {
        0 => 65_536,
        le => le,
    };
    match rest {
        [] => Some((Vec::new(), None)),
        [le] => Some((Vec::new(), Some(short(*le)))),
        [0, high, low] => Some((Vec::new(), Some(long(*high, *low)))),
        [0, high, low, rest @ ..] => {
            let (data, le) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            match le {
                [] => Some((data.to_vec(), None)),
                [high, low] => Some((data.to_vec(), Some(long(*high, *low)))),
                _ => None,
            }
        }
        [lc, rest @ ..] => {
            let (data, le) = rest.split_at_checked(usize::from(*lc))?;
            match le {
                [] => Some((data.to_vec(), None)),
                [le] => Some((data.to_vec(), Some(short(*le)))),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_cases_in_both_forms() {
        let read = |octets: &[u8]| Command::read(octets).map(|command| (command.data, command.le));
        assert_eq!(read(&[0, 1, 2, 3]), Some((vec![], None)));
        assert_eq!(read(&[0, 1, 2, 3, 0]), Some((vec![], Some(256))));
        assert_eq!(read(&[0, 1, 2, 3, 1, 9]), Some((vec![9], None)));
        assert_eq!(read(&[0, 1, 2, 3, 1, 9, 5]), Some((vec![9], Some(5))));
        assert_eq!(read(&[0, 1, 2, 3, 0, 0, 0]), Some((vec![], Some(65_536))));
        assert_eq!(read(&[0, 1, 2, 3, 0, 0, 1, 9]), Some((vec![9], None)));
        assert_eq!(read(&[0, 1, 2, 3, 0, 0, 1, 9, 1, 0]), Some((vec![9], Some(256))));
        assert_eq!(read(&[0, 1, 2]), None);
        assert_eq!(read(&[0, 1, 2, 3, 2, 9]), None);
    }
}
