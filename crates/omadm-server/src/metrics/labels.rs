//! Labels of metrics. Their values are closed sets, so that no device, user, address or name can become one.

use omadm_store::{CampaignState, CommandState, Kept};

/// Values of the labels of a series.
pub trait Labels: Copy + 'static {
    /// How many there are.
    const COUNT: usize;
    /// What the labels are called.
    fn names() -> Vec<&'static str>;
    /// The number of these values, less than [`Labels::COUNT`].
    fn index(self) -> usize;
    /// The values with this number, in the order of [`Labels::names`].
    fn values(index: usize) -> Vec<&'static str>;
}

impl Labels for () {
    const COUNT: usize = 1;

    fn names() -> Vec<&'static str> {
        Vec::new()
    }

    fn index(self) -> usize {
        0
    }

    fn values(_: usize) -> Vec<&'static str> {
        Vec::new()
    }
}

impl<A: Labels, B: Labels> Labels for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;

    fn names() -> Vec<&'static str> {
        [A::names(), B::names()].concat()
    }

    fn index(self) -> usize {
        self.0.index() * B::COUNT + self.1.index()
    }

    fn values(index: usize) -> Vec<&'static str> {
        [A::values(index / B::COUNT), B::values(index % B::COUNT)].concat()
    }
}

impl Labels for Kept {
    const COUNT: usize = Self::ALL.len();

    fn names() -> Vec<&'static str> {
        vec!["what"]
    }

    fn index(self) -> usize {
        self as usize
    }

    fn values(index: usize) -> Vec<&'static str> {
        Self::ALL.get(index).map(|kept| kept.as_str()).into_iter().collect()
    }
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident as $label:literal { $($variant:ident = $value:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the values speak for themselves")]
        pub enum $name { $($variant,)+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            const VALUES: &'static [&'static str] = &[$($value,)+];
        }

        impl Labels for $name {
            const COUNT: usize = Self::ALL.len();

            fn names() -> Vec<&'static str> {
                vec![$label]
            }

            fn index(self) -> usize {
                self as usize
            }

            fn values(index: usize) -> Vec<&'static str> {
                Self::VALUES.get(index).copied().into_iter().collect()
            }
        }
    };
}

label! {
    /// Who is served.
    Listener as "listener" {
        Device = "device",
        Obex = "obex",
        Operator = "operator",
        Delegation = "delegation",
    }
}

label! {
    /// Class of an HTTP status.
    Class as "class" {
        Informational = "1xx",
        Success = "2xx",
        Redirect = "3xx",
        Refused = "4xx",
        Failed = "5xx",
    }
}

impl Class {
    /// That of a status.
    pub fn of(status: u16) -> Self {
        match status {
            0..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirect,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

label! {
    /// Whether something succeeded.
    Outcome as "outcome" {
        Done = "done",
        Failed = "failed",
    }
}

label! {
    /// What devices speak.
    Protocol as "protocol" {
        Dm1 = "dm1",
        Dm2 = "dm2",
    }
}

label! {
    /// What became of a session.
    Session as "outcome" {
        Accepted = "accepted",
        Refused = "refused",
        Ended = "ended",
    }
}

label! {
    /// What became of a command.
    Command as "state" {
        Sent = "sent",
        Done = "done",
        Failed = "failed",
        Expired = "expired",
        Quarantined = "quarantined",
        Queued = "queued_again",
        Cancelled = "cancelled",
        Superseded = "superseded",
    }
}

impl Command {
    /// The step to a state.
    pub fn of(state: CommandState) -> Self {
        match state {
            CommandState::Sent => Self::Sent,
            CommandState::Done => Self::Done,
            CommandState::Failed => Self::Failed,
            CommandState::Expired => Self::Expired,
            CommandState::Quarantined => Self::Quarantined,
            CommandState::Queued => Self::Queued,
            CommandState::Cancelled => Self::Cancelled,
            CommandState::Superseded => Self::Superseded,
        }
    }
}

label! {
    /// What became of a notification.
    Notification as "outcome" {
        Sent = "sent",
        Failed = "failed",
        GaveUp = "gave_up",
    }
}

label! {
    /// State of a campaign.
    Campaign as "state" {
        Draft = "draft",
        Running = "running",
        Holding = "holding",
        Paused = "paused",
        Stopped = "stopped",
        Failed = "failed",
        Done = "done",
    }
}

impl Campaign {
    /// That of a state.
    pub fn of(state: CampaignState) -> Self {
        match state {
            CampaignState::Draft => Self::Draft,
            CampaignState::Running => Self::Running,
            CampaignState::Holding => Self::Holding,
            CampaignState::Paused => Self::Paused,
            CampaignState::Stopped => Self::Stopped,
            CampaignState::Failed => Self::Failed,
            CampaignState::Done => Self::Done,
        }
    }
}

label! {
    /// What became of a delivery to a webhook.
    Delivery as "outcome" {
        Done = "done",
        Failed = "failed",
        Dead = "dead",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_count_through_all_values() {
        type Pair = (Listener, Outcome);
        assert_eq!(Pair::names(), ["listener", "outcome"]);
        assert_eq!(Pair::COUNT, 8);
        assert_eq!(Pair::values((Listener::Operator, Outcome::Failed).index()), ["operator", "failed"]);
        assert_eq!(Pair::values((Listener::Device, Outcome::Done).index()), ["device", "done"]);
    }

    #[test]
    fn a_status_has_a_class() {
        for (status, class) in
            [(101, "1xx"), (200, "2xx"), (299, "2xx"), (304, "3xx"), (404, "4xx"), (503, "5xx")]
        {
            assert_eq!(Class::values(Class::of(status).index()), [class]);
        }
    }
}
