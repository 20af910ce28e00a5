//! What is wrong with a document: by itself, and by the DDF files.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use omadm_codec::dm1::Version as Protocol;
use omadm_config::{Span, nearest};
use omadm_mo::ClientUri;
use omadm_mo::ddf::{AccessType, DdfName, DdfNode, Occurrence, Scope};

use super::document::{Document, Fault, Node, PRIORITY};
use super::wanted::{Spot, Version, What, canonical, items, key_of, node_key};
use crate::address::{Inventory, client_uri};
use crate::leaf::LeafValue;
use crate::models::Files;
use crate::roots::{ELSEWHERE, Roots, is_path};

/// Highest priority.
const MAX_PRIORITY: u16 = 1_000;
/// Most attempts.
const MAX_ATTEMPTS: u32 = 100;
/// Shortest time between two readings.
const SHORTEST: Span = Span::secs(60);
/// Longest span of any kind.
const LONGEST: Span = Span::secs(366 * 86_400);
/// Longest pause after an attempt.
const LONGEST_RETRY: Span = Span::secs(30 * 86_400);
/// Longest name of a profile or a node.
const MAX_NAME: usize = 64;
/// Longest description, in octets.
const MAX_DESCRIPTION: usize = 4_096;
/// Longest name or version of a package.
const MAX_PACKAGE: usize = 128;
/// Most faults that are told at once.
const MAX_FAULTS: usize = 50;

/// Whether something can be the name of a profile.
pub fn is_name(name: &str) -> bool {
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    begins && name.len() <= MAX_NAME && name.bytes().all(legal)
}

/// A place in a document, for people and for programs.
#[derive(Clone)]
struct Place {
    said: String,
    pointer: String,
}

impl Place {
    /// A member of the profile itself.
    fn head(member: &str) -> Self {
        Self { said: member.to_owned(), pointer: format!("/{member}") }
    }

    /// One of several, counted from 0, with what it is about.
    fn of(kind: &str, number: usize, about: &str) -> Self {
        Self { said: format!("{kind} {} ({about})", number + 1), pointer: format!("/{kind}/{number}") }
    }

    /// Its member of this name; it itself if that is empty.
    fn member(&self, name: &str) -> Self {
        let pointer = if name.is_empty() { self.pointer.clone() } else { format!("{}/{name}", self.pointer) };
        Self { said: self.said.clone(), pointer }
    }
}

fn fault(at: &Place, what: impl Into<String>) -> Fault {
    Fault { at: at.said.clone(), pointer: at.pointer.clone(), what: what.into() }
}

fn at_node(number: usize, node: &Node) -> Place {
    Place::of("node", number, &node.address)
}

/// What is wrong with a document by itself; it may hold `most` things.
pub fn check(document: &Document, most: usize) -> Vec<Fault> {
    let mut faults = head(document, most);
    let mut seen = BTreeMap::new();
    for (number, node) in document.nodes.iter().enumerate() {
        let at = at_node(number, node);
        faults.extend(node_by_itself(node).map(|(member, what)| fault(&at.member(member), what)));
        if let Some(earlier) = seen.insert(node_key(&node.address), number) {
            let what = format!("node {} is of the same address; keep one of them", earlier + 1);
            faults.push(fault(&at.member("address"), what));
        }
        faults.extend(node.id.iter().filter(|id| id.is_empty() || id.len() > MAX_NAME).map(|id| {
            fault(&at.member("id"), format!("the id {id:?} has to have 1 to {MAX_NAME} characters"))
        }));
    }
    faults.extend(ids(document));
    faults.extend(packages(document));
    faults.extend(observed(document));
    faults.extend(names_in_after(document));
    if faults.is_empty() {
        faults.extend(contradictions(document));
        faults.extend(circle(document));
    }
    faults.truncate(MAX_FAULTS);
    faults
}

