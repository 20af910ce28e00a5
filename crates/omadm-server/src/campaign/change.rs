//! What is done to each device of a campaign.

use omadm_mo::{DeviceId, Time};
use omadm_store::filter::{Filter, FilterError, FilterLimits};
use omadm_store::{CampaignGift, NewCommand, Origin, Package, PackageKind, Payload, StoreError};
use uuid::Uuid;

use super::spec::Change;
use crate::address::Inventory;
use crate::advice::Advice;
use crate::context::Context;
use crate::leaf::Body;
use crate::models::Files;
use crate::operation::{Operation, Request, Setting};
use crate::package::deliver;

/// What each device is given, ready to be copied.
#[derive(Clone, Debug)]
pub enum Recipe {
    /// Operations in order, of which the first may have content.
    Operations {
        /// The operations.
        operations: Vec<Operation>,
        /// Content of the first one.
        content: Option<Body>,
        /// The models that they are for, as a glob.
        model: Option<String>,
        /// Whether they bring a package.
        is_delivery: bool,
    },
    /// A version of a profile.
    Profile {
        /// Its name.
        name: String,
        /// Its version.
        version: i64,
    },
}

impl Recipe {
    /// What a device is given by a campaign, good until `expires`.
    pub fn gift(&self, campaign: Uuid, by: &str, device: &DeviceId, expires: Time) -> CampaignGift {
        let (operations, content, is_delivery) = match self {
            Self::Operations { operations, content, is_delivery, .. } => (operations, content, is_delivery),
            Self::Profile { name, version } => {
                return CampaignGift::Profile { name: name.clone(), version: *version, until: expires };
            }
        };
        let mut content = content.as_ref();
        let commands = operations.iter().map(|operation| NewCommand {
            id: Uuid::now_v7(),
            device: device.clone(),
            verb: operation.verb().to_owned(),
            address: operation.address().to_owned(),
            args: operation.args(),
            payload: content.take().map(|content| Payload {
                id: Uuid::now_v7(),
                device: device.clone(),
                content_type: content.content_type.clone(),
                body: content.octets.clone(),
            }),
            supersede_key: None,
            expires,
            created_by: by.to_owned(),
            origin: Some(Origin::Campaign { id: campaign }),
        });
        let mut commands: Vec<_> = commands.collect();
        if *is_delivery {
            deliver::tie(&mut commands);
        }
        CampaignGift::Commands(commands)
    }

    /// The models that it is for, as a glob.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Operations { model, .. } => model.as_deref(),
            Self::Profile { .. } => None,
        }
    }
}

/// The package of a change, if it brings one.
pub fn package_of(change: &Change) -> Option<(Uuid, PackageKind)> {
    match change {
        Change::Firmware(of) => Some((of.package, PackageKind::Firmware)),
        Change::Software(of) => Some((of.package, PackageKind::Software)),
        Change::Command(_) | Change::Profile(_) => None,
    }
}

/// The filter for devices of these models.
///
/// # Errors
/// When the glob is too long for a filter.
pub fn of_models(glob: &str) -> Result<Filter, FilterError> {
    let quoted = glob.replace('\\', "\\\\").replace('"', "\\\"");
    Filter::parse(&format!("model ~ \"{quoted}\""), &FilterLimits::default())
}

/// The thing on a device that a change is about.
pub fn target(change: &Change, package: Option<&Package>) -> String {
    match (change, package) {
        (_, Some(package)) => deliver::target(package),
        (Change::Profile(of), None) => format!("profile {}", of.name),
        (Change::Command(request), None) => {
            let first = request.addresses.as_ref().and_then(|addresses| addresses.first());
            format!(
                "address {}",
                request.address.as_ref().or(first).or(request.moid.as_ref()).map_or("", String::as_str)
            )
        }
        (Change::Firmware(of) | Change::Software(of), None) => format!("package {}", of.package),
    }
}

/// Makes of a change what each device is given. `package` is the one that it brings.
///
/// # Errors
/// When the store fails; within, one sentence on why it cannot be done.
pub async fn prepare(
    context: &Context,
    change: &Change,
    package: Option<&Package>,
    now: Time,
) -> Result<Result<Recipe, String>, StoreError> {
    Ok(match (change, package) {
        (Change::Command(request), _) => {
            let files = context.models.now(context.store.as_ref()).await?;
            command(context, &files, request)
        }
        (Change::Profile(of), _) => {
            // Versions outlive their profile.
            let is_there = context.store.profile(&of.name).await?.is_some()
                && context.store.profile_version(&of.name, of.version).await?.is_some();
            let recipe = || Recipe::Profile { name: of.name.clone(), version: of.version };
            is_there
                .then(recipe)
                .ok_or_else(|| format!("there is no version {} of a profile {:?}", of.version, of.name))
        }
        (Change::Firmware(_) | Change::Software(_), Some(package)) => {
            let operations = deliver::operations(context, package, now);
            let model = package.model.clone();
            operations.map(|operations| Recipe::Operations {
                operations,
                content: None,
                model,
                is_delivery: true,
            })
        }
        (Change::Firmware(of) | Change::Software(of), None) => Err(format!(
            "there is no package {} of this kind; `omadm package ls` shows those that are",
            of.package
        )),
    })
}

fn command(context: &Context, files: &Files, request: &Request) -> Result<Recipe, String> {
    if request.wait.is_some() || request.expires_in.is_some() {
        return Err(
            "the command of a campaign takes no wait and no expires_in; the campaign has its own".to_owned()
        );
    }
    if request.page.is_some() {
        return Err("a campaign cannot show pages of this server; name one elsewhere by its url".to_owned());
    }
    let most = context.config.campaigns.max_content.0;
    let (mut operation, content) =
        Operation::from_request(request.clone(), context.config.data.max_payload.0)?;
    let length = match (&operation, &content) {
        (_, Some(content)) => content.octets.len(),
        (Operation::Set { value: Setting::Value(value), .. }, None) => value.text().len(),
        (_, None) => 0,
    };
    if length > most {
        return Err(format!(
            "the content has {length} octets, the limit is {most} (campaigns.max_content); bring it as a package"
        ));
    }
    let inventory = Inventory::read(None);
    let mut advice = Advice::new(files, &inventory, &context.public_url);
    let misfit = advice.about(&mut operation, content.as_ref()).err();
    let said: Vec<String> = misfit.into_iter().chain(advice.into_warnings()).collect();
    if !said.is_empty() && !request.force {
        return Err(format!("{}; \"force\": true sends it all the same", said.join(" ")));
    }
    Ok(Recipe::Operations { operations: vec![operation], content, model: None, is_delivery: false })
}
