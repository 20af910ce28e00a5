//! `omadm-agent provision`

use std::process::ExitCode;

use omadm_mo::Moid;
use serde_json::json;

use super::runtime;
use crate::cli::Output;
use crate::error::AgentError;
use crate::local;
use crate::output;
use crate::setup::Setup;

/// Prints the instances of a management object, after they were fetched from where DEFAULT said if there are none; by the agent
/// that runs, or by this process.
pub fn run(setup: &Setup, moid: &str, format: Output) -> Result<ExitCode, AgentError> {
    let moid = Moid::parse(moid).map_err(|error| AgentError::Refused(error.to_string()))?;
    let (instances, fetched) = runtime()?.block_on(async {
        if let Some(answer) = local::provision(&setup.data_dir, moid.as_str()).await? {
            return Ok::<_, AgentError>(answer);
        }
        let provisioned = setup.client(setup.open()?)?.provision(&moid).await?;
        let instances = provisioned.instances.iter().map(ToString::to_string).collect();
        Ok((instances, provisioned.fetched))
    })?;
    match format {
        Output::Json => output::json(&json!({ "instances": instances, "fetched": fetched })),
        Output::Table => instances.iter().for_each(|address| println!("{address}")),
    }
    Ok(ExitCode::SUCCESS)
}
