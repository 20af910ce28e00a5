//! Notifications of DM 1.x.

use omadm_codec::dm1::notification::{self, Notification, OptionNumber};
use omadm_codec::dm1::trigger::{self, Trigger, UiMode};
use omadm_codec::{DecodeError, Leniency};
use serde_json::{Value, json};

use super::hex::digits;
use super::{Decoded, Outline, limits};

/// A trigger of DM 1.1.2 or 1.2.
pub fn trigger(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let received = trigger::Received::decode(input, &limits(), leniency)?;
    let Trigger { ui_mode, by_server, session_id, server_id, vendor } = &received.trigger;
    let (ui_mode, initiator) = (mode(*ui_mode), initiator(*by_server));
    let version = format!("{}.{}", received.version / 10, received.version % 10);
    let mut outline = Outline::new();
    outline.push(0, &format!("digest {}", digits(&received.digest)));
    outline.push(0, &format!("version {version}, ui-mode {ui_mode}, initiator {initiator}"));
    outline.push(0, &format!("sessionid {session_id:X}"));
    outline.push(0, &format!("server-identifier {server_id}"));
    if !vendor.is_empty() {
        outline.push(0, &format!("vendor-specific {}", digits(vendor)));
    }
    let content = json!({
        "digest": digits(&received.digest),
        "version": version,
        "ui_mode": ui_mode,
        "initiator": initiator,
        "session_id": session_id,
        "server_id": server_id.as_str(),
        "vendor": digits(vendor),
    });
    Ok(Decoded { outline, content, warnings: Vec::new() })
}

/// A notification of DM 1.3.
pub fn extended(input: &[u8]) -> Result<Decoded, DecodeError> {
    let received = notification::Received::decode(input, &limits())?;
    let Notification { session_id, timeout_days, server_id, targeted_mos, requested_mos, bearers, .. } =
        &received.notification;
    let Notification { ui_mode, by_server, reason, vendor, .. } = &received.notification;
    let (ui_mode, initiator) = (mode(*ui_mode), initiator(*by_server));
    let numbers = |list: &[u16]| list.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let listed = |list: String| Some(list).filter(|list| !list.is_empty());
    let bearer_numbers: Vec<u16> = bearers.iter().copied().map(u16::from).collect();
    let mut outline = Outline::new();
    outline.push(0, &format!("VER 1, UI-MODE {ui_mode}, INITIATOR {initiator}"));
    outline.push(0, &format!("SESSIONID {session_id:X}"));
    let timeout = if *timeout_days == 0 { "never".to_owned() } else { format!("{timeout_days} days") };
    outline.push(0, &format!("TIMEOUT {timeout}"));
    for (number, fact) in [
        (OptionNumber::SERVER_ID, Some(server_id.to_string())),
        (OptionNumber::TARGETED_MO, listed(numbers(targeted_mos))),
        (OptionNumber::REQUESTED_MO, listed(numbers(requested_mos))),
        (OptionNumber::PREFERRED_BEARER, listed(numbers(&bearer_numbers))),
        (OptionNumber::CONNECT_REASON, reason.clone()),
        (OptionNumber::VENDOR_INFO, vendor.clone()),
    ] {
        if let Some(fact) = fact {
            outline.push(0, &format!("{} {fact}", number.name()));
        }
    }
    for (number, value) in &received.ignored {
        let value = digits(value);
        outline.push(0, &format!("option {}, which the standard does not define: {value}", number.0));
    }
    outline.push(0, &format!("digest {}", digits(received.digest)));
    let ignored = received.ignored.iter();
    let ignored: Vec<Value> =
        ignored.map(|(number, value)| json!({ "number": number.0, "value": digits(value) })).collect();
    let content = json!({
        "ui_mode": ui_mode,
        "initiator": initiator,
        "session_id": session_id,
        "timeout_days": timeout_days,
        "server_id": server_id.as_str(),
        "targeted_mos": targeted_mos,
        "requested_mos": requested_mos,
        "bearers": bearers,
        "reason": reason,
        "vendor": vendor,
        "ignored": ignored,
        "digest": digits(received.digest),
    });
    Ok(Decoded { outline, content, warnings: Vec::new() })
}

fn mode(mode: UiMode) -> &'static str {
    match mode {
        UiMode::NotSpecified => "not specified",
        UiMode::Background => "background",
        UiMode::Informative => "informative",
        UiMode::UserInteraction => "user interaction",
    }
}

fn initiator(by_server: bool) -> &'static str {
    if by_server { "server" } else { "user" }
}
