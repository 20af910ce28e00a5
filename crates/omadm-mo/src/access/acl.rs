//! The ACL property (`DM 1.3 TND §8.2`): `Add=*&Get=a.example+b.example`.

use alloc::vec::Vec;
use core::fmt;

use super::{Authority, Operation, Powers, Rights};
use crate::name::ServerId;
use crate::node::Node;

/// The commands of an ACL in the order in which they are written.
const COMMANDS: [(Powers, &str); 5] = [
    (Powers::ADD, "Add"),
    (Powers::DELETE, "Delete"),
    (Powers::EXEC, "Exec"),
    (Powers::GET, "Get"),
    (Powers::REPLACE, "Replace"),
];

/// Longest ACL in octets. Each server that it names is an entry of the Delegation Access Control MO, and those are searched.
pub const MAX_ACL: usize = 4096;

/// Who may do what with a node, as its ACL says: servers by identifier, or all of them. Empty leaves it to the parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// Sorted; each once, none without power.
    holders: Vec<(Authority, Powers)>,
}

impl Acl {
    /// What holds for the root where nothing else is set (`DM 1.3 TND §8.2`).
    pub(crate) fn factory() -> Self {
        Self { holders: alloc::vec![(Authority::Everyone, Powers::ADD.and(Powers::GET))] }
    }

    /// The ACL of a node, if it has one of its own. One that is damaged gives nothing to anyone.
    pub(crate) fn written(node: &Node) -> Option<Self> {
        let text = node.properties.acl.as_deref().filter(|text| !text.is_empty())?;
        Some(Self::read(text).unwrap_or_default())
    }

    /// Reads the value of the property, whatever the order. A command that is named twice counts as once with all its servers, and letter case of
    /// commands counts for nothing.
    ///
    /// # Errors
    /// What is wrong with it: longer than [`MAX_ACL`], an unknown command, or one without servers, or an identifier that cannot stand there.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_ACL {
            return Err("an ACL that is too long");
        }
        Self::read(text)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let mut acl = Self::default();
        if text.trim().is_empty() {
            return Ok(acl);
        }
        for entry in text.trim().split('&') {
            let (name, servers) = entry.split_once('=').ok_or("an entry without '='")?;
            let command = COMMANDS.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            let (command, _) =
                command.ok_or("a command that is none of Add, Delete, Exec, Get and Replace")?;
            for server in servers.split('+') {
                let holder = match server {
                    "*" => Authority::Everyone,
                    _ => named(server).ok_or("an entry without server, or with an illegal identifier")?,
                };
                acl.give(holder, *command);
            }
        }
        Ok(acl)
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// The servers that it names, and all of them where it says `*`.
    pub fn authorities(&self) -> impl Iterator<Item = &Authority> {
        self.holders.iter().map(|(holder, _)| holder)
    }

    /// Whether it gives a server, or all of them, a command by this very name. It says nothing of `Delegate`.
    #[must_use]
    pub fn names(&self, holder: &Authority, operation: Operation) -> bool {
        self.of(holder).within(Powers::OF_ACL).meets(Powers::of(operation))
    }

    /// Gives a command to a server, or to all of them; `false`, and nothing changes, for one that an ACL cannot name and for `Delegate`.
    pub fn allow(&mut self, holder: &Authority, operation: Operation) -> bool {
        let powers = Powers::of(operation).within(Powers::OF_ACL);
        let can = can_name(holder) && !powers.is_none();
        if can {
            self.give(holder.clone(), powers);
        }
        can
    }

    /// What a server, or all of them, have by their own name.
    pub(crate) fn of(&self, holder: &Authority) -> Powers {
        let found = self.holders.iter().find(|(other, _)| other == holder);
        found.map_or(Powers::NONE, |(_, powers)| *powers)
    }

    /// What an authority may do. An ACL says nothing of applications.
    pub(crate) fn granted(&self, authority: &Authority) -> Powers {
        let applying = self.holders.iter().filter(|(holder, _)| holder.covers(authority));
        applying.fold(Powers::NONE, |sum, (_, powers)| sum.and(*powers))
    }

    /// Adds to what a server, or all of them, may do.
    pub(crate) fn give(&mut self, holder: Authority, powers: Powers) {
        match self.holders.binary_search_by(|(other, _)| other.cmp(&holder)) {
            Ok(at) => {
                if let Some((_, held)) = self.holders.get_mut(at) {
                    *held = held.and(powers);
                }
            }
            Err(at) if !powers.is_none() => self.holders.insert(at, (holder, powers)),
            Err(_) => {}
        }
    }

    /// The same without one holder.
    pub(crate) fn without(&self, holder: &Authority) -> Self {
        Self { holders: self.holders.iter().filter(|(other, _)| other != holder).cloned().collect() }
    }

    /// The same with nothing beyond what `bound` says of each holder.
    pub(crate) fn within(&self, bound: impl Fn(&Authority) -> Powers) -> Self {
        let mut acl = Self::default();
        for (holder, powers) in &self.holders {
            acl.give(holder.clone(), powers.within(bound(holder)));
        }
        acl
    }

    /// Servers, and all of them, with what each may do.
    pub(crate) fn holders(&self) -> &[(Authority, Powers)] {
        &self.holders
    }

    /// The access right entries that stand for the ACL of a node. Who may replace an interior node may change its ACL too
    /// (`DM 1.3 TND §8.2`), which is Delegate.
    pub(crate) fn entries(&self, interior: bool) -> impl Iterator<Item = (&Authority, Rights)> {
        self.holders.iter().map(move |(holder, powers)| (holder, with_delegate(*powers, interior).rights()))
    }
}

