//! Packages 1 to 3.

use omadm_codec::dm2::{Alert, CommandEntry, Initiation, Request, Response};
use omadm_codec::{DecodeError, Leniency};
use serde_json::{Value, json};

use super::{Decoded, Outline, limits};

/// Package#1.
pub fn initiation(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let package = Initiation::decode(input, &limits(), leniency)?;
    let mut outline = Outline::new();
    if let Some(mos) = &package.mos {
        outline.push(0, &format!("MOS: {}", counted(mos.len(), "management object")));
        for mo in mos {
            let instances = if mo.miids.is_empty() { "no instance".to_owned() } else { mo.miids.join(", ") };
            outline.push(1, &format!("{}  {instances}", mo.moid));
            if !mo.ddf.is_empty() {
                outline.push(2, &format!("DDF {}", mo.ddf));
            }
        }
    }
    push_alerts(&mut outline, &package.alerts);
    if package.mos.is_none() && package.alerts.is_empty() {
        outline.push(0, "nothing in it: no MOS, no Alert");
    }
    let content = json!({
        "mos": package.mos.as_ref().map(|mos| {
            mos.iter().map(|mo| json!({ "moid": mo.moid, "miids": mo.miids, "ddf": mo.ddf })).collect::<Vec<_>>()
        }),
        "alerts": alerts(&package.alerts),
    });
    Ok(Decoded { outline, content, warnings: Vec::new() })
}

/// Package#2.
pub fn request(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let package = Request::decode(input, &limits(), leniency, &|_| false)?;
    let mut outline = Outline::new();
    let mut warnings = Vec::new();
    let mut commands = Vec::new();
    outline.push(0, &format!("CMD: {}", counted(package.entries.len(), "command")));
    for (index, entry) in package.entries.iter().enumerate() {
        let (line, value) = command(entry);
        outline.push(1, &format!("{index}: {line}"));
        commands.push(value);
        if let Some(answer) = refusal(entry) {
            warnings.push(format!("a client answers command {index} with {answer}"));
        }
    }
    Ok(Decoded { outline, content: json!({ "commands": commands }), warnings })
}

fn command(entry: &CommandEntry) -> (String, Value) {
    match entry {
        CommandEntry::Valid(command) => {
            let words = command.to_words();
            (words.join("  "), json!({ "words": words }))
        }
        CommandEntry::Unknown { name } => (
            format!("{name}: no command of the standard"),
            json!({ "name": name, "error": "unknown command" }),
        ),
        CommandEntry::Malformed { name, reason } => {
            (format!("{name}: {reason}"), json!({ "name": name, "error": reason }))
        }
    }
}

fn refusal(entry: &CommandEntry) -> Option<&'static str> {
    match entry {
        CommandEntry::Valid(_) => None,
        CommandEntry::Unknown { .. } => Some("501 (Not Implemented)"),
        CommandEntry::Malformed { .. } => Some("400 (Bad Request)"),
    }
}

/// Package#3.
pub fn response(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let package = Response::decode(input, &limits(), leniency)?;
    let mut outline = Outline::new();
    outline.push(0, &format!("Status: {}", counted(package.statuses.len(), "command")));
    let mut statuses = Vec::new();
    for (index, status) in package.statuses.iter().enumerate() {
        let label = status.code.label().unwrap_or("no code of the standard");
        outline.push(1, &format!("{index}: {} {label}", status.code.0));
        for uri in &status.uris {
            outline.push(2, &format!("URI {uri}"));
        }
        statuses.push(json!({ "code": status.code.0, "label": status.code.label(), "uris": status.uris }));
    }
    push_alerts(&mut outline, &package.alerts);
    let content = json!({ "statuses": statuses, "alerts": alerts(&package.alerts) });
    Ok(Decoded { outline, content, warnings: Vec::new() })
}

fn push_alerts(outline: &mut Outline, alerts: &[Alert]) {
    if alerts.is_empty() {
        return;
    }
    outline.push(0, &format!("Alert: {}", counted(alerts.len(), "alert")));
    for alert in alerts {
        outline.push(1, &format!("{} ({})", alert.alert_type, alert.mark.as_str()));
        for (name, value) in [("SourceURI", &alert.source), ("TargetURI", &alert.target)] {
            if let Some(value) = value {
                outline.push(2, &format!("{name} {value}"));
            }
        }
        if let Some(data) = &alert.data {
            let kind = data.data_type.as_deref().unwrap_or("no DataType");
            outline.push(2, &format!("Data ({kind}) {}", data.data));
        }
    }
}

fn alerts(alerts: &[Alert]) -> Vec<Value> {
    let one = |alert: &Alert| {
        json!({
            "type": alert.alert_type,
            "source": alert.source,
            "target": alert.target,
            "mark": alert.mark.as_str(),
            "data_type": alert.data.as_ref().and_then(|data| data.data_type.as_deref()),
            "data": alert.data.as_ref().map(|data| &data.data),
        })
    };
    alerts.iter().map(one).collect()
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}