fn head(document: &Document, most: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !is_name(&document.name) {
        let rule = "it has 1 to 64 letters, digits, -, _ and ., and begins with a letter or digit";
        faults.push(fault(
            &Place::head("name"),
            format!("{:?} cannot be the name of a profile: {rule}", document.name),
        ));
    }
    if document.description.len() > MAX_DESCRIPTION {
        faults.push(fault(
            &Place::head("description"),
            format!("it has to have at most {MAX_DESCRIPTION} octets"),
        ));
    }
    if document.priority > MAX_PRIORITY {
        faults.push(fault(
            &Place::head("priority"),
            format!("it has to be 0 to {MAX_PRIORITY}; {PRIORITY} is usual"),
        ));
    }
    if !(1..=MAX_ATTEMPTS).contains(&document.attempts) {
        faults.push(fault(&Place::head("attempts"), format!("it has to be 1 to {MAX_ATTEMPTS}")));
    }
    if document.check.is_some_and(|check| !(SHORTEST..=LONGEST).contains(&check)) {
        faults.push(fault(&Place::head("check"), format!("it has to be {SHORTEST} to {LONGEST}")));
    }
    if document.retry_after > LONGEST_RETRY {
        faults.push(fault(&Place::head("retry_after"), format!("it has to be at most {LONGEST_RETRY}")));
    }
    if document.group.as_deref() == Some("") {
        faults.push(fault(&Place::head("group"), "it is empty; leave it out for all devices"));
    }
    let Document { nodes, software, observe, firmware, .. } = document;
    let things = nodes.len() + software.len() + observe.len() + usize::from(firmware.is_some());
    if things > most {
        faults.push(fault(&Place::head("name"), format!("{things} nodes, packages and observed nodes are too many: a profile has at most {most} (profiles.max_items)")));
    }
    faults
}

/// What is wrong with a node, and with which of its members.
fn node_by_itself(node: &Node) -> Option<(&'static str, String)> {
    if let Some(why) = address_fault(&node.address) {
        return Some(("address", why));
    }
    let given = [node.value.is_some(), node.interior, node.absent].into_iter().filter(|given| *given).count();
    if given != 1 {
        return Some(("", "it needs one of value, interior = true and absent = true".into()));
    }
    if node.interior && is_path(&node.address) {
        let why = "an interior node is made by its ClientURI; a path does not tell of which object it is";
        return Some(("address", why.into()));
    }
    let misfit = LeafValue::new(node.value.clone()?, None).err();
    misfit.map(|_| ("value", "value has to be a string, a number or a bool".into()))
}

/// Why an address cannot be that of one node.
fn address_fault(address: &str) -> Option<String> {
    if is_path(address) {
        let is_property = address.contains('?');
        let legal = Roots::of(&Inventory::default(), Protocol::Dm13).resolve(address);
        return match legal {
            Ok(_) if is_property => Some("properties are no part of profiles; name the node".into()),
            Ok(_) if address == "." => Some("the root of the tree cannot be wanted".into()),
            Ok(_) => None,
            Err(_) => Some("the path is not legal".into()),
        };
    }
    match ClientUri::parse(address) {
        Err(error) => Some(format!("the address is not legal: {error}")),
        Ok(uri) if uri.query.has_standard_field() => Some("the address has a query; name one node".into()),
        Ok(_) if Spot::of(address).is_none() => {
            Some("the address has a wildcard or an x-name; name one node".into())
        }
        Ok(_) => None,
    }
}

fn ids(document: &Document) -> Vec<Fault> {
    let mut seen = HashSet::new();
    let twice = document
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.id.as_ref().is_some_and(|id| !seen.insert(id)));
    let at_id = |number, node| at_node(number, node).member("id");
    twice.map(|(number, node)| fault(&at_id(number, node), "another node has the same id")).collect()
}

