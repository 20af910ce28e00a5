//! Reading DDF files.

use std::borrow::Cow;

use omadm_mo::ddf::{AccessType, CaseSense, Ddf, DdfName, DdfNode, DfType, Occurrence, RtProperties, Scope};
use omadm_mo::{Format, NodeName};

use super::Decoded;
use crate::Limits;
use crate::error::{DecodeError, Problem};
use crate::xml::{self, Element};

/// Versions of the DTD whose elements we know.
const VERSIONS: [&str; 3] = ["1.1.2", "1.2", "1.3"];

/// Reads a DDF file. DOCTYPE is skipped, entities other than the five are refused, order of elements is free.
///
/// # Errors
/// With byte offset; [`line_and_column`](super::line_and_column) turns it into a place for people.
pub fn decode(input: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    let document =
        xml::parse(input, limits, |namespace| namespace.is_none_or(|name| name.starts_with("syncml:dmddf")))?;
    let mut reader = Reader { warnings: Vec::new() };
    for (at, name) in document.foreign {
        reader.warn(at, format!("{name} is of a foreign namespace and was skipped"));
    }
    let ddf = reader.tree(document.root)?;
    Ok(Decoded { ddf, warnings: reader.with_lines(input) })
}

struct Reader {
    /// Places and texts.
    warnings: Vec<(usize, String)>,
}

fn error(at: usize, field: &'static str, problem: Problem) -> DecodeError {
    DecodeError { at, field, problem }
}

fn schema(at: usize, field: &'static str, text: impl Into<Cow<'static, str>>) -> DecodeError {
    error(at, field, Problem::Schema(text.into()))
}

/// Puts the value of an element that may occur once into its slot.
fn once<T>(slot: &mut Option<T>, at: usize, field: &'static str, value: T) -> Result<(), DecodeError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(error(at, field, Problem::Duplicate)),
    }
}

impl Reader {
    fn warn(&mut self, at: usize, text: String) {
        self.warnings.push((at, text));
    }

    /// The warnings in the order of the file, each with its line.
    fn with_lines(mut self, input: &[u8]) -> Vec<String> {
        self.warnings.sort_by_key(|(at, _)| *at);
        let (mut line, mut counted) = (1, 0);
        let number = |(at, text): (usize, String)| {
            line += input.get(counted..at).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            counted = at;
            format!("line {line}: {text}")
        };
        self.warnings.into_iter().map(number).collect()
    }

    /// Notes that an element has no meaning where it stands.
    fn skip(&mut self, element: &Element, parent: &str) {
        self.warn(element.at, format!("{} has no meaning in {parent} and was skipped", element.name));
    }

    /// Text of an element that has nothing but text, white space around it removed.
    fn text(&mut self, element: &Element) -> String {
        self.verbatim(element).trim().to_owned()
    }

    /// Text of an element that has nothing but text.
    fn verbatim(&mut self, element: &Element) -> String {
        for child in &element.children {
            self.skip(child, &element.name);
        }
        element.text.clone()
    }

    fn tree(&mut self, root: Element) -> Result<Ddf, DecodeError> {
        if root.name != "MgmtTree" {
            return Err(schema(root.at, "MgmtTree", format!("the root element is {}", root.name)));
        }
        let (mut ver_dtd, mut man, mut model, mut nodes) = (None, None, None, Vec::new());
        for element in root.children {
            let at = element.at;
            match element.name.as_str() {
                "VerDTD" => {
                    let version = self.text(&element);
                    if !VERSIONS.contains(&version.as_str()) {
                        self.warn(at, format!("VerDTD {version:?} is not 1.1.2, 1.2 or 1.3; read as 1.2"));
                    }
                    once(&mut ver_dtd, at, "VerDTD", version)?;
                }
                "Man" => once(&mut man, at, "Man", self.text(&element))?,
                "Mod" => once(&mut model, at, "Mod", self.text(&element))?,
                "Node" => nodes.push(self.node(element)?),
                _ => self.skip(&element, "MgmtTree"),
            }
        }
        if nodes.is_empty() {
            return Err(error(root.at, "Node", Problem::Missing));
        }
        let ver_dtd = ver_dtd.ok_or_else(|| error(root.at, "VerDTD", Problem::Missing))?;
        Ok(Ddf { ver_dtd, man, model, nodes })
    }

