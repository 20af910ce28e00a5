//! Campaigns over a store that fails at each call in turn, and the rules of the engine.

mod zones;

use std::sync::atomic::{AtomicI64, Ordering};

use omadm_mo::{DeviceId, Time};
use omadm_store::filter::Filter;
use omadm_store::sqlite::{SqliteConfig, SqliteStore};
use omadm_store::{
    Campaign, CampaignCounts, CampaignDevice, CampaignDeviceState, CampaignEnd, CampaignOrphans,
    CampaignProfileDevice, CampaignState, CampaignStep, CampaignStepped, CampaignStore as _, CommandState,
    Enrolment, SessionStep, Store, StoreError, Transition,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Recipe;
use super::engine::{self, Next, Progress, SECOND};
use super::runner::{Mover, Shelf};
use super::spec::{Plan, ProfileOf, WHOLE};
use crate::config::CampaignsSection;
use crate::operation::Operation;

const BEGIN: Time = Time::from_secs(1_800_000_000);

fn plan(change: &Value) -> Plan {
    let mut document = json!({ "name": "c", "change": { "command": { "verb": "exec", "address": "./A" } } });
    for (key, value) in change.as_object().unwrap() {
        document[key] = value.clone();
    }
    Plan::read(serde_json::from_value(document).unwrap(), &CampaignsSection::default()).unwrap()
}

fn recipe() -> Recipe {
    let operations = vec![Operation::Exec { address: "./A".to_owned(), later: false }];
    Recipe::Operations { operations, content: None, model: None, is_delivery: false }
}

/// The store, of which one call fails: before it has done anything, or when it is done and nobody hears of it.
struct Failing<'a> {
    store: &'a dyn Store,
    /// Calls until one fails.
    left: AtomicI64,
    done: bool,
}

impl Failing<'_> {
    async fn call<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fails = self.left.fetch_sub(1, Ordering::Relaxed) == 0;
        if fails && !self.done {
            return Err(StoreError::Closed);
        }
        let result = work.await;
        if fails { Err(StoreError::Closed) } else { result }
    }
}

#[async_trait::async_trait]
impl Shelf for Failing<'_> {
    async fn step(&self, step: CampaignStep, now: Time) -> Result<CampaignStepped, StoreError> {
        self.call(Shelf::step(self.store, step, now)).await
    }
    async fn ended(
        &self,
        id: Uuid,
        plan: &Plan,
        limit: u32,
        now: Time,
    ) -> Result<Vec<CampaignEnd>, StoreError> {
        self.call(self.store.ended(id, plan, limit, now)).await
    }
    async fn waiting(&self, id: Uuid, limit: u32, now: Time) -> Result<Vec<DeviceId>, StoreError> {
        self.call(self.store.waiting(id, limit, now)).await
    }
    async fn devices(
        &self,
        filter: Option<&Filter>,
        after: Option<&DeviceId>,
        label: Option<&str>,
        now: Time,
    ) -> Result<Vec<(DeviceId, Option<String>)>, StoreError> {
        self.call(Shelf::devices(self.store, filter, after, label, now)).await
    }
    async fn label(&self, device: &DeviceId, label: &str) -> Result<Option<String>, StoreError> {
        self.call(self.store.label(device, label)).await
    }
    async fn unreached(&self, id: Uuid, devices: Vec<DeviceId>) -> Result<Vec<DeviceId>, StoreError> {
        self.call(self.store.unreached(id, devices)).await
    }
    async fn orphans(&self, id: Uuid, after: Option<DeviceId>) -> Result<CampaignOrphans, StoreError> {
        self.call(self.store.orphans(id, after)).await
    }
    async fn given(
        &self,
        id: Uuid,
        of: &ProfileOf,
        after: Option<DeviceId>,
    ) -> Result<Vec<CampaignProfileDevice>, StoreError> {
        self.call(self.store.given(id, of, after)).await
    }
    async fn reached(&self, id: Uuid, after: Option<DeviceId>) -> Result<Vec<CampaignDevice>, StoreError> {
        self.call(self.store.reached(id, after)).await
    }
}

