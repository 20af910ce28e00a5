//! What a device has told of who may do what, and how it is told something else: ACLs of DM 1.x (`DM 1.3 TND §8.2`).

use std::collections::{BTreeMap, BTreeSet};

use omadm_store::{Command, CommandState};
use serde_json::Value as Json;

use super::entries::Entries;
use super::grants::Statement;
use super::rights::{self, read_acl, write_acl};
use crate::leaf::Body;
use crate::operation::Operation;

/// The root of the tree.
const ROOT: &str = ".";
/// The property with the ACL of a node.
const ACL: &str = "?prop=ACL";
/// The property that tells interior nodes.
const FORMAT: &str = "?prop=Format";

/// Why something is not known, or not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// A status of the delegation protocol; none if the device was not heard.
    pub status: Option<u16>,
    /// One sentence.
    pub reason: String,
}

impl Lack {
    /// Something that the device has said, or that follows from it.
    pub fn said(status: u16, reason: impl Into<String>) -> Self {
        Self { status: Some(status), reason: reason.into() }
    }
}

/// What a device has told.
#[derive(Debug)]
pub enum View {
    /// In DM 1.x.
    Acls(Acls),
    /// In DM 2.0.
    Entries(Entries),
}

impl View {
    /// What is said of a node by itself; `None` if it goes by what is above it.
    ///
    /// # Errors
    /// [`Lack`]
    pub fn own(&self, node: &str) -> Result<Option<Statement>, Lack> {
        match self {
            Self::Acls(acls) => acls.own(node),
            Self::Entries(entries) => entries.own(node),
        }
    }

    /// What would hold for a node of which nothing was said by itself.
    ///
    /// # Errors
    /// [`Lack`]
    pub fn above(&self, node: &str) -> Result<Statement, Lack> {
        match self {
            Self::Acls(acls) => {
                parent(node).map_or_else(|| Ok(Statement::default()), |it| acls.effective(it))
            }
            Self::Entries(entries) => entries.above(node),
        }
    }

    /// What holds for a node.
    ///
    /// # Errors
    /// [`Lack`]
    pub fn effective(&self, node: &str) -> Result<Statement, Lack> {
        self.own(node)?.map_or_else(|| self.above(node), Ok)
    }

    /// Whether a server that may do `held` at the node may change what is said of it.
    pub fn may_change(&self, node: &str, held: u8, servers: &[String]) -> bool {
        match self {
            Self::Entries(_) => held & rights::DELEGATE != 0,
            Self::Acls(acls) => {
                let here = held & rights::REPLACE != 0 && !acls.is_leaf(node);
                here || parent(node).is_some_and(|parent| match acls.effective(parent) {
                    Ok(statement) => allows(&statement, servers) & rights::REPLACE != 0,
                    // What cannot be seen is for the device to judge.
                    Err(_) => true,
                })
            }
        }
    }

    /// Whether Replace on the node is the right to change what is said of it.
    pub fn replace_is_control(&self, node: &str) -> bool {
        match self {
            Self::Acls(acls) => !acls.is_leaf(node),
            Self::Entries(_) => false,
        }
    }

    /// The command by which each node gets its statement; `None` lets it go by what is above.
    ///
    /// # Errors
    /// [`Lack`]
    pub fn write(&self, nodes: &[(String, Option<Statement>)]) -> Result<(Operation, Option<Body>), Lack> {
        match self {
            Self::Acls(_) => {
                let acl =
                    |statement: &Option<Statement>| statement.as_ref().map_or(Ok(String::new()), write_acl);
                let acls =
                    nodes.iter().map(|(node, statement)| Ok((format!("{node}{ACL}"), acl(statement)?)));
                let acls = acls.collect::<Result<_, String>>().map_err(|reason| Lack::said(405, reason))?;
                Ok((Operation::SetAcls { acls }, None))
            }
            Self::Entries(entries) => Ok((Operation::SetItems, Some(entries.write(nodes)?))),
        }
    }
}

