//! The reader of TNDS.

use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::{Format, Value};

use crate::ddf::element::{VERSIONS, child, error, format, once, schema};
use crate::dm1::element::{Ddf, Page};
use crate::dm1::event::{Pull, WbxmlReader, XmlReader};
use crate::dm1::{Data, Encoding};
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// Reads a TNDS document. The order of elements is free; of nodes with a `Path` those come first that are less deep.
///
/// Octets of a `bin` node in WBXML come as [`Value::Bytes`]; every other value is [`Value::Text`], base64 as carried. Whether that is a
/// value of its format is for the tree to say.
///
/// # Errors
/// On broken syntax, a limit, or what the DTD does not allow, with byte offset.
pub fn read(
    input: &[u8],
    encoding: Encoding,
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Snapshot, DecodeError> {
    // No WBXML begins like XML, so there is no doubt what it is.
    let mislabelled = encoding == Encoding::Wbxml && Encoding::sniff(input) == Some(Encoding::Xml);
    match encoding {
        Encoding::Wbxml if mislabelled && leniency.allow(Tolerance::XmlAsWbxml) => {
            tree(&mut XmlReader::new(input, limits, leniency)?)
        }
        Encoding::Xml => tree(&mut XmlReader::new(input, limits, leniency)?),
        Encoding::Wbxml => tree(&mut WbxmlReader::new(input, limits, leniency, Page::Ddf)?),
    }
}

fn tree<'a>(source: &mut impl Pull<'a>) -> Result<Snapshot, DecodeError> {
    source.root(Ddf::MgmtTree)?;
    let begins = source.at();
    let (mut version, mut nodes) = (None, Vec::new());
    while let Some((at, element)) = child(source, |_, _| ())? {
        match element {
            Ddf::VerDtd => {
                let found = trimmed(source, "VerDTD")?;
                if !VERSIONS.contains(&found.as_str()) {
                    return Err(schema(at, "VerDTD", format!("{found:?} is not known")));
                }
                once(&mut version, at, "VerDTD", found)?;
            }
            Ddf::Man | Ddf::Mod => source.skip()?,
            Ddf::Node => nodes.push(node(source)?),
            stray => pass_over(source, stray)?,
        }
    }
    source.finish()?;
    if version.is_none() {
        return Err(error(begins, "VerDTD", Problem::Missing));
    }
    if nodes.is_empty() {
        return Err(error(begins, "Node", Problem::Missing));
    }
    nodes.sort_by_key(|node| node.path.as_deref().map_or(0, depth));
    Ok(Snapshot { nodes })
}

/// How many names a path has.
fn depth(path: &str) -> usize {
    path.split('/').filter(|name| !matches!(*name, "" | ".")).count()
}

/// The reader bounds the depth, so recursion is bounded too.
fn node<'a>(source: &mut impl Pull<'a>) -> Result<SnapshotNode, DecodeError> {
    let begins = source.at();
    let mut node = SnapshotNode::default();
    let (mut value, mut has_properties) = (None, false);
    while let Some((at, element)) = child(source, |_, _| ())? {
        match element {
            Ddf::NodeName => once(&mut node.name, at, "NodeName", trimmed(source, "NodeName")?)?,
            Ddf::Path => once(&mut node.path, at, "Path", path(source)?)?,
            Ddf::RtProperties if has_properties => {
                return Err(error(at, "RTProperties", Problem::Duplicate));
            }
            Ddf::RtProperties => {
                properties(source, &mut node)?;
                has_properties = true;
            }
            Ddf::Value => {
                let data = source.data()?;
                once(&mut value, at, "Value", (at, data))?;
            }
            Ddf::Node => node.children.push(self::node(source)?),
            stray => pass_over(source, stray)?,
        }
    }
    if let Some((at, data)) = value {
        if !node.children.is_empty() {
            return Err(schema(at, "Value", "a node has either a value or nodes, not both"));
        }
        node.value = Some(of_data(data, node.format).ok_or_else(|| error(at, "Value", Problem::BadUtf8))?);
    }
    if node.kind.is_none() && !source.leniency().allow(Tolerance::MissingProperties) {
        return Err(error(begins, if has_properties { "Type" } else { "RTProperties" }, Problem::Missing));
    }
    Ok(node)
}