fn packages(document: &Document) -> Vec<Fault> {
    let legal =
        |name: &str| !name.is_empty() && name.len() <= MAX_PACKAGE && !name.chars().any(char::is_control);
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for (number, software) in document.software.iter().enumerate() {
        let at = Place::of("software", number, &software.package);
        if !legal(&software.package) || software.version.as_deref().is_some_and(|version| !legal(version)) {
            faults.push(fault(&at, format!("package and version have 1 to {MAX_PACKAGE} octets")));
        }
        if software.absent == software.version.is_some() {
            faults.push(fault(&at, "it needs either a version or absent = true"));
        }
        if !seen.insert(&software.package) {
            faults.push(fault(&at.member("package"), "the package is named twice; keep one of them"));
        }
    }
    if let Some(firmware) = &document.firmware
        && !(legal(&firmware.package) && legal(&firmware.version))
    {
        faults.push(fault(
            &Place::head("firmware"),
            format!("package and version have 1 to {MAX_PACKAGE} octets"),
        ));
    }
    faults
}

fn observed(document: &Document) -> Vec<Fault> {
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for (number, observe) in document.observe.iter().enumerate() {
        let at = Place::of("observe", number, &observe.address);
        let at_address = at.member("address");
        faults.extend(address_fault(&observe.address).map(|what| fault(&at_address, what)));
        if !(SHORTEST..=LONGEST).contains(&observe.every) {
            faults.push(fault(&at.member("every"), format!("every has to be {SHORTEST} to {LONGEST}")));
        }
        if !seen.insert(canonical(&observe.address)) {
            faults.push(fault(&at_address, "the address is observed twice; keep one of them"));
        }
    }
    faults
}

/// Everything that may wait for something, with its place.
fn waiting(document: &Document) -> impl Iterator<Item = (Place, &Vec<String>)> {
    let nodes = document.nodes.iter().enumerate().map(|(number, node)| (at_node(number, node), &node.after));
    let software = document
        .software
        .iter()
        .enumerate()
        .map(|(number, software)| (Place::of("software", number, &software.package), &software.after));
    let firmware = document.firmware.iter().map(|firmware| (Place::head("firmware"), &firmware.after));
    nodes.chain(software).chain(firmware)
}

fn names_in_after(document: &Document) -> Vec<Fault> {
    let ids = document.nodes.iter().flat_map(|node| [node.id.as_deref(), Some(node.address.as_str())]);
    let packages = document.software.iter().map(|software| Some(software.package.as_str()));
    let known: Vec<&str> = ids.chain(packages).flatten().collect();
    let mut faults = Vec::new();
    for (at, after) in waiting(document) {
        for name in after.iter().filter(|name| key_of(document, name).is_none()) {
            let near = nearest(name, known.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            let what = format!("after names {name:?}, which is nothing in this profile{hint}");
            faults.push(fault(&at.member("after"), what));
        }
    }
    faults
}

/// Nodes that cannot be as they are wanted together.
fn contradictions(document: &Document) -> Vec<Fault> {
    let spots: BTreeMap<Spot, (usize, &Node)> = document
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(number, node)| Some((Spot::of(&node.address)?, (number, node))))
        .collect();
    let mut faults = Vec::new();
    for (spot, (number, node)) in &spots {
        let above = spot.upwards().skip(1).find_map(|above| spots.get(&above));
        let Some((other, above)) = above else { continue };
        let why = match (above.absent, above.value.is_some()) {
            (true, _) if !node.absent => "must not be there",
            (_, true) => "is a leaf",
            _ => continue,
        };
        let what =
            format!("it contradicts node {} ({}), which is above it and {why}", other + 1, above.address);
        faults.push(fault(&at_node(*number, node), what));
    }
    faults
}

/// Things that wait for each other in a circle.
fn circle(document: &Document) -> Option<Fault> {
    let version = Version {
        name: document.name.clone(),
        number: 0,
        items: items(document),
        document: document.clone(),
    };
    let wanted = super::wanted::Wanted::new(vec![version.into()], Vec::new());
    let mut before = super::compare::before_each(&wanted.wants);
    let mut left: BTreeSet<usize> = (0..before.len()).collect();
    loop {
        let free: Vec<usize> =
            left.iter().copied().filter(|place| before.get(*place).is_some_and(BTreeSet::is_empty)).collect();
        if free.is_empty() {
            break;
        }
        for place in free {
            left.remove(&place);
            for waits in &mut before {
                waits.remove(&place);
            }
        }
    }
    let first = left.first().and_then(|place| wanted.wants.get(*place))?;
    let names: Vec<String> =
        left.iter().filter_map(|place| wanted.wants.get(*place)).map(|want| want.item.what.name()).collect();
    Some(Fault {
        at: first.item.what.name(),
        pointer: String::new(),
        what: format!("these wait for each other (after, and nodes for those above): {}", names.join(", ")),
    })
}

