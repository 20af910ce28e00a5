//! What the queue of a device means in DM 1.x. Where an address names a management object that is not known yet, the device is asked
//! where it is first, and that command waits with all behind it.

use std::collections::BTreeSet;

use omadm_codec::dm1::Version;
use omadm_mo::{DeviceId, Time};
use omadm_session::dm1::server::{Capabilities, CommandResult, Data, Listing, Node, Pending, Task, Verdict};
use omadm_session::dm2::server::{Refusal, flatten};
use omadm_store::{CheckIn, Command, CommandState, Payload, TreeAddress, TreeNode};

use crate::address::{Inventory, client_uri};
use crate::context::Context;
use crate::descriptions::Descriptions;
use crate::device::deliveries::{Deliveries, Fate, Turn};
use crate::device::store_failed;
use crate::operation::{Known, Operation, Seen, Unsaid, decode_items, told_by_items};
use crate::roots::Roots;

/// Versions of objects whose descriptions may do for others.
const OTHER_VERSIONS: [&str; 3] = ["1.1", "1.2", "1.0"];

/// A queued command of a device, with what it needs to be translated.
pub struct Queued<'c> {
    /// As stored.
    pub stored: &'c Command,
    /// In words of no protocol, or why it cannot be read.
    pub operation: Result<Operation, String>,
    /// What was queued with it.
    payload: Option<Payload>,
    seen: Seen,
}

/// Everything that is open for a device.
pub struct Queue<'c> {
    /// In order of sequence.
    pub commands: Vec<Queued<'c>>,
    /// What it told of them before.
    pub inventory: Inventory,
    /// Where the management objects of the device are.
    pub roots: Roots,
    /// What DDF files say of the MO data in it.
    described: Descriptions,
    /// Those whose places are no roots any more.
    pub gone: Vec<TreeAddress>,
    deliveries: Deliveries,
    version: Version,
    capabilities: Capabilities,
}

/// Why a command is not sent at all.
pub struct Hopeless {
    /// Its sequence number.
    pub seq: i64,
    /// Why.
    pub sentence: String,
    /// Whether the device was asked and has no such thing.
    pub is_missing: bool,
}

/// How a device is asked where its management objects are, one way after the other. The numbers stand for sequence numbers, of which
/// those of commands begin with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scout {
    /// `?list=MORoot`, of DM 1.3.
    Roots,
    /// `?list=Struct` of the whole tree, which tells the types of interior nodes.
    Structure,
    /// Everything was tried.
    Over,
}

impl Scout {
    const ASKING: [(Self, i64); 2] = [(Self::Roots, -1), (Self::Structure, -2)];

    /// The first way for a device.
    pub fn first(version: Version, capabilities: &Capabilities) -> Self {
        match version {
            // Its interior nodes have no types.
            _ if capabilities.windows => Self::Over,
            Version::Dm11 => Self::Over,
            Version::Dm13 if capabilities.mo_root != Some(false) => Self::Roots,
            Version::Dm12 if capabilities.mo_root == Some(true) => Self::Roots,
            Version::Dm12 | Version::Dm13 => Self::Structure,
        }
    }

    /// The way that is in work, by the numbers that were sent.
    pub fn sent(mut sent: impl Iterator<Item = i64>) -> Option<Self> {
        let seq = sent.find(|seq| *seq < 0)?;
        Self::ASKING.iter().find(|(_, number)| *number == seq).map(|(scout, _)| *scout)
    }

    fn next(self) -> Self {
        match self {
            Self::Roots => Self::Structure,
            Self::Structure | Self::Over => Self::Over,
        }
    }

    fn pending(self, sent: bool) -> Option<Pending> {
        let seq = Self::ASKING.iter().find(|(scout, _)| *scout == self)?.1;
        let how = if self == Self::Roots { Listing::MoRoot } else { Listing::Struct };
        let task = Ok(Task::List { uri: ".".into(), how });
        Some(Pending { seq, task, attempts: 0, sent, accepted: false })
    }

