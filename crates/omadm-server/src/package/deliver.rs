//! From a package to what a device is told to do with it (`FUMO 1.0`, `SCOMO 1.0`). Its result codes become sentences where results of
//! executions are taken (`omadm_session::result_code`).
//!
//! The addresses are those of the objects' DDF files (`ddf/oma_fumo-v1_0.ddf`, `ddf/oma_scomo-v1_0.ddf`). What the standard has no place
//! for, digest and signature, goes below `Ext`; a device without these nodes refuses them, and goes on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_mo::Time;
use omadm_store::{NewCommand, Package, PackageKind};
use serde_json::json;

use crate::context::Context;
use crate::operation::{Operation, Part, Request};

/// MOID of the firmware update object.
pub const FUMO: &str = "urn:oma:mo:oma-fumo:1.0";
/// MOID of the software component object.
pub const SCOMO: &str = "urn:oma:mo:oma-scomo:1.0";

/// The node of `Download` for every package: a device that has it from the start needs no `Add` of it. One delivery after the other uses it,
/// and none begins before the device has answered the `exec` of the one before, by when it has taken the values.
const DOWNLOAD: &str = "Package";

/// What a device is told so that it gets and installs a package, in order; the last one reports the end.
///
/// # Errors
/// One sentence on why it cannot be said.
pub fn operations(context: &Context, package: &Package, now: Time) -> Result<Vec<Operation>, String> {
    context.packages.check_delivery(package)?;
    let url = context.packages.address(&context.public_url, package.id, now);
    let (settings, exec) = match package.kind {
        PackageKind::Firmware => firmware(package, &url),
        PackageKind::Software => software(package, &url),
    };
    let set = |(address, value): (String, serde_json::Value)| {
        let request = Request {
            verb: "set".to_owned(),
            address: Some(address),
            value: Some(value),
            ..Request::default()
        };
        Operation::from_request(request, usize::MAX).map(|(operation, _)| operation)
    };
    let mut operations = settings.into_iter().map(set).collect::<Result<Vec<_>, _>>()?;
    operations.push(Operation::Exec { address: exec, later: true });
    Ok(operations)
}

/// Ties the commands of a delivery together, of which the last one is sent once those before it are done. What the standard has no place for
/// a device can do without.
pub fn tie(commands: &mut [NewCommand]) {
    let Some((last, settings)) = commands.split_last_mut() else { return };
    let needed = settings.iter().filter(|setting| !is_extra(&setting.address));
    let needs = needed.map(|setting| setting.id).collect();
    for setting in settings {
        Part { of: last.id, needs: Vec::new() }.add_to(&mut setting.args);
    }
    Part { of: last.id, needs }.add_to(&mut last.args);
}

/// Whether an address of a delivery is of what the standard has no place for.
pub fn is_extra(address: &str) -> bool {
    address.contains("/Ext/")
}

type Settings = Vec<(String, serde_json::Value)>;

fn firmware(package: &Package, url: &str) -> (Settings, String) {
    let at = |path: &str| format!("{FUMO}//{path}");
    let mut settings = vec![
        (at("PkgName"), json!(package.name)),
        (at("PkgVersion"), json!(package.version)),
        (at("DownloadAndUpdate/PkgURL"), json!(url)),
    ];
    settings.extend(proofs(package).into_iter().map(|(name, value)| (at(&format!("Ext/{name}")), value)));
    (settings, at("DownloadAndUpdate"))
}

fn software(package: &Package, url: &str) -> (Settings, String) {
    let at = |path: &str| format!("{SCOMO}//Download/{DOWNLOAD}/{path}");
    let mut settings = vec![
        (at("PkgID"), json!(package.name)),
        (at("Name"), json!(package.name)),
        (at("PkgURL"), json!(url)),
        (at("PkgType"), json!(package.content_type)),
    ];
    settings.extend(proofs(package).into_iter().map(|(name, value)| (at(&format!("Ext/{name}")), value)));
    settings.push((at("Ext/Version"), json!(package.version)));
    (settings, at("Operations/DownloadInstall"))
}

/// What the device holds against what it has fetched.
fn proofs(package: &Package) -> Vec<(&'static str, serde_json::Value)> {
    let signature = package.signature.as_ref().map(|octets| STANDARD.encode(octets)).unwrap_or_default();
    vec![("SHA256", json!(package.digest)), ("Signature", json!(signature)), ("Size", json!(package.size))]
}

/// A name as a node may have it: letters, digits, `-`, `_` and `.`; other characters become `_`.
pub fn node_name(name: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    name.chars().take(64).map(|character| if plain(character) { character } else { '_' }).collect()
}

/// SHA-256 of a package.
pub fn digest(package: &Package) -> Vec<u8> {
    let digits = package.digest.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    digits.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// SHA-256 of a package in base64.
pub fn base64_digest(package: &Package) -> String {
    STANDARD.encode(digest(package))
}

/// What the thing is that a package changes: all firmware is one thing, each software component is one.
pub fn target(package: &Package) -> String {
    match package.kind {
        PackageKind::Firmware => "firmware".to_owned(),
        PackageKind::Software => format!("software {}", package.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(kind: PackageKind) -> Package {
        Package {
            id: uuid::Uuid::from_u128(7),
            name: "net tools/1".to_owned(),
            version: "2.1".to_owned(),
            kind,
            model: None,
            content_type: "application/x-deb".to_owned(),
            size: 5,
            digest: "00ff".repeat(16),
            signature: Some(vec![1, 2, 3]),
            signed_by: None,
            created: Time(0),
            created_by: String::new(),
        }
    }

    #[test]
    fn firmware_is_named_and_proved_before_it_is_asked_for() {
        let (settings, exec) = firmware(&package(PackageKind::Firmware), "https://x/p");
        assert_eq!(exec, "urn:oma:mo:oma-fumo:1.0//DownloadAndUpdate");
        let value = |path: &str| {
            let at = format!("{FUMO}//{path}");
            settings.iter().find(|(address, _)| *address == at).map(|(_, value)| value.clone())
        };
        assert_eq!(value("DownloadAndUpdate/PkgURL"), Some(json!("https://x/p")));
        assert_eq!(value("Ext/Signature"), Some(json!("AQID")));
        assert_eq!(value("Ext/Size"), Some(json!(5)));
    }

    #[test]
    fn software_is_offered_in_the_node_that_devices_have() {
        let (settings, exec) = software(&package(PackageKind::Software), "https://x/p");
        assert_eq!(exec, "urn:oma:mo:oma-scomo:1.0//Download/Package/Operations/DownloadInstall");
        assert!(settings.iter().all(|(at, _)| at.starts_with("urn:oma:mo:oma-scomo:1.0//Download/Package/")));
        assert_eq!(base64_digest(&package(PackageKind::Software)).len(), 44);
    }
}
