//! What a target of a delegation stands for, and how targets lie to each other.

use omadm_mo::dm1::{Dm1Uri, Part, UriLimits};
use omadm_mo::{ClientUri, MoInst, Moid, Segment, well_known};

use crate::roots::{self, Roots, is_path};

/// A part of the tree of a device: everything at and below a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    root: Root,
    /// Names from the root on, decoded.
    path: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Root {
    /// The root of the tree.
    Tree,
    /// That of a management object, or of all instances of it.
    Mo { moid: String, miid: Option<String> },
}

impl Region {
    /// Reads a target: a path (`./A/B`), a MOID for all its instances, or a ClientURI without wildcards and query.
    ///
    /// # Errors
    /// One sentence on why it is none.
    pub fn parse(target: &str, known: &dyn Fn(&str) -> bool) -> Result<Self, String> {
        let illegal = |error: &dyn std::fmt::Display| format!("the target {target:?} is not legal: {error}");
        if is_path(target) {
            let uri = Dm1Uri::parse(target, &UriLimits::default(), true).map_err(|error| illegal(&error))?;
            let names = roots::names(target).filter(|_| matches!(uri.part(), Part::Node));
            let path = names.ok_or_else(|| illegal(&"it names a property"))?;
            return Ok(Self { root: Root::Tree, path });
        }
        if known(target) || !target.contains('/') {
            let moid = Moid::parse(target).map_err(|error| illegal(&error))?;
            return Ok(Self::object(moid.as_str()));
        }
        let uri = ClientUri::parse_with(target, known).map_err(|error| illegal(&error))?;
        Self::of(&uri).ok_or_else(|| illegal(&"a target has neither wildcards nor a query"))
    }

    fn object(moid: &str) -> Self {
        Self { root: Root::Mo { moid: moid.to_owned(), miid: None }, path: Vec::new() }
    }

    fn of(uri: &ClientUri) -> Option<Self> {
        let miid = match &uri.inst {
            MoInst::Only => None,
            MoInst::Miid(miid) => Some(miid.as_str().to_owned()),
            MoInst::XName(_) | MoInst::All => return None,
        };
        let name = |segment: &Segment| match segment {
            Segment::Name(name) => Some(name.as_str().to_owned()),
            Segment::XName(_) | Segment::Wildcard => None,
        };
        let path = uri.path.iter().map(name).collect::<Option<_>>()?;
        let root = Root::Mo { moid: uri.moid.as_str().to_owned(), miid };
        (uri.query.0.is_empty()).then_some(Self { root, path })
    }

    /// MOID, MIID if it names one, and path below the root of the management object; `None` for a path from the root of the tree.
    pub fn in_object(&self) -> Option<(&str, Option<&str>, &[String])> {
        match &self.root {
            Root::Tree => None,
            Root::Mo { moid, miid } => Some((moid, miid.as_deref(), &self.path)),
        }
    }

    /// The same as paths in the tree of a device of DM 1.x, as far as it is known where its management objects are.
    pub fn placed(&self, roots: &Roots) -> Vec<Self> {
        let Some((moid, miid, path)) = self.in_object() else { return vec![self.clone()] };
        let mut found: Vec<Self> = Vec::new();
        for root in roots.of_object(moid, miid) {
            let path = root.into_iter().chain(path.iter().cloned()).collect();
            found.push(Self { root: Root::Tree, path });
        }
        if found.is_empty() { vec![self.clone()] } else { found }
    }

    /// As a device of DM 1.x is told; `None` if it is not known where it is.
    pub fn uri(&self) -> Option<String> {
        matches!(self.root, Root::Tree).then(|| roots::uri_of(&self.path))
    }

    /// Whether all of `other` is in it.
    pub fn holds(&self, other: &Self) -> bool {
        let same = match (&self.root, &other.root) {
            (Root::Tree, Root::Tree) => true,
            (Root::Mo { moid, miid }, Root::Mo { moid: of, miid: one }) => {
                roots::name(moid) == roots::name(of) && (miid.is_none() || miid == one)
            }
            (Root::Tree, Root::Mo { .. }) | (Root::Mo { .. }, Root::Tree) => false,
        };
        same && other.path.starts_with(&self.path)
    }

    /// Whether both have nodes in common. Of an instance that one of them does not name, it may be.
    pub fn overlaps(&self, other: &Self) -> bool {
        let same = match (&self.root, &other.root) {
            (Root::Tree, Root::Tree) => true,
            (Root::Mo { moid, miid }, Root::Mo { moid: of, miid: one }) => {
                roots::name(moid) == roots::name(of) && (miid.is_none() || one.is_none() || miid == one)
            }
            (Root::Tree, Root::Mo { .. }) | (Root::Mo { .. }, Root::Tree) => false,
        };
        same && (other.path.starts_with(&self.path) || self.path.starts_with(&other.path))
    }

