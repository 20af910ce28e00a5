//! Reads messages.

use super::{CSeq, MAX_MESSAGE, Message, Start, VERSION, Via};
use crate::Limits;
use crate::error::{DecodeError, Problem};
use crate::head::{self, Field, Head};
use crate::media_type::is_token;

/// Compact names of header fields (`RFC 3261 §7.3.3`, `RFC 3841 §9.1`).
const COMPACT: [(&str, &str); 12] = [
    ("a", "Accept-Contact"),
    ("c", "Content-Type"),
    ("d", "Request-Disposition"),
    ("e", "Content-Encoding"),
    ("f", "From"),
    ("i", "Call-ID"),
    ("j", "Reject-Contact"),
    ("k", "Supported"),
    ("l", "Content-Length"),
    ("m", "Contact"),
    ("t", "To"),
    ("v", "Via"),
];

/// Most octets of line ends before a message in a stream: those of keep-alives (`RFC 5626 §4.4.1`) and some more [choice]. Who sends nothing
/// else would have its receiver keep them all.
const MAX_LINE_ENDS: usize = 64;

/// A message that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Broken {
    /// What is wrong with it.
    #[source]
    pub error: DecodeError,
    /// The message without its body, if that can be answered.
    pub head: Option<Box<Message>>,
}

impl From<DecodeError> for Broken {
    fn from(error: DecodeError) -> Self {
        Self { error, head: None }
    }
}

/// Reads a message that came in a datagram: octets after the body are passed over (`RFC 3261 §18.3`).
///
/// # Errors
/// With byte offset and field.
pub fn decode(input: &[u8], limits: &Limits) -> Result<Message, Broken> {
    let limit = limits.bytes.min(MAX_MESSAGE);
    if input.len() > limit {
        return Err(DecodeError { at: limit, field: "message", problem: Problem::TooLarge { limit } }.into());
    }
    let mut head = head::read(input, limits)?;
    head.fields.iter_mut().for_each(|(_, field)| lengthen(field));
    let start = start(head.start)?;
    check(&head, &start)?;
    let rest = input.get(head.length..).unwrap_or_default();
    let body = body(&head, rest);
    let fields = head.fields.into_iter().map(|(_, field)| field);
    let fields = fields.filter(|field| !field.is("Content-Length")).collect();
    let message = Message { start, fields, body: Vec::new() };
    match body {
        Ok(body) => Ok(Message { body: body.to_vec(), ..message }),
        Err(error) => Err(Broken { error, head: Some(message.into()) }),
    }
}

/// Octets of the first message of a stream, with line ends before it; `None` when it has not come whole.
///
/// # Errors
/// When it is too large, there are too many line ends before it, or it does not say how long it is: then nothing that follows can be read.
pub fn frame(stream: &[u8], limits: &Limits) -> Result<Option<usize>, DecodeError> {
    let ends = stream.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
    if ends > MAX_LINE_ENDS {
        let problem = Problem::TooLarge { limit: MAX_LINE_ENDS };
        return Err(DecodeError { at: MAX_LINE_ENDS, field: "message", problem });
    }
    let message = stream.get(ends..).unwrap_or_default();
    if head::length(message)?.is_none() {
        return Ok(None);
    }
    let mut head = head::read(message, limits)?;
    head.fields.iter_mut().for_each(|(_, field)| lengthen(field));
    let missing = DecodeError { at: head.length, field: "Content-Length", problem: Problem::Missing };
    let body = head.content_length()?.ok_or(missing)?;
    let limit = limits.bytes.min(MAX_MESSAGE);
    let whole = head.length.checked_add(body).filter(|whole| *whole <= limit).ok_or(DecodeError {
        at: head.length,
        field: "Content-Length",
        problem: Problem::TooLarge { limit },
    })?;
    Ok((message.len() >= whole).then_some(ends + whole))
}

/// The body as long as the head says; all that is left where it does not say it.
fn body<'a>(head: &Head<'_>, rest: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let Some(length) = head.content_length()? else { return Ok(rest) };
    rest.get(..length).ok_or(DecodeError {
        at: head.length + rest.len(),
        field: "Content-Length",
        problem: Problem::Short,
    })
}

/// Gives a field its long name.
fn lengthen(field: &mut Field) {
    let long = COMPACT.iter().find(|(short, _)| field.is(short)).map(|(_, long)| long);
    if let Some(long) = long {
        field.rename(long);
    }
}

fn start(line: &str) -> Result<Start, DecodeError> {
    let error = |problem: &'static str| DecodeError {
        at: 0,
        field: "start line",
        problem: Problem::Syntax(problem.into()),
    };
    if let Some(status) = line.strip_prefix("SIP/2.0 ") {
        let (code, reason) = status.split_once(' ').unwrap_or((status, ""));
        let three = code.len() == 3 && code.bytes().all(|digit| digit.is_ascii_digit());
        let code = code.parse().ok().filter(|code| three && (100..700).contains(code));
        let code = code.ok_or_else(|| error("not a status code of three digits"))?;
        return Ok(Start::Response { code, reason: reason.to_owned() });
    }
    let mut words = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(error("neither METHOD URI SIP/2.0 nor SIP/2.0 CODE REASON"));
    };
    if !version.eq_ignore_ascii_case(VERSION) {
        return Err(error("not version SIP/2.0"));
    }
    // A control character was refused with the head; a tab is one that the head may have.
    if !is_token(method) || uri.is_empty() || uri.contains('\t') {
        return Err(error("not a method and a URI"));
    }
    Ok(Start::Request { method: method.to_owned(), uri: uri.to_owned() })
}

/// What every message has to have (`RFC 3261 §8.1.1`), so that it can be answered.
fn check(head: &Head<'_>, start: &Start) -> Result<(), DecodeError> {
    let syntax = |at, field, problem: &'static str| DecodeError {
        at,
        field,
        problem: Problem::Syntax(problem.into()),
    };
    for name in ["From", "To", "Call-ID", "CSeq"] {
        let (at, field) =
            head.one(name)?.ok_or(DecodeError { at: head.length, field: name, problem: Problem::Missing })?;
        let text = field.value();
        match name {
            "CSeq" => {
                let read = CSeq::parse(text).ok_or_else(|| syntax(*at, name, "not number and method"))?;
                if let Start::Request { method, .. } = start
                    && read.method != *method
                {
                    return Err(syntax(*at, name, "its method is not that of the request"));
                }
            }
            "Call-ID" if text.is_empty() || text.contains([' ', '\t']) => {
                return Err(syntax(*at, name, "not one word"));
            }
            "Call-ID" => {}
            _ if super::uri_of(text).is_none() => return Err(syntax(*at, name, "there is no address in it")),
            _ => {}
        }
    }
    let via = head.fields.iter().find(|(_, field)| field.is("Via"));
    let missing = DecodeError { at: head.length, field: "Via", problem: Problem::Missing };
    let (at, via) = via.ok_or(missing)?;
    let parsed =
        Via::parse(via.value()).ok_or_else(|| syntax(*at, "Via", "no way back can be read from it"))?;
    if parsed.branch().is_none() && matches!(start, Start::Request { .. }) {
        return Err(syntax(*at, "Via", "it has no branch"));
    }
    head.content_type().map(drop)
}
