//! `omadm delegation`: devices handed to other servers, and taken from them.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::api::{Api, Query, segment};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Give other servers rights on devices, and get rights from them.
#[derive(Debug, Subcommand)]
pub enum Delegation {
    /// List delegations, newest first.
    Ls {
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show a delegation with its devices.
    Show {
        /// Its identifier.
        id: String,
    },
    /// Offer rights of ours to another server.
    Offer(Terms),
    /// Ask another server for rights of its own.
    Ask(Terms),
    /// Agree to what another server asks for, or offers.
    Approve {
        /// Its identifier.
        id: String,
    },
    /// Refuse what another server asks for, or offers.
    Reject {
        /// Its identifier.
        id: String,
        /// Why, for people.
        #[arg(long)]
        reason: Option<String>,
    },
    /// End a delegation, from either side; the rights are taken back.
    Cancel {
        /// Its identifier.
        id: String,
        /// Why, for people.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Give back what this server was delegated.
    Release {
        /// Its identifier.
        id: String,
    },
    /// Show the other servers, and by what they know this one.
    Peers,
}

/// A right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Right {
    Add,
    Get,
    Replace,
    Delete,
    Exec,
}

/// What is to be delegated.
#[derive(Debug, Args)]
pub struct Terms {
    /// Server Identifier of the other server.
    peer: String,
    /// A device; more by repeating this.
    #[arg(long = "device", value_name = "ID", required = true)]
    devices: Vec<String>,
    /// A path (./A/B), a MOID for all its instances, or a ClientURI; more by repeating this.
    #[arg(long = "target", value_name = "ADDRESS", required = true)]
    targets: Vec<String>,
    /// A right; more by repeating this, or with commas between them.
    #[arg(long = "right", value_name = "RIGHT", value_enum, required = true, value_delimiter = ',')]
    rights: Vec<Right>,
    /// Nobody else keeps these rights for that time.
    #[arg(long)]
    exclusive: bool,
    /// When it begins, such as 2026-11-21T06:40:00Z; at once if not given.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// When it ends; permanent if not given.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// For one session, by its identifier in hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    session: Option<String>,
    /// Manufacturer that all devices have to be of.
    #[arg(long)]
    manufacturer: Option<String>,
    /// Model that all devices have to be of.
    #[arg(long)]
    model: Option<String>,
    /// Why, for people.
    #[arg(long)]
    reason: Option<String>,
}

impl Right {
    fn as_str(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Get => "Get",
            Self::Replace => "Replace",
            Self::Delete => "Delete",
            Self::Exec => "Exec",
        }
    }
}

impl Delegation {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let (api, output) = (global.api()?, global.output);
        match self {
            Self::Ls { limit } => {
                let items = api.list("/delegations", &Query::new(), Some(limit)).await?;
                list(output, &items)
            }
            Self::Show { id } => show(&api, output, &id).await,
            Self::Offer(terms) => {
                told(output, &api.post("/delegations", &terms.body("offer"), Duration::ZERO).await?)
            }
            Self::Ask(terms) => {
                told(output, &api.post("/delegations", &terms.body("ask"), Duration::ZERO).await?)
            }
            Self::Approve { id } => act(&api, output, &id, "approve", &json!({})).await,
            Self::Reject { id, reason } => {
                act(&api, output, &id, "reject", &json!({ "reason": reason })).await
            }
            Self::Cancel { id, reason } => {
                act(&api, output, &id, "cancel", &json!({ "reason": reason })).await
            }
            Self::Release { id } => act(&api, output, &id, "release", &json!({})).await,
            Self::Peers => peers(output, &api.get("/delegations/peers").await?),
        }
    }
}

impl Terms {
    fn body(self, what: &str) -> Value {
        let rights: Vec<&str> = self.rights.iter().map(|right| right.as_str()).collect();
        json!({
            "peer": self.peer, "what": what, "devices": self.devices, "targets": self.targets, "rights": rights,
            "exclusive": self.exclusive, "not_before": self.from, "not_after": self.until, "session_id": self.session,
            "manufacturer": self.manufacturer, "model": self.model, "reason": self.reason,
        })
    }
}