    /// Whether it has something in it that decides who may do what: accounts of servers, access rights, the tree as a whole. `roots` says
    /// where the device has these objects.
    pub fn is_reserved(&self, roots: &Roots) -> bool {
        let objects = [well_known::DMACC, well_known::DACMO].map(Self::object);
        let accounts = Self { root: Root::Tree, path: vec!["DMAcc".into()] };
        let placed = objects.iter().flat_map(|object| object.placed(roots));
        placed.chain(objects.iter().cloned()).chain([accounts]).any(|reserved| self.overlaps(&reserved))
    }
}

#[cfg(test)]
mod tests {
    use omadm_codec::dm1::Version;

    use super::*;
    use crate::address::{Inventory, SupportedMo};

    fn region(target: &str) -> Region {
        Region::parse(target, &|moid| moid == "com.example/1.0/Cam").unwrap()
    }

    #[test]
    fn a_target_is_a_path_an_object_or_a_part_of_one() {
        assert_eq!(region("./A/B").uri().as_deref(), Some("./A/B"));
        assert_eq!(region("urn:oma:mo:x:1.0").in_object(), Some(("urn:oma:mo:x:1.0", None, &[][..])));
        let part = region("urn:oma:mo:x:1.0/a/N");
        assert_eq!(part.in_object(), Some(("urn:oma:mo:x:1.0", Some("a"), &["N".to_owned()][..])));
        assert_eq!(region("com.example/1.0/Cam").in_object().map(|it| it.0), Some("com.example/1.0/Cam"));
        for bad in ["", "./A?prop=ACL", "./A?list=Struct", "./../A", "urn:x/*/", "urn:x//a?lv=1", "a b"] {
            assert!(Region::parse(bad, &|_| false).is_err(), "{bad}");
        }
    }

    #[test]
    fn regions_hold_and_overlap() {
        for (one, other, holds, overlaps) in [
            ("./A", "./A", true, true),
            ("./A", "./A/B", true, true),
            ("./A/B", "./A", false, true),
            ("./A", "./AB", false, false),
            ("urn:x:1.0", "urn:x:1.0/a/N", true, true),
            ("urn:x:1.0", "urn:x:1.1//N", true, true),
            ("urn:x:1.0/a/", "urn:x:1.0//N", false, true),
            ("urn:x:1.0/a/", "urn:x:1.0/b/", false, false),
            ("urn:x:1.0//N", "urn:x:1.0//M", false, false),
            ("./A", "urn:x:1.0", false, false),
        ] {
            let (one, other) = (region(one), region(other));
            assert_eq!((one.holds(&other), one.overlaps(&other)), (holds, overlaps), "{one:?} {other:?}");
            assert_eq!(other.overlaps(&one), overlaps);
        }
    }

    #[test]
    fn objects_are_where_the_device_has_them() {
        let mo = SupportedMo {
            moid: "urn:x:1.0".into(),
            miids: vec!["a".into(), "b".into()],
            ddf: None,
            roots: vec!["./V/a".into(), "./W/b".into()],
        };
        let roots = Roots::of(&Inventory(vec![mo]), Version::Dm12);
        let uris = |target: &str| -> Vec<Option<String>> {
            region(target).placed(&roots).iter().map(Region::uri).collect()
        };
        assert_eq!(uris("urn:x:1.0"), [Some("./V/a".to_owned()), Some("./W/b".to_owned())]);
        assert_eq!(uris("urn:x:1.0/b/N"), [Some("./W/b/N".to_owned())]);
        assert_eq!(uris("./W"), [Some("./W".to_owned())]);
        assert_eq!(uris("urn:y:1.0"), [None]);
        assert!(region("./V").overlaps(&region("urn:x:1.0").placed(&roots)[0]));
    }

    #[test]
    fn accounts_and_rights_are_not_to_be_delegated() {
        let account = SupportedMo {
            moid: "urn:oma:mo:oma-dm-dmacc:1.1".into(),
            miids: vec!["a".into()],
            ddf: None,
            roots: vec!["./V/a".into()],
        };
        let roots = Roots::of(&Inventory(vec![account]), Version::Dm13);
        for reserved in [
            "./V",
            ".",
            "./DMAcc",
            "./DMAcc/a/Name",
            well_known::DMACC,
            "urn:oma:mo:oma-dm-dmacc:1.1",
            well_known::DACMO,
        ] {
            assert!(region(reserved).is_reserved(&roots), "{reserved}");
        }
        for free in ["./DevInfo", "urn:oma:mo:oma-fumo:1.0", "./W"] {
            assert!(!region(free).is_reserved(&roots), "{free}");
        }
    }
}
