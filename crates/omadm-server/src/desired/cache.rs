//! What is assigned, kept in memory: a check-in reads nothing for it.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use omadm_mo::Time;
use omadm_store::filter::Filter;
use omadm_store::{Assignment, Device, Facts, Pin, StoreError, Withdrawn};
use tokio::sync::watch;

use super::document::{Document, Form};
use super::memo::{Memo, Versions};
use super::validate::Described;
use super::wanted::{Version, Wanted};
use crate::context::Context;
use crate::models::Files;

/// Most versions, and most combinations of them, that are kept.
const MAX_KEPT: usize = 1_024;

/// Profiles in memory.
#[derive(Default)]
pub struct Profiles {
    assigned: Mutex<Option<Arc<Assigned>>>,
    versions: Mutex<HashMap<(String, i64), Arc<Version>>>,
    combined: Mutex<HashMap<Combination, Arc<Wanted>>>,
    /// The DDF files with which versions were read: they tell the formats of values.
    files: Mutex<Option<Arc<Files>>>,
}

/// Versions that apply, and those that have left something behind.
type Combination = (Versions, BTreeSet<(String, i64)>);

/// All assignments, as they were at one time.
struct Assigned {
    clock: i64,
    rules: Vec<Rule>,
    /// Profiles that were removed at some time, with the first version that counts since.
    voided: HashMap<String, i64>,
}

/// One assignment, or one that was taken back.
struct Rule {
    profile: String,
    /// `None` if it was taken back: then it only outlives what was given before it.
    version: Option<i64>,
    /// When it was assigned, by the clock of profiles.
    clock: i64,
    /// Devices that have it; `None` for all.
    members: Option<Filter>,
}

