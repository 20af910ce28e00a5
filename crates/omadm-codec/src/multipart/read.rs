//! Reading multipart bodies as they arrive.

use super::{Event, Part, PartHead, is_boundary};
use crate::error::{DecodeError, Problem};
use crate::media_type::{field_value, find};
use crate::{Leniency, Limits, Tolerance};

/// Field of errors that concern the body as a whole.
const BODY: &str = "multipart body";
/// Field of errors in the header fields of a part.
const HEAD: &str = "part head";
/// Field of errors around delimiters.
const BOUNDARY: &str = "boundary";

/// Most octets that the head of one part, or the rest of a delimiter line, may have.
const LONGEST_HEAD: usize = 8 * 1024;

/// Push parser: feed it chunks as they arrive; between two it holds no more than a boundary's length plus a part's head.
pub struct Reader {
    /// `--` and the boundary.
    delimiter: Vec<u8>,
    limits: Limits,
    state: State,
    /// What was fed; [`Reader::pending`] is the part of it that is not consumed.
    buffer: Vec<u8>,
    /// How much of the buffer is consumed.
    start: usize,
    /// Offset in the body of the first pending octet.
    base: usize,
    /// How much of what is pending is known to hold no line end.
    scanned: usize,
    parts: usize,
}

/// ```text
/// Preamble --delimiter--> Delimiter --line end--> Head --empty line--> Body --delimiter--> Delimiter
///                         Delimiter --"--"------> Epilogue
/// ```
#[derive(Clone, Debug)]
enum State {
    /// Before the first delimiter; the flag says that a line begins where the buffer begins.
    Preamble(bool),
    /// After a boundary, in the same line.
    Delimiter,
    /// In the header fields of a part, of which these came so far.
    Head(Fields),
    /// In the body of a part; the flag as for the preamble.
    Body(bool),
    /// After the closing delimiter.
    Epilogue,
    /// After an error.
    Dead(DecodeError),
}

/// Header fields of a part as they come in.
#[derive(Clone, Debug, Default)]
struct Fields {
    lines: Vec<String>,
    size: usize,
}

/// What looking for a delimiter found.
enum Search {
    /// Content ends at the first offset, the delimiter at the second.
    Found(usize, usize),
    /// None so far; content up to this offset is certain.
    NotYet(usize),
}

impl Reader {
    /// A reader for this boundary (1 to 70 characters).
    ///
    /// # Errors
    /// When the boundary is empty, too long, or has illegal characters.
    pub fn new(boundary: &str, limits: Limits) -> Result<Self, DecodeError> {
        if !is_boundary(boundary) {
            let problem = Problem::Syntax("a boundary has 1 to 70 characters of those RFC 2046 lists".into());
            return Err(DecodeError { at: 0, field: BOUNDARY, problem });
        }
        Ok(Self {
            delimiter: format!("--{boundary}").into_bytes(),
            limits,
            state: State::Preamble(true),
            buffer: Vec::new(),
            start: 0,
            base: 0,
            scanned: 0,
            parts: 0,
        })
    }

