//! Objects that a server sends in chunks (`DM 1.3 PROTO §7.3`): kept until the last one is there, and only then carried out.

use omadm_codec::dm1::OperationKind;
use omadm_mo::Value;

use super::config::Config;
use super::fault::Fault;
use super::request::Request;

/// The object of which chunks have come, if there is one.
#[derive(Debug, Default)]
pub(super) struct Incoming(Option<Object>);

#[derive(Debug)]
struct Object {
    kind: OperationKind,
    /// As the first chunk says it, with the data so far.
    request: Request,
    announced: Option<u64>,
    /// It is too large: the rest is not kept, and refused like the beginning.
    refused: bool,
    /// A chunk came in the message under way.
    fresh: bool,
}

/// What became of a chunk.
#[derive(Debug)]
pub(super) enum Chunk {
    /// It is kept.
    Kept,
    /// It was the last one: here is the whole.
    Complete(Request),
}

/// An item as far as it matters for chunks.
pub(super) struct Piece {
    pub(super) kind: OperationKind,
    pub(super) request: Request,
    /// `Size`.
    pub(super) size: Option<u64>,
    /// `MoreData`.
    pub(super) more: bool,
}

/// Address of an object that was not sent to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) target: Option<String>,
    pub(super) source: Option<String>,
}

impl Incoming {
    /// Another message begins.
    pub(super) fn begin_message(&mut self) {
        if let Some(object) = &mut self.0 {
            object.fresh = false;
        }
    }

    /// The message is over; an object that got no chunk from it is broken.
    pub(super) fn end_message(&mut self) -> Option<Broken> {
        if self.0.as_ref().is_some_and(|object| !object.fresh) { self.interrupt() } else { None }
    }

    /// Something else came.
    pub(super) fn interrupt(&mut self) -> Option<Broken> {
        let object = self.0.take().filter(|object| !object.refused)?;
        Some(Broken { target: object.request.target, source: object.request.source })
    }

    /// Whether more is to come.
    pub(super) fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(|object| !object.refused)
    }

    /// Whether an item goes on with the object.
    pub(super) fn goes_on(&self, piece: &Piece) -> bool {
        self.0.as_ref().is_some_and(|object| {
            !object.fresh
                && object.kind == piece.kind
                && object.request.target == piece.request.target
                && object.request.source == piece.request.source
        })
    }

    /// Takes a chunk: of the object if it [`Incoming::goes_on`], else of a new one.
    pub(super) fn take(&mut self, piece: Piece, config: &Config) -> Result<Chunk, Fault> {
        let Piece { kind, request, size, more } = piece;
        let object = match self.0.take() {
            Some(mut object) => {
                object.append(request.value)?;
                object.fresh = true;
                object
            }
            None => Object { kind, request, announced: size, refused: false, fresh: true },
        };
        let limit = u64::from(config.max_object);
        let fault = if object.refused || object.length().max(object.announced.unwrap_or(0)) > limit {
            Some(Fault::TooLarge { limit })
        } else if !config.large_objects {
            Some(Fault::NoLargeObjects)
        } else {
            None
        };
        if let Some(fault) = fault {
            if more {
                let request = Request { value: None, ..object.request };
                self.0 = Some(Object { request, refused: true, ..object });
            }
            return Err(fault);
        }
        if more {
            self.0 = Some(object);
            return Ok(Chunk::Kept);
        }
        object.complete().map(Chunk::Complete)
    }
}

impl Object {
    fn length(&self) -> u64 {
        self.request.value.as_ref().map_or(0, |value| value.size() as u64)
    }

    fn append(&mut self, more: Option<Value>) -> Result<(), Fault> {
        if self.refused {
            return Ok(());
        }
        match (&mut self.request.value, &more) {
            (_, None) => Ok(()),
            (value @ None, Some(_)) => {
                *value = more;
                Ok(())
            }
            (Some(Value::Text(text)), Some(Value::Text(more))) => {
                text.push_str(more);
                Ok(())
            }
            (Some(Value::Bytes(octets)), Some(Value::Bytes(more))) => {
                octets.extend_from_slice(more);
                Ok(())
            }
            // Chunks of different kinds do not make up one object.
            (Some(_), Some(_)) => {
                Err(Fault::SizeMismatch { announced: self.announced.unwrap_or(0), received: self.length() })
            }
        }
    }

    /// The whole, if it is as large as announced: as carried, or for base64 as decoded, as the standard leaves open which one counts.
    fn complete(self) -> Result<Request, Fault> {
        let (received, Some(announced)) = (self.length(), self.announced) else { return Ok(self.request) };
        let decoded = match &self.request.value {
            Some(Value::Text(text)) => base64_octets(text),
            _ => None,
        };
        if received == announced || decoded == Some(announced) {
            return Ok(self.request);
        }
        Err(Fault::SizeMismatch { announced, received })
    }
}

/// How many octets base64 text stands for, white space left aside.
fn base64_octets(text: &str) -> Option<u64> {
    let digits = text.bytes().filter(|octet| !octet.is_ascii_whitespace() && *octet != b'=').count();
    u64::try_from(digits).ok().map(|digits| digits * 3 / 4)
}
