//! What is accepted on input beside the normative names and forms, because a reasonable peer could have read it out of the
//! standard's examples. None of it is ever sent; each kind can be switched off.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::client_uri::{ClientUri, MoInst, Segment};
use crate::error::AddressError;
use crate::name::{Moid, NodeName};
use crate::tree::Tree;
use crate::well_known;

/// A departure from the normative text that the tree accepted. Those in addresses are seen by [`Tree::canonical`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Departure {
    /// [`Tolerances::moid_aliases`], among the MOIDs that an account is for.
    MoidAlias,
    /// [`Tolerances::bare_authorities`].
    BareAuthority,
    /// [`Tolerances::text_values`].
    TextForTyped,
    /// [`Tolerances::loose_base64`].
    LooseBase64,
    /// [`Tolerances::loose_text`].
    LooseText,
}

/// Which departures from the normative text the tree accepts. All are on by default; [`Tolerances::STRICT`] has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerances {
    /// MOIDs as the examples of `DM 2.0 §7.2.1, Appendix F and I` write them, where no such MOID exists.
    pub moid_aliases: bool,
    /// Paths in a DM Account as other sections than `DM 2.0 §12.2` write them.
    pub node_aliases: bool,
    /// An access right entry that names a server without the prefix `serverid:` (`DM 2.0 figure 17`).
    pub bare_authorities: bool,
    /// Text where the definition wants a number or bool (`DM 2.0 Appendix I.2`).
    pub text_values: bool,
    /// Base64 with white space in it or without its padding (`RFC 4648 §3.2, §3.3`).
    pub loose_base64: bool,
    /// A number or bool that is the whole body, with white space around it, or a bool as `1`, `0` or in capitals; a whole number
    /// with a plus sign, or as JSON that is no integer by its form, such as `60.0`.
    pub loose_text: bool,
}

impl Tolerances {
    /// The normative text and nothing else.
    pub const STRICT: Self = Self::all(false);

    const fn all(on: bool) -> Self {
        Self {
            moid_aliases: on,
            node_aliases: on,
            bare_authorities: on,
            text_values: on,
            loose_base64: on,
            loose_text: on,
        }
    }
}

impl Tolerances {
    /// Whether a departure is accepted.
    #[must_use]
    pub fn accept(self, departure: Departure) -> bool {
        match departure {
            Departure::MoidAlias => self.moid_aliases,
            Departure::BareAuthority => self.bare_authorities,
            Departure::TextForTyped => self.text_values,
            Departure::LooseBase64 => self.loose_base64,
            Departure::LooseText => self.loose_text,
        }
    }
}

impl Default for Tolerances {
    fn default() -> Self {
        Self::all(true)
    }
}

/// A MOID prefix that lacks `urn:` (`DM 2.0 §7.2.1.4`).
const SHORT_PREFIX: &str = "oma:mo:";

/// MOIDs of other versions than the normative ones (`DM 2.0 §7.2.1.1, Appendix F, I.1, I.2`).
const MOIDS: [(&str, &str); 2] = [
    ("urn:oma:mo:oma-dm-devinfo:1.0", well_known::DEVINFO),
    ("urn:oma:mo:oma-dm-dmacc:2.0", well_known::DMACC),
];

/// Paths below the root of a DM Account: as written elsewhere, and as `DM 2.0 §12.2` has it. Longer ones first.
const ACCOUNT_PATHS: [(&[&str], &[&str]); 5] = [
    // DM 2.0 §12.3, I.2
    (&["ServerID"], &["SrvID"]),
    // DM 2.0 I.2
    (&["AuthNoti", "AuthSecret"], &["Auth", "Noti", "Secret"]),
    (&["AuthNoti"], &["Auth", "Noti"]),
    // DM 2.0 §5.2.1.2, §9.1
    (&["Credentials", "Noti", "AuthSecret"], &["Auth", "Noti", "Secret"]),
    (&["Credentials", "Noti"], &["Auth", "Noti"]),
];

impl Tree {
    /// The address that the [`Tolerances`] in force make of `uri`; `None` if it is taken as it is. Every operation applies
    /// this by itself: it is public so that a trace can tell that an alias was used.
    #[must_use]
    pub fn canonical(&self, uri: &ClientUri) -> Option<ClientUri> {
        let moid = self.canonical_moid(&uri.moid);
        let in_account = moid.as_ref().unwrap_or(&uri.moid).as_str() == well_known::DMACC;
        let paths = if in_account && self.tolerances().node_aliases { account_paths(uri) } else { None };
        if moid.is_none() && paths.is_none() {
            return None;
        }
        let mut canonical = paths.unwrap_or_else(|| uri.clone());
        if let Some(moid) = moid {
            canonical.moid = moid;
        }
        Some(canonical)
    }

    /// The MOID that is meant by one the device does not have.
    pub(crate) fn canonical_moid(&self, moid: &Moid) -> Option<Moid> {
        if !self.tolerances().moid_aliases || self.knows(moid.as_str()) {
            return None;
        }
        let full: String = match moid.as_str().strip_prefix(SHORT_PREFIX) {
            Some(rest) => format!("urn:{SHORT_PREFIX}{rest}"),
            None => moid.as_str().to_owned(),
        };
        let target = if self.knows(&full) {
            full.as_str()
        } else {
            MOIDS.iter().find(|(alias, _)| *alias == full).map(|(_, target)| *target)?
        };
        Moid::parse(target).ok().filter(|target| self.knows(target.as_str()))
    }
}

/// The address with the account paths of the standard, if it has others.
pub(crate) fn account_paths(uri: &ClientUri) -> Option<ClientUri> {
    let mut changed = uri.clone();
    let mut any = false;
    let leading: Vec<&str> = uri
        .path
        .iter()
        .map_while(|segment| match segment {
            Segment::Name(name) => Some(name.as_str()),
            Segment::XName(_) | Segment::Wildcard => None,
        })
        .collect();
    if let Some((length, names)) = replacement(&leading) {
        changed.path.splice(..length, names.into_iter().map(Segment::Name));
        any = true;
    }
    for condition in changed.query.conditions_mut() {
        // Only paths that start at the MO root can be account paths.
        if uri.inst != MoInst::XName(condition.letter) {
            continue;
        }
        let names: Vec<&str> = condition.path.iter().map(NodeName::as_str).collect();
        if let Some((length, names)) = replacement(&names) {
            condition.path.splice(..length, names);
            any = true;
        }
    }
    any.then_some(changed)
}

/// How many leading names are an alias, and the names that are meant.
fn replacement(path: &[&str]) -> Option<(usize, Vec<NodeName>)> {
    let (from, to) = ACCOUNT_PATHS.iter().find(|(from, _)| path.starts_with(from))?;
    let names: Result<Vec<NodeName>, AddressError> = to.iter().map(|name| NodeName::parse(name)).collect();
    Some((from.len(), names.ok()?))
}
