//! From statuses and data parts to verdicts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use omadm_codec::dm2::{Command, MoItem, StatusCode, StatusEntry, mo_data};
use omadm_codec::media_type::{DMMO_JSON, TEXT_PLAIN};
use omadm_codec::multipart::Part;
use omadm_codec::{Limits, Problem};
use omadm_mo::{ClientUri, Content};

use super::{CommandResult, Config, Data, Pending, State, Verdict};
use crate::dm2::explain::sentence;
use crate::dm2::media::media_type;

/// Verdicts on commands that were sent and never answered.
pub(super) fn unanswered(config: &Config, queue: &[Pending]) -> Vec<CommandResult> {
    let lost = queue.iter().filter(|pending| pending.sent && !pending.accepted);
    lost.map(|pending| {
        let reason = "the session ended before the device answered";
        match &pending.command {
            Ok(command) => again(config, pending, format!("{} was sent, but {reason}", describe(command))),
            Err(unreadable) => quarantined(pending, unreadable),
        }
    })
    .collect()
}

/// Verdicts on the commands of the last Package#2; `statuses` are as many as it had commands. Also remarks on parts that fit none.
pub(super) fn settle(
    config: &Config,
    open: &State,
    statuses: &[StatusEntry],
    parts: Vec<Part>,
    queue: &[Pending],
) -> (Vec<CommandResult>, Vec<String>) {
    let mut notes = Vec::new();
    let mut parts = by_index(parts, statuses.len(), &mut notes);
    let mut results = Vec::new();
    let mut room = config.max_items;
    for (index, (seq, status)) in open.sent.iter().zip(statuses).enumerate() {
        let part = parts.remove(&index);
        let Some(pending) = queue.iter().find(|pending| pending.seq == *seq) else {
            notes.push(format!("command {seq} was answered with {}, but is no longer queued", status.code.0));
            continue;
        };
        results.push(verdict(config, pending, status, part, &mut room, &mut notes));
    }
    (results, notes)
}

/// Parts by the index in their name; of two with one name the first counts.
fn by_index(parts: Vec<Part>, statuses: usize, notes: &mut Vec<String>) -> BTreeMap<usize, Part> {
    let mut indexed = BTreeMap::new();
    for part in parts {
        let name = part.head.name.clone().unwrap_or_default();
        match name.parse::<usize>() {
            Ok(index) if index < statuses => match indexed.entry(index) {
                Entry::Vacant(place) => {
                    place.insert(part);
                }
                Entry::Occupied(_) => notes.push(format!("a second part named {name:?} was ignored")),
            },
            Ok(_) | Err(_) => notes.push(format!("a part named {name:?} fits no command and was ignored")),
        }
    }
    indexed
}

fn verdict(
    config: &Config,
    pending: &Pending,
    status: &StatusEntry,
    part: Option<Part>,
    room: &mut usize,
    notes: &mut Vec<String>,
) -> CommandResult {
    let command = match &pending.command {
        Ok(command) => command,
        Err(reason) => return quarantined(pending, reason),
    };
    let mut result = classify(config, pending, command, status);
    if matches!(command, Command::Get(_)) && status.code == StatusCode::OK {
        match read(config, part, room, notes) {
            Ok(data) => result.data = Some(data),
            Err(Untaken::Crowded) => {
                let (what, most) = (describe(command), config.max_items);
                let reason =
                    format!("{what} was answered, but with others it brought more than {most} items of data");
                return again(config, pending, reason);
            }
            Err(Untaken::Faulty(reason)) => {
                result.verdict = Verdict::Failed(status.code.0);
                result.sentence =
                    Some(format!("{} was answered with 200 OK, but {reason}", describe(command)));
            }
        }
    } else if part.is_some() {
        notes.push(format!("data with {} of {} was ignored", status.code.0, describe(command)));
    }
    result
}

