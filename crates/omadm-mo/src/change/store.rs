//! Storing what a server or a bootstrap sends (`DM 2.0 §5.3.1, §8.5`).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Change;
use super::entries::Entries;
use super::write::{Below, Policy};
use crate::access::{Actor, Authority, Judge, Operation, Powers, holds_guarded};
use crate::client_uri::{ClientUri, MoInst, Segment};
use crate::content::Content;
use crate::ddf::{Rule, Scope, same_name};
use crate::error::OperationError;
use crate::name::{NodeName, ServerId};
use crate::node::{Node, NodeId};
use crate::resolve::Found;
use crate::value::{Format, Value};
use crate::well_known;

impl Change<'_> {
    /// HGET with a ClientURI (`DM 2.0 §5.3.1`): replaces all that is at `uri` by `content`, or creates it if the parent
    /// resolves and the DDF allows Add. `label` is the label of MOData: free when the place is given, but on a permanent
    /// node (other than an MO root) a different label is a rename. Gives the concrete address.
    ///
    /// # Errors
    /// Any [`OperationError`]; then nothing has changed.
    pub fn store_at(
        &mut self,
        uri: &ClientUri,
        label: Option<&str>,
        content: Content,
    ) -> Result<ClientUri, OperationError> {
        self.attempt(|change| change.store(uri, label, Source::Content(content)))
    }
    /// One item of an HGET without ClientURI, or of a bootstrap: the item's own ClientURI gives MOID and path; empty
    /// mo-inst is a new instance, for which `label` suggests the MIID (used if legal and free, else a fresh one).
    /// A new instance gives its creator AR 15 in the Delegation Access Control MO, and nobody else anything. The account of
    /// a bootstrap replaces the one with the same SrvID.
    ///
    /// # Errors
    /// As [`Change::store_at`].
    pub fn store_item(
        &mut self,
        uri: &ClientUri,
        label: &str,
        content: Content,
    ) -> Result<ClientUri, OperationError> {
        self.attempt(|change| change.item(uri, label, content))
    }
    /// HGET of a body that is no MO serialization onto one leaf: the octets are the value; `media_type` (without
    /// parameters) has to be among the MIME types of the DDF, or `text/plain`, or `application/octet-stream` for formats
    /// bin and b64. Where the DDF says nothing, any type is taken.
    ///
    /// # Errors
    /// As [`Change::store_at`]; `BadData` for a type that does not fit or an interior target.
    pub fn store_leaf(
        &mut self,
        uri: &ClientUri,
        media_type: &str,
        octets: &[u8],
    ) -> Result<ClientUri, OperationError> {
        self.attempt(|change| change.store(uri, None, Source::Body { media_type, octets }))
    }

    fn store(
        &mut self,
        uri: &ClientUri,
        label: Option<&str>,
        source: Source<'_>,
    ) -> Result<ClientUri, OperationError> {
        let uri = self.single(uri)?;
        let node = match self.tree.resolve_exactly(&self.actor, &uri) {
            Ok(found) => match found.as_slice() {
                [found] => self.store_over(*found, label, source)?,
                _ => return Err(OperationError::Several { address: uri.to_string(), count: found.len() }),
            },
            Err(OperationError::NotFound { .. }) => self.store_new(&uri, label, source)?,
            Err(error) => return Err(error),
        };
        self.address(node)
    }

    fn item(&mut self, uri: &ClientUri, label: &str, content: Content) -> Result<ClientUri, OperationError> {
        let uri = self.single(uri)?;
        let moid = &uri.moid;
        let is_account = moid.as_str() == well_known::DMACC && matches!(self.actor, Actor::Bootstrap(_));
        let node = match &uri.inst {
            _ if !uri.path.is_empty() => return self.store(&uri, Some(label), Source::Content(content)),
            MoInst::Miid(miid) if is_account => self.bootstrap_account(&uri, miid.as_str(), content)?,
            MoInst::Only if is_account => self.bootstrap_account(&uri, label, content)?,
            // There is one Delegation Access Control MO, which is never made by a server.
            MoInst::Only if moid.as_str() != well_known::DACMO => self.new_instance(moid, label, content)?,
            MoInst::Miid(_) | MoInst::Only | MoInst::XName(_) | MoInst::All => {
                return self.store(&uri, None, Source::Content(content));
            }
        };
        self.address(node)
    }

    /// The address without aliases, of a MOID that is known and provisioned, and without wildcard.
    fn single(&self, uri: &ClientUri) -> Result<ClientUri, OperationError> {
        if uri.has_wildcard() {
            return Err(OperationError::WildcardNotAllowed { address: uri.to_string() });
        }
        let uri = self.tree.canonical(uri).unwrap_or_else(|| uri.clone());
        self.tree.check_moid(&self.actor, &uri)?;
        Ok(uri)
    }

    /// Replaces what is at a node.
    fn store_over(
        &mut self,
        found: Found,
        label: Option<&str>,
        source: Source<'_>,
    ) -> Result<NodeId, OperationError> {
        let id = found.node;
        if self.bound_server(found.instance_root).is_some() {
            let judge = Judge::new(self.tree, &self.actor);
            self.tree.check_rights(&judge, found, Operation::Replace, None)?;
        }
        let catalogue = Arc::clone(self.tree.catalogue());
        let rule = self.tree.rule_in(&catalogue, id);
        self.check_label(found, rule, label)?;
        let current = self.tree.arena.get(id).map(Node::format);
        let (content, mime) = self.take(source, rule, current).map_err(|reason| self.bad(id, &reason))?;
        let path = self.tree.names_below(found.instance_root, id);
        self.check_guard(found.instance_root, &path, &content)?;
        let policy = self.policy(found.instance_root, id);
        let mark = self.mark();
        self.within(id, |change| change.replace(id, rule, content, policy))?;
        if policy.access && self.undo.len() == mark.undo && !self.takes_writes(id, rule) {
            // Success would tell the server that what is there is what it has sent.
            let (operation, address) = (Operation::Replace, self.tree.describe(id));
            return Err(OperationError::NotInDefinition {
                operation,
                address,
                reason: "no access type Replace",
            });
        }
        if let Some(mime) = mime {
            self.set_mime(id, mime)?;
        }
        Ok(id)
    }

    /// Creates what is not there: an MO instance, or a child of a node that is there.
    fn store_new(
        &mut self,
        uri: &ClientUri,
        label: Option<&str>,
        source: Source<'_>,
    ) -> Result<NodeId, OperationError> {
        let not_found = || OperationError::NotFound { address: uri.to_string() };
        let Some((last, above)) = uri.path.split_last() else {
            return self.store_new_root(uri, label, source);
        };
        let Segment::Name(name) = last else { return Err(not_found()) };
        let parent_uri = ClientUri { path: above.to_vec(), ..uri.clone() };
        let parents = self.tree.resolve_exactly(&self.actor, &parent_uri).map_err(|error| match error {
            OperationError::NotFound { .. } => not_found(),
            error => error,
        })?;
        let Some(found) = parents.first().copied() else { return Err(not_found()) };
        let parent = found.node;
        let is_leaf = self.tree.node(parent).is_none_or(|node| node.format().is_leaf());
        // A child that exists but was not found is not exposed to this actor.
        if is_leaf || self.child_of(parent, name).is_some() {
            return Err(not_found());
        }
        if let Some((server, instance)) =
            self.bound_server(found.instance_root).zip(self.tree.instance_of_node(parent))
        {
            let grants = self.tree.grants(&Authority::Server(server.clone()), instance);
            if !grants.at(self.tree, parent).contains(Powers::ADD) {
                let address = self.tree.describe(parent);
                return Err(OperationError::NoRight { operation: Operation::Add, address });
            }
        }
        self.store_child(found, name, source)?.ok_or_else(not_found)
    }

    /// Creates a child of a node; `None` if the definition has no such child.
    fn store_child(
        &mut self,
        parent: Found,
        name: &NodeName,
        source: Source<'_>,
    ) -> Result<Option<NodeId>, OperationError> {
        let Found { node: parent, instance_root: root } = parent;
        let catalogue = Arc::clone(self.tree.catalogue());
        let below = Below::of(self.tree.rule_in(&catalogue, parent));
        let rule = match below {
            Below::Open => None,
            Below::Described(rule) => match rule.child(name.as_str(), source.is_leaf()) {
                None => return Ok(None),
                rule => rule,
            },
        };
        let (content, mime) =
            self.take(source, rule, None).map_err(|reason| self.bad_child(parent, name, &reason))?;
        let mut path = self.tree.names_below(root, parent);
        path.push(name.clone());
        self.check_guard(root, &path, &content)?;
        let policy = self.policy(root, parent);
        let id = self.within(parent, |change| {
            let id = change.create(parent, below, name.clone(), content, policy, false)?;
            change.check_occurrence(parent, below, policy)?;
            Ok(id)
        })?;
        if let Some(mime) = mime {
            self.set_mime(id, mime)?;
        }
        Ok(Some(id))
    }

    fn store_new_root(
        &mut self,
        uri: &ClientUri,
        label: Option<&str>,
        source: Source<'_>,
    ) -> Result<NodeId, OperationError> {
        let wanted = match &uri.inst {
            MoInst::Miid(miid) if self.tree.instance(&uri.moid, miid).is_none() => miid.as_str(),
            MoInst::Only => label.unwrap_or_default(),
            MoInst::Miid(_) | MoInst::XName(_) | MoInst::All => {
                return Err(OperationError::NotFound { address: uri.to_string() });
            }
        };
        let Source::Content(content) = source else {
            let reason = String::from("the body is one value and the target an MO instance");
            return Err(OperationError::BadData { address: uri.to_string(), reason });
        };
        self.new_instance(&uri.moid, wanted, content)
    }

    /// An account given at bootstrap: never two with one SrvID, and never in the place of another server's.
    fn bootstrap_account(
        &mut self,
        uri: &ClientUri,
        wanted: &str,
        content: Content,
    ) -> Result<NodeId, OperationError> {
        let server = match content.child("SrvID") {
            Some(Content::Leaf(Value::Text(text))) => ServerId::parse(text).ok(),
            _ => None,
        };
        let existing = server.and_then(|server| self.tree.account(&server)).map(|account| account.id());
        let Some(root) = existing else { return self.new_instance(&uri.moid, wanted, content) };
        let miid = self.tree.instance_of_node(root).map(|instance| instance.miid.clone());
        self.take_away(root);
        self.new_instance(&uri.moid, miid.as_ref().map_or(wanted, |miid| miid.as_str()), content)
    }

    /// The data for a target, and its MIME type if it came with one. `current` is the format of what is there.
    fn take<'a>(
        &mut self,
        source: Source<'a>,
        rule: Option<Rule<'_>>,
        current: Option<Format>,
    ) -> Result<(Content, Option<&'a str>), String> {
        let (media_type, octets) = match source {
            Source::Content(content) => return Ok((content, None)),
            Source::Body { media_type, octets } => (media_type, octets),
        };
        let (format, mime) = format_of_body(media_type, rule, current)?;
        let value = match format {
            Format::Bin | Format::B64 => Value::Bytes(Vec::from(octets)),
            _ => {
                let text = core::str::from_utf8(octets).map_err(|error| error.to_string())?;
                let value = Value::from_text(format, text).map_err(|error| error.to_string())?;
                self.tolerate(Value::departure_of_text(format, text))?;
                value
            }
        };
        Ok((Content::Leaf(value), mime))
    }

    /// Runs a write in the MO instance that holds `place` and checks what shows only afterwards.
    pub(super) fn within<T>(
        &mut self,
        place: NodeId,
        write: impl FnOnce(&mut Self) -> Result<T, OperationError>,
    ) -> Result<T, OperationError> {
        let Some(instance) = self.tree.instance_of_node(place) else { return write(self) };
        let (root, moid) = (instance.root, instance.moid.clone());
        let is_access = moid.as_str() == well_known::DACMO;
        let compares = is_access && matches!(self.actor, Actor::Server(_));
        let entries = if compares { self.all_entries()? } else { Entries::new() };
        let name = self.server_name(root);
        let mark = self.mark();
        let outcome = write(self)?;
        if is_access {
            if compares {
                self.check_new_moids(root, mark)?;
            }
            self.settle_entries(&entries, mark)?;
        } else if moid.as_str() == well_known::DMACC && self.tree.node(root).is_some() {
            self.check_account(root)?;
            if matches!(self.actor, Actor::Server(_)) && self.server_name(root) != name {
                return Err(self.bad(root, "SrvID cannot be changed by a server"));
            }
        }
        if let Some((server, instance)) = self.bound_server(root).zip(self.tree.instance_of_node(root)) {
            let grants = self.tree.grants(&Authority::Server(server.clone()), instance);
            let added = self.added_since(mark);
            let refused = added.into_iter().find(|id| !grants.at(self.tree, *id).contains(Powers::ADD));
            if let Some(id) = refused {
                let address = self.tree.describe(id);
                return Err(OperationError::NoRight { operation: Operation::Add, address });
            }
        }
        Ok(outcome)
    }

    /// The server whose Write right counts in an instance. On the access entries the right to delegate counts instead.
    fn bound_server(&self, root: NodeId) -> Option<&ServerId> {
        match &self.actor {
            Actor::Server(server) if self.moid_of(root) != Some(well_known::DACMO) => Some(server),
            Actor::Server(_) | Actor::Bootstrap(_) | Actor::Device => None,
        }
    }

    fn policy(&self, root: NodeId, target: NodeId) -> Policy {
        match (&self.actor, self.moid_of(root)) {
            (Actor::Server(_), Some(well_known::DACMO)) => Policy::ENTRIES,
            // The nodes of an account have no Replace: a server changes it as a whole.
            (Actor::Server(_), Some(well_known::DMACC)) if target == root => Policy::BOOTSTRAP,
            (actor, _) => Policy::of(actor),
        }
    }

    /// A server keeps its hands off what only a bootstrap writes.
    fn check_guard(&self, root: NodeId, path: &[NodeName], content: &Content) -> Result<(), OperationError> {
        let guards = matches!(self.actor, Actor::Server(_)) && self.moid_of(root) == Some(well_known::DMACC);
        if guards && holds_guarded(path, content) {
            let address = self.tree.describe(root);
            return Err(OperationError::NoRight { operation: Operation::Replace, address });
        }
        Ok(())
    }

    /// Whether a node stays because a server cannot write it or what is below.
    pub(super) fn guards(&self, id: NodeId) -> bool {
        let Some(root) = self.tree.instance_root(id) else { return false };
        matches!(self.actor, Actor::Server(_))
            && self.moid_of(root) == Some(well_known::DMACC)
            && self.tree.is_guarded(root, id)
    }

    fn check_label(
        &self,
        found: Found,
        rule: Option<Rule<'_>>,
        label: Option<&str>,
    ) -> Result<(), OperationError> {
        let Some(label) = label.filter(|_| found.node != found.instance_root) else { return Ok(()) };
        let Some(rule) = rule.filter(|rule| rule.ddf.scope == Scope::Permanent) else { return Ok(()) };
        let named_so =
            self.tree.node(found.node).is_none_or(|node| same_name(node.name().as_str(), label, rule.fold));
        if named_so {
            return Ok(());
        }
        let address = self.tree.describe(found.node);
        let reason = "a permanent node cannot be renamed";
        Err(OperationError::NotAllowed { operation: Operation::Replace, address, reason })
    }

    pub(super) fn moid_of(&self, root: NodeId) -> Option<&str> {
        self.tree.arena.get(root)?.instance.as_ref().map(|(moid, _)| moid.as_str())
    }

    fn server_name(&self, root: NodeId) -> Option<Value> {
        self.tree.node(root)?.child("SrvID")?.value().cloned()
    }

    fn address(&self, id: NodeId) -> Result<ClientUri, OperationError> {
        let address = self.tree.address_of(id);
        address.ok_or_else(|| OperationError::NotFound { address: self.tree.describe(id) })
    }
}

