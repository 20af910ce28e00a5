//! What is wanted of a device by all profiles that apply to it: the one of higher priority counts where two disagree.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use omadm_mo::{ClientUri, MoInst, Segment};

use super::document::{Document, Drift, Dropped, Node};
use crate::leaf::LeafValue;
use crate::roots::{is_path, names};

/// A version of a profile, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Name of the profile.
    pub name: String,
    /// Number of the version.
    pub number: i64,
    /// What it says.
    pub document: Document,
    /// What it wants, in the order of the document.
    pub items: Vec<Item>,
}

/// One thing that should be so.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Tells it from all others of a device: the same for two profiles that speak of the same thing.
    pub key: String,
    /// What should be so.
    pub what: What,
    /// Keys of what has to be so before.
    pub after: Vec<String>,
    /// What is done when it is so no more.
    pub drift: Drift,
    /// What becomes of it when it is wanted no more.
    pub dropped: Dropped,
}

/// What should be so.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A leaf has a value.
    Leaf { address: String, value: LeafValue },
    /// An interior node is there.
    Interior { address: String },
    /// A node is not there.
    Absent { address: String },
    /// A node and what is below are known, and not older than so many microseconds.
    Observed { address: String, every: i64 },
    /// A node is not observed any more.
    Unobserved { address: String },
    /// A package is there, in this version.
    Software { package: String, version: String },
    /// A package is not there.
    NoSoftware { package: String },
    /// The device has this firmware.
    Firmware { package: String, version: String },
}

/// Where a node is, so that it can be said which is above which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The object with its instance; the empty text for the tree of a device of DM 1.x.
    object: String,
    /// Names from its root.
    path: Vec<String>,
}

impl Spot {
    /// Of an address of one node; `None` of any other.
    pub fn of(address: &str) -> Option<Self> {
        if is_path(address) {
            let path = names(address)?;
            return Some(Self { object: String::new(), path });
        }
        let uri = ClientUri::parse(address).ok()?;
        let inst = match &uri.inst {
            MoInst::Miid(miid) => miid.as_str(),
            MoInst::Only => "",
            MoInst::XName(_) | MoInst::All => return None,
        };
        let name = |segment: &Segment| match segment {
            Segment::Name(name) => Some(name.as_str().to_owned()),
            Segment::XName(_) | Segment::Wildcard => None,
        };
        let path = uri.path.iter().map(name).collect::<Option<_>>()?;
        Some(Self { object: format!("{}/{inst}", uri.moid.as_str()), path })
    }

    /// Whether it is above another, or the same.
    pub fn holds(&self, other: &Self) -> bool {
        self.object == other.object && other.path.starts_with(&self.path)
    }

    /// How deep it is.
    pub fn depth(&self) -> usize {
        self.path.len()
    }

    /// It and those above it, the deepest first.
    pub fn upwards(&self) -> impl Iterator<Item = Self> + '_ {
        let lengths = (0..=self.path.len()).rev();
        lengths.map(|length| Self {
            object: self.object.clone(),
            path: self.path.iter().take(length).cloned().collect(),
        })
    }
}

impl What {
    /// The address of the node that it is about, if it is about one.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Leaf { address, .. }
            | Self::Interior { address }
            | Self::Absent { address }
            | Self::Observed { address, .. }
            | Self::Unobserved { address } => Some(address),
            Self::Software { .. } | Self::NoSoftware { .. } | Self::Firmware { .. } => None,
        }
    }

    /// What it is about, for people.
    pub fn name(&self) -> String {
        match self {
            Self::Software { package, .. } | Self::NoSoftware { package } => format!("software {package}"),
            Self::Firmware { package, version } => format!("firmware {package} {version}"),
            _ => self.address().unwrap_or_default().to_owned(),
        }
    }

    /// Whether it needs this version of a package.
    pub fn brings(&self, name: &str, number: &str) -> bool {
        match self {
            Self::Software { package, version } | Self::Firmware { package, version } => {
                package == name && version == number
            }
            _ => false,
        }
    }

    /// Where the node is that it makes or takes away.
    pub fn spot(&self) -> Option<Spot> {
        match self {
            Self::Leaf { address, .. } | Self::Interior { address } | Self::Absent { address } => {
                Spot::of(address)
            }
            _ => None,
        }
    }

    /// The opposite, for what is wanted no more; `None` if there is nothing to undo.
    fn undone(&self) -> Option<Self> {
        match self {
            Self::Leaf { address, .. } | Self::Interior { address } => {
                Some(Self::Absent { address: address.clone() })
            }
            Self::Observed { address, .. } => Some(Self::Unobserved { address: address.clone() }),
            Self::Software { package, .. } => Some(Self::NoSoftware { package: package.clone() }),
            Self::Absent { .. }
            | Self::Unobserved { .. }
            | Self::NoSoftware { .. }
            | Self::Firmware { .. } => None,
        }
    }
}

