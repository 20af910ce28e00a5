//! Package#2: DM Commands (`DM 2.0 §5.2.3, §7.2.1.2`).

use std::borrow::Cow;

use serde::Serialize;
use serde::de::{self, MapAccess};

use crate::dm2::json::{self, Array, Context, MaybeArray, MaybeText, Object, ObjectSeed, object};
use crate::dm2::{Command, CommandEntry};
use crate::{DecodeError, Leniency, Limits};

/// Package#2 as a client receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `CMD` in order.
    pub entries: Vec<CommandEntry>,
}

impl Request {
    /// Reads a package. Unknown members are ignored.
    ///
    /// # Errors
    /// When it is not JSON, not an object, or `CMD` is missing or no array.
    pub fn decode(
        input: &[u8],
        limits: &Limits,
        leniency: &mut Leniency,
        known_moid: &dyn Fn(&str) -> bool,
    ) -> Result<Self, DecodeError> {
        let context = Context::new(limits, leniency);
        let rows = context.read(input, ObjectSeed::<Members<'_>>::new(&context))?;
        Ok(Self { entries: rows.iter().map(|row| entry(row.as_deref(), known_moid)).collect() })
    }
    /// Appends a package of these commands as JSON: the server's side cannot send what is no command.
    pub fn encode(commands: &[Command], out: &mut Vec<u8>) {
        json::write(&Wire { cmd: commands.iter().map(Command::to_words).collect() }, out);
    }
}

/// The package on the wire.
#[derive(Serialize)]
struct Wire {
    #[serde(rename = "CMD")]
    cmd: Vec<Vec<String>>,
}

/// One element of `CMD`: `None` if it is no array; in it `None` for what is no string.
type Row<'de> = Option<Vec<Option<Cow<'de, str>>>>;

object! {
    /// The members of a package.
    Members<'de> as "Package#2" => Vec<Row<'de>> {
        commands: Vec<Row<'de>> = "CMD", |context| Array(context, MaybeArray(context, MaybeText(context)));
    }
}

impl<'de> Members<'de> {
    fn build<E: de::Error>(self, context: &Context<'_>) -> Result<Vec<Row<'de>>, E> {
        context.required("CMD", self.commands)
    }
}

fn entry(row: Option<&[Option<Cow<'_, str>>]>, known_moid: &dyn Fn(&str) -> bool) -> CommandEntry {
    let Some(row) = row else {
        return CommandEntry::Malformed { name: String::new(), reason: "the entry is no array".into() };
    };
    let words: Option<Vec<&str>> = row.iter().map(Option::as_deref).collect();
    match words {
        Some(words) => Command::from_words(&words, known_moid),
        None => CommandEntry::Malformed {
            name: row.first().and_then(Option::as_deref).unwrap_or_default().into(),
            reason: "a name or parameter is no string".into(),
        },
    }
}
