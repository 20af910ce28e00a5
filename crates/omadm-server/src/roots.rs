//! Where the management objects of a DM 1.x device are: between what operators write, what the device is told, and the last known tree.
//!
//! A node below the root of a management object that is known has the MOID, the name of the root node as MIID, and its path from there; so
//! it has the same address as on a device of DM 2.0. Every other node has the MOID and MIID [`ELSEWHERE`], and its path from the root of
//! the tree.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use omadm_codec::dm1::Version;
use omadm_mo::dm1::{Dm1Uri, Part, UriLimits, name_of, segment_of};
use omadm_mo::{ClientUri, Format, Miid, MoInst, Moid, NodeName, Segment};
use omadm_session::dm1::server::Node;
use omadm_store::TreeAddress;

use crate::address::{Inventory, SupportedMo, encode};
use crate::descriptions::Descriptions;

/// What stands for MOID and MIID of nodes outside of management objects that are known.
pub const ELSEWHERE: &str = ".";
/// Objects that every device has in the same place (`DM 1.3 STDOBJ §5`), without the version of their MOID.
const FIXED: [(&str, &str); 2] =
    [("DevInfo", "urn:oma:mo:oma-dm-devinfo"), ("DevDetail", "urn:oma:mo:oma-dm-devdetail")];
/// MOID without version, and leaf, that DM 2.0 names otherwise, and how DM 1.x does.
const RENAMED: (&str, &str, &str) = ("urn:oma:mo:oma-dm-devinfo", "DevID", "DevId");
/// Longest segment that is looked at with one glance.
const LONGEST_PLAIN: usize = 64;
/// Leaves of DM accounts that hold secrets, in every version of DM 1.x, and that of the Bootstrap Config object.
const SECRETS: [&str; 7] =
    ["AAuthSecret", "AAuthData", "ClientPW", "ServerPW", "ClientNonce", "ServerNonce", "AuthSecret"];

/// The root of a management object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    moid: String,
    miid: String,
    path: Vec<String>,
}

/// The roots that are known of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// Those that the device told.
    known: Vec<Root>,
    /// Those that every device has and this one has not told.
    assumed: Vec<Root>,
    /// Whether the device has told something that was not known.
    has_news: bool,
    version: Version,
}

/// Why an address says nothing to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// It is not known where the management object is.
    UnknownMo(String),
    /// It cannot be said to a device of DM 1.x: one sentence.
    Unsaid(String),
}

impl Roots {
    /// Those in the inventory, and those that every device has.
    pub fn of(inventory: &Inventory, version: Version) -> Self {
        let roots = inventory.0.iter().flat_map(|mo| {
            let instances = mo.miids.iter().zip(&mo.roots);
            instances.filter_map(|(miid, path)| {
                Some(Root { moid: mo.moid.clone(), miid: miid.clone(), path: names(path)? })
            })
        });
        let mut roots = Self { known: roots.collect(), assumed: Vec::new(), has_news: false, version };
        roots.assume();
        roots
    }

    /// As an inventory, with what the one before has beside roots; `None` if nothing was learnt.
    pub fn inventory(&self, before: &Inventory) -> Option<Inventory> {
        if !self.has_news {
            return None;
        }
        let has_root = |mo: &SupportedMo| self.known.iter().any(|root| root.moid == mo.moid);
        let beside = before.0.iter().filter(|mo| mo.roots.is_empty() && !has_root(mo));
        let mut mos: Vec<SupportedMo> = beside.cloned().collect();
        for root in &self.known {
            let uri = uri_of(&root.path);
            match mos.iter_mut().find(|mo| mo.moid == root.moid) {
                Some(mo) => {
                    mo.miids.push(root.miid.clone());
                    mo.roots.push(uri);
                }
                None => mos.push(SupportedMo {
                    moid: root.moid.clone(),
                    miids: vec![root.miid.clone()],
                    ddf: None,
                    roots: vec![uri],
                }),
            }
        }
        Some(Inventory(mos))
    }

    /// What a device is told for an address as an operator wrote it: a path (`./A/B`, also of a property), or a ClientURI.
    ///
    /// # Errors
    /// [`Unresolved`]
    pub fn resolve(&self, address: &str) -> Result<String, Unresolved> {
        if is_path(address) {
            return path(address).map_err(Unresolved::Unsaid);
        }
        let uri = self.parse(address).map_err(Unresolved::Unsaid)?;
        let unsaid = |what: &str| {
            Err(Unresolved::Unsaid(format!(
                "{address:?} has {what}, which cannot be said to a device of DM 1.x"
            )))
        };
        if uri.query.has_standard_field() {
            return unsaid("a query");
        }
        // It can never be said, wherever the object is.
        let Some(miid) = instance(&uri) else { return unsaid("a wildcard or an x-name") };
        let root = self.root(&uri.moid, miid, address)?;
        below(root, &uri).map_or_else(|| unsaid("a wildcard or an x-name"), Ok)
    }

