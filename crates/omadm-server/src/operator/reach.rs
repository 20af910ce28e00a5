//! What somebody sees of all the devices.

use omadm_mo::DeviceId;
use omadm_store::filter::Filter;
use omadm_store::{Campaign, FleetDevice, StoreError};

use super::actor::Actor;
use crate::clock;
use crate::context::Context;

/// A filter for the devices that somebody sees, to be added to any other; `None` for all devices. Who has no group sees none.
pub fn filter(actor: &Actor) -> Option<Filter> {
    actor.groups.as_deref().map(Filter::of_groups)
}

/// The devices that somebody sees, as their groups are now.
pub struct View {
    /// `None` for all devices.
    filter: Option<Filter>,
}

impl View {
    /// Of this actor.
    ///
    /// # Errors
    /// When the store fails, or a group is gone.
    pub async fn of(context: &Context, actor: &Actor) -> Result<Self, StoreError> {
        let filter = match filter(actor) {
            None => None,
            Some(filter) => Some(context.store.expand(&filter).await?),
        };
        Ok(Self { filter })
    }

    /// Whether all devices are theirs, those that are not enrolled any more among them.
    pub fn shows_everything(&self) -> bool {
        self.filter.is_none()
    }

    /// Whether a device is one of theirs.
    pub fn shows(&self, device: &FleetDevice) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(device, clock::now()))
    }

    /// Whether a device is there, and is one of theirs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn shows_id(&self, context: &Context, device: &DeviceId) -> Result<bool, StoreError> {
        let device = context.store.fleet_device(device).await?;
        Ok(device.is_some_and(|device| self.shows(&device)))
    }
}

/// Whether somebody sees a campaign: one that is kept to groups which are all theirs, or any, if all devices are theirs.
pub fn sees_campaign(actor: &Actor, campaign: &Campaign) -> bool {
    let Some(theirs) = &actor.groups else { return true };
    campaign.groups.as_ref().is_some_and(|groups| groups.iter().all(|group| theirs.contains(group)))
}

/// Whether a device is there, and is one of theirs.
///
/// # Errors
/// When the store fails.
pub async fn sees(context: &Context, actor: &Actor, device: &DeviceId) -> Result<bool, StoreError> {
    View::of(context, actor).await?.shows_id(context, device).await
}

#[cfg(test)]
mod tests {
    use super::super::actor::{Proof, Role};
    use super::*;

    #[test]
    fn who_has_no_group_sees_no_device() {
        let of = |groups: Option<&[&str]>| {
            let groups = groups.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            let proof = Proof::Token("t".to_owned());
            let (role, rights) = (Role::Viewer, Role::Viewer.rights());
            filter(&Actor { name: "t".to_owned(), proof, user: None, role, rights, groups, until: None })
        };
        assert_eq!(of(None), None);
        assert_eq!(of(Some(&[])), Some(Filter::of_groups(&[])), "not all devices");
        assert_eq!(of(Some(&["a", "b"])).map(|filter| filter.groups().len()), Some(2));
    }
}
