//! The Delegation Access Control MO of a device (`DM 2.0 §12.3`): what was read of it, and what is written to it.

use std::collections::BTreeMap;

use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::media_type;
use omadm_mo::{ClientUri, Content, Miid, MoInst, Moid, NodeName, Segment, Value, well_known};
use omadm_store::Command;
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::grants::{EVERYBODY, Statement};
use super::view::{Lack, brought};
use crate::address::encode;
use crate::leaf::Body;
use crate::operation::Operation;

/// What MAIDs of servers begin with.
const SERVER: &str = "serverid:";
/// What MAIDs of applications begin with.
const APPLICATION: &str = "appid:";

/// The access rights of management objects.
#[derive(Debug, Default)]
pub struct Entries {
    /// By MOID and MIID.
    objects: BTreeMap<String, BTreeMap<String, Vec<Group>>>,
    /// Why nothing is known of an object.
    lacking: BTreeMap<String, Lack>,
}

/// `<MOID>/<MIID>/<x>`: the rights on one part of an instance.
#[derive(Debug, Default)]
struct Group {
    /// The name of the node.
    name: String,
    /// `Path`, decoded.
    path: Vec<String>,
    /// MAID and AR by the names of their nodes.
    entries: BTreeMap<String, (String, u8)>,
}

/// A node of an instance.
struct Place {
    moid: String,
    miid: String,
    path: Vec<String>,
}

/// What has to be read to know who may do what with these management objects.
pub fn questions<'m>(moids: impl Iterator<Item = &'m str>) -> Vec<Operation> {
    let mut addresses: Vec<String> = moids.filter_map(|moid| address(moid, &[])).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.into_iter().map(|address| Operation::Get { address }).collect()
}

/// Reading the access rights to the objects of these nodes.
pub fn checks<'n>(nodes: impl Iterator<Item = &'n str>) -> Vec<Operation> {
    let places: Vec<Place> = nodes.filter_map(|node| Place::of(node).ok()).collect();
    questions(places.iter().map(|place| place.moid.as_str()))
}

/// The address of the entries of a management object, or of a node below.
fn address(moid: &str, below: &[&str]) -> Option<String> {
    let entry = omadm_mo::access::entry_name(&Moid::parse(moid).ok()?)?;
    let base = format!("{}//{}", well_known::DACMO, encode(entry.as_str()));
    Some(below.iter().fold(base, |address, name| address + "/" + &encode(name)))
}