/// The address as it is compared: two ways to write the same one are one.
pub fn canonical(address: &str) -> String {
    if is_path(address) {
        return address.to_owned();
    }
    ClientUri::parse(address).map_or_else(|_| address.to_owned(), |uri| uri.to_string())
}

/// The key of a node, by its address.
pub fn node_key(address: &str) -> String {
    format!("node {}", canonical(address))
}

impl Version {
    /// What a document that was checked wants.
    pub fn new(number: i64, document: Document) -> Self {
        Self { name: document.name.clone(), number, items: items(&document), document }
    }
}

/// The items of a document. A node without a value that could be one says nothing; that was refused before.
pub fn items(document: &Document) -> Vec<Item> {
    let resolve = |after: &[String]| -> Vec<String> {
        after.iter().filter_map(|name| key_of(document, name)).collect()
    };
    let Document { drift, dropped, .. } = document;
    let mut items: Vec<Item> = Vec::new();
    for node in &document.nodes {
        let Some(what) = what_of(node) else { continue };
        items.push(Item {
            key: node_key(&node.address),
            what,
            after: resolve(&node.after),
            drift: node.drift.unwrap_or(*drift),
            dropped: node.dropped.unwrap_or(*dropped),
        });
    }
    for software in &document.software {
        let package = software.package.clone();
        let key = format!("software {package}");
        let what = match &software.version {
            _ if software.absent => What::NoSoftware { package },
            Some(version) => What::Software { package, version: version.clone() },
            None => continue,
        };
        items.push(Item { key, what, after: resolve(&software.after), drift: *drift, dropped: *dropped });
    }
    if let Some(firmware) = &document.firmware {
        let what = What::Firmware { package: firmware.package.clone(), version: firmware.version.clone() };
        let after = resolve(&firmware.after);
        items.push(Item { key: "firmware".into(), what, after, drift: *drift, dropped: *dropped });
    }
    for observe in &document.observe {
        let key = format!("observe {}", canonical(&observe.address));
        let what = What::Observed { address: observe.address.clone(), every: observe.every.micros() };
        // What was observed only for a profile is given up with it, whatever becomes of its nodes.
        let dropped = Dropped::Delete;
        items.push(Item { key, what, after: Vec::new(), drift: Drift::Repair, dropped });
    }
    items
}

fn what_of(node: &Node) -> Option<What> {
    let address = node.address.clone();
    match (&node.value, node.interior, node.absent) {
        (Some(value), false, false) => {
            Some(What::Leaf { address, value: LeafValue::new(value.clone(), None).ok()? })
        }
        (None, true, false) => Some(What::Interior { address }),
        (None, false, true) => Some(What::Absent { address }),
        _ => None,
    }
}

/// The key of the item that `after` names: a node by its id or address, software by its package.
pub fn key_of(document: &Document, name: &str) -> Option<String> {
    let by_id = document.nodes.iter().find(|node| node.id.as_deref() == Some(name));
    let wanted = canonical(name);
    let node = by_id.or_else(|| document.nodes.iter().find(|node| canonical(&node.address) == wanted));
    let software = || document.software.iter().find(|software| software.package == name);
    let firmware = || document.firmware.as_ref().filter(|firmware| firmware.package == name);
    node.map(|node| node_key(&node.address))
        .or_else(|| software().map(|software| format!("software {}", software.package)))
        .or_else(|| firmware().map(|_| "firmware".to_owned()))
}

/// An item with the profile that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    /// Place of the profile in [`Wanted::versions`].
    pub by: usize,
    /// What is wanted.
    pub item: Item,
    /// Whether it undoes what a version has left that does not apply any more.
    pub is_leaving: bool,
}

/// Something that a profile wants and another of higher priority does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled {
    /// Place of the profile that has to give way.
    pub by: usize,
    /// What it is about.
    pub name: String,
    /// Place of the profile that counts.
    pub winner: usize,
}

/// What is wanted of a device.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Versions that apply, by priority, then those that are leaving.
    pub versions: Vec<Arc<Version>>,
    /// How many of these apply.
    pub applying: usize,
    /// What is wanted, the profile of the highest priority first.
    pub wants: Vec<Want>,
    /// What is not, because a profile of higher priority says otherwise.
    pub overruled: Vec<Overruled>,
    /// Objects that it is about, without versions, which devices of DM 1.x may have otherwise.
    objects: HashSet<String>,
    /// Whether it is about nodes by their paths, which may be in any object.
    has_paths: bool,
}

