//! Firmware.

use std::process::Command;

use openssl::sha::sha256;
use serde_json::{Value, json};

use crate::harness::{Device, wait_for};

const FIRMWARE: &str = "urn:oma:mo:oma-fumo:1.0//";
const UPDATED: &str = "org.openmobilealliance.dm.firmwareupdate.downloadandupdate";

const SLOTS: &str = "[firmware]\nmethod = \"slots\"\nslots = [\"{dir}/a\", \"{dir}/b\"]\npointer = \"{dir}/current\"\nunpack = [\"tar\", \"--extract\", \"--file\", \"{package}\", \"--directory\", \"{slot}\"]\nversion_file = \"{dir}/current/version\"\nrestart = [\"touch\", \"{dir}/restarted\"]\n";

/// A component with a version, as a package.
fn archive(version: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("version"), version).unwrap();
    // Large enough that a connection can break in the middle.
    let noise: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    std::fs::write(directory.path().join("program"), noise).unwrap();
    let output = Command::new("tar")
        .args(["--create", "--directory"])
        .arg(directory.path())
        .arg(".")
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

fn slots(device: &Device) {
    for name in ["a", "b"] {
        std::fs::create_dir(device.path(name)).unwrap();
    }
    std::fs::write(device.path("a/version"), "1.0").unwrap();
    std::os::unix::fs::symlink("a", device.path("current")).unwrap();
}

fn version(device: &Device) -> String {
    std::fs::read_to_string(device.path("current/version")).unwrap()
}

fn update(device: &Device, package: &[u8]) -> Value {
    let mut commands = device.offer(
        package,
        "urn:oma:mo:oma-fumo:1.0/",
        "DownloadAndUpdate/PkgURL",
        &[("PkgName", "component"), ("PkgVersion", "2.0")],
    );
    commands.push(json!(["EXEC", format!("{FIRMWARE}DownloadAndUpdate")]));
    json!(commands)
}

#[test]
fn firmware_comes_over_a_bad_link_into_the_other_slot_and_is_confirmed_by_a_session() {
    let device = Device::new(SLOTS);
    slots(&device);
    *device.server.cuts.lock().unwrap() = (100_000, 5);
    device.server.command(update(&device, &archive("2.0")));
    let agent = device.run();
    device.call(&agent);
    let statuses = device.server.statuses();
    assert_eq!(statuses.last(), Some(&202), "{statuses:?}");
    let (mark, code) = device.server.alert(UPDATED);
    assert_eq!((mark.as_str(), &code), ("informational", &json!(200)), "{}", device.log());
    assert_eq!(version(&device), "2.0");
    assert!(device.path("restarted").exists());
    let version_of = |address: &str| device.leaf(address).to_string();
    assert!(version_of("urn:oma:mo:oma-dm-devinfo:1.2//FwV").contains("2.0"));
    drop(agent);
    assert_eq!(device.server.cuts.lock().unwrap().1, 0, "the link was as bad as it should be");
}

#[test]
fn a_power_cut_at_any_moment_leaves_firmware_that_runs_and_one_report() {
    // The moment is told by what is on disk: the part grows, the package is whole, the slot is switched.
    type Moment = fn(&Device) -> bool;
    let moments: [(&str, Moment); 4] = [
        ("the record", |device| device.path("data/packages/firmware.state").exists()),
        ("a part", |device| {
            std::fs::metadata(device.path("data/packages/firmware.part")).is_ok_and(|part| part.len() > 0)
        }),
        ("the package", |device| device.path("data/packages/firmware.package").exists()),
        ("the switch", |device| std::fs::read_link(device.path("current")).is_ok_and(|to| to.ends_with("b"))),
    ];
    for (what, moment) in moments {
        let device = Device::new(SLOTS);
        slots(&device);
        *device.server.cuts.lock().unwrap() = (200_000, 2);
        let package = archive("2.0");
        device.server.command(update(&device, &package));
        let agent = device.run();
        device.call(&agent);
        wait_for(what, || moment(&device));
        drop(agent);
        assert!(["1.0", "2.0"].contains(&version(&device).as_str()), "{what}: it runs");
        let accepted = device.server.heard.try_iter().any(|package| {
            device
                .server
                .alerts
                .borrow_mut()
                .extend(package["Alert"].as_array().cloned().unwrap_or_default());
            package["Status"]
                .as_array()
                .is_some_and(|statuses| statuses.iter().any(|status| status["sc"] == 202))
        });
        device.server.script.lock().unwrap().clear();
        if !accepted {
            // As a server does that has had no answer.
            device.server.command(update(&device, &package));
        }
        let agent = device.run();
        device.call(&agent);
        let (_, code) = device.server.alert(UPDATED);
        assert_eq!(code, json!(200), "{what}: {}", device.log());
        assert_eq!(version(&device), "2.0", "{what}");
        drop(agent);
    }
}

