//! Package 1: why the session starts, DevInfo, and what is to be told (`DM 1.3 PROTO §6.3`).

use std::borrow::Cow;

use omadm_codec::dm1::{Alert, AlertCode, Command, Data, Item, Meta, Operation, OperationKind, Version};
use omadm_mo::dm1::{Dm1Uri, UriLimits};
use omadm_mo::{Actor, Instance, Miid, Moid, Tree};

use super::config::{Config, DeviceAlert, Trigger};
use super::content::Dialect;
use super::outbox::{Outbox, plain_alert};

/// Leaves of DevInfo beside DevId, which is that of the messages.
const LEAVES: [&str; 4] = ["Man", "Mod", "DmV", "Lang"];

/// The MOIDs of DevInfo, whatever their version.
const DEV_INFO: &str = "urn:oma:mo:oma-dm-devinfo:";

/// What package 1 is made of.
pub(super) struct First<'a> {
    pub(super) config: &'a Config,
    pub(super) tree: &'a Tree,
    pub(super) actor: &'a Actor,
    pub(super) dialect: Dialect,
    pub(super) trigger: Trigger,
    pub(super) alerts: &'a [DeviceAlert],
    pub(super) requested: &'a [Moid],
}

impl First<'_> {
    pub(super) fn write(self, outbox: &mut Outbox) {
        outbox.say(plain_alert(match self.trigger {
            Trigger::Server { .. } => AlertCode::ServerInitiated,
            Trigger::Client { .. } => AlertCode::ClientInitiated,
        }));
        outbox.say(replace(self.dev_info()));
        for alert in self.alerts {
            outbox.alert(alert.id, write_alert(alert, self.dialect));
        }
        for moid in self.requested {
            for instance in self.tree.instances_of(moid) {
                let items = self.document(instance);
                if !items.is_empty() {
                    outbox.say(replace(items));
                }
            }
        }
    }

    fn dev_info(&self) -> Vec<Item<'static>> {
        let leaf = |name: &str, value: String| Item {
            source: Some(format!("./DevInfo/{name}").into()),
            data: Some(Data::Text(value.into())),
            ..Item::default()
        };
        let root = dev_info(self.tree).and_then(|instance| self.tree.node(instance.root));
        let value = |name| root.and_then(|root| root.child(name)?.value().map(omadm_mo::Value::to_text));
        let rest = LEAVES.iter().map(|name| leaf(name, value(name).unwrap_or_default()));
        [leaf("DevId", self.config.device_id.as_str().to_owned())].into_iter().chain(rest).collect()
    }

    /// A management object that the notification asked for, as far as the server may read it. The element that DM 1.3 has for this is
    /// not known: Replace is the only command with data that a device may send unasked.
    fn document(&self, instance: &Instance) -> Vec<Item<'static>> {
        let Some(root) = self.tree.node(instance.root) else { return Vec::new() };
        let root = Dm1Uri::of_path(root.path(), &UriLimits::default());
        let list = Dm1Uri::parse(&format!("{root}?list=TNDS"), &UriLimits::default(), true);
        let read = list.and_then(|list| self.tree.dm1_get(self.actor, &list)).unwrap_or_default();
        read.into_iter().map(|read| self.dialect.item(read)).collect()
    }
}

/// Management objects whose values package 1 shows.
pub(super) fn shown(tree: &Tree, requested: &[Moid]) -> Vec<(Moid, Miid)> {
    let requested = requested.iter().flat_map(|moid| tree.instances_of(moid));
    let mut shown: Vec<_> = dev_info(tree)
        .into_iter()
        .chain(requested)
        .map(|instance| (instance.moid.clone(), instance.miid.clone()))
        .collect();
    shown.sort();
    shown.dedup();
    shown
}

fn dev_info(tree: &Tree) -> Option<&Instance> {
    tree.instances().find(|instance| instance.moid.as_str().starts_with(DEV_INFO))
}

fn replace(items: Vec<Item<'static>>) -> Command<'static> {
    Command::Operation(Operation {
        kind: OperationKind::Replace,
        id: Cow::Borrowed(""),
        no_response: false,
        meta: Meta::default(),
        correlator: None,
        items,
    })
}

/// An alert of the device: to servers of DM 1.1, which know no Generic Alert, a Client Event.
pub(super) fn write_alert(alert: &DeviceAlert, dialect: Dialect) -> Alert<'static> {
    let generic = alert.generic && dialect.version > Version::Dm11;
    let code = if generic { AlertCode::GenericAlert } else { AlertCode::ClientEvent };
    let (format, data) = dialect.value(alert.format, &alert.data);
    let item = Item {
        target: alert.target.clone().map(Cow::Owned),
        source: alert.source.clone().map(Cow::Owned),
        meta: Meta {
            format: Some(format.into()),
            media_type: Some(alert.alert_type.clone().into()),
            mark: alert.mark,
            ..Meta::default()
        },
        // DM 1.3 PROTO §6.7: there has to be Data, be it empty.
        data: Some(data.unwrap_or(Data::Text(Cow::Borrowed("")))),
        more: false,
    };
    Alert {
        id: Cow::Borrowed(""),
        no_response: false,
        code: code.number().to_string().into(),
        correlator: alert.correlator.clone().filter(|_| generic).map(Cow::Owned),
        items: vec![item],
    }
}
