//! Reading DDF files.

use omadm_mo::ddf::{
    AccessType, CaseSense, Ddf as Model, DdfName, DdfNode, DfType, Occurrence, RtProperties, Scope,
};
use omadm_mo::{Format, NodeName};

use super::Decoded;
use super::element::{VERSIONS, child, choice, error, format, no_choice, once, schema};
use crate::dm1::element::{Ddf, Element, Page};
use crate::dm1::event::{Pull, Tag, WbxmlReader, XmlReader};
use crate::error::{DecodeError, Problem};
use crate::{Leniency, Limits, Tolerance};

/// Reads a DDF file in XML or WBXML. DOCTYPE is skipped, entities other than the five are refused, order of elements is free.
///
/// # Errors
/// With byte offset; [`line_and_column`](super::line_and_column) turns it into a place for people.
pub fn decode(input: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    let mut leniency = Leniency::lenient();
    let is_wbxml = super::is_wbxml(input);
    let (ddf, notes) = if is_wbxml {
        file(&mut WbxmlReader::new(input, limits, &mut leniency, Page::Ddf)?)?
    } else {
        file(&mut XmlReader::new(input, limits, &mut leniency)?)?
    };
    let mut warnings = if is_wbxml { with_offsets(notes) } else { with_lines(notes, input) };
    // Files without a namespace are as common as those with one.
    leniency.used.remove(&Tolerance::MissingNamespace);
    warnings.extend(leniency.used.iter().map(|tolerance| format!("not as the standard has it: {tolerance}")));
    Ok(Decoded { ddf, warnings })
}

/// Places and texts of what a person should know.
type Notes = Vec<(usize, String)>;

/// The notes in the order of the file, each with its line.
fn with_lines(notes: Notes, input: &[u8]) -> Vec<String> {
    let (mut line, mut counted) = (1, 0);
    let number = |(at, text): (usize, String)| {
        line += input.get(counted..at).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        counted = at;
        format!("line {line}: {text}")
    };
    notes.into_iter().map(number).collect()
}

/// The notes with their byte offsets, where there are no lines.
fn with_offsets(notes: Notes) -> Vec<String> {
    notes.into_iter().map(|(at, text)| format!("byte {at}: {text}")).collect()
}

fn file<'a>(source: &mut impl Pull<'a>) -> Result<(Model, Notes), DecodeError> {
    let mut reader = Reader { source, notes: Vec::new() };
    let ddf = reader.tree()?;
    reader.notes.sort_by_key(|(at, _)| *at);
    Ok((ddf, reader.notes))
}

struct Reader<'s, S> {
    source: &'s mut S,
    notes: Notes,
}

