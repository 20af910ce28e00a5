//! The server's durable state behind one trait.
//!
//! Here: schema, migrations, the `Store` trait and its engines (SQLite embedded; more can follow).
//! Never here: protocol knowledge: no packages, alerts or meaning of status codes.

mod campaign;
mod check_in;
mod commits;
mod delegation;
mod dump;
pub mod error;
pub mod filter;
mod fleet;
mod import;
mod kept;
mod lease;
mod origin;
mod package;
mod people;
mod place;
pub mod postgres;
mod profile;
mod push;
mod secret;
mod sql;
pub mod sqlite;
pub mod standing;
mod thread;
pub mod types;
pub mod validators;

pub use campaign::{
    Campaign, CampaignCancel, CampaignCounts, CampaignDevice, CampaignDeviceState, CampaignEnd, CampaignGift,
    CampaignOrphans, CampaignProfileDevice, CampaignQuery, CampaignState, CampaignStep, CampaignStepped,
    CampaignStore, CampaignTry, CampaignVerdict, Rival,
};
pub use commits::{CommitWatch, Commits};
pub use delegation::{
    Delegation, DelegationOut, DelegationPart, DelegationRole, DelegationSeen, DelegationState,
    DelegationStep, DelegationStore, PartState,
};
pub use error::StoreError;
pub use fleet::{Annotation, Facts, FleetDevice, FleetStore, Group, Reach};
pub use import::{
    Import, ImportCredential, ImportEvent, ImportRow, ImportState, ImportStore, RowOutcome, RowReport,
};
pub use kept::{Kept, KeptRange, KeptSize, KeptStore};
pub use lease::{Lease, LeaseStore};
pub use origin::Origin;
pub use package::{Package, PackageKind, PackageRemoval, PackageStore};
pub use people::{
    AuditEntry, AuditHead, AuditProblem, AuditQuery, ChainCheck, DeadLetter, Login, NO_HASH, NewWebhook,
    PeopleStore, User, UserChange, Webhook, WebhookStep, entry_hash,
};
pub use place::{About, Moved, Place};
pub use profile::{
    Assignment, DeviceProfile, Pin, Profile, ProfileChange, ProfileState, ProfileStep, ProfileStore,
    ProfileVersion, ProfileWork, Withdrawn,
};
pub use push::{Push, PushProgress, PushStep};
pub use secret::StoredSecret;
pub use sql::{EVENTS_SIZE, SqlStore};
pub use standing::*;
pub use types::*;
pub use validators::*;

use omadm_mo::{DeviceId, Time};

