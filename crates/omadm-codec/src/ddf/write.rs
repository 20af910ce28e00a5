//! Writing DDF files.

use omadm_mo::ddf::{
    AccessType, CaseSense, Ddf as Model, DdfName, DdfNode, DfType, Occurrence, RtProperties, Scope,
};

use super::element::of_format;
use super::indented::Indented;
use crate::dm1::element::Ddf;
use crate::dm1::event::{PublicId, Push, WbxmlVersion, WbxmlWriter};

/// Appends a DDF file in XML, elements in the order of the DTD.
pub fn encode(ddf: &Model, out: &mut Vec<u8>) {
    tree(ddf, &mut Indented::new(out));
}

/// A DDF file in WBXML 1.3, elements in the order of the DTD.
#[must_use]
pub fn encode_wbxml(ddf: &Model) -> Vec<u8> {
    let mut sink = WbxmlWriter::new(WbxmlVersion::V1_3, PublicId::Unknown);
    tree(ddf, &mut sink);
    sink.into_bytes()
}

fn tree(ddf: &Model, sink: &mut impl Push) {
    sink.within(Ddf::MgmtTree, |sink| {
        sink.leaf(Ddf::VerDtd, &ddf.ver_dtd);
        maybe(Ddf::Man, ddf.man.as_deref(), sink);
        maybe(Ddf::Mod, ddf.model.as_deref(), sink);
        for child in &ddf.nodes {
            node(child, sink);
        }
    });
}

fn maybe(element: Ddf, text: Option<&str>, sink: &mut impl Push) {
    if let Some(text) = text {
        sink.leaf(element, text);
    }
}

/// The depth of a definition is bounded when it is read, so recursion is bounded too.
fn node(node: &DdfNode, sink: &mut impl Push) {
    sink.start(Ddf::Node);
    match &node.name {
        DdfName::Named(name) => sink.leaf(Ddf::NodeName, name.as_str()),
        DdfName::Unnamed(name) if name.is_empty() => sink.empty(Ddf::NodeName),
        DdfName::Unnamed(name) => sink.leaf(Ddf::NodeName, &format!("<{name}>")),
    }
    maybe(Ddf::Path, node.path.as_deref(), sink);
    if let Some(properties) = &node.rt_properties {
        sink.within(Ddf::RtProperties, |sink| rt_properties(properties, sink));
    }
    sink.within(Ddf::DfProperties, |sink| df_properties(node, sink));
    maybe(Ddf::Value, node.value.as_deref(), sink);
    for child in &node.children {
        self::node(child, sink);
    }
    sink.end();
}

fn rt_properties(properties: &RtProperties, sink: &mut impl Push) {
    maybe(Ddf::Acl, properties.acl.as_deref(), sink);
    if let Some(format) = properties.format {
        sink.within(Ddf::Format, |sink| sink.empty(of_format(format)));
    }
    maybe(Ddf::Name, properties.name.as_deref(), sink);
    maybe(Ddf::Size, properties.size.as_deref(), sink);
    maybe(Ddf::Title, properties.title.as_deref(), sink);
    maybe(Ddf::TStamp, properties.tstamp.as_deref(), sink);
    if let Some(of) = &properties.type_ {
        kind(Ddf::Type, of, sink);
    }
    maybe(Ddf::VerNo, properties.ver_no.as_deref(), sink);
}

fn df_properties(node: &DdfNode, sink: &mut impl Push) {
    access_type(node.access, sink);
    maybe(Ddf::DefaultValue, node.default_value.as_deref(), sink);
    maybe(Ddf::Description, node.description.as_deref(), sink);
    sink.within(Ddf::DfFormat, |sink| sink.empty(of_format(node.format)));
    sink.within(Ddf::Occurrence, |sink| occurrence(node.occurrence, sink));
    sink.within(Ddf::Scope, |sink| {
        sink.empty(match node.scope {
            Scope::Permanent => Ddf::Permanent,
            Scope::Dynamic => Ddf::Dynamic,
        });
    });
    maybe(Ddf::DfTitle, node.title.as_deref(), sink);
    if let Some(of) = &node.df_type {
        kind(Ddf::DfType, of, sink);
    }
    if let Some(case_sense) = node.case_sense {
        sink.within(Ddf::CaseSense, |sink| {
            sink.empty(match case_sense {
                CaseSense::Sensitive => Ddf::Cs,
                CaseSense::Insensitive => Ddf::Cis,
            });
        });
    }
}

fn kind(element: Ddf, kind: &DfType, sink: &mut impl Push) {
    sink.within(element, |sink| match kind {
        DfType::Mime(types) => types.iter().for_each(|mime| sink.leaf(Ddf::Mime, mime)),
        DfType::DdfName(name) => sink.leaf(Ddf::DdfName, name),
    });
}

fn access_type(access: AccessType, sink: &mut impl Push) {
    let all = [
        (access.add, Ddf::Add),
        (access.copy, Ddf::Copy),
        (access.delete, Ddf::Delete),
        (access.exec, Ddf::Exec),
        (access.get, Ddf::Get),
        (access.replace, Ddf::Replace),
    ];
    if access.is_empty() {
        return sink.empty(Ddf::AccessType);
    }
    sink.within(Ddf::AccessType, |sink| {
        all.into_iter().filter(|(allowed, _)| *allowed).for_each(|(_, element)| sink.empty(element));
    });
}

fn occurrence(occurrence: Occurrence, sink: &mut impl Push) {
    match occurrence {
        Occurrence::One => sink.empty(Ddf::One),
        Occurrence::ZeroOrOne => sink.empty(Ddf::ZeroOrOne),
        Occurrence::ZeroOrMore => sink.empty(Ddf::ZeroOrMore),
        Occurrence::OneOrMore => sink.empty(Ddf::OneOrMore),
        Occurrence::ZeroOrN(n) => sink.leaf(Ddf::ZeroOrN, &n.to_string()),
        Occurrence::OneOrN(n) => sink.leaf(Ddf::OneOrN, &n.to_string()),
    }
}
