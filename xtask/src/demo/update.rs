//! A component of each agent, updated by a campaign: two slots in the folder of the demo, and a package that the server keeps. Nothing of the
//! machine itself is touched.

use std::path::PathBuf;
use std::process::Command;

use super::operator::Operator;
use super::process::wait_until;
use super::{PATIENCE, Place, on, say};
use crate::workspace::Result;

/// Its name on the server and on the agents.
const COMPONENT: &str = "component";
/// The version that both agents have at first, and the one that they are brought.
const OLD: &str = "1.0";
const NEW: &str = "2.0";
const VERSION: &str = "urn:oma:mo:oma-fumo:1.0//Ext/Version";

impl Place {
    /// Puts the old version into the first slot of an agent, and gives what its configuration says of them.
    pub(super) fn component(&self, agent: &str) -> Result<String> {
        let slots = self.path(&format!("{agent}-component"));
        for slot in ["a", "b"] {
            std::fs::create_dir_all(slots.join(slot))?;
        }
        std::fs::write(slots.join("a/version"), OLD)?;
        std::os::unix::fs::symlink("a", slots.join("current"))?;
        let at = |name: &str| slots.join(name).display().to_string();
        Ok(format!(
            "\n[packages]\nunsigned = [{COMPONENT:?}]\n\n[firmware]\nmethod = \"slots\"\nslots = [{:?}, {:?}]\npointer = {:?}\n\
             unpack = [\"tar\", \"--extract\", \"--file\", \"{{package}}\", \"--directory\", \"{{slot}}\"]\nversion_file = {:?}\n",
            at("a"),
            at("b"),
            at("current"),
            at("current/version"),
        ))
    }

    /// Packs the new version.
    fn package(&self) -> Result<PathBuf> {
        let (content, package) = (self.path("component-2.0"), self.path("component-2.0.tar"));
        std::fs::create_dir_all(&content)?;
        std::fs::write(content.join("version"), NEW)?;
        let mut tar = Command::new("tar");
        tar.arg("--create").arg("--file").arg(&package).arg("--directory").arg(&content).arg(".");
        match tar.status()? {
            status if status.success() => Ok(package),
            status => Err(format!("tar ended with {status}").into()),
        }
    }
}

/// One campaign over both devices; says what it brought.
pub(super) fn walk_through(place: &Place, operator: &Operator, devices: &[&str]) -> Result<String> {
    say("updating a component of both agents by one campaign, over DM 2.0 and DM 1.3");
    for device in devices {
        expect(operator, device, OLD)?;
    }
    let package = place.package()?.display().to_string();
    let words =
        ["package", "add", &package, "--kind", "firmware", "--name", COMPONENT, "--package-version", NEW];
    operator.show(&words)?;
    let stored = operator.json(&["package", "ls"])?;
    let id =
        stored.pointer("/0/id").and_then(serde_json::Value::as_str).ok_or("the package has no identifier")?;
    let name = format!("{COMPONENT} {NEW}");
    let campaign = serde_json::json!({ "name": name, "change": { "firmware": { "package": id } } });
    let file = place.path("campaign.json");
    std::fs::write(&file, campaign.to_string())?;
    operator.show(&["campaign", "new", &file.display().to_string(), "--start"])?;
    wait_until("the campaign", PATIENCE * 2, || {
        let shown = operator.json(&["campaign", "show", &name])?;
        match shown.get("state").and_then(serde_json::Value::as_str) {
            Some("done") => Ok(true),
            Some("stopped" | "failed") => Err(format!("the campaign did not go well: {shown}").into()),
            _ => Ok(false),
        }
    })?;
    operator.show(&["campaign", "report", &name])?;
    for device in devices {
        expect(operator, device, NEW)?;
    }
    Ok(format!("the component of both agents from {OLD} to {NEW}, by the campaign {name:?}"))
}

/// Has the server ask a device for the version of its component.
fn expect(operator: &Operator, device: &str, version: &str) -> Result {
    let words = on(device, &["get", VERSION]);
    operator.show(&words)?;
    let found = operator.json(&words)?;
    match found.pointer("/result/items/0/value").and_then(serde_json::Value::as_str) {
        Some(found) if found == version => Ok(()),
        other => Err(format!("the component of {device} has the version {other:?}, not {version}").into()),
    }
}