/// Everything the server keeps. All writes are durable when the future resolves. Methods that take `now` use it instead of a
/// clock. Every device-owned row carries the device's enrolment generation: after [`Store::remove_device`] or a new enrolment
/// nothing of the old generation is seen again.
#[async_trait::async_trait]
pub trait Store:
    CampaignStore
    + DelegationStore
    + FleetStore
    + ImportStore
    + KeptStore
    + LeaseStore
    + PackageStore
    + PeopleStore
    + ProfileStore
{
    /// Enrols devices, all or none. A device that exists and is not `replace`d is [`StoreError::Exists`], unless its bootstrap was
    /// revoked: then it gets the new credential and label and keeps the rest. `replace` starts a new generation, and with the old one
    /// goes what was queued. [`StoreError::UserTaken`] when another device has the user name.
    /// `events` are added in the same batch.
    async fn enrol(
        &self,
        devices: Vec<Enrolment>,
        events: Vec<NewEvent>,
        now: Time,
    ) -> Result<(), StoreError>;
    /// A device, if enrolled.
    async fn device(&self, id: &DeviceId) -> Result<Option<Device>, StoreError>;
    /// Devices by id after `after`, at most `limit`.
    async fn devices(&self, after: Option<DeviceId>, limit: u32) -> Result<Vec<Device>, StoreError>;
    /// Removes a device with all that is its own, and adds `events` in the same batch; `false`, and no event, if it was not enrolled.
    async fn remove_device(
        &self,
        id: &DeviceId,
        events: Vec<NewEvent>,
        now: Time,
    ) -> Result<bool, StoreError>;
    /// Takes the bootstrap of a device back, and adds `events` in the same batch; `false`, and no event, if it is not enrolled or has
    /// none. Its credential goes, with what DM 1.x keeps of it, and its session ends; until it is enrolled again no check-in finds the
    /// device, no step of it is applied and no notification of it is due. Its queue and last known tree stay.
    async fn revoke(&self, id: &DeviceId, events: Vec<NewEvent>, now: Time) -> Result<bool, StoreError>;
    /// The device and verifier behind a user name.
    async fn credential(&self, user: &str) -> Result<Option<Credential>, StoreError>;

    /// Queues a command: gives it the next sequence number of its device and supersedes queued commands of the same
    /// `supersede_key` that were not sent. `DeviceUnknown` if it is not enrolled; `QueueFull` beyond `queue_limit`.
    async fn enqueue(&self, command: NewCommand, queue_limit: u32, now: Time) -> Result<Command, StoreError>;
    /// Queues commands, in order, all in one batch or none: as [`Store::enqueue`] each. Gives them in that order.
    async fn enqueue_many(
        &self,
        commands: Vec<NewCommand>,
        queue_limit: u32,
        now: Time,
    ) -> Result<Vec<Command>, StoreError>;
    /// One command.
    async fn command(&self, id: CommandId) -> Result<Option<Command>, StoreError>;
    /// Commands of a device, newest first, below sequence number `before`, at most `limit`.
    async fn commands(
        &self,
        device: &DeviceId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Command>, StoreError>;
    /// Cancels a command if it is queued, and adds the event that `event` makes of it in the same batch; gives the command as it is
    /// afterwards (`None` if there is none).
    async fn cancel(
        &self,
        id: CommandId,
        reason: &str,
        event: EventOf,
        now: Time,
    ) -> Result<Option<Command>, StoreError>;
    /// Marks queued and sent commands whose time is over as expired, at most `limit`, each with the event that `event` makes of it
    /// in the same batch; gives how many.
    async fn expire(&self, event: EventOf, now: Time, limit: u32) -> Result<u32, StoreError>;

    /// All that one message of a device needs, in one read: the device, its session row, and its open commands in order
    /// (all `sent` ones first, then at most `limit` that are `queued`).
    async fn check_in(&self, device: &DeviceId, limit: u32) -> Result<Option<CheckIn>, StoreError>;
    /// As [`Store::check_in`], for the device behind a user name, and its credential, all of the same generation. Where `accept`
    /// does not take the credential, nothing more is read, and there is no answer.
    async fn check_in_user(
        &self,
        user: &str,
        accept: Accept,
        limit: u32,
    ) -> Result<Option<(Credential, CheckIn)>, StoreError>;
    /// Applies the effects of one message in one durable batch, or nothing: [`StoreError::Conflict`] when the generation, the
    /// session version, or the state of a named command is not as expected (read again and repeat). A final state never changes.
    async fn apply(&self, step: SessionStep) -> Result<(), StoreError>;

    /// A payload by id, with the device it is for.
    async fn payload(&self, id: PayloadId) -> Result<Option<Payload>, StoreError>;
    /// Keeps a payload of an enrolled device; of the same device, the same id again replaces.
    async fn put_payload(&self, payload: Payload, now: Time) -> Result<(), StoreError>;

    /// Last known nodes of a device at and below an address, in address order, at most `limit`, after `after`.
    async fn tree(
        &self,
        device: &DeviceId,
        at: &TreeAddress,
        after: Option<TreeAddress>,
        limit: u32,
    ) -> Result<Vec<TreeNode>, StoreError>;

    /// Sessions of a device, newest first.
    async fn sessions(
        &self,
        device: &DeviceId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, StoreError>;
    /// One session with its messages.
    async fn trace(
        &self,
        device: &DeviceId,
        session: SessionId,
    ) -> Result<Option<(SessionSummary, Vec<TraceMessage>)>, StoreError>;
    /// Removes finished commands with their payloads, sessions with their traces, uploads and events older than `before`, at
    /// most `limit` of them in all; gives how many. Less than `limit` means that nothing older is left.
    async fn prune(&self, before: Time, limit: u32) -> Result<u32, StoreError>;
    /// The time of the oldest row that [`Store::prune`] would remove if it were old enough.
    async fn oldest(&self) -> Result<Option<Time>, StoreError>;

    /// Events after a cursor, oldest first, of one device since its present enrolment, or all. All is the server's own log, which
    /// outlives enrolments. At most `limit`, and no more than have bodies of [`EVENTS_SIZE`] characters together, but for one that is larger
    /// by itself: none means that there are no more, and fewer than `limit` means nothing.
    async fn events(
        &self,
        device: Option<&DeviceId>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;
    /// Events before a cursor, newest first; otherwise as [`Store::events`].
    async fn events_before(
        &self,
        device: Option<&DeviceId>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;
    /// Cursor of the first event of a time or after it; `None` if there is none so late.
    async fn first_event(&self, at: Time) -> Result<Option<i64>, StoreError>;
    /// Adds events outside a session.
    async fn add_events(&self, events: Vec<NewEvent>, now: Time) -> Result<(), StoreError>;

    /// How a device is notified; `None` if no way to it was ever given.
    async fn push(&self, id: &DeviceId) -> Result<Option<Push>, StoreError>;
    /// Devices whose notification is due, the longest waiting first, at most `limit`. [`Store::enqueue`] makes one due at once, unless
    /// one was sent that the device has not answered yet.
    async fn due_pushes(&self, now: Time, limit: u32) -> Result<Vec<Push>, StoreError>;
    /// Says where a device can be notified, the best first; `false` if it is not enrolled. If commands wait, it is due at once.
    async fn set_push_addresses(
        &self,
        id: &DeviceId,
        addresses: Vec<String>,
        now: Time,
    ) -> Result<bool, StoreError>;
    /// Keeps where a device says that it can be notified, in place of what it said before; `false` if it is not enrolled.
    async fn register_push(&self, id: &DeviceId, registration: &str, now: Time) -> Result<bool, StoreError>;
    /// Forgets a registration; `false` if the device has another or none.
    async fn unregister_push(&self, id: &DeviceId, registration: &str) -> Result<bool, StoreError>;
    /// Writes how far the notifying of a device has come. [`StoreError::Conflict`] when generation or version are not as expected.
    async fn advance_push(&self, step: PushStep, now: Time) -> Result<(), StoreError>;

    /// Keeps a DDF file under its name, replacing one of that name.
    async fn put_ddf(&self, ddf: DdfFile) -> Result<(), StoreError>;
    /// All DDF files without their text.
    async fn ddfs(&self) -> Result<Vec<DdfFile>, StoreError>;
    /// One DDF file.
    async fn ddf(&self, name: &str) -> Result<Option<DdfFile>, StoreError>;
    /// Removes a DDF file; `false` if there was none of that name.
    async fn remove_ddf(&self, name: &str) -> Result<bool, StoreError>;

    /// What was learnt about the devices of a model, which comes with the steps of their sessions.
    async fn model(&self, name: &str) -> Result<Option<Model>, StoreError>;

    /// What a device goes on doing, by kind and target.
    async fn standings(&self, device: &DeviceId) -> Result<Vec<Standing>, StoreError>;
    /// One of these, by the command that asked for it.
    async fn standing(&self, id: CommandId) -> Result<Option<Standing>, StoreError>;

    /// Keeps a page under its name, replacing one of that name.
    async fn put_page(&self, page: Page) -> Result<(), StoreError>;
    /// All pages, by name.
    async fn pages(&self) -> Result<Vec<Page>, StoreError>;
    /// One page.
    async fn page(&self, name: &str) -> Result<Option<Page>, StoreError>;
    /// Removes a page; `false` if there was none of that name.
    async fn remove_page(&self, name: &str) -> Result<bool, StoreError>;

    /// Keeps an operator token; `false` if there is one of that name, which stays as it is.
    async fn add_token(&self, token: Token) -> Result<bool, StoreError>;
    /// All operator tokens.
    async fn tokens(&self) -> Result<Vec<Token>, StoreError>;
    /// Removes a token.
    async fn remove_token(&self, name: &str) -> Result<bool, StoreError>;

    /// Whether other nodes can work on the same store.
    fn is_shared(&self) -> bool;
    /// Writes and changes nothing: an error says that nothing can be written now.
    async fn ping(&self) -> Result<(), StoreError>;
    /// What can be seen of the writes of this process.
    fn commits(&self) -> &Commits;
    /// Figures over everything: they are counted, so not for the path of requests.
    async fn counts(&self) -> Result<Counts, StoreError>;
}