/// A store with devices and a campaign that runs.
struct Scene {
    store: SqliteStore,
    id: Uuid,
    plan: Plan,
    _dir: tempfile::TempDir,
}

fn device(number: usize) -> DeviceId {
    DeviceId::parse(&format!("SIM:{number:04}")).unwrap()
}

impl Scene {
    async fn new(devices: usize, change: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
        let enrolments = (0..devices).map(|number| Enrolment {
            device: device(number),
            label: String::new(),
            user: number.to_string(),
            verifier: vec![1].into(),
            dm1: None,
            replace: false,
        });
        store.enrol(enrolments.collect(), Vec::new(), Time::from_secs(1)).await.unwrap();
        let id = Uuid::from_u128(1);
        let scene = Self { store, id, plan: plan(&change), _dir: dir };
        scene.add(id, "c", "address ./A").await;
        scene
    }

    async fn add(&self, id: Uuid, name: &str, target: &str) {
        let campaign = Campaign {
            id,
            name: name.to_owned(),
            state: CampaignState::Running,
            version: 0,
            created: BEGIN,
            created_by: "test".to_owned(),
            updated: BEGIN,
            due: Some(BEGIN),
            package: None,
            groups: None,
            target: target.to_owned(),
            document: "{}".to_owned(),
            progress: "{}".to_owned(),
            counts: CampaignCounts::default(),
        };
        self.put(campaign).await;
    }

    async fn campaign(&self) -> Campaign {
        self.store.campaign(self.id).await.unwrap().unwrap()
    }

    /// As an operator stops it.
    async fn stop(&self) {
        let campaign = Campaign { state: CampaignState::Stopped, ..self.campaign().await };
        self.put(campaign).await;
    }

    /// Writes the campaign alone.
    async fn put(&self, campaign: Campaign) {
        let step = CampaignStep {
            campaign,
            tries: Vec::new(),
            ends: Vec::new(),
            gone: Vec::new(),
            taken_back: Vec::new(),
            cancel: None,
            rival: omadm_store::Rival::Skip,
            retry_full: BEGIN,
            queue_limit: 10,
            events: Vec::new(),
        };
        self.store.step_campaign(step, BEGIN).await.unwrap();
    }

    /// Moves the campaign on until it waits; gives until when.
    async fn settle(&self, shelf: &dyn Shelf, now: Time) -> Result<Time, StoreError> {
        for _ in 0..1_000 {
            let recipe = recipe();
            let mut mover =
                Mover { shelf, plan: &self.plan, recipe: Ok(&recipe), queue_limit: 10, batch: 8, now };
            if let Some(until) = mover.step(self.campaign().await).await? {
                return Ok(until);
            }
        }
        panic!("the campaign does not come to rest");
    }

    async fn go_on(&self, now: Time) -> Time {
        let plain = Failing { store: &self.store, left: AtomicI64::new(-1), done: false };
        self.settle(&plain, now).await.unwrap()
    }

    /// Lets devices carry out what was queued for them.
    async fn devices_answer(&self, devices: usize, now: Time, to: impl Fn(usize) -> CommandState) {
        for number in 0..devices {
            let id = device(number);
            let Some(check) = self.store.check_in(&id, 100).await.unwrap() else { continue };
            for command in check.commands {
                let step = |from, to| Transition {
                    seq: command.seq,
                    from,
                    to,
                    status: Some(500),
                    reason: None,
                    result: None,
                };
                let sent = step(CommandState::Queued, CommandState::Sent);
                let ended = step(CommandState::Sent, to(number));
                let step = SessionStep {
                    device: id.clone(),
                    generation: check.device.generation,
                    expected_version: None,
                    expected_last_seq: None,
                    session: None,
                    outcome: None,
                    replaced: None,
                    transitions: vec![sent, ended],
                    payloads: Vec::new(),
                    tree: Vec::new(),
                    validators: Vec::new(),
                    standing: Vec::new(),
                    inventory: None,
                    facts: None,
                    protocol: None,
                    bearer: None,
                    last_contact: None,
                    profiles: None,
                    dm1: None,
                    model: None,
                    events: Vec::new(),
                    trace: Vec::new(),
                    now,
                };
                self.store.apply(step).await.unwrap();
            }
        }
    }