    /// Its result among those of a step, and the way after it.
    pub fn result(self, results: &[CommandResult]) -> Option<(&CommandResult, Self)> {
        let seq = Self::ASKING.iter().find(|(scout, _)| *scout == self)?.1;
        results.iter().find(|result| result.seq == seq).map(|result| (result, self.next()))
    }
}

impl<'c> Queue<'c> {
    /// Reads what the commands of a device need. Only the first `most` are of interest for the next message.
    ///
    /// # Errors
    /// 503 when the store fails.
    pub async fn read(
        context: &Context,
        check: &'c CheckIn,
        version: Version,
        capabilities: Capabilities,
    ) -> Result<Self, Refusal> {
        let inventory = Inventory::read(check.device.inventory.as_deref());
        let roots = Roots::of(&inventory, version);
        let most = context.config.queue.max_commands_per_package;
        let deliveries = Deliveries::read(context, &check.commands).await;
        let deliveries = deliveries.map_err(|error| store_failed(&error))?;
        let mut commands = Vec::with_capacity(check.commands.len());
        let mut described = Descriptions::default();
        let mut stored: Vec<&Command> = check.commands.iter().collect();
        stored.sort_by_key(|command| command.seq);
        for (place, command) in stored.into_iter().enumerate() {
            let operation = Operation::from_stored(command);
            let near = place < most || command.state == CommandState::Sent;
            let (payload, seen) = match &operation {
                Ok(operation) if near => about(context, check, command, operation, &roots).await?,
                _ => (None, Seen::Nothing),
            };
            if let (Ok(Operation::SetItems), Some(payload)) = (&operation, &payload) {
                describe(context, &inventory, payload, &roots, &mut described).await?;
            }
            commands.push(Queued { stored: command, operation, payload, seen });
        }
        Ok(Self {
            commands,
            inventory,
            roots,
            described,
            gone: Vec::new(),
            deliveries,
            version,
            capabilities,
        })
    }

    /// The queue for the engine: commands that are not over at `now`, up to the first that has to wait. `scout` is how the device is asked
    /// next, and `sent` how it was; `fate` tells how commands come out with the message.
    pub fn pending(
        &self,
        scout: Scout,
        sent: Option<Scout>,
        now: Time,
        fate: &dyn Fn(i64) -> Option<Fate>,
    ) -> (Vec<Pending>, Vec<Hopeless>) {
        let mut pending: Vec<Pending> = sent.and_then(|sent| sent.pending(true)).into_iter().collect();
        let (mut hopeless, mut makes) = (Vec::new(), false);
        let mut turns = self.deliveries.turns(fate);
        for queued in self.commands.iter().filter(|queued| !queued.is_over(now)) {
            let seq = queued.stored.seq;
            match turns.of(queued.stored) {
                Turn::Now => {}
                Turn::Wait => break,
                Turn::Never(sentence) => {
                    hopeless.push(Hopeless { seq, sentence, is_missing: false });
                    continue;
                }
            }
            // Only who has been asked for everything that there is gets a first one.
            let task = self.task_of(queued, scout == Scout::Over || queued.is_sent());
            let (sentence, is_missing) = match task {
                Ok(task) => {
                    makes |= matches!(queued.operation, Ok(Operation::SetItems));
                    pending.push(queued.pending(Ok(task)));
                    continue;
                }
                // What goes before may make it.
                Err(Unsaid::Undiscovered(_)) if makes && scout == Scout::Over => break,
                Err(Unsaid::Undiscovered(moid)) if scout == Scout::Over => (queued.is_nowhere(&moid), true),
                Err(Unsaid::Undiscovered(_)) => {
                    if sent != Some(scout) {
                        pending.extend(scout.pending(false));
                    }
                    break;
                }
                Err(Unsaid::Never(sentence)) => (sentence, false),
            };
            hopeless.push(Hopeless { seq, sentence, is_missing });
        }
        (pending, hopeless)
    }

    /// Whether commands have to wait for others.
    pub fn has_deliveries(&self) -> bool {
        !self.deliveries.is_empty()
    }

