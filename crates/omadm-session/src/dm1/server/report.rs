//! Reports without a session (`DM 1.3 Sessionless Reporting §5.1`). Beside what the standard says of their form all is [choice]: such a
//! message begins no session, its only answer is that of the transport, and its `MsgID`s grow, so that a repetition is known.

use omadm_codec::dm1::{Alert, AlertCode, Command};
use omadm_mo::Format;

use super::auth::{Identity, identify};
use super::message::Incoming;
use super::state::Carried;
use super::{Account, AlertItem, Config, ReceivedAlert};

/// What a report leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// It is to be stored, unless one with this `MsgID` or a larger one was stored before.
    Taken {
        /// `MsgID`.
        number: u64,
        /// Its alerts, with one item each.
        alerts: Vec<ReceivedAlert>,
    },
    /// It is not taken.
    Refused {
        /// What to answer: 400 or 401.
        http_status: u16,
        /// One sentence for the log and the sender.
        reason: String,
        /// Whether credentials were wrong, which counts against the sender.
        bad_credentials: bool,
    },
}

/// Takes a report. `account` is `None` if nobody is known by its sender.
#[must_use]
pub fn report(config: &Config, account: Option<&Account>, incoming: &Incoming<'_>) -> Report {
    let refused = |http_status, reason: String, bad_credentials| Report::Refused {
        http_status,
        reason,
        bad_credentials,
    };
    match identify(config, account, None, incoming) {
        Identity::Device(_) if account.is_some() => {}
        Identity::Device(_) => return refused(401, "the sender has no account".to_owned(), true),
        Identity::Unknown(failure) => return refused(401, failure.reason, failure.bad),
    }
    if !incoming.is_sessionless() {
        return refused(400, "a report has nothing but Alerts 1230".to_owned(), false);
    }
    let alerts = incoming.message.commands.iter().map(|command| match command {
        Command::Alert(alert) => read(alert),
        _ => Err("a report has nothing but Alerts 1230"),
    });
    match alerts.collect() {
        Ok(alerts) => Report::Taken { number: incoming.number, alerts },
        Err(reason) => refused(400, reason.to_owned(), false),
    }
}

/// An alert of a report has one item, with data, type and format.
fn read(alert: &Alert<'_>) -> Result<ReceivedAlert, &'static str> {
    let [item] = alert.items.as_slice() else { return Err("an Alert 1230 has one Item") };
    let (Some(data), Some(alert_type), Some(format)) = (&item.data, &item.meta.media_type, &item.meta.format)
    else {
        return Err("an Alert 1230 has Data, and Type and Format in its Meta");
    };
    if item.more || Format::parse(format.trim()).is_none() {
        return Err("an Alert 1230 is whole, and of a format that there is");
    }
    let owned = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    let item = AlertItem {
        source: owned(&item.source),
        target: owned(&item.target),
        alert_type: Some(alert_type.trim().to_owned()),
        format: Some(format.trim().to_owned()),
        mark: item.meta.mark.unwrap_or_default(),
        data: Some(Carried::of(data).value()),
    };
    let correlator = alert.correlator.as_deref().map(|text| text.trim().to_owned());
    Ok(ReceivedAlert { code: AlertCode::SessionlessReport, correlator, items: vec![item] })
}