impl Wanted {
    /// Of the versions that apply, and those that have left something behind.
    pub fn new(applying: Vec<Arc<Version>>, leaving: Vec<Arc<Version>>) -> Self {
        let mut versions = applying;
        versions.sort_by(|a, b| {
            let priority = |version: &Version| version.document.priority;
            priority(b).cmp(&priority(a)).then_with(|| a.name.cmp(&b.name))
        });
        let applying = versions.len();
        versions.extend(leaving);
        let mut wanted = Self { versions, applying, ..Self::default() };
        let mut taken = Taken::default();
        for (by, version) in wanted.versions.clone().iter().enumerate() {
            let is_leaving = by >= applying;
            for item in &version.items {
                wanted.add(&mut taken, by, item, is_leaving);
            }
        }
        wanted
    }

    fn add(&mut self, taken: &mut Taken, by: usize, item: &Item, is_leaving: bool) {
        let mut item = item.clone();
        if is_leaving {
            let undone = item.what.undone().filter(|_| item.dropped == Dropped::Delete);
            let Some(undone) = undone else { return };
            item.what = undone;
            item.after.clear();
        }
        match taken.rival(&item) {
            None => {
                taken.take(&item, self.wants.len());
                self.note(&item.what);
                if is_leaving {
                    item.key.insert_str(0, "leaving ");
                }
                self.wants.push(Want { by, item, is_leaving });
            }
            Some(place) if !is_leaving => {
                let rival = self.wants.get(place);
                let agrees = rival.is_some_and(|want| want.item.what == item.what);
                if let Some(winner) = rival.map(|want| want.by).filter(|_| !agrees) {
                    self.overruled.push(Overruled { by, name: item.what.name(), winner });
                }
            }
            Some(_) => {}
        }
    }

    fn note(&mut self, what: &What) {
        match what.address() {
            Some(address) if is_path(address) => self.has_paths = true,
            Some(address) => {
                let moid = ClientUri::parse(address).map(|uri| unversioned(uri.moid.as_str()).to_owned());
                self.objects.extend(moid.ok());
            }
            None => {
                self.objects.insert(SOFTWARE.to_owned());
            }
        }
    }

    /// Whether something at a node of this object may concern it.
    pub fn is_about(&self, moid: &str) -> bool {
        self.has_paths || self.objects.contains(unversioned(moid))
    }

    /// The profile of a want.
    pub fn version(&self, by: usize) -> Option<&Version> {
        self.versions.get(by).map(AsRef::as_ref)
    }
}

/// The object in which devices say what software they have, without its version.
const SOFTWARE: &str = "urn:oma:mo:oma-scomo";

/// A MOID without its version.
fn unversioned(moid: &str) -> &str {
    moid.rsplit_once(':').map_or(moid, |(name, _)| name)
}

/// What is taken already.
#[derive(Default)]
struct Taken {
    keys: BTreeMap<String, usize>,
    spots: BTreeMap<Spot, (usize, bool, bool)>,
}

impl Taken {
    /// The place of a want that cannot be had together with an item.
    fn rival(&self, item: &Item) -> Option<usize> {
        if let Some(place) = self.keys.get(&item.key) {
            return Some(*place);
        }
        let spot = item.what.spot()?;
        let (is_leaf, is_absent) = kind(&item.what);
        // Below a leaf, or below what must not be there, nothing can be.
        let above = spot.upwards().skip(1).find_map(|above| self.spots.get(&above).copied());
        let blocked = above.filter(|(_, leaf, absent)| (*leaf || *absent) && !is_absent);
        let below = || {
            let beyond = self.spots.range(&spot..).take_while(|(other, _)| spot.holds(other));
            beyond.map(|(_, found)| *found).find(|(_, _, absent)| (is_leaf || is_absent) && !absent)
        };
        blocked.or_else(below).map(|(place, ..)| place)
    }

    fn take(&mut self, item: &Item, place: usize) {
        self.keys.insert(item.key.clone(), place);
        if let Some(spot) = item.what.spot() {
            let (is_leaf, is_absent) = kind(&item.what);
            self.spots.insert(spot, (place, is_leaf, is_absent));
        }
    }
}

/// Whether it is a leaf, and whether it is not there.
fn kind(what: &What) -> (bool, bool) {
    (matches!(what, What::Leaf { .. }), matches!(what, What::Absent { .. }))
}