    /// Learns where management objects are from what the device told of all of its tree.
    pub fn learn(&mut self, result: &CommandResult) {
        let (Verdict::Done(_), Some(Data::Nodes(nodes))) = (&result.verdict, &result.data) else { return };
        self.learn_of(nodes, Some("."));
    }

    /// Learns where the instances are that commands have made; whether there are any.
    pub fn learn_made(&mut self, results: &[CommandResult]) -> bool {
        let done = results.iter().filter(|result| matches!(result.verdict, Verdict::Done(_)));
        let done = done.filter_map(|result| self.command(result.seq));
        let made: Vec<Node> = done.flat_map(|queued| self.written(queued)).collect();
        if made.is_empty() {
            return false;
        }
        let before = self.roots.clone();
        self.learn_of(&made, None);
        self.roots != before
    }

    /// Learns where management objects are; of what is at and below `whole`, all was told.
    pub fn learn_of(&mut self, nodes: &[Node], whole: Option<&str>) {
        self.gone.append(&mut self.roots.learn(nodes, whole));
    }

    /// What a command means for the device.
    pub fn task(&self, queued: &Queued<'_>) -> Result<Task, Unsaid> {
        self.task_of(queued, queued.is_sent())
    }

    fn task_of(&self, queued: &Queued<'_>, may_place: bool) -> Result<Task, Unsaid> {
        let operation = queued.operation.as_ref().map_err(|reason| Unsaid::Never(reason.clone()))?;
        let known = Known {
            roots: &self.roots,
            version: self.version,
            capabilities: self.capabilities,
            seen: &queued.seen,
            described: &self.described,
            may_place,
        };
        operation.to_dm1(queued.stored.id, known, queued.payload.as_ref())
    }

    /// What a command that wrote several nodes says of them; nothing of another.
    pub fn written(&self, queued: &Queued<'_>) -> Vec<Node> {
        match (&queued.operation, &queued.payload) {
            (Ok(Operation::SetItems), Some(payload)) => told_by_items(payload, &self.roots, &self.described),
            _ => Vec::new(),
        }
    }

    /// A command by its sequence number.
    pub fn command(&self, seq: i64) -> Option<&Queued<'c>> {
        self.commands.iter().find(|queued| queued.stored.seq == seq)
    }
}

impl Queued<'_> {
    /// Whether its time is over, and nothing of it is under way.
    pub fn is_over(&self, now: Time) -> bool {
        self.stored.expires <= now && self.stored.state == CommandState::Queued
    }

    fn is_sent(&self) -> bool {
        self.stored.state == CommandState::Sent
    }

    /// Why it cannot be sent to a device that has no such object.
    fn is_nowhere(&self, moid: &str) -> String {
        let sentence = format!("The device has no management object {moid}, as far as it can be asked.");
        match &self.operation {
            Ok(Operation::SetItems) => format!(
                "{sentence} Where a first one goes no DDF file says (Path): set its nodes by path, such as ./Ext/NAME, or store such a file."
            ),
            Ok(_) | Err(_) => sentence,
        }
    }

    fn pending(&self, task: Result<Task, String>) -> Pending {
        let is_sent = self.is_sent();
        Pending {
            seq: self.stored.seq,
            task,
            attempts: self.stored.attempts,
            sent: is_sent,
            accepted: is_sent && self.stored.status == Some(202),
        }
    }
}

/// What was queued with a command, and what was last seen at its address.
async fn about(
    context: &Context,
    check: &CheckIn,
    command: &Command,
    operation: &Operation,
    roots: &Roots,
) -> Result<(Option<Payload>, Seen), Refusal> {
    let payload = match command.payload {
        Some(id) => context.store.payload(id).await.map_err(|error| store_failed(&error))?,
        None => None,
    };
    if let (Operation::SetItems, Some(payload)) = (operation, &payload) {
        let places = places(context, check, payload, roots).await?;
        return Ok((Some(payload.clone()), Seen::Places(places)));
    }
    let seen = seen_at(context, &check.device.id, operation, roots).await?;
    Ok((payload, seen))
}