    /// Takes the next chunk of the body and appends what it completes to `events`.
    ///
    /// # Errors
    /// On broken syntax or a limit; the reader is then dead.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        leniency: &mut Leniency,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let result = self.take(chunk).and_then(|()| {
            while self.step(leniency, events)? {}
            Ok(())
        });
        self.buffer.drain(..self.start);
        self.start = 0;
        if let Err(error) = &result {
            self.state = State::Dead(error.clone());
            self.buffer = Vec::new();
        }
        result
    }

    /// Says that the body is over.
    ///
    /// # Errors
    /// `Short` when the closing delimiter did not come.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.state {
            State::Epilogue => Ok(()),
            State::Dead(error) => Err(error),
            _ => Err(DecodeError {
                at: self.base + self.buffer.len(),
                field: BOUNDARY,
                problem: Problem::Short,
            }),
        }
    }

    fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), DecodeError> {
        if let State::Dead(error) = &self.state {
            return Err(error.clone());
        }
        let limit = self.limits.bytes;
        if chunk.len() > limit.saturating_sub(self.base + self.pending().len()) {
            return Err(DecodeError { at: limit, field: BODY, problem: Problem::TooLarge { limit } });
        }
        self.buffer.extend_from_slice(chunk);
        Ok(())
    }

    /// Consumes what one state can; says whether the next one may find more.
    fn step(&mut self, leniency: &mut Leniency, events: &mut Vec<Event>) -> Result<bool, DecodeError> {
        match std::mem::replace(&mut self.state, State::Epilogue) {
            State::Preamble(line_start) => Ok(self.preamble(line_start, leniency)),
            State::Delimiter => self.delimiter_line(leniency, events),
            State::Head(fields) => self.head(fields, leniency, events),
            State::Body(line_start) => Ok(self.body(line_start, leniency, events)),
            State::Epilogue => {
                let rest = self.pending().len();
                self.consume(rest);
                Ok(false)
            }
            State::Dead(error) => Err(error),
        }
    }

    fn preamble(&mut self, line_start: bool, leniency: &mut Leniency) -> bool {
        match self.search(line_start, leniency) {
            Search::Found(_, end) => {
                self.consume(end);
                self.state = State::Delimiter;
                true
            }
            Search::NotYet(certain) => {
                self.consume(certain);
                self.state = State::Preamble(line_start && certain == 0);
                false
            }
        }
    }

    fn body(&mut self, line_start: bool, leniency: &mut Leniency, events: &mut Vec<Event>) -> bool {
        let (content, end) = match self.search(line_start, leniency) {
            Search::Found(content, end) => (content, Some(end)),
            Search::NotYet(certain) => (certain, None),
        };
        if let Some(data) = self.pending().get(..content).filter(|data| !data.is_empty()) {
            events.push(Event::Data(data.to_vec()));
        }
        self.consume(end.unwrap_or(content));
        if end.is_some() {
            events.push(Event::EndOfPart);
            self.state = State::Delimiter;
        } else {
            self.state = State::Body(line_start && content == 0);
        }
        end.is_some()
    }

    /// Looks for the first delimiter that begins a line. The line end before it belongs to it.
    fn search(&self, line_start: bool, leniency: &mut Leniency) -> Search {
        let mut candidate = if line_start { Some(0) } else { self.line_end(0) };
        while let Some(at) = candidate {
            let rest = self.pending().get(at..).unwrap_or_default();
            let before = self.pending().get(..at).unwrap_or_default();
            let content = before.strip_suffix(b"\n").unwrap_or(before);
            let (content, bare) = match content.strip_suffix(b"\r") {
                Some(content) => (content.len(), false),
                None => (content.len(), !before.is_empty()),
            };
            if rest.starts_with(&self.delimiter) {
                if !bare || leniency.allow(Tolerance::BareLineFeed) {
                    return Search::Found(content, at + self.delimiter.len());
                }
            } else if self.delimiter.starts_with(rest) {
                return Search::NotYet(content);
            }
            candidate = self.line_end(at);
        }
        let pending = usize::from(self.pending().ends_with(b"\r"));
        Search::NotYet(self.pending().len() - pending)
    }

    /// Offset after the first line feed at or after `from`.
    fn line_end(&self, from: usize) -> Option<usize> {
        let rest = self.pending().get(from..)?;
        rest.iter().position(|byte| *byte == b'\n').map(|length| from + length + 1)
    }

    /// After a boundary: `--` closes the body, white space and a line end open a part.
    fn delimiter_line(
        &mut self,
        leniency: &mut Leniency,
        events: &mut Vec<Event>,
    ) -> Result<bool, DecodeError> {
        if self.pending().starts_with(b"--") {
            self.consume(2);
            events.push(Event::End);
            self.state = State::Epilogue;
            return Ok(true);
        }
        if self.pending() == b"-" {
            self.state = State::Delimiter;
            return Ok(false);
        }
        if let Some(at) = self.pending().iter().position(|byte| !b" \t\r\n".contains(byte)) {
            let line_is_over = self.line_end(0).is_some_and(|end| end <= at);
            if !line_is_over {
                return Err(self.error(at, BOUNDARY, Problem::Syntax("text after the boundary".into())));
            }
        }
        let Some(line) = self.line(BOUNDARY, leniency)? else {
            self.state = State::Delimiter;
            return Ok(false);
        };
        if line.contains('\r') {
            return Err(self.error(
                0,
                BOUNDARY,
                Problem::Syntax("a carriage return without line feed".into()),
            ));
        }
        let limit = self.limits.items;
        if self.parts >= limit {
            return Err(self.error(0, BODY, Problem::TooMany { limit }));
        }
        self.parts += 1;
        self.state = State::Head(Fields::default());
        Ok(true)
    }

    fn head(
        &mut self,
        mut fields: Fields,
        leniency: &mut Leniency,
        events: &mut Vec<Event>,
    ) -> Result<bool, DecodeError> {
        let Some(line) = self.line(HEAD, leniency)? else {
            self.state = State::Head(fields);
            return Ok(false);
        };
        if line.is_empty() {
            let head = fields.finish().map_err(|problem| self.error(0, HEAD, problem))?;
            if self.parts == 1 && head.name.is_some() && !leniency.allow(Tolerance::NamedFirstPart) {
                return Err(self.error(0, HEAD, Problem::Schema("the first part has no name".into())));
            }
            events.push(Event::Head(head));
            self.state = State::Body(true);
            return Ok(true);
        }
        fields.add(line).map_err(|problem| self.error(0, HEAD, problem))?;
        self.state = State::Head(fields);
        Ok(true)
    }

    /// Consumes one line and gives it without its end; `None` if it is not complete.
    fn line(&mut self, field: &'static str, leniency: &mut Leniency) -> Result<Option<String>, DecodeError> {
        let end = self.line_end(self.scanned);
        let line = self.pending().get(..end.unwrap_or(self.pending().len())).unwrap_or_default();
        if line.len() > LONGEST_HEAD {
            return Err(self.error(LONGEST_HEAD, field, Problem::TooLarge { limit: LONGEST_HEAD }));
        }
        let Some(end) = end else {
            self.scanned = self.pending().len();
            return Ok(None);
        };
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = match line.strip_suffix(b"\r") {
            Some(line) => line,
            None if leniency.allow(Tolerance::BareLineFeed) => line,
            None => {
                return Err(self.error(line.len(), field, Problem::Syntax("a line ends in LF alone".into())));
            }
        };
        let text = std::str::from_utf8(line)
            .map_err(|error| self.error(error.valid_up_to(), field, Problem::BadUtf8))?
            .to_owned();
        self.consume(end);
        Ok(Some(text))
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        self.base += length;
        self.scanned = 0;
    }

    fn error(&self, offset: usize, field: &'static str, problem: Problem) -> DecodeError {
        DecodeError { at: self.base + offset, field, problem }
    }
}

