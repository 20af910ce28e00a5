//! How a device stands, and what it would be told: a look that changes nothing.

use omadm_mo::{DeviceId, Time};
use omadm_store::{CheckIn, Device, NewCommand, SessionStep, StoreError};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::compare::Stand;
use super::look::Sight;
use super::memo::{Memo, Versions};
use crate::clock;
use crate::context::Context;
use crate::ledger::Ledger;

/// Open commands that are read of a device.
const COMMANDS: u32 = 1_000;

/// One thing that is wanted of a device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileItem)]
pub struct Thing {
    /// The profile that wants it.
    profile: String,
    /// Its version.
    version: i64,
    /// What it is about: an address, or a package.
    what: String,
    /// `converged`, `pending`, `drifted` or `failed`.
    state: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Something that a profile wants and another of higher priority does not.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileOverruled)]
pub struct Overruled {
    /// The profile that gives way.
    profile: String,
    /// What it is about.
    what: String,
    /// The profile that counts.
    by: String,
}

/// A command that a device would get.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileCommand)]
pub struct Told {
    /// The profile that asks for it.
    profile: String,
    /// What is asked: `get`, `set`, ….
    pub verb: String,
    /// On what; empty where the payload says so.
    address: String,
    /// Further arguments.
    args: Json,
    /// What goes with it, if that is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

/// How a device stands, and what it would be told at its next check-in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileTrial)]
pub struct Trial {
    /// The device.
    device: String,
    /// Everything that is wanted.
    items: Vec<Thing>,
    /// What is wanted in vain.
    overruled: Vec<Overruled>,
    /// Commands, in order. There may be more once these are done.
    pub commands: Vec<Told>,
}

impl Told {
    fn new(command: NewCommand) -> Self {
        let payload = command.payload.and_then(|payload| String::from_utf8(payload.body).ok());
        Self {
            profile: command.created_by.strip_prefix("profile ").unwrap_or_default().to_owned(),
            verb: command.verb,
            address: command.address,
            args: serde_json::from_str(&command.args).unwrap_or_default(),
            payload,
        }
    }
}

/// Looks at a device with these versions instead of those of the same profiles that apply to it.
///
/// # Errors
/// When the store fails.
pub async fn trial(context: &Context, device: &Device, instead: &Versions) -> Result<Trial, StoreError> {
    let now = clock::now();
    let check = check_in(context, device).await?;
    let mut of = context.profiles.applying(context, device, now).await?;
    of.extend(instead.iter().map(|(name, version)| (name.clone(), *version)));
    let sight = Sight::with(context, Memo::read(check.device.desired.as_deref()), of).await?;
    let (plan, commands) = sight.plan(context, &check, &nothing(&check, now)).await?;
    let wanted = &sight.wanted;
    let name = |by: usize| wanted.version(by).map(|version| version.name.clone()).unwrap_or_default();
    let items = wanted.wants.iter().zip(&plan.stands).map(|(want, stand)| Thing {
        profile: name(want.by),
        version: wanted.version(want.by).map_or(0, |version| version.number),
        what: want.item.what.name(),
        state: stand.state().as_str(),
        reason: stand.reason().map(str::to_owned).filter(|_| *stand != Stand::Converged),
    });
    let overruled = wanted.overruled.iter().map(|one| Overruled {
        profile: name(one.by),
        what: one.name.clone(),
        by: name(one.winner),
    });
    Ok(Trial {
        device: device.id.as_str().to_owned(),
        items: items.collect(),
        overruled: overruled.collect(),
        commands: commands.into_iter().map(Told::new).collect(),
    })
}

async fn check_in(context: &Context, device: &Device) -> Result<CheckIn, StoreError> {
    let id: &DeviceId = &device.id;
    let read = context.store.check_in(id, COMMANDS).await?;
    Ok(read.unwrap_or_else(|| CheckIn {
        device: device.clone(),
        session: None,
        commands: Vec::new(),
        more: false,
        last_seq: 0,
        validators: Vec::new(),
        dm1: None,
    }))
}

/// A message that says nothing.
fn nothing(check: &CheckIn, now: Time) -> SessionStep {
    SessionStep { protocol: None, ..Ledger::new(check, std::iter::empty()).into_step("", now) }
}