/// What the holder of an ACL of a node may do, the right to change the ACL included.
pub(crate) fn with_delegate(powers: Powers, interior: bool) -> Powers {
    if interior && powers.contains(Powers::REPLACE) { powers.and(Powers::DELEGATE) } else { powers }
}

/// Whether an ACL can name an authority.
pub(crate) fn can_name(authority: &Authority) -> bool {
    match authority {
        Authority::Everyone => true,
        Authority::Server(server) => {
            server.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b"=&*+".contains(&byte))
        }
        Authority::Application(_) => false,
    }
}

fn named(server: &str) -> Option<Authority> {
    ServerId::parse(server).ok().map(Authority::Server).filter(can_name)
}

impl fmt::Display for Acl {
    /// The value of the property. Whoever cannot be named in an ACL is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (command, name) in COMMANDS {
            let mut lead = "";
            for (holder, _) in
                self.holders.iter().filter(|(holder, powers)| powers.contains(command) && can_name(holder))
            {
                if lead.is_empty() {
                    write!(f, "{separator}{name}=")?;
                }
                match holder {
                    Authority::Server(server) => write!(f, "{lead}{server}")?,
                    Authority::Application(_) | Authority::Everyone => write!(f, "{lead}*")?,
                }
                (separator, lead) = ("&", "+");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn server(name: &str) -> Authority {
        Authority::Server(ServerId::parse(name).unwrap())
    }

    #[test]
    fn what_is_written_reads_back_in_one_order() {
        for (given, written) in [
            ("", ""),
            ("Get=*&Add=*", "Add=*&Get=*"),
            ("Replace=b.ex+a.ex&Get=b.ex", "Get=b.ex&Replace=a.ex+b.ex"),
            ("get=a&Get=b&GET=a", "Get=a+b"),
            (" Exec=www.example.com ", "Exec=www.example.com"),
        ] {
            let acl = Acl::parse(given).unwrap();
            assert_eq!(acl.to_string(), written);
            assert_eq!(Acl::parse(written).unwrap().to_string(), written);
        }
    }

    #[test]
    fn a_malformed_acl_is_refused_as_a_whole() {
        for text in
            ["Get", "Get=", "Get=a+", "Get=a&", "&Get=a", "Copy=a", "Get=a b", "Get=a=b", "Get=**", "Get=ä"]
        {
            assert!(Acl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn commands_are_given_by_name() {
        let mut acl = Acl::parse("Get=*&Replace=a").unwrap();
        assert!(acl.names(&server("a"), Operation::Replace) && !acl.names(&server("a"), Operation::Get));
        assert!(acl.allow(&server("b"), Operation::Exec) && acl.allow(&Authority::Everyone, Operation::Add));
        assert_eq!(acl.to_string(), "Add=*&Exec=b&Get=*&Replace=a");
        assert_eq!(acl.authorities().count(), 3);
        let before = acl.clone();
        for (holder, operation) in [
            (server("a+b"), Operation::Get),
            (Authority::Application("app".into()), Operation::Get),
            (server("c"), Operation::Delegate),
        ] {
            assert!(!acl.allow(&holder, operation), "{holder} {operation}");
        }
        assert_eq!(acl, before);
    }

    #[test]
    fn only_a_whole_identifier_matches() {
        let acl = Acl::parse("Get=dm.example&Replace=*").unwrap();
        assert_eq!(acl.granted(&server("dm.ex")), Powers::REPLACE);
        assert_eq!(acl.granted(&server("DM.example")), Powers::REPLACE);
        assert_eq!(acl.granted(&server("dm.example")), Powers::REPLACE.and(Powers::GET));
    }
}
