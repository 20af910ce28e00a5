//! The trait over both engines.

use omadm_mo::{DeviceId, Time};

use super::{
    Connection, SqlStore, catalogue, commands, devices, events, payloads, people, pushes, retention, session,
    standing, tree,
};
use crate::{
    Accept, CheckIn, Command, CommandId, Commits, Counts, Credential, DdfFile, Device, Enrolment, Event,
    EventOf, Model, NewCommand, NewEvent, Page, Payload, PayloadId, Push, PushStep, SessionId, SessionStep,
    SessionSummary, Standing, Store, StoreError, Token, TraceMessage, TreeAddress, TreeNode,
};

/// Nodes of a tree that are read without a thread of their own, at most.
const FEW: u32 = 8;

#[async_trait::async_trait]
impl Store for SqlStore {
    async fn enrol(
        &self,
        devices: Vec<Enrolment>,
        events: Vec<NewEvent>,
        now: Time,
    ) -> Result<(), StoreError> {
        let enrol = move |conn: &Connection| {
            devices::enrol(conn, &devices, now)?;
            events::add(conn, &events, now)
        };
        self.write(enrol).await
    }

    async fn device(&self, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        let id = id.clone();
        self.read_small(move |conn| devices::get(conn, &id)).await
    }

    async fn devices(&self, after: Option<DeviceId>, limit: u32) -> Result<Vec<Device>, StoreError> {
        self.read(move |conn| devices::list(conn, after.as_ref(), limit)).await
    }

    async fn remove_device(
        &self,
        id: &DeviceId,
        events: Vec<NewEvent>,
        now: Time,
    ) -> Result<bool, StoreError> {
        let id = id.clone();
        let remove = move |conn: &Connection| {
            let was_enrolled = devices::remove(conn, &id)?;
            if was_enrolled {
                events::add(conn, &events, now)?;
            }
            Ok(was_enrolled)
        };
        self.write(remove).await
    }

    async fn revoke(&self, id: &DeviceId, events: Vec<NewEvent>, now: Time) -> Result<bool, StoreError> {
        let (id, device) = (id.clone(), id.clone());
        let revoke = move |conn: &Connection| {
            let had_bootstrap = devices::revoke(conn, &id, now)?;
            if had_bootstrap {
                events::add(conn, &events, now)?;
            }
            Ok(had_bootstrap)
        };
        self.write_for(&device, revoke).await
    }

    async fn credential(&self, user: &str) -> Result<Option<Credential>, StoreError> {
        let user = user.to_owned();
        self.read_small(move |conn| devices::credential(conn, &user)).await
    }

    async fn enqueue(&self, command: NewCommand, queue_limit: u32, now: Time) -> Result<Command, StoreError> {
        let device = command.device.clone();
        self.write_for(&device, move |conn| commands::enqueue(conn, command.clone(), queue_limit, now)).await
    }

    async fn enqueue_many(
        &self,
        commands: Vec<NewCommand>,
        queue_limit: u32,
        now: Time,
    ) -> Result<Vec<Command>, StoreError> {
        let enqueue = move |conn: &Connection| {
            devices::lock_all(conn, commands.iter().map(|new| &new.device))?;
            commands.iter().map(|new| commands::enqueue(conn, new.clone(), queue_limit, now)).collect()
        };
        self.write(enqueue).await
    }

    async fn command(&self, id: CommandId) -> Result<Option<Command>, StoreError> {
        self.read_small(move |conn| commands::get(conn, id)).await
    }

