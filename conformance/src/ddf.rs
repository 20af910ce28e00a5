//! Writes DDF files for tests, independently of the product's writer.

/// A DDF file of version 1.2 with these nodes at the top.
#[must_use]
pub fn tree(nodes: &[String]) -> String {
    let nodes = nodes.concat();
    format!("<MgmtTree xmlns=\"syncml:dmddf1.2\">\n<VerDTD>1.2</VerDTD>\n{nodes}</MgmtTree>\n")
}

/// A node; `properties` stand in its DFProperties, as [`properties`] makes them, and `inside` are its children.
#[must_use]
pub fn node(name: &str, properties: &str, inside: &[String]) -> String {
    let inside = inside.concat();
    format!("<Node><NodeName>{name}</NodeName><DFProperties>{properties}</DFProperties>\n{inside}</Node>\n")
}

/// The DFProperties of a node: its access types as words, its format, its occurrence as an element name, and further
/// elements as they are.
#[must_use]
pub fn properties(access: &str, format: &str, occurrence: &str, more: &str) -> String {
    let access: String = access.split_whitespace().map(|word| format!("<{word}/>")).collect();
    let occurrence = match occurrence.split_once(' ') {
        Some((name, number)) => format!("<{name}>{number}</{name}>"),
        None => format!("<{occurrence}/>"),
    };
    format!(
        "<AccessType>{access}</AccessType><DFFormat><{format}/></DFFormat><Occurrence>{occurrence}</Occurrence>{more}"
    )
}

/// A named, permanent MO root of which there is one; a device has it from its first start.
#[must_use]
pub fn single_root(name: &str, moid: &str, inside: &[String]) -> String {
    let more = format!("<Scope><Permanent/></Scope><DFType><DDFName>{moid}</DDFName></DFType>");
    node(name, &properties("Get", "node", "One", &more), inside)
}