impl Entries {
    /// Of what was answered to [`questions`].
    pub fn read<'c>(commands: impl Iterator<Item = &'c Command>) -> Self {
        let mut entries = Self::default();
        for command in commands {
            let Some(moid) = names(&command.address).and_then(|names| moid_of(names.first()?)) else {
                continue;
            };
            match brought(command) {
                Ok(items) => {
                    entries.objects.entry(moid).or_default();
                    items.iter().for_each(|(address, value)| entries.learn(address, value));
                }
                Err(lack) => {
                    entries.lacking.insert(moid, lack);
                }
            }
        }
        entries
    }

    /// Takes one node in.
    fn learn(&mut self, address: &str, value: &Json) {
        let names = names(address).unwrap_or_default();
        let [entry, miid, group, rest @ ..] = names.as_slice() else { return };
        let Some(moid) = moid_of(entry) else { return };
        let groups = self.objects.entry(moid).or_default().entry(miid.clone()).or_default();
        let at = groups.iter().position(|known| known.name == *group).unwrap_or_else(|| {
            groups.push(Group { name: group.clone(), ..Group::default() });
            groups.len() - 1
        });
        let Some(group) = groups.get_mut(at) else { return };
        match rest.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["Path"] => group.path = path(value.as_str().unwrap_or_default()),
            ["Permissions", entry, "MAID"] => {
                let entry = group.entries.entry((*entry).to_owned()).or_default();
                entry.0 = value.as_str().unwrap_or_default().to_owned();
            }
            ["Permissions", entry, "AR"] => {
                let rights = value.as_u64().and_then(|number| u8::try_from(number).ok());
                group.entries.entry((*entry).to_owned()).or_default().1 = rights.unwrap_or_default();
            }
            _ => {}
        }
    }

    /// The instances of a management object on which this server has any right.
    ///
    /// # Errors
    /// [`Lack`]
    pub fn instances(&self, moid: &str) -> Result<Vec<String>, Lack> {
        if let Some(lack) = self.lacking.get(moid) {
            return Err(lack.clone());
        }
        let instances = self.objects.get(moid).map(|instances| instances.keys().cloned().collect());
        instances
            .filter(|found: &Vec<String>| !found.is_empty())
            .ok_or_else(|| Lack::said(403, format!("this server has no right on any instance of {moid}")))
    }

    /// What is said of a node by itself.
    ///
    /// # Errors
    /// [`Lack`]
    pub fn own(&self, node: &str) -> Result<Option<Statement>, Lack> {
        let place = Place::of(node)?;
        let own: Vec<&Group> = self.groups(&place)?.iter().filter(|group| group.path == place.path).collect();
        Ok((!own.is_empty()).then(|| statement(&own)))
    }

    /// What would hold for a node if nothing were said of it by itself.
    ///
    /// # Errors
    /// [`Lack`]
    pub fn above(&self, node: &str) -> Result<Statement, Lack> {
        let place = Place::of(node)?;
        let groups = self.groups(&place)?;
        let above = (0..place.path.len()).rev().find_map(|depth| {
            let here: Vec<&Group> =
                groups.iter().filter(|group| place.path.get(..depth) == Some(&group.path)).collect();
            (!here.is_empty()).then(|| statement(&here))
        });
        Ok(above.unwrap_or_default())
    }

    fn groups(&self, place: &Place) -> Result<&[Group], Lack> {
        if let Some(lack) = self.lacking.get(&place.moid) {
            return Err(lack.clone());
        }
        let groups = self.objects.get(&place.moid).and_then(|instances| instances.get(&place.miid));
        let none = || {
            Lack::said(
                403,
                format!("this server has no right on {}/{}, or it is not there", place.moid, place.miid),
            )
        };
        groups.map(Vec::as_slice).ok_or_else(none)
    }

    /// The data by which each node gets its statement. A group that is there is replaced; one of several with the same Path takes what is
    /// new. The protocol lets no server remove a group: a node that had none keeps one that says what holds above it.
    ///
    /// # Errors
    /// [`Lack`]
    pub fn write(&self, nodes: &[(String, Option<Statement>)]) -> Result<Body, Lack> {
        let mut items = Vec::new();
        for (node, statement) in nodes {
            let place = Place::of(node)?;
            let next = statement.clone().map_or_else(|| self.above(node), Ok)?;
            let groups = self.groups(&place)?;
            let mut same = groups.iter().filter(|group| group.path == place.path);
            let first = same.next().map_or_else(|| unused(groups), |group| group.name.clone());
            items.push(item(&place, &first, &next)?);
            for group in same {
                let rest: Statement = (next.holders())
                    .map(|(holder, rights)| (holder.to_owned(), rights & group.statement().of(holder)))
                    .collect();
                items.push(item(&place, &group.name, &rest)?);
            }
        }
        let mut octets = Vec::new();
        mo_data::encode(&items, &mut octets);
        Ok(Body { content_type: media_type::DMMO_JSON.into(), octets })
    }
}

impl Group {
    fn statement(&self) -> Statement {
        let pairs = self.entries.values().filter_map(|(maid, rights)| Some((holder(maid)?, *rights)));
        pairs.collect()
    }
}

/// Groups of the same Path add up.
fn statement(groups: &[&Group]) -> Statement {
    let statements = groups.iter().map(|group| group.statement());
    statements.fold(Statement::default(), |mut sum, statement| {
        statement.holders().for_each(|(holder, rights)| sum.give(holder, rights));
        sum
    })
}