/// What DDF files say about documents.
pub struct Described<'a> {
    /// The files.
    pub files: &'a Files,
    /// How devices reach this server.
    pub public_url: &'a str,
}

/// What they say about one.
#[derive(Debug, Default)]
pub struct Said {
    /// What cannot be.
    pub faults: Vec<Fault>,
    /// What could not be checked.
    pub warnings: Vec<String>,
}

/// The nodes that a file describes at an address.
struct Found<'a> {
    file: &'a str,
    nodes: Vec<&'a DdfNode>,
}

impl<'a> Described<'a> {
    /// Looks at a document that is right by itself.
    pub fn check(&self, document: &Document) -> Said {
        let mut said = Said::default();
        let mut unknown = BTreeSet::new();
        for (number, node) in document.nodes.iter().enumerate() {
            match self.find(&node.address) {
                Ok(found) => said.faults.extend(
                    found
                        .and_then(|found| node_fault(node, &found))
                        .map(|(member, what)| fault(&at_node(number, node).member(member), what)),
                ),
                Err(object) => {
                    unknown.insert(object);
                }
            }
        }
        for (number, observe) in document.observe.iter().enumerate() {
            let at = Place::of("observe", number, &observe.address).member("address");
            match self.find(&observe.address) {
                Ok(Some(found)) => said
                    .faults
                    .extend(missing_access(&found, "Get", |access| access.get).map(|what| fault(&at, what))),
                Ok(None) => {}
                Err(object) => {
                    unknown.insert(object);
                }
            }
        }
        said.faults.extend(self.too_many(document));
        said.faults.truncate(MAX_FAULTS);
        said.warnings.extend(unknown.into_iter().map(|object| {
            format!("No DDF file describes {object}: what the profile says of it was not checked.")
        }));
        said
    }

    /// Brings the values of a version into the formats of the DDF, where they are known.
    pub fn typed(&self, version: &mut Version) {
        for item in &mut version.items {
            let What::Leaf { address, value } = &mut item.what else { continue };
            let Ok(Some(found)) = self.find(address) else { continue };
            let leaves: Vec<&DdfNode> =
                found.nodes.iter().copied().filter(|node| node.format.is_leaf()).collect();
            if let [leaf] = leaves.as_slice()
                && let Ok(typed) = value.for_node(leaf)
            {
                *value = typed;
            }
        }
    }

    /// What is described at an address; `None` where anything may be.
    ///
    /// # Errors
    /// The object that no file describes.
    fn find(&self, address: &str) -> Result<Option<Found<'a>>, String> {
        let uri = match is_path(address) {
            true => {
                let at = Roots::of(&Inventory::default(), Protocol::Dm13).place(address);
                let at =
                    at.filter(|at| at.moid != ELSEWHERE).ok_or_else(|| "the nodes with paths".to_owned())?;
                client_uri(&at)
            }
            false => ClientUri::parse(address).ok(),
        };
        let Some(uri) = uri else { return Ok(None) };
        let found = self.files.find(uri.moid.as_str(), &Inventory::default(), self.public_url);
        let found = found.ok_or_else(|| uri.moid.as_str().to_owned())?;
        Ok(found.definition.nodes_at(&uri.path).map(|nodes| Found { file: found.file, nodes }))
    }

    /// Nodes of which there are more than there can be.
    fn too_many(&self, document: &Document) -> Vec<Fault> {
        let mut names: HashMap<(String, usize, *const DdfNode), (usize, BTreeSet<String>)> = HashMap::new();
        let mut faults = Vec::new();
        let present =
            document.nodes.iter().enumerate().filter(|(_, node)| !node.absent && !is_path(&node.address));
        for (number, node) in present {
            let Ok(uri) = ClientUri::parse(&node.address) else { continue };
            let Some(found) = self.files.find(uri.moid.as_str(), &Inventory::default(), self.public_url)
            else {
                continue;
            };
            for depth in 1..=uri.path.len() {
                let (path, above) = (uri.path.get(..depth).unwrap_or_default(), uri.path.get(..depth - 1));
                let described = found.definition.nodes_at(path).unwrap_or_default();
                let [one] = described.as_slice() else { continue };
                let Some(limit) = one.occurrence.limit().filter(|_| matches!(one.name, DdfName::Unnamed(_)))
                else {
                    continue;
                };
                let place = (
                    format!("{}{:?}{above:?}", uri.moid.as_str(), uri.inst),
                    depth,
                    std::ptr::from_ref(*one),
                );
                let (_, seen) = names.entry(place).or_insert_with(|| (number, BTreeSet::new()));
                let is_new = seen.insert(format!("{:?}", path.last()));
                if is_new && seen.len() == limit + 1 {
                    let what = format!(
                        "by the DDF file {} there are at most {limit} such nodes beside each other",
                        found.file
                    );
                    faults.push(fault(&at_node(number, node).member("address"), what));
                }
            }
        }
        faults
    }
}

