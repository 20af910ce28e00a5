//! What the statuses in messages mean, in words.

use omadm_codec::dm1::{self, Encoding};
use omadm_codec::{Leniency, Limits};
use omadm_session::{dm1 as engine1, dm2 as engine2};
use serde_json::Value;

use super::Message;

/// Most words of a gist.
const MAX_WORDS: usize = 4;

/// A status in words.
pub struct Said {
    /// As a state: `done` or `failed`.
    pub mood: &'static str,
    /// The sentence.
    pub sentence: String,
}

impl Said {
    fn new(status: u16, sentence: String) -> Self {
        // 3xx and the 213 and 214 of DM 1.x are answers too.
        let mood = if matches!(status % 1_000, 200..=399) { "done" } else { "failed" };
        Self { mood, sentence }
    }
}

/// What the statuses of each message mean.
pub fn of(messages: &[Message]) -> Vec<Vec<Said>> {
    let mut asked = Vec::new();
    messages
        .iter()
        .map(|message| {
            let text = message.text.as_deref().unwrap_or_default();
            if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
                // What the server says of messages of the device is no news of the device.
                return if message.from_device { in_dm1(text) } else { Vec::new() };
            }
            let Some(document) = document(text) else { return Vec::new() };
            if !message.from_device {
                asked = commands(&document);
                return Vec::new();
            }
            statuses(&document, &asked)
        })
        .collect()
}

/// What a message says, in a few words: its commands, or its statuses.
pub fn gist(message: &Message) -> Option<String> {
    let text = message.text.as_deref()?;
    let words: Vec<String> = if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        let limits = Limits { bytes: text.len(), ..Limits::default() };
        let decoded = dm1::decode(text.as_bytes(), Encoding::Xml, &limits, &mut Leniency::lenient()).ok()?;
        decoded.message.commands.iter().filter_map(word).collect()
    } else {
        let document = document(text)?;
        let statuses = document.get("Status").and_then(Value::as_array).into_iter().flatten();
        let statuses = statuses.filter_map(|status| Some(status.get("sc")?.as_u64()?.to_string()));
        let alerts = document.get("Alert").and_then(Value::as_array).map_or(0, Vec::len);
        let alerts = std::iter::repeat_n("Alert".to_owned(), alerts);
        commands(&document).into_iter().map(|(command, _)| command).chain(alerts).chain(statuses).collect()
    };
    let more = if words.len() > MAX_WORDS {
        format!(" and {} more", words.len() - MAX_WORDS)
    } else {
        String::new()
    };
    let words: Vec<String> = words.into_iter().take(MAX_WORDS).collect();
    (!words.is_empty()).then(|| format!("{}{more}", words.join(", ")))
}

/// A command of DM 1.x in a word; statuses of the header say nothing new.
fn word(command: &dm1::Command<'_>) -> Option<String> {
    match command {
        dm1::Command::Status(status) if status.cmd == "SyncHdr" => None,
        dm1::Command::Status(status) => Some(status.code.clone().into_owned()),
        dm1::Command::Alert(alert) => Some(format!("Alert {}", alert.code)),
        dm1::Command::Results(_) => Some("Results".to_owned()),
        dm1::Command::Operation(operation) => Some(format!("{:?}", operation.kind)),
        dm1::Command::Container(container) => Some(format!("{:?}", container.kind)),
        dm1::Command::Unknown(_) => Some("unknown".to_owned()),
    }
}

/// Statuses of a message of DM 1.x.
fn in_dm1(text: &str) -> Vec<Said> {
    let limits = Limits { bytes: text.len(), ..Limits::default() };
    let Ok(decoded) = dm1::decode(text.as_bytes(), Encoding::Xml, &limits, &mut Leniency::lenient()) else {
        return Vec::new();
    };
    let commands = decoded.message.commands.iter();
    commands
        .filter_map(|command| match command {
            dm1::Command::Status(status) => {
                let code: u16 = status.code.parse().ok()?;
                let about = status.target_refs.first().or(status.source_refs.first());
                let address = about.map_or("", |about| about.as_ref());
                Some(Said::new(code, engine1::explain::sentence(&status.cmd, address, code)))
            }
            _ => None,
        })
        .collect()
}

/// The JSON document of a message of DM 2.0; the first part of a multipart body.
fn document(text: &str) -> Option<Value> {
    let text = text.get(text.find('{')?..)?;
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()
}

/// The commands of a Package#2: name and address.
fn commands(document: &Value) -> Vec<(String, String)> {
    let commands = document.get("CMD").and_then(Value::as_array).into_iter().flatten();
    let word = |command: &Value, place: usize| {
        command.get(place).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    commands.map(|command| (word(command, 0), word(command, 1))).collect()
}

/// The statuses of a Package#3, each with its command.
fn statuses(document: &Value, asked: &[(String, String)]) -> Vec<Said> {
    let statuses = document.get("Status").and_then(Value::as_array).into_iter().flatten();
    statuses
        .enumerate()
        .filter_map(|(place, status)| {
            let code = u16::try_from(status.get("sc")?.as_u64()?).ok()?;
            let (command, address) =
                asked.get(place).map_or(("", ""), |(command, address)| (command, address));
            Some(Said::new(code, engine2::explain::sentence(command, address, code)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(from_device: bool, text: &str) -> Message {
        let text = Some(text.to_owned());
        let (at, summary, content_type) = (String::new(), String::new(), String::new());
        Message {
            at,
            from_device,
            summary,
            content_type,
            http_status: None,
            length: 0,
            notes: Vec::new(),
            text,
            base64: None,
            cut: false,
        }
    }

    #[test]
    fn statuses_of_dm2_are_told_with_their_commands() {
        let said = of(&[
            message(false, r#"{"CMD":[["GET","urn:a//B"],["EXEC","urn:a//C"]]}"#),
            message(true, "--b\r\nContent-Type: x\r\n\r\n{\"Status\":[{\"sc\":200},{\"sc\":405}]}\r\n--b--"),
        ]);
        assert!(said[0].is_empty());
        assert_eq!((said[1][0].mood, said[1][1].mood), ("done", "failed"));
        assert!(said[1][1].sentence.starts_with("EXEC urn:a//C failed with 405"), "{}", said[1][1].sentence);
    }

    #[test]
    fn a_message_is_told_in_a_few_words() {
        let told = |text: &str| gist(&message(true, text));
        assert_eq!(told(r#"{"CMD":[["GET","a"],["EXEC","b"]]}"#).as_deref(), Some("GET, EXEC"));
        assert_eq!(told(r#"{"Alert":[{}],"Status":[{"sc":200}]}"#).as_deref(), Some("Alert, 200"));
        let many = format!(r#"{{"Status":[{}]}}"#, [r#"{"sc":200}"#; 6].join(","));
        assert_eq!(told(&many).as_deref(), Some("200, 200, 200, 200 and 2 more"));
        assert_eq!(told("{}"), None);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for text in ["", "{", "<SyncML>", "<x/>", "[1]", "{\"Status\":7}", "{\"Status\":[{\"sc\":70000}]}"] {
            assert!(of(&[message(true, text)])[0].is_empty(), "{text}");
        }
    }
}