/// What any of these servers may do.
pub fn allows(statement: &Statement, servers: &[String]) -> u8 {
    servers.iter().fold(0, |sum, server| sum | statement.allows(server))
}

/// What a device of DM 1.x has told of its nodes.
#[derive(Debug, Default)]
pub struct Acls {
    /// By the address of the node.
    own: BTreeMap<String, Result<Statement, Lack>>,
    interior: BTreeSet<String>,
}

/// The node above; none above the root.
fn parent(node: &str) -> Option<&str> {
    if node == ROOT { None } else { node.rsplit_once('/').map(|(above, _)| above) }
}

/// What has to be read to know who may do what with these nodes.
pub fn questions<'n>(nodes: impl Iterator<Item = &'n str>) -> Vec<Operation> {
    let mut uris = BTreeSet::new();
    for node in nodes {
        uris.extend(std::iter::successors(Some(node), |node| parent(node)).map(|uri| format!("{uri}{ACL}")));
        uris.insert(format!("{node}{FORMAT}"));
    }
    uris.into_iter().map(|address| Operation::Get { address }).collect()
}

/// Reading the ACLs of just these nodes.
pub fn checks<'n>(nodes: impl Iterator<Item = &'n str>) -> Vec<Operation> {
    nodes.map(|node| Operation::Get { address: format!("{node}{ACL}") }).collect()
}

/// The nodes with their values that a command has brought.
///
/// # Errors
/// [`Lack`]
pub fn brought(command: &Command) -> Result<Vec<(String, Json)>, Lack> {
    if command.state != CommandState::Done {
        let reason = command.reason.clone().unwrap_or_else(|| "it was not carried out".to_owned());
        let address = &command.address;
        let heard = command.state == CommandState::Failed;
        return Err(Lack {
            status: command.status.filter(|_| heard),
            reason: format!("{address}: {reason}"),
        });
    }
    let result: Json =
        command.result.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let items = result.get("items").and_then(Json::as_array).into_iter().flatten();
    let item = |item: &Json| {
        let value = item.get("value").cloned().unwrap_or_default();
        Some((item.get("address")?.as_str()?.to_owned(), value))
    };
    Ok(items.filter_map(item).collect())
}

impl Acls {
    /// Of what was answered to [`questions`].
    pub fn read<'c>(commands: impl Iterator<Item = &'c Command>) -> Self {
        let mut acls = Self::default();
        for command in commands {
            let brought = brought(command);
            let text = |brought: Result<Vec<(String, Json)>, Lack>| {
                brought.map(|items| {
                    let value = items.into_iter().next().map(|(_, value)| value);
                    value.as_ref().and_then(Json::as_str).unwrap_or_default().to_owned()
                })
            };
            if let Some(node) = command.address.strip_suffix(ACL) {
                let statement =
                    text(brought).and_then(|text| read_acl(&text).map_err(|reason| Lack::said(405, reason)));
                acls.own.insert(node.to_owned(), statement);
            } else if let Some(node) = command.address.strip_suffix(FORMAT)
                && text(brought).is_ok_and(|format| format == "node")
            {
                acls.interior.insert(node.to_owned());
            }
        }
        acls
    }

    fn is_leaf(&self, node: &str) -> bool {
        node != ROOT && !self.interior.contains(node)
    }

    fn own(&self, node: &str) -> Result<Option<Statement>, Lack> {
        let unknown = || Lack::said(403, format!("the ACL of {node} is not known"));
        let own = self.own.get(node).cloned().unwrap_or_else(|| Err(unknown()))?;
        Ok(Some(own).filter(|own| !own.is_empty()))
    }

    fn effective(&self, node: &str) -> Result<Statement, Lack> {
        let mut at = Some(node);
        while let Some(node) = at {
            if let Some(own) = self.own(node)? {
                return Ok(own);
            }
            at = parent(node);
        }
        Ok(Statement::default())
    }
}
