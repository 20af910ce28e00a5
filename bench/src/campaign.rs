//! A campaign over a large group, by a real server: how fast it reaches devices, and what that costs in memory.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::figure::Figure;
use crate::large::enrol;
use crate::measure::Effort;
use crate::memory::Operator;
use crate::processes::Server;
use crate::{Error, Result};

const SCENARIO: &str = "campaign";
/// Devices of the campaign.
const DEVICES: usize = 100_000;
/// The same when it has to be quick.
const DEVICES_QUICK: usize = 2_000;
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// One campaign with one command for each device.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let devices = if effort.full { DEVICES } else { DEVICES_QUICK };
    let server = Server::start()?;
    enrol(&server, devices)?;
    let before = server.process.resident()? as f64 / 1e6;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (took, most) = runtime.block_on(advance(&server, devices))?;
    let what = format!("campaign over {devices} devices");
    Ok(vec![
        Figure::new(SCENARIO, format!("{what}: all reached after"), took, "s"),
        Figure::new(SCENARIO, format!("{what}: devices reached"), devices as f64 / took, "/s"),
        Figure::new(SCENARIO, "memory of the server before it", before, "MB"),
        Figure::new(SCENARIO, "most memory of the server during it", most, "MB"),
    ])
}

/// Makes a campaign and waits until it has reached all devices; how many seconds that took, and the most memory in MB.
async fn advance(server: &Server, devices: usize) -> Result<(f64, f64)> {
    let operator = Operator::new(server)?;
    let command = json!({ "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2//DevID" });
    let spec = json!({ "name": "bench", "change": { "command": command } });
    let (status, made) = operator.send(Method::POST, "/campaigns", &spec).await?;
    let id = made.get("id").and_then(Value::as_str);
    let id = id.ok_or_else(|| Error::from(format!("no campaign was made: {status} {made}")))?;
    let path = format!("/campaigns/{id}");
    let began = Instant::now();
    let (status, answer) = operator.send(Method::POST, &format!("{path}/start"), &json!({})).await?;
    if !status.is_success() {
        return Err(format!("the campaign does not start: {status} {answer}").into());
    }
    let mut most: f64 = 0.0;
    loop {
        most = most.max(server.process.resident()? as f64 / 1e6);
        let (_, shown) = operator.send(Method::GET, &path, &Value::Null).await?;
        let reached = shown.pointer("/devices/total").and_then(Value::as_u64).unwrap_or_default();
        if reached >= devices as u64 {
            return Ok((began.elapsed().as_secs_f64(), most));
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{reached} of {devices} devices after {} s", PATIENCE.as_secs()).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}