impl<'a, S: Pull<'a>> Reader<'_, S> {
    fn note(&mut self, at: usize, text: String) {
        self.notes.push((at, text));
    }

    /// The next child that is an element of the DTD; what is none is noted.
    fn child(&mut self) -> Result<Option<(usize, Ddf)>, DecodeError> {
        let notes = &mut self.notes;
        child(self.source, |at, name| {
            notes.push((at, format!("{name} is no element of DDF and was skipped")))
        })
    }

    /// Passes over an element that has no meaning where it stands.
    fn pass_over(&mut self, at: usize, element: Ddf, parent: &str) -> Result<(), DecodeError> {
        self.note(at, format!("{} has no meaning in {parent} and was skipped", element.name()));
        self.source.skip()
    }

    /// Text without the white space around it.
    fn text(&mut self) -> Result<String, DecodeError> {
        Ok(self.source.value()?.into_owned())
    }

    /// Text as it is.
    fn verbatim(&mut self) -> Result<String, DecodeError> {
        Ok(self.source.text()?.into_owned())
    }

    fn tree(&mut self) -> Result<Model, DecodeError> {
        self.source.root(Ddf::MgmtTree)?;
        let begins = self.source.at();
        let (mut ver_dtd, mut man, mut model, mut nodes) = (None, None, None, Vec::new());
        while let Some((at, element)) = self.child()? {
            match element {
                Ddf::VerDtd => {
                    let version = self.text()?;
                    if !VERSIONS.contains(&version.as_str()) {
                        self.note(at, format!("VerDTD {version:?} is not 1.1.2, 1.2 or 1.3; read as 1.2"));
                    }
                    once(&mut ver_dtd, at, "VerDTD", version)?;
                }
                Ddf::Man => once(&mut man, at, "Man", self.text()?)?,
                Ddf::Mod => once(&mut model, at, "Mod", self.text()?)?,
                Ddf::Node => nodes.push(self.node()?),
                stray => self.pass_over(at, stray, "MgmtTree")?,
            }
        }
        self.source.finish()?;
        if nodes.is_empty() {
            return Err(error(begins, "Node", Problem::Missing));
        }
        let ver_dtd = ver_dtd.ok_or_else(|| error(begins, "VerDTD", Problem::Missing))?;
        Ok(Model { ver_dtd, man, model, nodes })
    }

    /// The source bounds the depth, so recursion is bounded too.
    fn node(&mut self) -> Result<DdfNode, DecodeError> {
        let begins = self.source.at();
        let (mut name, mut path, mut value) = (None, None, None);
        let (mut rt_properties, mut properties, mut children) = (None, None, Vec::new());
        while let Some((at, element)) = self.child()? {
            match element {
                Ddf::NodeName => once(&mut name, at, "NodeName", self.node_name()?)?,
                Ddf::Path => once(&mut path, at, "Path", self.text()?)?,
                Ddf::RtProperties => once(&mut rt_properties, at, "RTProperties", self.rt_properties()?)?,
                Ddf::DfProperties => once(&mut properties, at, "DFProperties", self.df_properties()?)?,
                Ddf::Value => once(&mut value, at, "Value", self.verbatim()?)?,
                Ddf::Node => children.push(self.node()?),
                stray => self.pass_over(at, stray, "Node")?,
            }
        }
        let properties = properties.ok_or_else(|| error(begins, "DFProperties", Problem::Missing))?;
        let format = match properties.format {
            Some(format) => format,
            None if !children.is_empty() => Format::Node,
            None => return Err(error(begins, "DFFormat", Problem::Missing)),
        };
        if format.is_leaf() && !children.is_empty() {
            let text = format!("a node of format {} has no children", format.as_str());
            return Err(schema(begins, "Node", text));
        }
        if !format.is_leaf() && value.is_some() {
            return Err(schema(begins, "Value", "a node of format node has no value"));
        }
        Ok(DdfNode {
            name: name.unwrap_or_else(|| DdfName::Unnamed(String::new())),
            path,
            value,
            rt_properties,
            access: properties.access,
            default_value: properties.default_value,
            description: properties.description,
            format,
            occurrence: properties.occurrence.unwrap_or_default(),
            scope: properties.scope.unwrap_or_default(),
            title: properties.title,
            df_type: properties.df_type,
            case_sense: properties.case_sense,
            children,
        })
    }

    fn node_name(&mut self) -> Result<DdfName, DecodeError> {
        let at = self.source.at();
        let text = self.text()?;
        let logical = |open, close| text.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
        if text.is_empty() || text == "*" {
            return Ok(DdfName::Unnamed(String::new()));
        }
        if let Some(logical) = logical('<', '>').or_else(|| logical('[', ']')) {
            return Ok(DdfName::Unnamed(logical.to_owned()));
        }
        // What a URI segment can hold (RFC 3986 pchar), and letters beyond ASCII, which it holds percent-encoded.
        let legal = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(c);
        match NodeName::parse(&text) {
            Ok(name) if text.chars().all(legal) => Ok(DdfName::Named(name)),
            _ => Err(schema(at, "NodeName", format!("{text:?} is no legal node name"))),
        }
    }

    fn rt_properties(&mut self) -> Result<RtProperties, DecodeError> {
        let mut rt = RtProperties::default();
        while let Some((at, element)) = self.child()? {
            match element {
                Ddf::Acl => once(&mut rt.acl, at, "ACL", self.text()?)?,
                Ddf::Format => once(&mut rt.format, at, "Format", format(self.source, "Format")?)?,
                Ddf::Name => once(&mut rt.name, at, "Name", self.text()?)?,
                Ddf::Size => once(&mut rt.size, at, "Size", self.text()?)?,
                Ddf::Title => once(&mut rt.title, at, "Title", self.text()?)?,
                Ddf::TStamp => once(&mut rt.tstamp, at, "TStamp", self.text()?)?,
                Ddf::Type => {
                    if let Some(kind) = self.kind("Type")? {
                        once(&mut rt.type_, at, "Type", kind)?;
                    }
                }
                Ddf::VerNo => once(&mut rt.ver_no, at, "VerNo", self.text()?)?,
                stray => self.pass_over(at, stray, "RTProperties")?,
            }
        }
        Ok(rt)
    }

    fn df_properties(&mut self) -> Result<Properties, DecodeError> {
        let begins = self.source.at();
        let mut access = None;
        let mut df = Properties::default();
        while let Some((at, element)) = self.child()? {
            match element {
                Ddf::AccessType => once(&mut access, at, "AccessType", self.access_type()?)?,
                Ddf::DefaultValue => once(&mut df.default_value, at, "DefaultValue", self.verbatim()?)?,
                Ddf::Description => once(&mut df.description, at, "Description", self.text()?)?,
                Ddf::DfFormat => once(&mut df.format, at, "DFFormat", format(self.source, "DFFormat")?)?,
                Ddf::Occurrence => once(&mut df.occurrence, at, "Occurrence", self.occurrence()?)?,
                Ddf::Scope => once(&mut df.scope, at, "Scope", self.scope()?)?,
                Ddf::DfTitle => once(&mut df.title, at, "DFTitle", self.text()?)?,
                Ddf::DfType => {
                    if let Some(kind) = self.kind("DFType")? {
                        once(&mut df.df_type, at, "DFType", kind)?;
                    }
                }
                Ddf::CaseSense => once(&mut df.case_sense, at, "CaseSense", self.case_sense()?)?,
                stray => self.pass_over(at, stray, "DFProperties")?,
            }
        }
        if access.is_none() {
            self.note(begins, "DFProperties has no AccessType, so no command is allowed".into());
        }
        df.access = access.unwrap_or_default();
        Ok(df)
    }

    fn occurrence(&mut self) -> Result<Occurrence, DecodeError> {
        let (at, choice, text) = choice(self.source, "Occurrence")?;
        let number = || {
            let number = text.parse().ok().filter(|n| (2..=65_536).contains(n));
            let bad = || schema(at, "Occurrence", format!("{text:?} is not a number from 2 to 65536"));
            number.ok_or_else(bad)
        };
        match choice {
            Ddf::One => Ok(Occurrence::One),
            Ddf::ZeroOrOne => Ok(Occurrence::ZeroOrOne),
            Ddf::ZeroOrMore => Ok(Occurrence::ZeroOrMore),
            Ddf::OneOrMore => Ok(Occurrence::OneOrMore),
            Ddf::ZeroOrN => number().map(Occurrence::ZeroOrN),
            Ddf::OneOrN => number().map(Occurrence::OneOrN),
            other => Err(no_choice(at, "Occurrence", other.name())),
        }
    }

    fn scope(&mut self) -> Result<Scope, DecodeError> {
        match choice(self.source, "Scope")? {
            (_, Ddf::Permanent, _) => Ok(Scope::Permanent),
            (_, Ddf::Dynamic, _) => Ok(Scope::Dynamic),
            (at, other, _) => Err(no_choice(at, "Scope", other.name())),
        }
    }

    fn case_sense(&mut self) -> Result<CaseSense, DecodeError> {
        match choice(self.source, "CaseSense")? {
            (_, Ddf::Cs, _) => Ok(CaseSense::Sensitive),
            (_, Ddf::Cis, _) => Ok(CaseSense::Insensitive),
            (at, other, _) => Err(no_choice(at, "CaseSense", other.name())),
        }
    }

    /// A list of elements without content, in any order. What is unknown is refused: it would be a right that nobody grants.
    fn access_type(&mut self) -> Result<AccessType, DecodeError> {
        let mut access = AccessType::default();
        while let Some(tag) = self.source.child()? {
            let at = self.source.at();
            let slot = match tag {
                Tag::Known(Element::Ddf(Ddf::Add)) => &mut access.add,
                Tag::Known(Element::Ddf(Ddf::Copy)) => &mut access.copy,
                Tag::Known(Element::Ddf(Ddf::Delete)) => &mut access.delete,
                Tag::Known(Element::Ddf(Ddf::Exec)) => &mut access.exec,
                Tag::Known(Element::Ddf(Ddf::Get)) => &mut access.get,
                Tag::Known(Element::Ddf(Ddf::Replace)) => &mut access.replace,
                Tag::Known(other) => return Err(no_choice(at, "AccessType", other.name())),
                Tag::Unknown(name) | Tag::Token(name) => return Err(no_choice(at, "AccessType", &name)),
            };
            *slot = true;
            self.source.skip()?;
        }
        Ok(access)
    }

    /// `Type` or `DFType`: one `DDFName`, or any number of `MIME`; nothing if it is empty.
    fn kind(&mut self, field: &'static str) -> Result<Option<DfType>, DecodeError> {
        let begins = self.source.at();
        let (mut mime, mut ddf_name) = (Vec::new(), None);
        while let Some((at, element)) = self.child()? {
            match element {
                Ddf::Mime => mime.push(self.text()?),
                Ddf::DdfName => once(&mut ddf_name, at, "DDFName", self.text()?)?,
                stray => self.pass_over(at, stray, field)?,
            }
        }
        match (ddf_name, mime.is_empty()) {
            (Some(name), true) => Ok(Some(DfType::DdfName(name))),
            (None, false) => Ok(Some(DfType::Mime(mime))),
            (Some(_), false) => Err(schema(begins, field, "either MIME or DDFName is wanted, not both")),
            (None, true) => {
                self.note(begins, format!("{field} is empty"));
                Ok(None)
            }
        }
    }
}

/// `DFProperties` as it stands there.
#[derive(Default)]
struct Properties {
    access: AccessType,
    default_value: Option<String>,
    description: Option<String>,
    format: Option<Format>,
    occurrence: Option<Occurrence>,
    scope: Option<Scope>,
    title: Option<String>,
    df_type: Option<DfType>,
    case_sense: Option<CaseSense>,
}