    /// What a device is told for a node of MO data. A new instance goes beside those that are there, and the first one
    /// where `described` says, if it is given.
    ///
    /// # Errors
    /// As [`Roots::resolve`].
    pub fn instance(
        &self,
        uri: &ClientUri,
        described: Option<&Descriptions>,
    ) -> Result<Instance, Unresolved> {
        let address = uri.to_string();
        let unknown = match self.resolve(&address) {
            Ok(uri) => return Ok(Instance { uri, is_new: false }),
            Err(Unresolved::UnknownMo(unknown)) => unknown,
            Err(unsaid) => return Err(unsaid),
        };
        let MoInst::Miid(miid) = &uri.inst else { return Err(Unresolved::UnknownMo(unknown)) };
        let beside = self.known.iter().find(|root| name(&root.moid) == name(uri.moid.as_str()));
        let above = beside.and_then(|root| root.path.split_last()).map(|(_, above)| above);
        let beside = above.map(|above| [above, &[miid.as_str().to_owned()]].concat());
        let home = || described?.home(uri.moid.as_str(), miid.as_str());
        let place = beside.or_else(home);
        let Some(path) = place else { return Err(Unresolved::UnknownMo(unknown)) };
        let root = Root { moid: uri.moid.as_str().to_owned(), miid: miid.as_str().to_owned(), path };
        let uri = below(root, uri).ok_or(Unresolved::UnknownMo(unknown))?;
        Ok(Instance { uri, is_new: true })
    }

    /// Parses a ClientURI.
    ///
    /// # Errors
    /// One sentence.
    pub fn parse(&self, address: &str) -> Result<ClientUri, String> {
        let known = |moid: &str| self.known.iter().any(|root| root.moid == moid);
        ClientUri::parse_with(address, &known)
            .map_err(|error| format!("the address {address:?} is not legal: {error}"))
    }

    fn root(&self, moid: &Moid, miid: Option<&Miid>, address: &str) -> Result<Root, Unresolved> {
        let exact: Vec<&Root> = self.all().filter(|root| root.moid == moid.as_str()).collect();
        let candidates = if exact.is_empty() {
            let named: Vec<&Root> =
                self.all().filter(|root| name(&root.moid) == name(moid.as_str())).collect();
            let versions = named.iter().any(|root| named.iter().any(|other| other.moid != root.moid));
            if versions {
                let sentence =
                    format!("the device has several versions of {}; name one of them", name(moid.as_str()));
                return Err(Unresolved::Unsaid(sentence));
            }
            named
        } else {
            exact
        };
        let unsaid = |sentence: String| Err(Unresolved::Unsaid(sentence));
        match (miid, candidates.as_slice()) {
            (_, []) => Err(Unresolved::UnknownMo(moid.as_str().to_owned())),
            (None, [one]) => Ok((*one).clone()),
            (None, several) => {
                let miids: Vec<&str> = several.iter().map(|root| root.miid.as_str()).collect();
                unsaid(format!("{address:?} may mean several instances; name one: {}", miids.join(", ")))
            }
            (Some(miid), some) => match some.iter().find(|root| root.miid == miid.as_str()) {
                Some(root) => Ok((*root).clone()),
                None => Err(Unresolved::UnknownMo(format!("{}/{miid}", moid.as_str()))),
            },
        }
    }

    /// Where the instances of a management object are, or the one with this MIID; of another version if the device does not have this one.
    pub fn of_object(&self, moid: &str, miid: Option<&str>) -> Vec<Vec<String>> {
        let exact = self.all().any(|root| root.moid == moid);
        let is_meant = |root: &&Root| {
            let same = if exact { root.moid == moid } else { name(&root.moid) == name(moid) };
            same && miid.is_none_or(|miid| root.miid == miid)
        };
        self.all().filter(is_meant).map(|root| root.path.clone()).collect()
    }

    /// The place of a node in the last known tree; `None` for what is no address of a node.
    pub fn place(&self, uri: &str) -> Option<TreeAddress> {
        match uri.strip_prefix("./").filter(|path| path.split('/').all(is_plain)) {
            Some(path) => Some(self.place_of_plain(path)),
            None => Some(self.place_of(&names(uri)?)),
        }
    }

    /// As [`Roots::place_of`], for a path whose segments are the names themselves.
    fn place_of_plain(&self, path: &str) -> TreeAddress {
        let rest_below = |root: &Root| {
            root.path.iter().try_fold(path, |rest, name| {
                let rest = rest.strip_prefix(name.as_str())?;
                if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
            })
        };
        let below = self.all().filter_map(|root| Some((root, rest_below(root)?)));
        let (moid, miid, rest) = match below.min_by_key(|(_, rest)| rest.len()) {
            Some((root, rest)) => (root.moid.as_str(), root.miid.as_str(), rest),
            None => (ELSEWHERE, ELSEWHERE, path),
        };
        let path = if rest.is_empty() { String::new() } else { format!("/{rest}") };
        TreeAddress { moid: moid.to_owned(), miid: miid.to_owned(), path }
    }