    async fn commands(
        &self,
        device: &DeviceId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Command>, StoreError> {
        let device = device.clone();
        self.read(move |conn| commands::list(conn, &device, before, limit)).await
    }

    async fn cancel(
        &self,
        id: CommandId,
        reason: &str,
        event: EventOf,
        now: Time,
    ) -> Result<Option<Command>, StoreError> {
        let reason = reason.to_owned();
        self.write(move |conn| commands::cancel(conn, id, &reason, event, now)).await
    }

    async fn expire(&self, event: EventOf, now: Time, limit: u32) -> Result<u32, StoreError> {
        self.write(move |conn| commands::expire(conn, event, now, limit)).await
    }

    async fn check_in(&self, device: &DeviceId, limit: u32) -> Result<Option<CheckIn>, StoreError> {
        let device = device.clone();
        self.read_small(move |conn| session::check_in(conn, &device, limit)).await
    }

    async fn check_in_user(
        &self,
        user: &str,
        accept: Accept,
        limit: u32,
    ) -> Result<Option<(Credential, CheckIn)>, StoreError> {
        let user = user.to_owned();
        self.read_small(move |conn| session::check_in_user(conn, &user, accept, limit)).await
    }

    async fn apply(&self, step: SessionStep) -> Result<(), StoreError> {
        let device = step.device.clone();
        self.write_for(&device, move |conn| session::apply(conn, &step)).await
    }

    async fn payload(&self, id: PayloadId) -> Result<Option<Payload>, StoreError> {
        self.read(move |conn| payloads::get(conn, id)).await
    }

    async fn put_payload(&self, payload: Payload, now: Time) -> Result<(), StoreError> {
        let device = payload.device.clone();
        self.write_for(&device, move |conn| payloads::put_alone(conn, &payload, now)).await
    }

    async fn tree(
        &self,
        device: &DeviceId,
        at: &TreeAddress,
        after: Option<TreeAddress>,
        limit: u32,
    ) -> Result<Vec<TreeNode>, StoreError> {
        let (device, at) = (device.clone(), at.clone());
        let read = move |conn: &Connection| tree::list(conn, &device, &at, after.as_ref(), limit);
        if limit <= FEW { self.read_small(read).await } else { self.read(read).await }
    }

    async fn sessions(
        &self,
        device: &DeviceId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, StoreError> {
        let device = device.clone();
        self.read(move |conn| session::list(conn, &device, before, limit)).await
    }

    async fn trace(
        &self,
        device: &DeviceId,
        session: SessionId,
    ) -> Result<Option<(SessionSummary, Vec<TraceMessage>)>, StoreError> {
        let device = device.clone();
        self.read(move |conn| session::trace(conn, &device, session)).await
    }

    async fn prune(&self, before: Time, limit: u32) -> Result<u32, StoreError> {
        self.write(move |conn| retention::prune(conn, before, limit)).await
    }

    async fn oldest(&self) -> Result<Option<Time>, StoreError> {
        self.read_small(retention::oldest).await
    }

    async fn events(
        &self,
        device: Option<&DeviceId>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let device = device.cloned();
        self.read(move |conn| events::after(conn, device.as_ref(), after, limit)).await
    }

    async fn events_before(
        &self,
        device: Option<&DeviceId>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let device = device.cloned();
        self.read(move |conn| events::before(conn, device.as_ref(), before, limit)).await
    }

    async fn first_event(&self, at: Time) -> Result<Option<i64>, StoreError> {
        self.read_small(move |conn| events::first(conn, at)).await
    }

    async fn add_events(&self, events: Vec<NewEvent>, now: Time) -> Result<(), StoreError> {
        self.write(move |conn| events::add(conn, &events, now)).await
    }

    async fn push(&self, id: &DeviceId) -> Result<Option<Push>, StoreError> {
        let id = id.clone();
        self.read(move |conn| pushes::get(conn, &id)).await
    }

    async fn due_pushes(&self, now: Time, limit: u32) -> Result<Vec<Push>, StoreError> {
        self.read(move |conn| pushes::due(conn, now, limit)).await
    }

    async fn set_push_addresses(
        &self,
        id: &DeviceId,
        addresses: Vec<String>,
        now: Time,
    ) -> Result<bool, StoreError> {
        let device = id.clone();
        self.write_for(id, move |conn| pushes::set_addresses(conn, &device, &addresses, now)).await
    }

    async fn register_push(&self, id: &DeviceId, registration: &str, now: Time) -> Result<bool, StoreError> {
        let (device, registration) = (id.clone(), registration.to_owned());
        self.write_for(id, move |conn| pushes::register(conn, &device, &registration, now)).await
    }

    async fn unregister_push(&self, id: &DeviceId, registration: &str) -> Result<bool, StoreError> {
        let (device, registration) = (id.clone(), registration.to_owned());
        self.write_for(id, move |conn| pushes::unregister(conn, &device, &registration)).await
    }

    async fn advance_push(&self, step: PushStep, now: Time) -> Result<(), StoreError> {
        let device = step.device.clone();
        self.write_for(&device, move |conn| pushes::advance(conn, &step, now)).await
    }

    async fn put_ddf(&self, ddf: DdfFile) -> Result<(), StoreError> {
        self.write(move |conn| catalogue::put_ddf(conn, &ddf)).await
    }

    async fn ddfs(&self) -> Result<Vec<DdfFile>, StoreError> {
        self.read(catalogue::ddfs).await
    }

    async fn ddf(&self, name: &str) -> Result<Option<DdfFile>, StoreError> {
        let name = name.to_owned();
        self.read(move |conn| catalogue::ddf(conn, &name)).await
    }

    async fn remove_ddf(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |conn| catalogue::remove_ddf(conn, &name)).await
    }

    async fn model(&self, name: &str) -> Result<Option<Model>, StoreError> {
        let name = name.to_owned();
        self.read_small(move |conn| catalogue::model(conn, &name)).await
    }

    async fn standings(&self, device: &DeviceId) -> Result<Vec<Standing>, StoreError> {
        let device = device.clone();
        self.read(move |conn| standing::list(conn, &device)).await
    }

    async fn standing(&self, id: CommandId) -> Result<Option<Standing>, StoreError> {
        self.read(move |conn| standing::get(conn, id)).await
    }

    async fn put_page(&self, page: Page) -> Result<(), StoreError> {
        self.write(move |conn| catalogue::put_page(conn, &page)).await
    }

    async fn pages(&self) -> Result<Vec<Page>, StoreError> {
        self.read(catalogue::pages).await
    }

    async fn page(&self, name: &str) -> Result<Option<Page>, StoreError> {
        let name = name.to_owned();
        self.read(move |conn| catalogue::page(conn, &name)).await
    }

    async fn remove_page(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |conn| catalogue::remove_page(conn, &name)).await
    }

    async fn add_token(&self, token: Token) -> Result<bool, StoreError> {
        self.write(move |conn| people::add_token(conn, &token)).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.read(people::tokens).await
    }

    async fn remove_token(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |conn| people::remove_token(conn, &name)).await
    }

    fn is_shared(&self) -> bool {
        self.is_on_postgres()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.write(Connection::touch).await
    }

    fn commits(&self) -> &Commits {
        &self.commits
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(devices::counts).await
    }
}
