//! Traces of APDUs, as this project, pcscd and OpenSC write them.

use omadm_codec::smartcard::apdu::{self, Command, Response};
use omadm_codec::smartcard::fcp::FileControl;
use omadm_codec::smartcard::sim::Selected;
use omadm_codec::smartcard::{Aid, Class, Expected, FileId, Instruction, KeyReference, Path};
use omadm_codec::{DecodeError, Problem};
use serde_json::{Value, json};

use super::super::hex::digits;
use super::super::{Decoded, Outline, limits};
use super::objects::shown;
use super::words::{self, octets};

/// What a line begins with, behind a time if there is one, and whether it is a command.
const MARKS: [(&str, bool); 7] = [
    (">", true),
    ("<", false),
    ("C-APDU:", true),
    ("R-APDU:", false),
    ("Sending:", true),
    ("APDU:", true),
    ("SW:", false),
];

/// Octets of one command or response, with their places in the file.
struct Line {
    is_command: bool,
    octets: Vec<u8>,
    /// Where each octet stands, and then where the line ends.
    places: Vec<usize>,
}

/// Whether the first line that says anything is one of a trace.
pub fn begins_like_a_trace(text: &[u8]) -> bool {
    let line = text.split(|octet| *octet == b'\n').find(|line| !is_blank(line));
    line.is_some_and(|line| mark(line).is_some_and(|(is_command, _)| is_command))
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start(), [] | [b'#', ..])
}

/// The direction of a line, and where its octets begin.
fn mark(line: &[u8]) -> Option<(bool, usize)> {
    let time = line.iter().take_while(|octet| octet.is_ascii_digit() || b" \t.:".contains(octet)).count();
    let said = line.get(time..)?;
    MARKS.iter().find_map(|(mark, is_command)| {
        said.starts_with(mark.as_bytes()).then(|| (*is_command, time.saturating_add(mark.len())))
    })
}

/// Commands and responses, a line each.
pub fn trace(input: &[u8]) -> Result<Decoded, DecodeError> {
    let mut outline = Outline::new();
    let mut messages = Vec::new();
    let mut last: Option<Command> = None;
    let mut selection: Option<Class> = None;
    for line in lines(input)? {
        let start = line.places.first().copied().unwrap_or_default();
        let moved = |error: DecodeError| DecodeError {
            at: line.places.get(error.at).or(line.places.last()).copied().unwrap_or(error.at),
            ..error
        };
        if line.is_command {
            let command = Command::decode(&line.octets, &limits()).map_err(moved)?;
            outline.push(0, &format!("{start:>4}  > {}", say(&command)));
            messages.push(command_json(start, &command));
            if command.instruction != Instruction::GET_RESPONSE {
                selection = (command.instruction == Instruction::SELECT).then_some(command.class);
            }
            last = Some(command);
        } else {
            let response = Response::decode(&line.octets, &limits()).map_err(moved)?;
            let status = response.status;
            outline.push(0, &format!("{start:>4}  < {status} {}", status.meaning()));
            let is_secret = last.as_ref().is_some_and(|command| command.class.is_secured());
            if !response.data().is_empty() {
                let name = if is_secret { "protected" } else { "data" };
                outline.push(
                    3,
                    &format!("{name}, {}: {}", octets(response.data().len()), shown(response.data())),
                );
            }
            let file = selection.filter(|_| !is_secret).and_then(|class| selected(class, &response));
            if let Some(facts) = &file {
                outline.push(3, facts);
            }
            messages.push(json!({
                "at": start, "response": status.to_string(), "meaning": status.meaning(), "file": file,
                "data": digits(response.data()),
            }));
        }
    }
    if messages.is_empty() {
        let problem = Problem::Schema("no line of a trace, such as `> 00A40004022F00` or `< 9000`".into());
        return Err(DecodeError { at: 0, field: "trace", problem });
    }
    Ok(Decoded { outline, content: json!({ "apdus": messages }), warnings: Vec::new() })
}

/// The lines of a trace. Those without a mark are something else in a log; where no line has one, they take turns.
fn lines(input: &[u8]) -> Result<Vec<Line>, DecodeError> {
    let marked = input.split(|octet| *octet == b'\n').any(|line| mark(line).is_some());
    let mut lines = Vec::new();
    let mut at = 0;
    for text in input.split(|octet| *octet == b'\n') {
        let direction = match mark(text) {
            Some(mark) => Some(mark),
            None if marked || is_blank(text) => None,
            None => Some((lines.len() % 2 == 0, 0)),
        };
        if let Some((is_command, from)) = direction {
            lines.push(line(is_command, text.get(from..).unwrap_or_default(), at + from)?);
        }
        at += text.len() + 1;
    }
    Ok(lines)
}

