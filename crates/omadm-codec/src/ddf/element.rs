//! Steps that readers of DDF and of TNDS share: both are documents of the same DTD.

use std::borrow::Cow;

use omadm_mo::Format;

use crate::dm1::element::{Ddf, Element};
use crate::dm1::event::{Pull, Tag};
use crate::error::{DecodeError, Problem};

/// Versions of the DTD whose elements we know.
pub(crate) const VERSIONS: [&str; 3] = ["1.1.2", "1.2", "1.3"];

/// The error for a problem at a byte offset.
pub(crate) fn error(at: usize, field: &'static str, problem: Problem) -> DecodeError {
    DecodeError { at, field, problem }
}

/// The error for what does not fit the DTD.
pub(crate) fn schema(at: usize, field: &'static str, text: impl Into<Cow<'static, str>>) -> DecodeError {
    error(at, field, Problem::Schema(text.into()))
}

/// Puts the value of an element that may occur once into its slot.
pub(crate) fn once<T>(
    slot: &mut Option<T>,
    at: usize,
    field: &'static str,
    value: T,
) -> Result<(), DecodeError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(error(at, field, Problem::Duplicate)),
    }
}

/// The next child that is an element of the DTD, with its byte offset. Others are passed over; `unknown` hears where they begin, and
/// their names.
pub(crate) fn child<'a>(
    source: &mut impl Pull<'a>,
    mut unknown: impl FnMut(usize, &str),
) -> Result<Option<(usize, Ddf)>, DecodeError> {
    while let Some(tag) = source.child()? {
        let at = source.at();
        let name = match tag {
            Tag::Known(Element::Ddf(element)) => return Ok(Some((at, element))),
            Tag::Known(other) => Cow::Borrowed(other.name()),
            Tag::Unknown(name) | Tag::Token(name) => name,
        };
        unknown(at, &name);
        source.skip()?;
    }
    Ok(None)
}

/// The only child of an element that is a choice, which has just begun itself. Its text, for those that have one, is given as well.
pub(crate) fn choice<'a>(
    source: &mut impl Pull<'a>,
    field: &'static str,
) -> Result<(usize, Ddf, String), DecodeError> {
    let begins = source.at();
    let mut chosen = None;
    while let Some(tag) = source.child()? {
        let at = source.at();
        let element = match tag {
            Tag::Known(Element::Ddf(element)) => element,
            Tag::Known(other) => return Err(no_choice(at, field, other.name())),
            Tag::Unknown(name) | Tag::Token(name) => return Err(no_choice(at, field, &name)),
        };
        let text = source.value()?.into_owned();
        if chosen.replace((at, element, text)).is_some() {
            chosen = None;
            break;
        }
    }
    chosen.ok_or_else(|| schema(begins, field, "exactly one element is wanted in it"))
}

/// The error for an element that is none of those of a choice.
pub(crate) fn no_choice(at: usize, field: &'static str, name: &str) -> DecodeError {
    schema(at, field, format!("{name:?} is none of the elements of {field}"))
}

/// The content of `Format` or `DFFormat`, which has just begun.
pub(crate) fn format<'a>(source: &mut impl Pull<'a>, field: &'static str) -> Result<Format, DecodeError> {
    let (at, element, _) = choice(source, field)?;
    let format = Format::parse(element.name()).filter(|format| format.as_str() == element.name());
    format.ok_or_else(|| no_choice(at, field, element.name()))
}

/// The element that names a format.
pub(crate) fn of_format(format: Format) -> Ddf {
    match format {
        Format::Node => Ddf::FormatNode,
        Format::Null => Ddf::FormatNull,
        Format::B64 => Ddf::FormatB64,
        Format::Bin => Ddf::FormatBin,
        Format::Bool => Ddf::FormatBool,
        Format::Chr => Ddf::FormatChr,
        Format::Int => Ddf::FormatInt,
        Format::Xml => Ddf::FormatXml,
        Format::Date => Ddf::FormatDate,
        Format::Time => Ddf::FormatTime,
        Format::Float => Ddf::FormatFloat,
    }
}