/// What was last seen at the address of an operation, where that makes a difference.
///
/// # Errors
/// 503 when the store fails.
pub async fn seen_at(
    context: &Context,
    device: &DeviceId,
    operation: &Operation,
    roots: &Roots,
) -> Result<Seen, Refusal> {
    let place = operation.depends_on_seen().and_then(|address| roots.place(&roots.resolve(address).ok()?));
    let Some(at) = place else { return Ok(Seen::Nothing) };
    // What is only read needs no value, and the descriptions are at hand.
    let described = match operation {
        Operation::Get { .. } => Some(is_described_as_leaf(context, &at).await?),
        _ => None,
    };
    if described == Some(true) {
        return Ok(Seen::Described);
    }
    let nodes = context.store.tree(device, &at, None, 1).await.map_err(|error| store_failed(&error))?;
    Ok(match (nodes.first(), described) {
        (Some(node), _) => seen(node, &at),
        (None, None) if is_described_as_leaf(context, &at).await? => Seen::Described,
        (None, _) => Seen::Nothing,
    })
}

/// Finds out what DDF files say of MO data: the formats of its leaves, and where its objects go if the device has them nowhere.
async fn describe(
    context: &Context,
    inventory: &Inventory,
    payload: &Payload,
    roots: &Roots,
    described: &mut Descriptions,
) -> Result<(), Refusal> {
    let files = context.models.lately(context.store.as_ref()).await.map_err(|error| store_failed(&error))?;
    for item in decode_items(payload).unwrap_or_default() {
        let Ok(whole) = roots.parse(&item.client_uri) else { continue };
        if let Some(found) = files.find(whole.moid.as_str(), inventory, &context.public_url) {
            described.add_home(found.definition);
        }
        let leaves = flatten(&whole, &item.content).into_iter().filter(|(_, value)| value.is_some());
        for (leaf, _) in leaves {
            if let Some(node) = files.node(&leaf, true, inventory, &context.public_url) {
                described.add_format(&leaf, node.format);
            }
        }
    }
    Ok(())
}

/// Which nodes are known at and below the places of MO data.
async fn places(
    context: &Context,
    check: &CheckIn,
    payload: &Payload,
    roots: &Roots,
) -> Result<BTreeSet<TreeAddress>, Refusal> {
    let most = u32::try_from(context.config.data.max_items).unwrap_or(u32::MAX);
    let mut places = BTreeSet::new();
    for item in decode_items(payload).unwrap_or_default() {
        let uri = roots.parse(&item.client_uri).ok().and_then(|uri| roots.instance(&uri, None).ok());
        let Some(at) = uri.and_then(|instance| roots.place(&instance.uri)) else { continue };
        let nodes = context.store.tree(&check.device.id, &at, None, most).await;
        places.extend(nodes.map_err(|error| store_failed(&error))?.into_iter().map(|node| node.at));
    }
    Ok(places)
}

/// Whether the DDF says that a node is a leaf, if it is there. That of another version of the object is better than none.
async fn is_described_as_leaf(context: &Context, at: &TreeAddress) -> Result<bool, Refusal> {
    let files = context.models.lately(context.store.as_ref()).await.map_err(|error| store_failed(&error))?;
    let name = at.moid.rsplit_once(':').map_or("", |(name, _)| name);
    let others = OTHER_VERSIONS.iter().map(|version| format!("{name}:{version}"));
    let moids = std::iter::once(at.moid.clone()).chain(others);
    let uris = moids.filter_map(|moid| client_uri(&TreeAddress { moid, ..at.clone() }));
    let inventory = Inventory::default();
    let mut described = uris.filter_map(|uri| files.is_leaf(&uri, &inventory, &context.public_url));
    Ok(described.next().unwrap_or(false))
}

fn seen(node: &TreeNode, at: &TreeAddress) -> Seen {
    match &node.value {
        Some(value) if node.at == *at => Seen::Leaf(serde_json::from_str(value).unwrap_or_default()),
        Some(_) | None => Seen::Interior,
    }
}
