//! What a server that subscribed to a part of the tree is to be told (`DM 2.0 §5.3.11`).

use omadm_codec::AcceptList;
use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::media_type::DMMO_JSON;
use omadm_mo::{Actor, ClientUri, Operation, OperationError, Query, QueryField, ServerId, Tree};

use super::Body;
use super::accept::{Form, form};
use super::commands::{Data, read};

/// What a look at a part of the tree finds, for one server.
#[derive(Debug)]
pub enum Observed {
    /// Nodes, or none of those that a wildcard means.
    Data(Observation),
    /// The node is gone: an empty report tells it, and the subscription ends with it.
    Gone(Observation),
    /// The address means several nodes for the moment, so there is nothing that could be told.
    Unclear,
    /// The server must not read it any more: the subscription ends.
    Forbidden,
}

/// A part of the tree as a server may see it.
#[derive(Debug)]
pub struct Observation {
    items: Vec<MoItem>,
    /// The value of the only leaf, if that is all there is.
    direct: Option<Data>,
}

/// The body of a report.
#[derive(Debug)]
pub struct Report {
    /// `Content-Type`.
    pub content_type: String,
    /// Body.
    pub body: Body,
}

/// Looks at a part of the tree with the rights of a server.
#[must_use]
pub fn observe(tree: &Tree, server: &ServerId, client: &ClientUri) -> Observed {
    let actor = Actor::Server(server.clone());
    let client = without_limits(client);
    match tree.authorise(&actor, &client, Operation::Get) {
        Ok(found) => {
            let direct = read::single_leaf(tree, &found, &client).and_then(read::direct);
            Observed::Data(Observation { items: read::items(tree, &actor, &found, &client), direct })
        }
        Err(OperationError::NotFound { .. }) => {
            let nothing = Observation { items: Vec::new(), direct: None };
            if client.has_wildcard() { Observed::Data(nothing) } else { Observed::Gone(nothing) }
        }
        Err(OperationError::Several { .. }) => Observed::Unclear,
        Err(_) => Observed::Forbidden,
    }
}

/// lv and cv are for GET, HPUT and HPOST (`DM 2.0 §6.1.1.3`); a report is the whole sub-tree.
fn without_limits(client: &ClientUri) -> ClientUri {
    let fields = client.query.0.iter();
    let fields = fields.filter(|field| !matches!(field, QueryField::Level(_) | QueryField::Validator(_)));
    ClientUri { query: Query(fields.cloned().collect()), ..client.clone() }
}

impl Observation {
    /// Octets that are the same as long as nothing has changed in what the server sees. Cache validators are left out: they change
    /// with parts of the instance that were not subscribed to.
    #[must_use]
    pub fn state(&self) -> Body {
        let plain: Vec<MoItem> = self.items.iter().map(|item| MoItem { cv: None, ..item.clone() }).collect();
        let mut body = Vec::new();
        mo_data::encode(&plain, &mut body);
        body.into()
    }

    /// The report in a form that the receiver accepts, by the `OMADM-Accept` that it gave if it did; `None` when it accepts nothing
    /// that there is.
    #[must_use]
    pub fn report(&self, accept: Option<&str>) -> Option<Report> {
        let list = accept.and_then(|text| AcceptList::parse(text).ok());
        let chosen = form(list.as_ref(), self.direct.as_ref().map(read::essence))?;
        match (chosen, &self.direct) {
            (Form::Direct, Some(data)) => {
                Some(Report { content_type: data.content_type.clone(), body: data.body.clone() })
            }
            (Form::Direct | Form::MoData, _) => {
                let mut body = Vec::new();
                mo_data::encode(&self.items, &mut body);
                Some(Report { content_type: DMMO_JSON.into(), body: body.into() })
            }
        }
    }
}
