//! User interaction alerts (`DM 1.3 PROTO §10`): what is asked, with its options, and what the user did.

use core::time::Duration;

use omadm_mo::ServerId;

/// Something to show to, or to ask of, the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which server asks: to be shown.
    pub server: ServerId,
    /// What kind of answer.
    pub kind: QuestionKind,
    /// The text, without control characters, at most [`MAX_TEXT`] characters.
    pub text: String,
    /// `MINDT`: to be shown at least so long.
    pub min_display: Option<Duration>,
    /// `MAXDT`: to be shown at most so long; then the answer is [`UserAnswer::TimedOut`].
    pub max_display: Option<Duration>,
}

/// Most characters of a text that is shown.
pub const MAX_TEXT: usize = 4096;

/// What kind of answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// 1100: none. Answer [`UserAnswer::Shown`].
    Display,
    /// 1101: yes or no.
    Confirm {
        /// `DR`: which one is highlighted.
        default: Option<bool>,
    },
    /// 1102: a text.
    Text {
        /// `DR`: what stands there at first.
        default: String,
        /// `MAXLEN`: most characters.
        max_length: Option<usize>,
        /// `IT`.
        input: InputType,
        /// `ET` is `P`: what is typed is not shown, as of a password.
        hidden: bool,
    },
    /// 1103: one of these. Numbers count from 1.
    Single {
        /// In order.
        choices: Vec<String>,
        /// `DR`.
        default: Option<usize>,
    },
    /// 1104: any of these.
    Multiple {
        /// In order.
        choices: Vec<String>,
        /// `DR`.
        defaults: Vec<usize>,
    },
}

/// `IT`: what may be typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputType {
    /// `A`: anything.
    #[default]
    Alphanumeric,
    /// `N`: digits, decimal point, sign.
    Numeric,
    /// `D`: a date, `DDMMYYYY`.
    Date,
    /// `T`: a time, `hhmmss`.
    Time,
    /// `P`: a phone number: digits, `+` in front, `p`, `w`, `s`.
    Phone,
    /// `I`: an IPv4 address, `xxx.yyy.zzz.www`.
    IpAddress,
}

/// What the user did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAnswer {
    /// Saw it.
    Shown,
    /// Yes.
    Accepted,
    /// No.
    Rejected,
    /// Typed this.
    Text(String),
    /// Chose these, counted from 1: one for [`QuestionKind::Single`], any number for [`QuestionKind::Multiple`].
    Chosen(Vec<usize>),
    /// Wants none of it: nothing more of the message is carried out.
    Cancelled,
    /// Nothing, until [`Question::max_display`] or the patience of the device was over.
    TimedOut,
    /// The device cannot show it after all.
    NotDisplayable,
}