fn path(id: &str) -> String {
    format!("/delegations/{}", segment(id))
}

async fn act(api: &Api, output: Format, id: &str, what: &str, body: &Value) -> Result<(), Failure> {
    told(output, &api.post(&format!("{}/{what}", path(id)), body, Duration::ZERO).await?)
}

/// A member as text; empty if there is none.
fn text(item: &Value, name: &str) -> String {
    match item.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn words(item: &Value, name: &str) -> String {
    let words = item.get(name).and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// One sentence on how a delegation stands.
fn told(output: Format, delegation: &Value) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(delegation);
    }
    let (id, state, peer) = (text(delegation, "id"), text(delegation, "state"), text(delegation, "peer"));
    screen::line(&format!("Delegation {id} with {} is {state}.", screen::clean(&peer)))
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        let state = match item.get("to_decide").and_then(Value::as_bool) {
            Some(true) => "requested, to decide".to_owned(),
            _ => text(item, "state"),
        };
        let updated = screen::age(&text(item, "updated"), now);
        vec![
            text(item, "id"),
            text(item, "role"),
            text(item, "peer"),
            state,
            words(item, "targets"),
            text(item, "rights"),
            updated,
        ]
    });
    let header = ["DELEGATION", "ROLE", "PEER", "STATE", "TARGETS", "RIGHTS", "CHANGED"];
    screen::table(&header, rows.collect(), "There is no delegation. Try: omadm delegation peers")
}

async fn show(api: &Api, output: Format, id: &str) -> Result<(), Failure> {
    let delegation = api.get(&path(id)).await?;
    let devices = api.list(&format!("{}/devices", path(id)), &Query::new(), None).await?;
    if output == Format::Json {
        return screen::json(&json!({ "delegation": delegation, "devices": devices }));
    }
    told(output, &delegation)?;
    let mode = if delegation.get("exclusive") == Some(&json!(true)) { "exclusive" } else { "shared" };
    let facts = [
        ("Role", text(&delegation, "role")),
        ("Targets", words(&delegation, "targets")),
        ("Rights", format!("{}, {mode}", text(&delegation, "rights"))),
        ("From", text(&delegation, "not_before")),
        ("Until", text(&delegation, "not_after")),
        ("Session", text(&delegation, "session_id")),
        ("Approved by", text(&delegation, "approved_by")),
        ("Certificate", text(&delegation, "certificate")),
        ("Reason", text(&delegation, "reason")),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        screen::line(&format!("{name:<12} {}", screen::clean(value)))?;
    }
    let rows = devices.iter().map(|device| {
        let nodes = device.get("nodes").and_then(Value::as_array).into_iter().flatten();
        let nodes: Vec<String> = nodes.map(|node| text(node, "node")).collect();
        vec![text(device, "device"), text(device, "state"), nodes.join(", "), text(device, "reason")]
    });
    screen::table(&["DEVICE", "STATE", "NODES", "REASON"], rows.collect(), "It has no device.")
}

fn peers(output: Format, peers: &Value) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(peers);
    }
    let own = |name| screen::clean(&text(peers, name));
    screen::line(&format!("This server is {}; others know it by", own("server_id")))?;
    screen::line(&format!("  pin = \"{}\"", own("pin")))?;
    let listed = peers.get("peers").and_then(Value::as_array).into_iter().flatten();
    let flag =
        |peer: &Value, name| if peer.get(name) == Some(&json!(true)) { "yes" } else { "no" }.to_owned();
    let rows = listed.map(|peer| {
        let contract = text(peer, "contract");
        let contract = if contract.is_empty() { "an operator decides".to_owned() } else { contract };
        let (offers, passes) = (flag(peer, "accept_offers"), flag(peer, "allow_redelegation"));
        vec![text(peer, "server_id"), text(peer, "url"), contract, offers, passes]
    });
    let header = ["PEER", "URL", "GETS BY ITSELF", "OFFERS TAKEN", "MAY PASS ON"];
    screen::table(&header, rows.collect(), "There is no other server; name them in delegation.peers.")
}