/// The value that data is in a node of this format; `None` if it has to be text and is none.
fn of_data(data: Data<'_>, format: Option<Format>) -> Option<Value> {
    match data {
        Data::Text(text) => Some(Value::Text(text.into_owned())),
        Data::Opaque(octets) if format == Some(Format::Bin) => Some(Value::Bytes(octets.into_owned())),
        Data::Opaque(octets) => String::from_utf8(octets.into_owned()).ok().map(Value::Text),
    }
}

fn properties<'a>(source: &mut impl Pull<'a>, node: &mut SnapshotNode) -> Result<(), DecodeError> {
    while let Some((at, element)) = child(source, |_, _| ())? {
        match element {
            Ddf::Acl => once(&mut node.acl, at, "ACL", trimmed(source, "ACL")?)?,
            Ddf::Format => once(&mut node.format, at, "Format", format(source, "Format")?)?,
            Ddf::Title => once(&mut node.title, at, "Title", source.text()?.into_owned())?,
            Ddf::TStamp => once(&mut node.tstamp, at, "TStamp", trimmed(source, "TStamp")?)?,
            Ddf::Type => {
                let kind = kind(source)?;
                once(&mut node.kind, at, "Type", kind)?;
            }
            Ddf::VerNo => once(&mut node.ver_no, at, "VerNo", trimmed(source, "VerNo")?)?,
            stray => pass_over(source, stray)?,
        }
    }
    Ok(())
}

fn kind<'a>(source: &mut impl Pull<'a>) -> Result<SnapshotType, DecodeError> {
    let begins = source.at();
    let mut kind = None;
    while let Some((at, element)) = child(source, |_, _| ())? {
        let found = match element {
            Ddf::Mime => SnapshotType::Mime(trimmed(source, "MIME")?),
            Ddf::DdfName => SnapshotType::DdfName(trimmed(source, "DDFName")?),
            stray => {
                pass_over(source, stray)?;
                continue;
            }
        };
        if kind.replace(found).is_some() {
            return Err(schema(at, "Type", "one of MIME or DDFName is wanted, and only once"));
        }
    }
    kind.ok_or_else(|| error(begins, "Type", Problem::Missing))
}

/// Text without the white space around it, which is none of its own.
fn trimmed<'a>(source: &mut impl Pull<'a>, field: &'static str) -> Result<String, DecodeError> {
    let at = source.at();
    let text = source.text()?;
    let trimmed = text.trim_ascii();
    if trimmed.len() != text.len() && !source.leniency().allow(Tolerance::LooseWhiteSpace) {
        return Err(schema(at, field, "white space around the text"));
    }
    Ok(trimmed.to_owned())
}

/// `Path`, which is relative to the target of the command.
fn path<'a>(source: &mut impl Pull<'a>) -> Result<String, DecodeError> {
    let at = source.at();
    let path = trimmed(source, "Path")?;
    let absolute = path == "." || path.starts_with("./");
    if absolute && !source.leniency().allow(Tolerance::AbsoluteTndsPath) {
        return Err(schema(at, "Path", format!("{path:?} is not relative to the target")));
    }
    Ok(path)
}

/// An element of the DTD that a TNDS document does not have at this place, such as `DFProperties`, `Name` or `Size`.
fn pass_over<'a>(source: &mut impl Pull<'a>, stray: Ddf) -> Result<(), DecodeError> {
    if !source.leniency().allow(Tolerance::StrayTndsElement) {
        let text = format!("{} has no place here in TNDS", stray.name());
        return Err(schema(source.at(), "Node", text));
    }
    source.skip()
}
