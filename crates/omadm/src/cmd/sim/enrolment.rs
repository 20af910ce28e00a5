//! Enrolling the virtual devices, and removing them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::progress;
use crate::api::{Api, ApiError};
use crate::cmd::device;
use crate::failure::Failure;

/// Devices per request, the limit of the API.
const BATCH: u32 = 1_000;

/// A device with its credentials.
#[derive(Clone)]
pub struct Enrolled {
    /// Identifier.
    pub id: String,
    /// User name for HTTP Basic.
    pub user: String,
    /// Secret for HTTP Basic.
    pub secret: Zeroizing<String>,
    /// Where the server is for DM 1.x, if it speaks that.
    pub dm1_uri: Option<String>,
}

/// Enrols `count` devices under names that no earlier run has used; those that are enrolled stand in `enrolled`, whatever happens then.
pub async fn enrol(api: &Api, count: u32, enrolled: &mut Vec<Enrolled>) -> Result<(), Failure> {
    let run = jiff::Timestamp::now().as_microsecond();
    let bar = progress("enrolling", u64::from(count));
    let mut begin = 0;
    while begin < count {
        let end = begin.saturating_add(BATCH).min(count);
        let devices: Vec<Value> =
            (begin..end).map(|n| json!({ "id": format!("SIM:{run:x}-{n:06}") })).collect();
        let answer = api.post("/devices/batch", &json!({ "devices": devices }), Duration::ZERO).await?;
        enrolled.extend(credentials(&answer)?);
        bar.set_position(u64::from(end));
        begin = end;
    }
    bar.finish_and_clear();
    Ok(())
}

fn credentials(answer: &Value) -> Result<Vec<Enrolled>, Failure> {
    let items = answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .map(|item| {
            let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
            let dm1_uri = item.pointer("/dm1/0/server_uri").and_then(Value::as_str).map(str::to_owned);
            match (text("id"), text("user"), text("secret")) {
                (Some(id), Some(user), Some(secret)) => {
                    Ok(Enrolled { id, user, secret: secret.into(), dm1_uri })
                }
                _ => Err(Failure::Failed(
                    "the server enrolled a device without saying its credentials".to_owned(),
                )),
            }
        })
        .collect()
}

/// Removes the devices, `workers` at a time.
pub async fn remove(api: &Arc<Api>, enrolled: Vec<Enrolled>, workers: usize) -> Result<(), Failure> {
    let bar = progress("removing", enrolled.len() as u64);
    let ids: Arc<[String]> = enrolled.into_iter().map(|device| device.id).collect();
    let mut tasks = JoinSet::new();
    for worker in 0..workers {
        let (api, ids, bar) = (Arc::clone(api), Arc::clone(&ids), bar.clone());
        tasks.spawn(async move {
            for id in ids.iter().skip(worker).step_by(workers) {
                api.delete(&device::path(id)).await?;
                bar.inc(1);
            }
            Ok::<(), ApiError>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| Failure::Failed(format!("a worker stopped: {error}")))??;
    }
    bar.finish_and_clear();
    Ok(())
}