    fn node(&mut self, node: Element) -> Result<DdfNode, DecodeError> {
        let (mut name, mut path, mut value) = (None, None, None);
        let (mut rt_properties, mut properties, mut children) = (None, None, Vec::new());
        for element in node.children {
            let at = element.at;
            match element.name.as_str() {
                "NodeName" => once(&mut name, at, "NodeName", self.node_name(&element)?)?,
                "Path" => once(&mut path, at, "Path", self.text(&element))?,
                "RTProperties" => {
                    once(&mut rt_properties, at, "RTProperties", self.rt_properties(&element)?)?
                }
                "DFProperties" => once(&mut properties, at, "DFProperties", self.df_properties(element)?)?,
                "Value" => once(&mut value, at, "Value", self.verbatim(&element))?,
                "Node" => children.push(self.node(element)?),
                _ => self.skip(&element, "Node"),
            }
        }
        let properties = properties.ok_or_else(|| error(node.at, "DFProperties", Problem::Missing))?;
        let format = match properties.format {
            Some(format) => format,
            None if !children.is_empty() => Format::Node,
            None => return Err(error(node.at, "DFFormat", Problem::Missing)),
        };
        if format.is_leaf() && !children.is_empty() {
            let text = format!("a node of format {} has no children", format.as_str());
            return Err(schema(node.at, "Node", text));
        }
        if !format.is_leaf() && value.is_some() {
            return Err(schema(node.at, "Value", "a node of format node has no value"));
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

    fn node_name(&mut self, element: &Element) -> Result<DdfName, DecodeError> {
        let text = self.text(element);
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
            _ => Err(schema(element.at, "NodeName", format!("{text:?} is no legal node name"))),
        }
    }

    fn rt_properties(&mut self, properties: &Element) -> Result<RtProperties, DecodeError> {
        let mut rt = RtProperties::default();
        for element in &properties.children {
            let at = element.at;
            match element.name.as_str() {
                "ACL" => once(&mut rt.acl, at, "ACL", self.text(element))?,
                "Format" => {
                    let format = format(element, "Format")?;
                    once(&mut rt.format, at, "Format", format)?;
                }
                "Name" => once(&mut rt.name, at, "Name", self.text(element))?,
                "Size" => once(&mut rt.size, at, "Size", self.text(element))?,
                "Title" => once(&mut rt.title, at, "Title", self.text(element))?,
                "TStamp" => once(&mut rt.tstamp, at, "TStamp", self.text(element))?,
                "Type" => {
                    if let Some(kind) = self.kind(element, "Type")? {
                        once(&mut rt.type_, at, "Type", kind)?;
                    }
                }
                "VerNo" => once(&mut rt.ver_no, at, "VerNo", self.text(element))?,
                _ => self.skip(element, "RTProperties"),
            }
        }
        Ok(rt)
    }

    fn df_properties(&mut self, properties: Element) -> Result<Properties, DecodeError> {
        let mut access = None;
        let mut df = Properties::default();
        for element in &properties.children {
            let at = element.at;
            match element.name.as_str() {
                "AccessType" => once(&mut access, at, "AccessType", access_type(element)?)?,
                "DefaultValue" => once(&mut df.default_value, at, "DefaultValue", self.verbatim(element))?,
                "Description" => once(&mut df.description, at, "Description", self.text(element))?,
                "DFFormat" => {
                    let format = format(element, "DFFormat")?;
                    once(&mut df.format, at, "DFFormat", format)?;
                }
                "Occurrence" => {
                    let occurrence = self.occurrence(element)?;
                    once(&mut df.occurrence, at, "Occurrence", occurrence)?;
                }
                "Scope" => once(&mut df.scope, at, "Scope", scope(element)?)?,
                "DFTitle" => once(&mut df.title, at, "DFTitle", self.text(element))?,
                "DFType" => {
                    if let Some(kind) = self.kind(element, "DFType")? {
                        once(&mut df.df_type, at, "DFType", kind)?;
                    }
                }
                "CaseSense" => once(&mut df.case_sense, at, "CaseSense", case_sense(element)?)?,
                _ => self.skip(element, "DFProperties"),
            }
        }
        if access.is_none() {
            self.warn(properties.at, "DFProperties has no AccessType, so no command is allowed".into());
        }
        df.access = access.unwrap_or_default();
        Ok(df)
    }

    fn occurrence(&mut self, element: &Element) -> Result<Occurrence, DecodeError> {
        let choice = choice(element, "Occurrence")?;
        let bad = |text: String| schema(choice.at, "Occurrence", text);
        let number = |text: String| {
            let number = text.parse().ok().filter(|n| (2..=65_536).contains(n));
            number.ok_or_else(|| bad(format!("{text:?} is not a number from 2 to 65536")))
        };
        Ok(match choice.name.as_str() {
            "One" => Occurrence::One,
            "ZeroOrOne" => Occurrence::ZeroOrOne,
            "ZeroOrMore" => Occurrence::ZeroOrMore,
            "OneOrMore" => Occurrence::OneOrMore,
            "ZeroOrN" => Occurrence::ZeroOrN(number(self.text(choice))?),
            "OneOrN" => Occurrence::OneOrN(number(self.text(choice))?),
            other => return Err(bad(format!("{other:?} is no occurrence"))),
        })
    }

    /// `Type` or `DFType`: one `DDFName`, or any number of `MIME`; nothing if it is empty.
    fn kind(&mut self, element: &Element, field: &'static str) -> Result<Option<DfType>, DecodeError> {
        let (mut mime, mut ddf_name) = (Vec::new(), None);
        for child in &element.children {
            match child.name.as_str() {
                "MIME" => mime.push(self.text(child)),
                "DDFName" => once(&mut ddf_name, child.at, "DDFName", self.text(child))?,
                _ => self.skip(child, field),
            }
        }
        match (ddf_name, mime.is_empty()) {
            (Some(name), true) => Ok(Some(DfType::DdfName(name))),
            (None, false) => Ok(Some(DfType::Mime(mime))),
            (Some(_), false) => Err(schema(element.at, field, "either MIME or DDFName is wanted, not both")),
            (None, true) => {
                self.warn(element.at, format!("{field} is empty"));
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

/// The only child of an element that is a choice.
fn choice<'e>(element: &'e Element, field: &'static str) -> Result<&'e Element, DecodeError> {
    match element.children.as_slice() {
        [choice] => Ok(choice),
        _ => Err(schema(element.at, field, "exactly one element is wanted in it")),
    }
}

fn format(element: &Element, field: &'static str) -> Result<Format, DecodeError> {
    let choice = choice(element, field)?;
    Format::parse(&choice.name)
        .filter(|format| format.as_str() == choice.name)
        .ok_or_else(|| schema(choice.at, field, format!("{:?} is no format", choice.name)))
}

fn scope(element: &Element) -> Result<Scope, DecodeError> {
    let choice = choice(element, "Scope")?;
    match choice.name.as_str() {
        "Permanent" => Ok(Scope::Permanent),
        "Dynamic" => Ok(Scope::Dynamic),
        other => Err(schema(choice.at, "Scope", format!("{other:?} is no scope"))),
    }
}

fn case_sense(element: &Element) -> Result<CaseSense, DecodeError> {
    let choice = choice(element, "CaseSense")?;
    match choice.name.as_str() {
        "CS" => Ok(CaseSense::Sensitive),
        "CIS" => Ok(CaseSense::Insensitive),
        other => Err(schema(choice.at, "CaseSense", format!("{other:?} is neither CS nor CIS"))),
    }
}

fn access_type(element: &Element) -> Result<AccessType, DecodeError> {
    let mut access = AccessType::default();
    for child in &element.children {
        let slot = match child.name.as_str() {
            "Add" => &mut access.add,
            "Copy" => &mut access.copy,
            "Delete" => &mut access.delete,
            "Exec" => &mut access.exec,
            "Get" => &mut access.get,
            "Replace" => &mut access.replace,
            other => return Err(schema(child.at, "AccessType", format!("{other:?} is no access type"))),
        };
        *slot = true;
    }
    Ok(access)
}