/// What a status means for a command, unknown codes by their class (`DM 2.0 Appendix C`).
fn classify(config: &Config, pending: &Pending, command: &Command, status: &StatusEntry) -> CommandResult {
    let code = status.code;
    let told = || Some(sentence(command.name(), &target(command), code.0));
    let (verdict, sentence) = match code {
        StatusCode::ACCEPTED if matches!(command, Command::Exec { .. }) => (Verdict::Accepted, told()),
        StatusCode::NOT_MODIFIED => (Verdict::Done(code.0), None),
        StatusCode::SERVICE_UNAVAILABLE => {
            return again(config, pending, sentence(command.name(), &target(command), code.0));
        }
        _ if code.is_success() => (Verdict::Done(code.0), None),
        _ => (Verdict::Failed(code.0), told()),
    };
    CommandResult { seq: pending.seq, verdict, uris: status.uris.clone(), data: None, sentence }
}

/// Why the data of a GET is not taken.
enum Untaken {
    /// The end of a sentence.
    Faulty(String),
    /// It is too much together with the data before it, but not by itself as far as is known.
    Crowded,
}

/// Data of a GET, of which there is so much room left in this message.
fn read(
    config: &Config,
    part: Option<Part>,
    room: &mut usize,
    notes: &mut Vec<String>,
) -> Result<Data, Untaken> {
    let missing =
        || Untaken::Faulty("its data is missing from the package: ask the maker of the device".into());
    let part = part.ok_or_else(missing)?;
    let mut leniency = config.leniency();
    let content_type = part.head.content_type.unwrap_or_else(|| TEXT_PLAIN.into());
    let essence =
        media_type(&content_type).map_err(|reason| Untaken::Faulty(format!("of its data {reason}")))?.essence;
    let data = if essence == DMMO_JSON {
        let limits = Limits { items: *room, ..config.limits };
        let items =
            mo_data::decode(&part.body, &limits, &mut leniency).map_err(|error| match error.problem {
                Problem::TooMany { .. } if *room < config.max_items => Untaken::Crowded,
                _ => Untaken::Faulty(format!("its data cannot be read: {error}")),
            })?;
        *room = room.saturating_sub(items.iter().map(count).sum());
        Data::Items(items)
    } else {
        Data::Leaf { content_type, body: part.body }
    };
    notes.extend(leniency.used.iter().map(|tolerance| format!("tolerated in data: {tolerance}")));
    Ok(data)
}

/// Members and items of an item of MO data, as a decoder counts them.
fn count(item: &MoItem) -> usize {
    fn nodes(content: &Content) -> usize {
        match content {
            Content::Leaf(_) => 1,
            Content::Interior(children) => 1 + children.iter().map(|(_, child)| nodes(child)).sum::<usize>(),
        }
    }
    // The item itself, ClientURI and MOData.
    3 + usize::from(item.ddf.is_some()) + usize::from(item.cv.is_some()) + nodes(&item.content)
}

/// To be sent again, unless that was done often enough.
fn again(config: &Config, pending: &Pending, reason: String) -> CommandResult {
    if pending.attempts >= config.max_attempts {
        return quarantined(
            pending,
            &format!("given up after {} attempts; the last time: {reason}", pending.attempts),
        );
    }
    let sentence = Some(reason.clone());
    CommandResult {
        seq: pending.seq,
        verdict: Verdict::Again(reason),
        uris: Vec::new(),
        data: None,
        sentence,
    }
}

/// Given up.
pub(super) fn quarantined(pending: &Pending, reason: &str) -> CommandResult {
    CommandResult {
        seq: pending.seq,
        verdict: Verdict::Quarantined(reason.to_owned()),
        uris: Vec::new(),
        data: None,
        sentence: Some(reason.to_owned()),
    }
}

/// A command with its target, for a sentence.
pub(super) fn describe(command: &Command) -> String {
    format!("{} {}", command.name(), target(command))
}

/// What a command is about.
pub(super) fn target(command: &Command) -> String {
    match command {
        Command::Get(client)
        | Command::Delete(client)
        | Command::Exec { client, .. }
        | Command::HGet { client: Some(client), .. }
        | Command::Sub { client, .. }
        | Command::Unsub(client) => client.to_string(),
        Command::HPut { clients, .. } | Command::HPost { clients, .. } => {
            clients.iter().map(ClientUri::to_string).collect::<Vec<_>>().join(", ")
        }
        Command::HGet { server, client: None } | Command::Show(server) | Command::Cont(server) => {
            server.as_str().to_owned()
        }
        Command::Default { moid, .. } => moid.as_str().to_owned(),
        Command::End => "the session".to_owned(),
    }
}
