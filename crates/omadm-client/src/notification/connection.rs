//! Which connection a session is to use (`DM 2.0 §5.2.1.2`, PREFERRED-CON-TYPE).

use omadm_codec::dm2::notification::{Connection, Preference};

/// What to do about a preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The session may use any connection.
    Any,
    /// The session should use this one, which is available.
    Use(Connection),
    /// None of the wanted ones is available: wait until one is.
    Wait,
}

/// Chooses among what is available.
#[must_use]
pub fn choose(wanted: &Preference, available: &[Connection]) -> Choice {
    let wanted = wanted.as_slice();
    let best = wanted.iter().find(|connection| available.contains(connection));
    match best {
        Some(connection) => Choice::Use(*connection),
        None if wanted.is_empty() || wanted.contains(&Connection::AnyAvailable) => Choice::Any,
        None => Choice::Wait,
    }
}

#[cfg(test)]
mod tests {
    use Connection::{AnyAvailable, Cellular, Wireline, Wlan};

    use super::*;

    #[test]
    fn the_best_available_one_is_taken() {
        let choose = |wanted: &[Connection], available: &[Connection]| {
            choose(&Preference::new(wanted).unwrap(), available)
        };
        assert_eq!(choose(&[Wlan, Cellular], &[Cellular, Wlan]), Choice::Use(Wlan));
        assert_eq!(choose(&[Wlan, Cellular], &[Cellular, Wireline]), Choice::Use(Cellular));
        assert_eq!(choose(&[Wlan], &[Cellular]), Choice::Wait);
        assert_eq!(choose(&[Wlan, AnyAvailable], &[Cellular]), Choice::Any);
        assert_eq!(choose(&[Wlan, AnyAvailable], &[Wlan]), Choice::Use(Wlan));
        assert_eq!(choose(&[], &[]), Choice::Any);
    }
}