    fn place_of(&self, path: &[String]) -> TreeAddress {
        let above = self.all().filter(|root| path.starts_with(&root.path));
        let (moid, miid, below) = match above.max_by_key(|root| root.path.len()) {
            Some(root) => (root.moid.as_str(), root.miid.as_str(), path.get(root.path.len()..)),
            None => (ELSEWHERE, ELSEWHERE, Some(path)),
        };
        let below =
            below.unwrap_or_default().iter().fold(String::new(), |path, name| path + "/" + &encode(name));
        TreeAddress { moid: moid.to_owned(), miid: miid.to_owned(), path: below }
    }

    /// Learns from what a device told; of what is at and below `whole`, it told all. Gives the places of roots that are none any more.
    pub fn learn(&mut self, nodes: &[Node], whole: Option<&str>) -> Vec<TreeAddress> {
        let mut gone = Vec::new();
        if whole.is_none() && !nodes.iter().any(|node| self.may_teach(node)) {
            return gone;
        }
        let whole = whole.and_then(names);
        let told: Vec<(Vec<String>, Option<&str>)> =
            nodes.iter().filter_map(|node| Some((names(&node.uri)?, moid_of(node)))).collect();
        self.known.retain(|root| {
            let typed = told.iter().find(|(path, _)| *path == root.path);
            let is_gone = match typed {
                Some((_, moid)) => moid.is_some_and(|moid| moid != root.moid),
                None => whole.as_ref().is_some_and(|whole| root.path.starts_with(whole)),
            };
            if is_gone {
                gone.push(TreeAddress {
                    moid: root.moid.clone(),
                    miid: root.miid.clone(),
                    path: String::new(),
                });
            }
            !is_gone
        });
        for (path, moid) in &told {
            if let Some(moid) = moid {
                self.add(moid, path);
            }
        }
        if !gone.is_empty() {
            self.has_news = true;
            self.assume();
        }
        let is_told = |root: &&Root| told.iter().any(|(told, _)| told.starts_with(&root.path));
        for Root { moid, path, .. } in self.assumed.iter().filter(is_told).cloned().collect::<Vec<_>>() {
            self.add(&moid, &path);
        }
        gone
    }

    /// Whether a node by itself may say anything about roots.
    fn may_teach(&self, node: &Node) -> bool {
        let path = node.uri.strip_prefix("./").unwrap_or(&node.uri);
        let is_assumed =
            || self.assumed.iter().any(|root| root.path.first().is_some_and(|name| path.starts_with(name)));
        moid_of(node).is_some() || path.contains('%') || is_assumed()
    }

    fn add(&mut self, moid: &str, path: &[String]) {
        let Some(last) = path.last() else { return };
        if Moid::parse(moid).is_err() || self.known.iter().any(|root| root.path == path) {
            return;
        }
        let taken = |miid: &str| self.known.iter().any(|root| root.moid == moid && root.miid == miid);
        // Names of nodes may repeat in different places, identifiers of instances may not.
        let miid = if taken(last) { path.join(":") } else { last.clone() };
        self.has_news = true;
        self.known.push(Root { moid: moid.to_owned(), miid, path: path.to_vec() });
        self.assumed.retain(|root| root.path != path);
    }

    fn all(&self) -> impl Iterator<Item = &Root> {
        self.known.iter().chain(&self.assumed)
    }

    /// Assumes the objects that every device has and this one has not told of, in the version that belongs to that of the protocol.
    fn assume(&mut self) {
        let version = if self.version == Version::Dm13 { "1.1" } else { "1.0" };
        let is_told =
            |name: &str| self.known.iter().any(|root| matches!(root.path.as_slice(), [only] if only == name));
        let missing = FIXED.iter().filter(|(name, _)| !is_told(name));
        let assumed = missing.map(|(name, moid)| Root {
            moid: format!("{moid}:{version}"),
            miid: (*name).to_owned(),
            path: vec![(*name).to_owned()],
        });
        self.assumed = assumed.collect();
    }
}

/// Where a node of MO data is, or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its address.
    pub uri: String,
    /// Whether its instance is not known to be there.
    pub is_new: bool,
}

/// The instance that a ClientURI names, if it names one; `None` if the ClientURI has a wildcard or an x-name anywhere.
fn instance(uri: &ClientUri) -> Option<Option<&Miid>> {
    let plain = uri.path.iter().all(|segment| matches!(segment, Segment::Name(_)));
    match &uri.inst {
        MoInst::Only if plain => Some(None),
        MoInst::Miid(miid) if plain => Some(Some(miid)),
        _ => None,
    }
}