/// What is wrong with a node by what is described, and with which of its members.
fn node_fault(node: &Node, found: &Found<'_>) -> Option<(&'static str, String)> {
    let Found { file, nodes } = found;
    if nodes.is_empty() {
        return Some(("address", format!("the DDF file {file} describes no such node")));
    }
    if node.absent {
        return absent_fault(found).map(|what| ("", what));
    }
    let of_kind: Vec<&DdfNode> =
        nodes.iter().copied().filter(|described| described.format.is_leaf() != node.interior).collect();
    if of_kind.is_empty() {
        let kind = if node.interior { "a leaf" } else { "an interior node, which has no value" };
        return Some(("", format!("by the DDF file {file} it is {kind}")));
    }
    if node.interior {
        return None;
    }
    let value = LeafValue::new(node.value.clone()?, None).ok()?;
    let misfit =
        of_kind.iter().map(|described| value.for_node(described)).collect::<Result<Vec<_>, _>>().err();
    if let Some(error) = misfit.filter(|_| of_kind.iter().all(|described| value.for_node(described).is_err()))
    {
        return Some(("value", format!("value: {error}, as the DDF file {file} wants it")));
    }
    missing_access(found, "Add or Replace", |access| access.add || access.replace).map(|what| ("", what))
}

fn absent_fault(found: &Found<'_>) -> Option<String> {
    let Found { file, nodes } = found;
    let is_needed =
        |node: &&DdfNode| node.occurrence == Occurrence::One && matches!(node.name, DdfName::Named(_));
    if nodes.iter().all(|node| node.scope == Scope::Permanent) {
        return Some(format!(
            "by the DDF file {file} the node is permanent: only the device itself removes it"
        ));
    }
    if nodes.iter().all(is_needed) {
        return Some(format!("by the DDF file {file} the node has to be there (occurrence One)"));
    }
    missing_access(found, "Delete", |access| access.delete)
}

fn missing_access(found: &Found<'_>, name: &str, allows: fn(AccessType) -> bool) -> Option<String> {
    let Found { file, nodes } = found;
    if nodes.is_empty() {
        return Some(format!("the DDF file {file} describes no such node"));
    }
    if nodes.iter().any(|node| allows(node.access)) {
        return None;
    }
    let listed: Vec<&str> = nodes.iter().flat_map(|node| node.access.names()).collect();
    let listed = if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") };
    Some(format!("the DDF file {file} does not allow {name} here; it allows {listed}"))
}

/// Where a version of another profile wants something else of the same nodes with the same priority, so that chance would decide.
pub fn clashes(version: &Version, other: &Version) -> Vec<String> {
    if version.document.priority != other.document.priority {
        return Vec::new();
    }
    let both = vec![version.clone().into(), other.clone().into()];
    let wanted = super::wanted::Wanted::new(both, Vec::new());
    wanted.overruled.into_iter().map(|overruled| overruled.name).collect()
}