#[test]
fn firmware_that_nobody_confirms_makes_way_for_the_old() {
    let device = Device::new(&format!("{SLOTS}confirm = \"command\"\nstarts = 2\n"));
    slots(&device);
    device.server.command(update(&device, &archive("2.0")));
    let agent = device.run();
    device.call(&agent);
    wait_for("the switch", || device.log().contains("switched: true"));
    assert_eq!(version(&device), "2.0");
    drop(agent);
    for _ in 0..2 {
        let before = device.log().len();
        let agent = device.run();
        device.call(&agent);
        wait_for("a session", || device.log()[before..].contains("session ended"));
        drop(agent);
    }
    assert_eq!(version(&device), "2.0", "two starts are its due");
    let agent = device.run();
    let (mark, code) = device.server.alert(UPDATED);
    assert_eq!((mark.as_str(), &code), ("warning", &json!(500)));
    assert_eq!(version(&device), "1.0");
    // The package is still there: it may be installed once more, and confirmed this time.
    device.server.command(json!([["EXEC", format!("{FIRMWARE}Update")]]));
    device.call(&agent);
    wait_for("the switch", || {
        version(&device) == "2.0" && device.log().matches("switched: true").count() >= 2
    });
    let confirmed = device.command(&["confirm"]).output().unwrap();
    assert!(confirmed.status.success(), "{}", String::from_utf8_lossy(&confirmed.stderr));
    let (_, code) = device.server.alert("org.openmobilealliance.dm.firmwareupdate.update");
    assert_eq!(code, json!(200));
    assert_eq!(version(&device), "2.0");
}

#[test]
fn what_is_damaged_or_not_signed_is_not_installed() {
    let device = Device::new("[firmware]\nmethod = \"hook\"\ninstall = [\"touch\", \"{dir}/installed\"]\n");
    let agent = device.run();
    let package = archive("2.0");
    let spoilt = |from: &str, to: Value| {
        let mut commands = update(&device, &package);
        for command in commands.as_array_mut().unwrap() {
            if command[2].as_str().is_some_and(|address| address.ends_with(from)) {
                command[1] = device.set("", to.as_str().unwrap())[1].clone();
            }
        }
        commands
    };
    let digest: String = sha256(b"another").iter().map(|octet| format!("{octet:02x}")).collect();
    for (what, commands, code) in [
        ("digest", spoilt("Ext/SHA256", json!(digest)), 402),
        ("signature", spoilt("Ext/Signature", json!("AAAA")), 404),
        ("no signature", spoilt("Ext/Signature", json!(" ")), 404),
        ("size", spoilt("Ext/Size", json!("7")), 402),
        ("address", spoilt("DownloadAndUpdate/PkgURL", json!("ftp://a.example/p")), 411),
    ] {
        device.server.command(commands);
        device.call(&agent);
        let (mark, told) = device.server.alert(UPDATED);
        assert_eq!((mark.as_str(), &told), ("warning", &json!(code)), "{what}: {}", device.log());
        assert!(!device.path("installed").exists(), "{what}");
    }
    device.server.command(update(&device, &package));
    device.call(&agent);
    assert_eq!(device.server.alert(UPDATED).1, json!(200));
    assert!(device.path("installed").exists());
}