/// The address of what a ClientURI means below a root; `None` if that has a wildcard or an x-name.
fn below(root: Root, uri: &ClientUri) -> Option<String> {
    let mut path = root.path;
    for (depth, segment) in uri.path.iter().enumerate() {
        let Segment::Name(name) = segment else { return None };
        path.push(here(&root.moid, depth, name.as_str()).to_owned());
    }
    Some(uri_of(&path))
}

/// Whether an operator wrote a path, and not a ClientURI.
pub fn is_path(address: &str) -> bool {
    address == "." || address.starts_with("./") || address.starts_with(".?")
}

/// Whether a segment of an address is the name itself, whatever the rules for names and addresses are. Most are.
fn is_plain(segment: &str) -> bool {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_' || octet == b'-';
    (1..=LONGEST_PLAIN).contains(&segment.len()) && segment.bytes().all(plain)
}

/// A path as it is told to a device.
fn path(address: &str) -> Result<String, String> {
    if address.strip_prefix("./").is_some_and(|path| path.split('/').all(is_plain)) {
        return Ok(address.to_owned());
    }
    let illegal = |error: &dyn std::fmt::Display| format!("the address {address:?} is not legal: {error}");
    let uri = Dm1Uri::parse(address, &UriLimits::default(), true).map_err(|error| illegal(&error))?;
    match uri.part() {
        Part::Node | Part::Property(_) => Ok(address.to_owned()),
        Part::List(_) => Err(illegal(&"what is below a node is read without ?list=")),
    }
}

/// The names of a path from the root of the tree, decoded; `None` if it is none, or that of a property.
pub fn names(uri: &str) -> Option<Vec<String>> {
    let path = uri.strip_prefix("./").or_else(|| uri.strip_prefix('/')).unwrap_or(uri);
    if path == "." {
        return Some(Vec::new());
    }
    if path.contains('?') {
        return None;
    }
    let name = |segment: &str| {
        let is_plain = is_plain(segment);
        if is_plain {
            Some(segment.to_owned())
        } else {
            name_of(segment).ok().map(|name| name.as_str().to_owned())
        }
    };
    path.split('/').map(name).collect()
}

/// The address of a path.
pub fn uri_of(path: &[String]) -> String {
    let segment = |name: &String| match is_plain(name) {
        true => name.clone(),
        false => NodeName::parse(name).map_or_else(|_| encode(name), |name| segment_of(&name)),
    };
    path.iter().fold(String::from("."), |uri, name| uri + "/" + &segment(name))
}

/// The address of a place outside of management objects; `None` for others.
pub fn elsewhere(at: &TreeAddress) -> Option<String> {
    (at.moid == ELSEWHERE).then(|| format!(".{}", at.path))
}

/// The inverse of [`elsewhere`].
pub fn at_elsewhere(address: &str) -> Option<TreeAddress> {
    let names = names(address).filter(|_| is_path(address))?;
    let path = names.iter().fold(String::new(), |path, name| path + "/" + &encode(name));
    Some(TreeAddress { moid: ELSEWHERE.into(), miid: ELSEWHERE.into(), path })
}

/// Whether the leaf at an address holds a secret of an account.
pub fn is_secret(uri: &str) -> bool {
    let node = uri.split('?').next().unwrap_or_default();
    let last = node.rsplit('/').next().unwrap_or_default();
    SECRETS.iter().any(|secret| last.eq_ignore_ascii_case(secret))
}

/// Whether one of those leaves is named anywhere in a document.
pub fn names_a_secret(document: &[u8]) -> bool {
    static NAMES: LazyLock<Option<AhoCorasick>> =
        LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(SECRETS).ok());
    // What cannot be searched may hold anything.
    NAMES.as_ref().is_none_or(|names| names.is_match(document))
}

/// The MOID that a node is the root of.
fn moid_of(node: &Node) -> Option<&str> {
    let moid = node.media_type.as_deref().map(str::trim).filter(|_| node.format == Format::Node)?;
    let is_media = moid.starts_with("text/") || moid.contains("vnd.syncml");
    (!is_media && !moid.is_empty()).then_some(moid)
}

/// A MOID without its version.
pub fn name(moid: &str) -> &str {
    moid.rsplit_once(':').map_or(moid, |(name, _)| name)
}

/// How a leaf of an object is named in DM 1.x.
fn here<'n>(moid: &str, depth: usize, leaf: &'n str) -> &'n str {
    let (object, theirs, ours) = RENAMED;
    if depth == 0 && leaf == theirs && name(moid) == object { ours } else { leaf }
}

#[cfg(test)]
mod tests;