/// Where the data of a write comes from.
enum Source<'a> {
    /// An MO serialization.
    Content(Content),
    /// The value of one leaf.
    Body { media_type: &'a str, octets: &'a [u8] },
}

impl Source<'_> {
    fn is_leaf(&self) -> bool {
        match self {
            Self::Content(content) => content.is_leaf(),
            Self::Body { .. } => true,
        }
    }
}

/// The format of a leaf whose value comes as a body of its own, and the MIME type that the leaf then has, if it can have others.
fn format_of_body<'a>(
    media_type: &'a str,
    rule: Option<Rule<'_>>,
    current: Option<Format>,
) -> Result<(Format, Option<&'a str>), String> {
    let is_text = media_type.eq_ignore_ascii_case("text/plain");
    let by_type = if is_text { Format::Chr } else { Format::Bin };
    let format = rule.map(|rule| rule.ddf.format).or(current).unwrap_or(by_type);
    if format == Format::Node {
        return Err(String::from("the body is one value and the target an interior node"));
    }
    let is_octets = matches!(format, Format::Bin | Format::B64)
        && media_type.eq_ignore_ascii_case("application/octet-stream");
    let listed =
        rule.is_some_and(|rule| rule.ddf.mime_types().any(|mime| mime.eq_ignore_ascii_case(media_type)));
    if rule.is_some() && !is_text && !is_octets && !listed {
        return Err(String::from("media type ") + media_type + " is not one of its definition");
    }
    Ok((format, (listed || rule.is_none()).then_some(media_type)))
}
