//! Writes DDF files for tests, independently of the product's writer, and sees them refused.

use omadm_client::ClientError;

use crate::device::DeviceSetup;
use crate::server::TestServer;

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

/// Asserts that device and server both refuse a DDF file, and say at which line and column the fault is and what it is.
pub async fn both_refuse(server: &TestServer, ddf: &str, (line, column): (usize, usize), fault: &str) {
    let mut setup = DeviceSetup::new([], None);
    setup.data_objects.push(ddf.to_owned());
    match setup.refusal() {
        ClientError::Ddf { line: at_line, column: at_column, reason, .. } => {
            assert_eq!((at_line, at_column), (line, column), "{reason}: {ddf}");
            assert!(reason.contains(fault), "{reason}");
        }
        error => panic!("{error}"),
    }
    let reply = server.put_ddf("bad.ddf", ddf).await;
    let detail = reply.json()["detail"].to_string();
    assert_eq!(reply.status, 400, "{detail}");
    assert!(detail.contains(&format!("line {line}, column {column}")) && detail.contains(fault), "{detail}");
    assert_eq!(server.fetch_ddf("bad.ddf").await.status, 404, "it is not kept");
}
