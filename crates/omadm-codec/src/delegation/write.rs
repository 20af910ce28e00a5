//! Documents as octets, in the order of the schema.

use omadm_mo::Time;

use super::{
    Body, DelegationCancel, DelegationMessage, DelegationNotify, DelegationRequest, DelegationResponse,
    ItemStatus, MAX_TEXT, VERSION, names, time,
};
use crate::xml::{escape, escape_attribute};

impl DelegationMessage {
    /// The document in `namespace`, which is [`super::NAMESPACE`] unless another is configured. [`Body::Unknown`] becomes an element without
    /// content.
    #[must_use]
    pub fn to_xml(&self, namespace: &str) -> String {
        let mut out = Writer(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
        let namespace = escape_attribute(namespace);
        let attributes = format!(" xmlns=\"{namespace}\" {}=\"{VERSION}\"", names::VERSION);
        out.around(names::ROOT, &attributes, |out| {
            out.leaf(names::MSG_ID, &self.msg_id);
            out.time(names::TIMESTAMP, self.timestamp);
            out.leaf(names::FROM, self.from.as_str());
            out.leaf(names::TO, self.to.as_str());
            out.around(self.body.name(), "", |out| match &self.body {
                Body::Request(request) => out.request(request),
                Body::Response(response) => out.response(response),
                Body::Cancel(cancel) => out.cancel(cancel),
                Body::Notify(notify) => out.notify(notify),
                Body::Unknown(_) => {}
            });
        });
        out.0.push('\n');
        out.0
    }
}

struct Writer(String);

impl Writer {
    fn around(&mut self, name: &str, attributes: &str, content: impl FnOnce(&mut Self)) {
        self.0.push_str(&format!("<{name}{attributes}>"));
        content(self);
        self.0.push_str(&format!("</{name}>"));
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.0.push_str(&format!("<{name}>{}</{name}>", escape(text)));
    }

    fn leaves<T: AsRef<str>>(&mut self, name: &str, texts: impl IntoIterator<Item = T>) {
        texts.into_iter().for_each(|text| self.leaf(name, text.as_ref()));
    }

    fn time(&mut self, name: &str, at: Time) {
        self.leaf(name, &time::write(at));
    }

    /// Text for people, cut to what the schema allows.
    fn reason(&mut self, reason: Option<&str>) {
        let cut = reason.map(|text| text.chars().take(MAX_TEXT).collect::<String>());
        self.leaves(names::REASON, cut.filter(|text| !text.trim().is_empty()));
    }

    fn request(&mut self, request: &DelegationRequest) {
        self.leaf(names::DELEGATION_ID, &request.delegation_id);
        self.leaf(names::SERVER_ID, request.server_id.as_str());
        self.leaves(names::DEVICE_ID, request.devices.iter().map(|device| device.as_str()));
        self.leaves(names::MANUFACTURER, &request.manufacturer);
        self.leaves(names::MODEL, &request.model);
        self.leaves(names::TARGET, &request.targets);
        self.leaf(names::RIGHTS, &request.rights.to_string());
        let mode = format!(" {}=\"{}\"", names::MODE, request.mode.as_str());
        self.around(names::TYPE, &mode, |out| out.0.push_str(request.duration.as_str()));
        self.leaves(names::SESSION_ID, &request.session_id);
        if let Some(at) = request.not_before {
            self.time(names::NOT_BEFORE, at);
        }
        if let Some(at) = request.not_after {
            self.time(names::NOT_AFTER, at);
        }
        self.reason(request.reason.as_deref());
    }

    fn response(&mut self, response: &DelegationResponse) {
        self.leaves(names::DELEGATION_ID, &response.delegation_id);
        self.leaf(names::STATUS, &response.status.0.to_string());
        self.reason(response.reason.as_deref());
        self.items(&response.items);
    }

    fn cancel(&mut self, cancel: &DelegationCancel) {
        self.leaf(names::DELEGATION_ID, &cancel.delegation_id);
        self.reason(cancel.reason.as_deref());
    }

    fn notify(&mut self, notify: &DelegationNotify) {
        self.leaf(names::DELEGATION_ID, &notify.delegation_id);
        self.leaf(names::EVENT, notify.event.as_str());
        self.reason(notify.reason.as_deref());
        self.items(&notify.items);
    }

    fn items(&mut self, items: &[ItemStatus]) {
        for item in items {
            self.around(names::ITEM_STATUS, "", |out| {
                out.leaf(names::DEVICE_ID, item.device.as_str());
                out.leaves(names::TARGET, &item.target);
                out.leaves(names::LOC_URI, &item.nodes);
                out.leaf(names::STATUS, &item.status.0.to_string());
                out.reason(item.reason.as_deref());
            });
        }
    }
}