impl Profiles {
    /// Reads the assignments again, if they have changed since.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn refresh(&self, context: &Context) -> Result<(), StoreError> {
        // What changes after this is read the next time.
        let clock = context.store.profile_clock().await?;
        if self.assigned().is_some_and(|known| known.clock == clock) {
            return Ok(());
        }
        let mut rules = Vec::new();
        for assignment in context.store.assignments().await? {
            let Assignment { profile, version, clock, group, .. } = assignment;
            let members = members(context, &profile, group.as_deref()).await?;
            rules.extend(members.map(|members| Rule { profile, version: Some(version), clock, members }));
        }
        for Withdrawn { profile, group, clock } in context.store.withdrawn_assignments().await? {
            let members = members(context, &profile, group.as_deref()).await?;
            rules.extend(members.map(|members| Rule { profile, version: None, clock, members }));
        }
        let voided = context.store.voided_profiles().await?.into_iter().collect();
        *lock(&self.assigned) = Some(Arc::new(Assigned { clock, rules, voided }));
        Ok(())
    }

    fn assigned(&self) -> Option<Arc<Assigned>> {
        lock(&self.assigned).clone()
    }

    /// Whether nothing is assigned to any group.
    pub fn is_empty(&self) -> bool {
        self.assigned().is_none_or(|assigned| assigned.rules.iter().all(|rule| rule.version.is_none()))
    }

    /// The versions that apply to a device: the newest of those of its groups, or what it was given for itself since.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn applying(
        &self,
        context: &Context,
        device: &Device,
        now: Time,
    ) -> Result<Versions, StoreError> {
        let assigned = self.assigned();
        let rules = assigned.as_ref().map(|assigned| assigned.rules.as_slice()).unwrap_or_default();
        let asks = rules.iter().any(|rule| rule.members.is_some());
        let read = if asks { context.store.fleet_device(&device.id).await? } else { None };
        let member = read.map(|mut read| {
            read.facts = Facts::read(&device.facts);
            read.device = device.clone();
            read
        });
        let (mut versions, mut clocks) = (Versions::new(), HashMap::new());
        for rule in rules {
            let is_member = match &rule.members {
                None => true,
                Some(filter) => member.as_ref().is_some_and(|member| filter.matches(member, now)),
            };
            if is_member {
                if let Some(version) = rule.version {
                    let newest = versions.entry(rule.profile.clone()).or_insert(version);
                    *newest = version.max(*newest);
                }
                let last = clocks.entry(rule.profile.as_str()).or_insert(rule.clock);
                *last = rule.clock.max(*last);
            }
        }
        let pins = Pin::read(device.pinned.as_deref());
        if pins.is_empty() {
            return Ok(versions);
        }
        let begun = Memo::read(device.desired.as_deref()).of;
        for (name, pin) in pins {
            let voided = assigned.as_ref().and_then(|assigned| assigned.voided.get(&name).copied());
            let is_void = voided.is_some_and(|first| pin.version < first);
            // The last word counts: what was assigned after the device was given a version for itself takes its place.
            let is_overruled = clocks.get(name.as_str()).is_some_and(|assigned| *assigned > pin.clock);
            let is_late = pin.until <= now.0 && begun.get(&name) != Some(&pin.version);
            if !is_void && !is_overruled && !is_late {
                versions.insert(name, pin.version);
            }
        }
        Ok(versions)
    }

    /// The profile that brings this version of a package where it is assigned, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn bringing(
        &self,
        context: &Context,
        package: &str,
        version: &str,
    ) -> Result<Option<Arc<Version>>, StoreError> {
        for assignment in context.store.assignments().await? {
            let found = self.version(context, &assignment.profile, assignment.version).await?;
            let brings =
                found.filter(|profile| profile.items.iter().any(|item| item.what.brings(package, version)));
            if brings.is_some() {
                return Ok(brings);
            }
        }
        Ok(None)
    }

    /// A version; `None` if there is none, or another version of the server wrote it and this one cannot read it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn version(
        &self,
        context: &Context,
        name: &str,
        number: i64,
    ) -> Result<Option<Arc<Version>>, StoreError> {
        let files = self.files(context).await?;
        let key = (name.to_owned(), number);
        if let Some(known) = lock(&self.versions).get(&key) {
            return Ok(Some(known.clone()));
        }
        let Some(stored) = context.store.profile_version(name, number).await? else { return Ok(None) };
        let document = match Document::read(&stored.document, Form::Json) {
            Ok(document) => document,
            Err(fault) => {
                tracing::warn!(name, number, %fault, "a stored profile cannot be read");
                return Ok(None);
            }
        };
        let mut version = Version::new(number, document);
        Described { files: &files, public_url: &context.public_url }.typed(&mut version);
        let version = Arc::new(version);
        keep(&self.versions, key, version.clone());
        Ok(Some(version))
    }

    /// What is wanted of a device to which these versions apply; those that cannot be read are left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn wanted(
        &self,
        context: &Context,
        of: &Versions,
        leaving: &BTreeSet<(String, i64)>,
    ) -> Result<Arc<Wanted>, StoreError> {
        self.files(context).await?;
        let key = (of.clone(), leaving.clone());
        if let Some(known) = lock(&self.combined).get(&key) {
            return Ok(known.clone());
        }
        let (mut applying, mut left) = (Vec::new(), Vec::new());
        for (name, number) in of {
            applying.extend(self.version(context, name, *number).await?);
        }
        for (name, number) in leaving {
            left.extend(self.version(context, name, *number).await?);
        }
        let wanted = Arc::new(Wanted::new(applying, left));
        keep(&self.combined, key, wanted.clone());
        Ok(wanted)
    }

    /// The DDF files as they are. When they have changed, what was read with others is forgotten.
    async fn files(&self, context: &Context) -> Result<Arc<Files>, StoreError> {
        let files = context.models.lately(context.store.as_ref()).await?;
        let mut known = lock(&self.files);
        if !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &files)) {
            lock(&self.versions).clear();
            lock(&self.combined).clear();
            *known = Some(files.clone());
        }
        Ok(files)
    }
}

/// The devices of an assignment, of which `None` is all; nothing if its group cannot be read.
async fn members(
    context: &Context,
    profile: &str,
    group: Option<&str>,
) -> Result<Option<Option<Filter>>, StoreError> {
    let Some(group) = group else { return Ok(Some(None)) };
    match context.store.expand(&Filter::group(group)).await {
        Ok(filter) => Ok(Some(Some(filter))),
        Err(StoreError::Filter(error)) => {
            tracing::warn!(profile, group, %error, "a profile is assigned to a group that cannot be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers something; when there is too much, everything is forgotten and read again as it is needed.
fn keep<K: Eq + Hash, V>(map: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut map = lock(map);
    if map.len() >= MAX_KEPT {
        map.clear();
    }
    map.insert(key, value);
}

/// Keeps the assignments as they are in the store, until `stop` says so.
pub async fn follow(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(context.config.profiles.refresh.0) => {}
        }
        if let Err(error) = context.profiles.refresh(&context).await {
            tracing::error!(%error, "assignments of profiles could not be read; it will be tried again");
        }
    }
}
