//! An item of a command as the engine works with it: owned, with the Meta that holds for it, and its data as a value.

use omadm_codec::dm1::{Data, Item, Meta};
use omadm_codec::{Leniency, Tolerance};
use omadm_mo::dm1::{Dm1Uri, NewNode};
use omadm_mo::{Format, Value};

use super::config::Config;
use super::fault::Fault;

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) target: Option<String>,
    pub(super) source: Option<String>,
    /// `Format` as written.
    pub(super) format: Option<String>,
    /// `Type`.
    pub(super) media_type: Option<String>,
    /// `Data` as carried: text, or octets of OPAQUE.
    pub(super) value: Option<Value>,
}

/// The Meta of an element, with that of the elements around it where it says nothing (`DM 1.3 REPPRO §7.3`).
#[derive(Clone, Debug, Default)]
pub(super) struct Inherited {
    format: Option<String>,
    media_type: Option<String>,
}

impl Inherited {
    pub(super) fn with(&self, meta: &Meta<'_>) -> Self {
        let format = meta.format.as_deref().map(str::to_owned);
        let media_type = meta.media_type.as_deref().map(|text| text.trim().to_owned());
        Self {
            format: format.or_else(|| self.format.clone()),
            media_type: media_type.or_else(|| self.media_type.clone()),
        }
    }
}

impl Request {
    pub(super) fn new(item: Item<'_>, around: &Inherited) -> Self {
        let Inherited { format, media_type } = around.with(&item.meta);
        Self {
            target: item.target.map(std::borrow::Cow::into_owned),
            source: item.source.map(std::borrow::Cow::into_owned),
            format,
            media_type,
            value: item.data.map(carried),
        }
    }

    /// The address that the command is about.
    pub(super) fn target(&self, config: &Config, leniency: &mut Leniency) -> Result<Dm1Uri, Fault> {
        address(self.target.as_deref().ok_or(Fault::NoAddress("Target"))?, config, leniency)
    }

    /// The address that a Copy takes from.
    pub(super) fn source(&self, config: &Config, leniency: &mut Leniency) -> Result<Dm1Uri, Fault> {
        address(self.source.as_deref().ok_or(Fault::NoAddress("Source"))?, config, leniency)
    }

    pub(super) fn format(&self) -> Result<Option<Format>, Fault> {
        let parse = |text: &String| Format::parse(text).ok_or_else(|| Fault::UnknownFormat(text.clone()));
        self.format.as_ref().map(parse).transpose()
    }

    /// What Add and Replace give to a node.
    pub(super) fn node(&self) -> Result<NewNode, Fault> {
        Ok(NewNode { format: self.format()?, media_type: self.media_type.clone(), value: self.value.clone() })
    }
}

fn address(text: &str, config: &Config, leniency: &mut Leniency) -> Result<Dm1Uri, Fault> {
    let uri = Dm1Uri::parse(text, &config.uri_limits, config.strict)?;
    leniency.used.extend(uri.departures().iter().copied().map(Tolerance::from));
    Ok(uri)
}

/// Data as carried.
pub(super) fn carried(data: Data<'_>) -> Value {
    match data {
        Data::Text(text) => Value::Text(text.into_owned()),
        Data::Opaque(octets) => Value::Bytes(octets.into_owned()),
    }
}
