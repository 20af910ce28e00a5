//! Factory bootstraps: what a device has to know to find and trust this server (`DM 2.0 §8.2, §8.5, §12.2`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use omadm_auth::StoredCredential;
use omadm_codec::dm2::{MoItem, mo_data};
use omadm_mo::{Content, NodeName, Value, well_known};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::devices::{NewDevice, Prepared, enrol_all};
use super::known_device;
use super::problem::{Body, Problem};
use super::tokens::Operator;
use super::views::Device;
use crate::context::Context;
use crate::ddfs::DMACC_FILE;
use crate::device;

/// Most MOIDs in a bootstrap.
const MAX_MOIDS: usize = 1_000;

/// A bootstrap to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBootstrap {
    /// The device; it is enrolled with a fresh secret.
    device: Target,
    /// Management objects that this server may use, by MOID; `*` is all. Default `["*"]`.
    moids: Option<Vec<String>>,
    /// Name of the server for the device's user. Default: the configured one.
    name: Option<String>,
}

/// The device of a bootstrap.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its DevID.
    id: String,
    /// A name for people.
    label: Option<String>,
    /// Let it use its secret as a pre-shared key in TLS, for which the secret itself has to be kept.
    #[serde(default)]
    psk: bool,
    /// Start anew if it is enrolled already.
    #[serde(default)]
    replace: bool,
}

/// A bootstrap that was made.
#[derive(Serialize, ToSchema)]
pub struct Bootstrap {
    device: Device,
    /// MO data (`application/dmmo+json`) with the DM account. It holds the device's secret and is shown this once.
    #[schema(value_type = Vec<Object>)]
    bootstrap: serde_json::Value,
    /// The authority that the device has to trust for TLS; null if its system already does.
    ca_pem: Option<String>,
}

/// Enrols a device and makes its factory bootstrap.
#[utoipa::path(post, path = "/bootstrap", request_body = NewBootstrap, tag = "bootstrap",
    responses((status = 201, body = Bootstrap), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Body(new): Body<NewBootstrap>,
) -> Result<(StatusCode, Json<Bootstrap>), Problem> {
    let Target { id, label, psk, replace } = new.device;
    let prepared = [Prepared::new(NewDevice::with_new_secret(id, label, psk, replace))?];
    let [one] = &prepared;
    let moids = new.moids.unwrap_or_else(|| vec!["*".to_owned()]);
    let name = new.name.unwrap_or_else(|| context.config.server.name.clone());
    let bootstrap = mo_data_of(&context, one, &moids, &name)?;
    enrol_all(&context, &prepared, &operator).await?;
    let device = Device::full(known_device(&context, one.enrolment.device.as_str()).await?, None);
    let made = Bootstrap { device, bootstrap, ca_pem: context.authority.clone() };
    Ok((StatusCode::CREATED, Json(made)))
}

fn mo_data_of(
    context: &Context,
    device: &Prepared,
    moids: &[String],
    name: &str,
) -> Result<serde_json::Value, Problem> {
    if moids.is_empty() || moids.len() > MAX_MOIDS {
        return Err(Problem::bad(format!("moids has 1 to {MAX_MOIDS} entries")));
    }
    for moid in moids.iter().filter(|moid| *moid != "*") {
        omadm_mo::Moid::parse(moid).map_err(|error| Problem::bad(format!("moids: {error}")))?;
    }
    let id = &context.config.server.id;
    let item = MoItem {
        ddf: Some(format!("{}/ddf/{DMACC_FILE}", context.public_url)),
        // A new instance; the label proposes its MIID.
        client_uri: format!("{}//", well_known::DMACC),
        cv: None,
        label: id.clone(),
        content: account(context, device, moids, name)?,
    };
    let mut octets = Vec::new();
    mo_data::encode(&[item], &mut octets);
    serde_json::from_slice(&octets)
        .map_err(|error| Problem::bad(format!("the bootstrap cannot be written: {error}")))
}

/// The DM account of this server (`DM 2.0 §12.2`).
fn account(context: &Context, device: &Prepared, moids: &[String], name: &str) -> Result<Content, Problem> {
    let text = |text: &str| Content::Leaf(Value::Text(text.to_owned()));
    let octets = |octets: &[u8]| Content::Leaf(Value::Bytes(octets.to_vec()));
    let permissions = moids
        .iter()
        .zip(1..)
        .map(|(moid, number)| Ok((node(&number.to_string())?, interior([("MOID", text(moid))])?)))
        .collect::<Result<_, Problem>>()?;
    let transport = interior([
        ("Data", octets(device.enrolment.user.as_bytes())),
        ("Secret", octets(device.secret.expose())),
    ])?;
    let mut auth = vec![("Trsp", transport)];
    let stored = StoredCredential::read(&device.enrolment.verifier);
    if let Some(credentials) = stored.and_then(|stored| stored.notification()) {
        let notification = interior([
            // SHA-256, the only one there is.
            ("Type", Content::Leaf(Value::Int(0))),
            ("Data", octets(credentials.data().expose())),
            ("Secret", octets(credentials.secret().expose())),
        ])?;
        auth.push(("Noti", notification));
    }
    let mut account = vec![
        ("SrvID", text(&context.config.server.id)),
        ("SrvURI", text(&context.device_uri())),
        ("Name", text(name)),
        ("Perm", Content::Interior(permissions)),
        ("Auth", interior(auth)?),
    ];
    if let Some(sender) = &context.config.cloud.sender_id {
        account.push(("Push", interior([("GCM", cloud(context, sender)?)])?));
    }
    interior(account)
}

/// Where the device registers for cloud messaging (`DM 2.0 §12.2, §E.2.3`).
fn cloud(context: &Context, sender: &str) -> Result<Content, Problem> {
    let text = |text: String| Content::Leaf(Value::Text(text));
    let at = |path: &str| text(format!("{}{path}", context.public_url));
    let mut nodes = vec![
        ("SenderID", text(sender.to_owned())),
        ("RegURI", at(device::REGISTER_PATH)),
        ("UnRegURI", at(device::UNREGISTER_PATH)),
    ];
    nodes.extend(context.config.cloud.parameters.clone().map(|parameters| ("RegParams", text(parameters))));
    interior(nodes)
}

fn interior<'a>(children: impl IntoIterator<Item = (&'a str, Content)>) -> Result<Content, Problem> {
    let children = children.into_iter().map(|(name, content)| Ok((node(name)?, content)));
    Ok(Content::Interior(children.collect::<Result<_, Problem>>()?))
}

fn node(name: &str) -> Result<NodeName, Problem> {
    NodeName::parse(name).map_err(|error| Problem::bad(error.to_string()))
}