fn line(is_command: bool, text: &[u8], at: usize) -> Result<Line, DecodeError> {
    let error = |place, problem| DecodeError { at: place, field: "hexadecimal digits", problem };
    let code = text.split(|octet| *octet == b'#').next().unwrap_or_default();
    let mut line = Line { is_command, octets: Vec::new(), places: Vec::new() };
    let mut half: Option<(u8, usize)> = None;
    for (place, octet) in (at..).zip(code).filter(|(_, octet)| !matches!(octet, b' ' | b'\t' | b'\r' | b':'))
    {
        let digit = char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digit = digit.ok_or_else(|| error(place, Problem::Syntax("not a digit".into())))?;
        half = match half {
            None => Some((digit, place)),
            Some((high, place)) => {
                line.octets.push(high << 4 | digit);
                line.places.push(place);
                None
            }
        };
    }
    if let Some((_, place)) = half {
        return Err(error(place, Problem::Short));
    }
    line.places.push(at.saturating_add(code.len()));
    Ok(line)
}

/// What a response says of the file that was selected.
fn selected(class: Class, response: &Response) -> Option<String> {
    if class == Class::SIM {
        Selected::decode(response.data(), &limits()).ok().map(|file| words::of_sim(&file))
    } else {
        FileControl::decode(response.data(), &limits()).ok().map(|control| words::of_uicc(&control))
    }
}

/// A command in words.
fn say(command: &Command) -> String {
    let name = command.instruction.name();
    let name = name.map_or_else(|| format!("INS {:?}", command.instruction), str::to_owned);
    let facts = facts(command);
    let channel = match command.class.channel().number() {
        0 => String::new(),
        number => format!(", channel {number}"),
    };
    let expected = command.expected.map(Expected::octets);
    let expected = expected.map(|octets| format!(", expects {octets}")).unwrap_or_default();
    format!("{} {name}{facts}{channel}{expected}", digits(&command.header()))
}

fn facts(command: &Command) -> String {
    let data = command.data();
    if command.class.is_secured() && command.instruction != Instruction::EXTERNAL_AUTHENTICATE {
        return format!(", protected, {}", octets(data.len()));
    }
    match command.instruction {
        Instruction::SELECT => match command.p1 {
            0x04 => Aid::new(data.to_vec()).map(|aid| {
                let is_ours = if aid.is_pkcs15() { " (PKCS#15)" } else { "" };
                format!(" of application {aid}{is_ours}")
            }),
            _ => Path::from_octets(data).map(|path| format!(" of file {path}{}", of_file(path.file()))),
        }
        .unwrap_or_default(),
        Instruction::READ_BINARY | Instruction::READ_BINARY_OFFSET => {
            offset(command).map(|offset| format!(" from {offset}")).unwrap_or_default()
        }
        Instruction::UPDATE_BINARY | Instruction::UPDATE_BINARY_OFFSET => {
            let offset = offset(command).map(|offset| format!(" from {offset}")).unwrap_or_default();
            format!("{offset}, {}", shown(data))
        }
        Instruction::READ_RECORD => format!(" {}", command.p1),
        Instruction::UPDATE_RECORD => format!(" {}, {}", command.p1, shown(data)),
        Instruction::VERIFY => {
            let asks = if data.is_empty() { ", asks for the tries left" } else { ", the PIN is not shown" };
            format!(" {}{asks}", KeyReference(command.p2).name())
        }
        Instruction::MANAGE_CHANNEL if command.p1 == 0x80 => format!(": close channel {}", command.p2),
        Instruction::MANAGE_CHANNEL => ": open a channel".to_owned(),
        Instruction::INITIALIZE_UPDATE => format!(", key version {:02X}", command.p1),
        Instruction::EXTERNAL_AUTHENTICATE => format!(", security level {:02X}", command.p1),
        _ if data.is_empty() => String::new(),
        _ => format!(", {}", shown(data)),
    }
}

fn offset(command: &Command) -> Option<u32> {
    apdu::offset_of(command, &limits()).ok()
}

fn of_file(file: FileId) -> &'static str {
    match file {
        FileId::MF => " (MF)",
        FileId::DIR => " (EF(DIR))",
        FileId::ICCID => " (EF(ICCID))",
        FileId::ODF => " (EF(ODF))",
        FileId::TOKEN_INFO => " (EF(TokenInfo))",
        FileId::DODF_BOOTSTRAP => " (EF(DODF-bootstrap))",
        _ => "",
    }
}

fn command_json(at: usize, command: &Command) -> Value {
    // A PIN is nobody's business.
    let is_pin = command.instruction == Instruction::VERIFY && !command.data().is_empty();
    json!({
        "at": at, "command": digits(&command.header()), "name": command.instruction.name(),
        "channel": command.class.channel().number(), "protected": command.class.is_secured(),
        "data": if is_pin { None } else { Some(digits(command.data())) },
        "expected": command.expected.map(Expected::octets),
    })
}