    /// How many commands a device has had.
    async fn had(&self, number: usize) -> usize {
        self.store.commands(&device(number), None, 100).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_crash_at_any_call_repeats_nothing_and_loses_nothing() {
    const DEVICES: usize = 20;
    let outcome =
        |number: usize| if number.is_multiple_of(10) { CommandState::Failed } else { CommandState::Done };
    for done in [false, true] {
        // Calls until the crash, further apart as they come later, so that there is one in every phase.
        let mut crash = 0;
        loop {
            let scene =
                Scene::new(DEVICES, json!({ "stages": [{ "percent": 20 }, { "percent": 100 }] })).await;
            let failing = Failing { store: &scene.store, left: AtomicI64::new(crash), done };
            let mut failed = false;
            let mut now = BEGIN;
            while scene.campaign().await.state != CampaignState::Done {
                failed |= scene.settle(&failing, now).await.is_err();
                scene.devices_answer(DEVICES, now, outcome).await;
                now = now.plus_micros(SECOND);
            }
            let counts = scene.campaign().await.counts;
            assert_eq!((counts.done, counts.failed, counts.total()), (18, 2, 20), "crash at call {crash}");
            for number in 0..DEVICES {
                assert_eq!(scene.had(number).await, 1, "crash at call {crash}, device {number}");
            }
            if !failed {
                break;
            }
            crash += 1;
        }
        assert!(crash > 10, "only {crash} calls");
    }
}

#[tokio::test]
async fn stages_hold_and_too_many_failures_stop() {
    let stages = json!([{ "percent": 30, "hold": { "seconds": 60 } }, { "percent": 100 }]);
    let scene =
        Scene::new(100, json!({ "stages": stages, "failures": { "percent": 50, "sample": 40 } })).await;
    scene.go_on(BEGIN).await;
    let first = scene.campaign().await.counts.open;
    assert!((15..=45).contains(&first), "{first} devices are about 30 %");
    scene.devices_answer(100, BEGIN, |_| CommandState::Done).await;
    scene.go_on(BEGIN).await;
    assert_eq!(scene.campaign().await.state, CampaignState::Holding);
    scene.go_on(BEGIN.plus_micros(59 * SECOND)).await;
    assert_eq!(scene.campaign().await.counts.open, 0, "it holds");
    let later = BEGIN.plus_micros(60 * SECOND);
    scene.go_on(later).await;
    assert_eq!(scene.campaign().await.counts.open, 100 - first, "each device is in one stage");
    scene.devices_answer(100, later, |_| CommandState::Failed).await;
    scene.go_on(later).await;
    let campaign = scene.campaign().await;
    assert_eq!(campaign.state, CampaignState::Failed);
    assert!(campaign.progress.contains("devices failed"), "{}", campaign.progress);
}

#[tokio::test]
async fn what_was_not_sent_is_cancelled_when_it_stops() {
    let scene = Scene::new(100, json!({ "retry": { "attempts": 2, "wait": 60 } })).await;
    scene.go_on(BEGIN).await;
    scene.devices_answer(10, BEGIN, |_| CommandState::Failed).await;
    scene.go_on(BEGIN).await;
    assert_eq!(scene.campaign().await.counts.retry, 10);
    scene.stop().await;
    scene.go_on(BEGIN).await;
    let campaign = scene.campaign().await;
    assert_eq!((campaign.counts.cancelled, campaign.counts.unsettled()), (100, 0));
    assert_eq!(campaign.due, None, "nothing more is to come");
    let command = scene.store.commands(&device(60), None, 1).await.unwrap().remove(0);
    assert_eq!(command.state, CommandState::Cancelled);
}

#[tokio::test]
async fn one_that_cannot_be_prepared_any_more_pauses_and_can_be_stopped() {
    let scene = Scene::new(20, json!({ "rate": 5 })).await;
    scene.go_on(BEGIN).await;
    let later = BEGIN.plus_micros(60 * SECOND);
    let hopeless = async || {
        let shelf: &dyn Store = &scene.store;
        loop {
            let recipe = Err("there is no such node");
            let mut mover = Mover { shelf, plan: &scene.plan, recipe, queue_limit: 10, batch: 8, now: later };
            if mover.step(scene.campaign().await).await.unwrap().is_some() {
                return scene.campaign().await;
            }
        }
    };
    let paused = hopeless().await;
    assert_eq!((paused.state, paused.counts.open), (CampaignState::Paused, 5));
    assert!(paused.progress.contains("there is no such node"), "{}", paused.progress);
    scene.stop().await;
    assert_eq!(hopeless().await.counts.cancelled, 5);
}

#[tokio::test]
async fn a_device_is_tried_again_and_a_rate_is_kept() {
    let scene = Scene::new(50, json!({ "rate": 20, "retry": { "attempts": 2, "wait": 600 } })).await;
    let mut now = BEGIN;
    for begun in [20, 40, 50] {
        let until = scene.go_on(now).await;
        assert_eq!(scene.campaign().await.counts.open, begun);
        assert!(until > now);
        now = now.plus_micros(60 * SECOND);
    }
    scene
        .devices_answer(50, now, |number| if number < 5 { CommandState::Failed } else { CommandState::Done })
        .await;
    scene.go_on(now).await;
    let counts = scene.campaign().await.counts;
    assert_eq!((counts.done, counts.retry), (45, 5));
    now = now.plus_micros(600 * SECOND);
    scene.go_on(now).await;
    assert_eq!((scene.campaign().await.counts.open, scene.had(0).await), (5, 2));
    scene.devices_answer(50, now, |_| CommandState::Failed).await;
    scene.go_on(now).await;
    let campaign = scene.campaign().await;
    assert_eq!((campaign.counts.done, campaign.counts.failed, campaign.state), (45, 5, CampaignState::Done));
}

#[tokio::test]
async fn two_campaigns_are_not_at_one_thing_at_a_time() {
    let scene = Scene::new(3, json!({})).await;
    scene.go_on(BEGIN).await;
    let other = Scene { id: Uuid::from_u128(2), ..scene };
    other.add(other.id, "other", "address ./A").await;
    other.go_on(BEGIN).await;
    assert_eq!(other.campaign().await.counts.waiting, 3);
    let first = Scene { id: Uuid::from_u128(1), ..other };
    first.devices_answer(3, BEGIN, |_| CommandState::Done).await;
    first.go_on(BEGIN).await;
    let other = Scene { id: Uuid::from_u128(2), ..first };
    other.go_on(BEGIN.plus_micros(299 * SECOND)).await;
    assert_eq!(other.campaign().await.counts.waiting, 3);
    other.go_on(BEGIN.plus_micros(300 * SECOND)).await;
    assert_eq!(other.campaign().await.counts.open, 3);
}

#[tokio::test]
async fn a_device_that_is_removed_does_not_hold_up_the_others() {
    let scene = Scene::new(3, json!({})).await;
    scene.go_on(BEGIN).await;
    scene.store.remove_device(&device(1), Vec::new(), BEGIN).await.unwrap();
    scene.devices_answer(3, BEGIN, |_| CommandState::Done).await;
    scene.go_on(BEGIN.plus_micros(SECOND)).await;
    scene.go_on(BEGIN.plus_micros(700 * SECOND)).await;
    let campaign = scene.campaign().await;
    assert_eq!((campaign.counts.done, campaign.counts.gone, campaign.state), (2, 1, CampaignState::Done));
    let gone = Some(CampaignDeviceState::Gone);
    let gone = scene.store.campaign_devices(scene.id, gone, None, 10).await.unwrap();
    assert_eq!(gone[0].device, device(1));
}

#[tokio::test]
async fn a_window_bounds_when_devices_begin_and_how_long_they_have() {
    // 1,800,000,000 s is 2027-01-15 08:00:00 in UTC.
    let scene = Scene::new(4, json!({ "window": { "from": "09:00", "to": "10:00" } })).await;
    let until = scene.go_on(BEGIN).await;
    assert_eq!(scene.campaign().await.counts.total(), 0, "it is closed");
    assert!(until > BEGIN);
    let open = BEGIN.plus_micros(3_600 * SECOND);
    scene.go_on(open).await;
    assert_eq!(scene.campaign().await.counts.open, 4);
    let command = scene.store.commands(&device(0), None, 1).await.unwrap().remove(0);
    assert_eq!(command.expires, open.plus_micros(3_600 * SECOND));
    let closed = command.expires;
    scene.store.expire(crate::events::ended, closed, 100).await.unwrap();
    scene.go_on(closed).await;
    let campaign = scene.campaign().await;
    assert_eq!(
        (campaign.counts.waiting, campaign.counts.failed),
        (4, 0),
        "the next window is another chance"
    );
    scene.go_on(open.plus_micros(86_400 * SECOND)).await;
    assert_eq!(scene.campaign().await.counts.open, 4);
}

#[test]
fn shares_are_even_and_of_their_own_in_each_campaign() {
    let below = |campaign: u128, share: u32| {
        (0..10_000)
            .filter(|number| engine::share(Uuid::from_u128(campaign), &device(*number)) < share)
            .count()
    };
    for share in [100, 1_000, 5_000] {
        let devices = below(1, share);
        let expected = share as usize;
        assert!(devices.abs_diff(expected) < expected / 5 + 30, "{devices} of {expected}");
    }
    assert_eq!(below(1, WHOLE), 10_000);
    let both = (0..10_000).filter(|number| {
        let in_tenth = |campaign| engine::share(Uuid::from_u128(campaign), &device(*number)) < 1_000;
        in_tenth(1) && in_tenth(2)
    });
    assert!(both.count() < 200, "the canaries of one campaign are not those of another");
}

#[test]
fn a_clock_that_is_set_back_gives_no_more_than_one_allowance_and_does_not_stall() {
    let plan = plan(&json!({ "rate": 10 }));
    let mut progress = Progress::default();
    engine::use_allowance(&mut progress, 10, BEGIN);
    assert_eq!(engine::allowance(&plan, &progress, BEGIN), 0);
    let back = BEGIN.plus_micros(-86_400 * SECOND);
    assert_eq!(engine::allowance(&plan, &progress, back), 10);
    engine::use_allowance(&mut progress, 10, back);
    assert_eq!(engine::allowance(&plan, &progress, back), 0);

    let held = plan_with_hold();
    let counts = CampaignCounts { done: 5, ..CampaignCounts::default() };
    let progress = Progress { scanned: true, holding: Some(BEGIN.0), ..Progress::default() };
    let next = |now| engine::next(&held, CampaignState::Holding, &progress, &counts, false, false, now);
    assert_eq!(next(back), Next::Hold, "the time is noted anew");
    assert!(matches!(next(BEGIN.plus_micros(59 * SECOND)), Next::Wait(_)));
    assert_eq!(next(BEGIN.plus_micros(60 * SECOND)), Next::Advance);
}

fn plan_with_hold() -> Plan {
    plan(&json!({ "stages": [{ "percent": 1, "hold": { "seconds": 60 } }, { "percent": 100 }] }))
}

#[test]
fn only_an_operator_ends_a_hold_that_needs_approval() {
    let plan =
        plan(&json!({ "stages": [{ "percent": 1, "hold": { "approval": true } }, { "percent": 100 }] }));
    let counts = CampaignCounts { done: 5, ..CampaignCounts::default() };
    let progress = Progress { scanned: true, holding: Some(BEGIN.0), ..Progress::default() };
    let after_a_year = BEGIN.plus_micros(366 * 86_400 * SECOND);
    let next = engine::next(&plan, CampaignState::Holding, &progress, &counts, false, false, after_a_year);
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
}
