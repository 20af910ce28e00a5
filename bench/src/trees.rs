//! Trees to measure: the standard management objects and a plain one of any size, managed by one server.

use std::sync::Arc;

use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::{Limits, ddf};
use omadm_mo::ddf::Catalogue;
use omadm_mo::{
    Actor, Authority, ClientUri, Content, Miid, Moid, NodeName, Quota, Rights, ServerId, Time, Tree, Value,
    well_known,
};
use omadm_session::dm2::client::install_bootstrap;

use crate::Result;

/// The server that manages the trees.
pub const SERVER: &str = "bench";
/// MOID of the plain management object: groups of leaves.
pub const PLAIN: &str = "urn:example:mo:plain:1.0";

/// The standard management objects, as the repository describes them.
const STANDARD: [(&str, &str); 3] = [
    ("dm_devinfo-v1_2.ddf", include_str!("../../ddf/dm_devinfo-v1_2.ddf")),
    ("dm_dmacc-v1_2.ddf", include_str!("../../ddf/dm_dmacc-v1_2.ddf")),
    ("dm_delegation-v1_0.ddf", include_str!("../../ddf/dm_delegation-v1_0.ddf")),
];

const PLAIN_DDF: &str = "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD>\
    <Node><NodeName>Plain</NodeName><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat>\
    <Occurrence><One/></Occurrence><Scope><Permanent/></Scope>\
    <DFType><DDFName>urn:example:mo:plain:1.0</DDFName></DFType></DFProperties>\
    <Node><NodeName/><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat>\
    <Occurrence><ZeroOrMore/></Occurrence><Scope><Dynamic/></Scope><DFTitle>Group</DFTitle>\
    <DFType><DDFName/></DFType></DFProperties>\
    <Node><NodeName/><DFProperties><AccessType><Get/><Replace/></AccessType><DFFormat><int/></DFFormat>\
    <Occurrence><ZeroOrMore/></Occurrence><Scope><Dynamic/></Scope><DFTitle>Leaf</DFTitle>\
    <DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>\
    </Node></Node></MgmtTree>";

/// The server as one who uses a tree.
pub fn server() -> Result<Actor> {
    Ok(Actor::Server(ServerId::parse(SERVER)?))
}

/// A bootstrapped tree with a DevInfo, and a plain management object with groups of these sizes, all readable for the server.
pub fn managed(groups: &[usize]) -> Result<Tree> {
    let quota = Quota { nodes: 4_000_000, bytes: 1 << 30, ..Quota::default() };
    let mut tree = Tree::new(Arc::new(catalogue()?), quota);
    install_bootstrap(&mut tree, Time::default(), &bootstrap()?, &Limits::default(), true)?;
    let authority = Authority::Server(ServerId::parse(SERVER)?);
    let mut change = tree.begin(Actor::Device, Time::default());
    for (moid, miid, content) in
        [(PLAIN, "main", plain(groups)?), (well_known::DEVINFO, "DevInfo", devinfo()?)]
    {
        let (moid, miid) = (Moid::parse(moid)?, Miid::parse(miid)?);
        change.create_instance(&moid, &miid, content)?;
        change.grant(&moid, &miid, "/", &authority, Rights::READ)?;
    }
    change.commit();
    Ok(tree)
}

/// Address of a group, or of a leaf in it.
pub fn address(group: usize, leaf: Option<usize>) -> Result<ClientUri> {
    Ok(ClientUri::parse(&match leaf {
        Some(leaf) => format!("{PLAIN}/main/g{group}/l{leaf}"),
        None => format!("{PLAIN}/main/g{group}"),
    })?)
}

fn catalogue() -> Result<Catalogue> {
    let mut catalogue = Catalogue::new();
    for (name, text) in STANDARD.into_iter().chain([("plain.ddf", PLAIN_DDF)]) {
        let decoded = ddf::decode(text.as_bytes(), &Limits::default())?;
        catalogue.add(&decoded.ddf, &format!("http://dm.example.org/ddf/{name}"));
    }
    Ok(catalogue)
}

fn bootstrap() -> Result<Vec<u8>> {
    let content = interior([
        ("SrvID", text(SERVER)),
        ("SrvURI", text("https://dm.example.org:8443/dm/2.0")),
        ("Name", text(SERVER)),
        ("Perm", interior([("1", interior([("MOID", text("*"))])?)])?),
    ])?;
    let item = MoItem {
        ddf: None,
        client_uri: format!("{}//", well_known::DMACC),
        cv: None,
        label: SERVER.to_owned(),
        content,
    };
    let mut body = Vec::new();
    mo_data::encode(&[item], &mut body);
    Ok(body)
}

fn plain(groups: &[usize]) -> Result<Content> {
    let leaf = |leaf: usize| Ok((NodeName::parse(&format!("l{leaf}"))?, Content::Leaf(Value::Int(1))));
    let group = |(index, size): (usize, &usize)| {
        let leaves = (0..*size).map(leaf).collect::<Result<_>>()?;
        Ok((NodeName::parse(&format!("g{index}"))?, Content::Interior(leaves)))
    };
    Ok(Content::Interior(groups.iter().enumerate().map(group).collect::<Result<_>>()?))
}

fn devinfo() -> Result<Content> {
    interior([
        ("DevID", text("SIM:bench")),
        ("Man", text("omadm")),
        ("Mod", text("bench")),
        ("DmV", text("2.0")),
        ("Lang", text("en")),
        ("DevType", text("bench")),
        ("OEM", text("omadm")),
        ("FwV", text("1")),
        ("SwV", text("1")),
        ("HwV", text("1")),
    ])
}

fn text(text: &str) -> Content {
    Content::Leaf(Value::Text(text.to_owned()))
}

fn interior<const N: usize>(children: [(&str, Content); N]) -> Result<Content> {
    let children = children.into_iter().map(|(name, content)| Ok((NodeName::parse(name)?, content)));
    Ok(Content::Interior(children.collect::<Result<_>>()?))
}
