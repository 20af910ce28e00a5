//! The registration of a device with its SIP domain (`RFC 3261 §10`), with the feature tag of push.

use std::time::Duration;

use omadm_codec::sip::{self, DM_FEATURE, Field, Message, PUSH_FEATURE};

/// First pause after a registration that failed.
const RETRY: Duration = Duration::from_secs(30);
/// Longest such pause.
const LONGEST_RETRY: Duration = Duration::from_secs(1_800);
/// Shortest time that a registration is taken for; a shorter one would keep the device busy.
const SHORTEST: u32 = 60;
/// Longest time that a registrar can make us ask for: a day.
const LONGEST: u32 = 86_400;

/// Who registers where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's address, such as `sip:john@ims.example`.
    pub address: String,
    /// The registrar, such as `sip:ims.example`.
    pub registrar: String,
    /// Where requests for the user go from now on, such as `sip:john@192.0.2.1:5060;transport=tcp`.
    pub contact: String,
    /// For how many seconds.
    pub expires: u32,
}

/// The registration, over and over.
#[derive(Debug)]
pub struct Registration {
    account: Account,
    call_id: String,
    tag: String,
    number: u32,
    failures: u32,
    /// The registrar has made us ask for a longer time since we were registered last.
    was_raised: bool,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Registered; the next request is due after this time.
    Registered(Duration),
    /// Not registered, because of that; the next request is due after this time.
    Failed(String, Duration),
}

impl Registration {
    /// Of this account; `call_id` and `tag` are words that nobody can guess.
    #[must_use]
    pub fn new(account: Account, call_id: String, tag: String) -> Self {
        Self { account, call_id, tag, number: 0, failures: 0, was_raised: false }
    }

    /// The request that registers, or registers again.
    pub fn request(&mut self) -> Message {
        self.number = self.number.saturating_add(1);
        let Account { address, registrar, contact, expires } = &self.account;
        let fields = vec![
            Field::new("Max-Forwards", "70"),
            Field::new("From", &format!("<{address}>;tag={}", self.tag)),
            Field::new("To", &format!("<{address}>")),
            Field::new("Call-ID", &self.call_id),
            Field::new("CSeq", &format!("{} REGISTER", self.number)),
            Field::new("Contact", &format!("<{contact}>;{PUSH_FEATURE}=\"{DM_FEATURE}\"")),
            Field::new("Expires", &expires.to_string()),
        ];
        Message::request("REGISTER", registrar, fields, Vec::new())
    }

    /// Takes the final response, or that there was none; `number` is that of the request that went out last.
    pub fn answered(&mut self, response: Option<&Message>, number: u32) -> Verdict {
        self.number = self.number.max(number);
        let Some(response) = response else { return self.failed("the registrar does not answer".to_owned()) };
        match response.code() {
            Some(200..=299) => match self.granted(response) {
                Some(0) | None => self.failed("the registrar does not say for how long".to_owned()),
                Some(seconds) => {
                    (self.failures, self.was_raised) = (0, false);
                    Verdict::Registered(refresh(seconds))
                }
            },
            // It wants a longer time, and says which.
            Some(423) => {
                let wanted = response.field("Min-Expires").and_then(|text| text.parse().ok());
                match wanted.filter(|wanted| *wanted > self.account.expires && *wanted <= LONGEST) {
                    Some(wanted) => {
                        self.account.expires = wanted;
                        // At once, but a registrar that wants ever more has to be patient.
                        let again = std::mem::replace(&mut self.was_raised, true);
                        let pause = if again { self.pause() } else { Duration::ZERO };
                        Verdict::Failed("the registrar wants longer registrations".to_owned(), pause)
                    }
                    None => self.failed("423, without a time that will do".to_owned()),
                }
            }
            code => self.failed(format!("the registrar answered {}", code.unwrap_or_default())),
        }
    }

    /// For how many seconds our contact is registered.
    fn granted(&self, response: &Message) -> Option<u32> {
        let ours = response.all("Contact").find(|value| sip::uri_of(value) == Some(&self.account.contact));
        let own = ours.and_then(|value| sip::parameter(value, "expires"));
        own.or_else(|| response.field("Expires")).map_or(Some(self.account.expires), |text| text.parse().ok())
    }

    fn failed(&mut self, why: String) -> Verdict {
        Verdict::Failed(why, self.pause())
    }

    /// Counts a failure; how long to wait after it.
    fn pause(&mut self) -> Duration {
        let pause = RETRY.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_RETRY);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

/// When a registration of so many seconds is renewed: after five sixths, so that there is time to try again.
fn refresh(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds.clamp(SHORTEST, LONGEST))) * 5 / 6
}
