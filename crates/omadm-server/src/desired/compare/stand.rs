//! How things stand, and how profiles do for it.

use omadm_store::ProfileState;

use super::Standing;
use crate::desired::wanted::Wanted;

/// How one want stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is so, as far as is known.
    Converged,
    /// It is to be done, and nothing has been done about it yet.
    Todo,
    /// It is being done.
    UnderWay(String),
    /// It waits for something.
    Waiting(String),
    /// It was so, and is not; that is only shown.
    Drifted(String),
    /// It was tried in vain, or cannot be.
    Failed(String),
}

impl Stand {
    /// As the state of a profile.
    pub fn state(&self) -> ProfileState {
        match self {
            Self::Converged => ProfileState::Converged,
            Self::Todo | Self::UnderWay(_) | Self::Waiting(_) => ProfileState::Pending,
            Self::Drifted(_) => ProfileState::Drifted,
            Self::Failed(_) => ProfileState::Failed,
        }
    }

    /// Why, in a sentence.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Converged => None,
            Self::Todo => Some("It waits for its turn."),
            Self::UnderWay(why) | Self::Waiting(why) | Self::Drifted(why) | Self::Failed(why) => Some(why),
        }
    }
}

/// How each profile that applies stands: as the worst of what it wants.
pub(super) fn standings(wanted: &Wanted, stands: &[Stand]) -> Vec<Standing> {
    (0..wanted.applying).map(|by| of_profile(wanted, stands, by)).collect()
}

fn of_profile(wanted: &Wanted, stands: &[Stand], by: usize) -> Standing {
    let own: Vec<_> = wanted.wants.iter().zip(stands).filter(|(want, _)| want.by == by).collect();
    let state = own.iter().map(|(_, stand)| stand.state()).max().unwrap_or(ProfileState::Converged);
    if state == ProfileState::Converged {
        return Standing { by, state, reason: None };
    }
    let such = || own.iter().filter(|(_, stand)| stand.state() == state);
    let first = such()
        .next()
        .map(|(want, stand)| format!("{}: {}", want.item.what.name(), stand.reason().unwrap_or_default()));
    let others = such().count() - 1;
    let more = if others > 0 {
        format!(" ({others} more of {} are {}.)", own.len(), state.as_str())
    } else {
        String::new()
    };
    Standing { by, state, reason: first.map(|first| first + &more) }
}