impl Fields {
    /// Adds a line: a field, or the continuation of the one before.
    fn add(&mut self, line: String) -> Result<(), Problem> {
        if line.contains(|character: char| character.is_control() && character != '\t') {
            return Err(Problem::Syntax("a control character in a header field".into()));
        }
        self.size += line.len();
        if self.size > LONGEST_HEAD {
            return Err(Problem::TooLarge { limit: LONGEST_HEAD });
        }
        match self.lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(&line),
            _ => self.lines.push(line),
        }
        Ok(())
    }

    /// Reads the fields this format knows; others are ignored.
    fn finish(self) -> Result<PartHead, Problem> {
        let mut head = PartHead::default();
        let mut disposition = None;
        for line in &self.lines {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| Problem::Syntax("a header field has the form name: value".into()))?;
            let value = value.trim_matches([' ', '\t']);
            let repeated = match name.to_ascii_lowercase().as_str() {
                "content-disposition" => disposition.replace(value).is_some(),
                "content-type" => head.content_type.replace(value.to_owned()).is_some(),
                "content-transfer-encoding" if !is_identity(value) => {
                    return Err(Problem::Schema("a transfer encoding other than 7bit, 8bit, binary".into()));
                }
                _ => false,
            };
            if repeated {
                return Err(Problem::Duplicate);
            }
        }
        if let Some(disposition) = disposition {
            let (kind, parameters) =
                field_value(disposition, "Content-Disposition").map_err(|error| error.problem)?;
            if !kind.eq_ignore_ascii_case("form-data") {
                return Err(Problem::Schema("Content-Disposition is not form-data".into()));
            }
            head.name = find(&parameters, "name").map(str::to_owned);
        }
        Ok(head)
    }
}

/// Whether this transfer encoding leaves the octets as they are.
fn is_identity(encoding: &str) -> bool {
    ["7bit", "8bit", "binary"].iter().any(|known| known.eq_ignore_ascii_case(encoding))
}

/// Reads a whole body that is in memory.
///
/// # Errors
/// As [`Reader`].
pub fn decode(
    input: &[u8],
    boundary: &str,
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Vec<Part>, DecodeError> {
    let mut reader = Reader::new(boundary, *limits)?;
    let mut events = Vec::new();
    reader.feed(input, leniency, &mut events)?;
    reader.finish()?;
    Ok(collect(events))
}

/// Parts from the events of a reader.
fn collect(events: Vec<Event>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for event in events {
        match event {
            Event::Head(head) => parts.push(Part { head, body: Vec::new() }),
            Event::Data(data) => {
                if let Some(part) = parts.last_mut() {
                    part.body.extend(data);
                }
            }
            Event::EndOfPart | Event::End => {}
        }
    }
    parts
}
