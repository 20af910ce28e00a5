//! Writing DDF files.

use omadm_mo::Format;
use omadm_mo::ddf::{AccessType, CaseSense, Ddf, DdfName, DdfNode, DfType, Occurrence, RtProperties, Scope};

use crate::xml::escape;

/// Appends a DDF file, elements in the order of the DTD.
pub fn encode(ddf: &Ddf, out: &mut Vec<u8>) {
    let mut writer = Writer { out, depth: 0 };
    writer.line("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    writer.line("<MgmtTree xmlns=\"syncml:dmddf1.2\">");
    writer.depth += 1;
    writer.text("VerDTD", &ddf.ver_dtd);
    writer.maybe("Man", ddf.man.as_deref());
    writer.maybe("Mod", ddf.model.as_deref());
    for node in &ddf.nodes {
        writer.node(node);
    }
    writer.close("MgmtTree");
}

/// Writes one element a line, indented by two blanks a level.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    depth: usize,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        self.out.resize(self.out.len() + 2 * self.depth, b' ');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'\n');
    }

    fn open(&mut self, name: &str) {
        self.line(&format!("<{name}>"));
        self.depth += 1;
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    /// An element whose content is `markup`.
    fn element(&mut self, name: &str, markup: &str) {
        self.line(&element(name, markup));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.element(name, &escape(text));
    }

    fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn node(&mut self, node: &DdfNode) {
        self.open("Node");
        match &node.name {
            DdfName::Named(name) => self.text("NodeName", name.as_str()),
            DdfName::Unnamed(name) if name.is_empty() => self.element("NodeName", ""),
            DdfName::Unnamed(name) => self.text("NodeName", &format!("<{name}>")),
        }
        self.maybe("Path", node.path.as_deref());
        if let Some(properties) = &node.rt_properties {
            self.rt_properties(properties);
        }
        self.df_properties(node);
        self.maybe("Value", node.value.as_deref());
        for child in &node.children {
            self.node(child);
        }
        self.close("Node");
    }

    fn rt_properties(&mut self, properties: &RtProperties) {
        self.open("RTProperties");
        self.maybe("ACL", properties.acl.as_deref());
        if let Some(format) = properties.format {
            self.element("Format", &empty_of(format));
        }
        self.maybe("Name", properties.name.as_deref());
        self.maybe("Size", properties.size.as_deref());
        self.maybe("Title", properties.title.as_deref());
        self.maybe("TStamp", properties.tstamp.as_deref());
        if let Some(kind) = &properties.type_ {
            self.element("Type", &type_markup(kind));
        }
        self.maybe("VerNo", properties.ver_no.as_deref());
        self.close("RTProperties");
    }

    fn df_properties(&mut self, node: &DdfNode) {
        self.open("DFProperties");
        self.element("AccessType", &access_markup(node.access));
        self.maybe("DefaultValue", node.default_value.as_deref());
        self.maybe("Description", node.description.as_deref());
        self.element("DFFormat", &empty_of(node.format));
        self.element("Occurrence", &occurrence_markup(node.occurrence));
        self.element(
            "Scope",
            match node.scope {
                Scope::Permanent => "<Permanent/>",
                Scope::Dynamic => "<Dynamic/>",
            },
        );
        self.maybe("DFTitle", node.title.as_deref());
        if let Some(kind) = &node.df_type {
            self.element("DFType", &type_markup(kind));
        }
        match node.case_sense {
            Some(CaseSense::Sensitive) => self.element("CaseSense", "<CS/>"),
            Some(CaseSense::Insensitive) => self.element("CaseSense", "<CIS/>"),
            None => {}
        }
        self.close("DFProperties");
    }
}

fn element(name: &str, markup: &str) -> String {
    if markup.is_empty() { format!("<{name}/>") } else { format!("<{name}>{markup}</{name}>") }
}

fn empty_of(format: Format) -> String {
    format!("<{}/>", format.as_str())
}

fn type_markup(kind: &DfType) -> String {
    match kind {
        DfType::Mime(types) => types.iter().map(|mime| element("MIME", &escape(mime))).collect(),
        DfType::DdfName(name) => element("DDFName", &escape(name)),
    }
}

fn access_markup(access: AccessType) -> String {
    let all = [
        (access.add, "<Add/>"),
        (access.copy, "<Copy/>"),
        (access.delete, "<Delete/>"),
        (access.exec, "<Exec/>"),
        (access.get, "<Get/>"),
        (access.replace, "<Replace/>"),
    ];
    all.iter().filter(|(allowed, _)| *allowed).map(|(_, markup)| *markup).collect()
}

fn occurrence_markup(occurrence: Occurrence) -> String {
    match occurrence {
        Occurrence::One => "<One/>".into(),
        Occurrence::ZeroOrOne => "<ZeroOrOne/>".into(),
        Occurrence::ZeroOrMore => "<ZeroOrMore/>".into(),
        Occurrence::OneOrMore => "<OneOrMore/>".into(),
        Occurrence::ZeroOrN(n) => element("ZeroOrN", &n.to_string()),
        Occurrence::OneOrN(n) => element("OneOrN", &n.to_string()),
    }
}