/// The smallest number that is no name of a group.
fn unused(groups: &[Group]) -> String {
    let free = |number: &usize| groups.iter().all(|group| group.name != number.to_string());
    (1..=groups.len() + 1).find(free).unwrap_or_default().to_string()
}

/// A whole group as MO data.
fn item(place: &Place, group: &str, statement: &Statement) -> Result<MoItem, Lack> {
    let illegal = || Lack::said(405, format!("{}/{} cannot be addressed", place.moid, place.miid));
    let name = |text: &str| NodeName::parse(text).map_err(|_| illegal());
    let text = |text: String| Content::Leaf(Value::Text(text));
    let mut entries = Vec::new();
    for (number, (holder, rights)) in statement.holders().enumerate() {
        let members = vec![
            (name("MAID")?, text(maid(holder))),
            (name("AR")?, Content::Leaf(Value::Int(rights.into()))),
        ];
        entries.push((name(&(number + 1).to_string())?, Content::Interior(members)));
    }
    let mut members = vec![(name("Permissions")?, Content::Interior(entries))];
    if !place.path.is_empty() {
        let path = place.path.iter().fold(String::new(), |path, name| path + "/" + &encode(name));
        members.insert(0, (name("Path")?, text(path)));
    }
    Ok(MoItem {
        ddf: None,
        client_uri: address(&place.moid, &[&place.miid, group]).ok_or_else(illegal)?,
        cv: None,
        label: group.to_owned(),
        content: Content::Interior(members),
    })
}

/// Who a MAID means; none for what is no MAID.
fn holder(maid: &str) -> Option<String> {
    let name = maid.strip_prefix(SERVER).unwrap_or(maid);
    (!name.is_empty()).then(|| name.to_owned())
}

/// The inverse of [`holder`].
fn maid(holder: &str) -> String {
    if holder == EVERYBODY || holder.starts_with(APPLICATION) {
        holder.to_owned()
    } else {
        format!("{SERVER}{holder}")
    }
}

/// The names of a `Path`.
fn path(text: &str) -> Vec<String> {
    let names = text.split('/').filter(|name| !name.is_empty());
    names.map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned()).collect()
}

/// The names below the root of the Delegation Access Control MO; `None` for other addresses.
fn names(address: &str) -> Option<Vec<String>> {
    let uri = ClientUri::parse(address).ok().filter(|uri| uri.moid.as_str() == well_known::DACMO)?;
    plain(&uri)
}

fn plain(uri: &ClientUri) -> Option<Vec<String>> {
    let name = |segment: &Segment| match segment {
        Segment::Name(name) => Some(name.as_str().to_owned()),
        Segment::XName(_) | Segment::Wildcard => None,
    };
    uri.path.iter().map(name).collect()
}

fn moid_of(entry: &str) -> Option<String> {
    let entry = NodeName::parse(entry).ok()?;
    Some(omadm_mo::access::entry_moid(&entry)?.as_str().to_owned())
}

impl Place {
    /// Of a node as [`node`] writes it.
    fn of(node: &str) -> Result<Self, Lack> {
        let illegal = || Lack::said(405, format!("{node} is no address of a node"));
        // The MOID of a node is told apart by its instance, which is always there.
        let uri = ClientUri::parse(node).map_err(|_| illegal())?;
        let MoInst::Miid(miid) = &uri.inst else { return Err(illegal()) };
        let path = plain(&uri).ok_or_else(illegal)?;
        Ok(Self { moid: uri.moid.as_str().to_owned(), miid: miid.as_str().to_owned(), path })
    }
}

/// The address of a node of an instance.
pub fn node(moid: &str, miid: &str, path: &[String]) -> Option<String> {
    let names = path.iter().map(|name| NodeName::parse(name).ok()).collect::<Option<_>>()?;
    Some(ClientUri::concrete(Moid::parse(moid).ok()?, Miid::parse(miid).ok()?, names).to_string())
}
