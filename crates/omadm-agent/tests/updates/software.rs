//! Software.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Device, wait_for};

const SOFTWARE: &str = "urn:oma:mo:oma-scomo:1.0//";
const DONE: &str = "urn:oma:at:scomo:1.0:OperationComplete";

fn manage(device: &Device) -> PathBuf {
    let script = device.path("manage.sh");
    // A package manager that fits a page: a component is a file with its version.
    let text = "#!/bin/sh\nset -e\ncd \"$(dirname \"$0\")\"\nmkdir -p parts\ncase $1 in\n\
        install) cp \"$OMADM_PACKAGE\" \"parts/$OMADM_COMPONENT\" ;;\n\
        remove) rm -f \"parts/$OMADM_COMPONENT\" ;;\n*) exit 3 ;;\nesac\n";
    std::fs::write(&script, text).unwrap();
    script
}

#[test]
fn software_is_delivered_installed_and_removed() {
    let device = Device::new(
        "[software]\nenabled = true\nmanage = [\"hel*\"]\ninstall = [\"sh\", \"{dir}/manage.sh\", \"install\"]\nremove = [\"sh\", \"{dir}/manage.sh\", \"remove\"]\n",
    );
    manage(&device);
    let agent = device.run();
    let node = "urn:oma:mo:oma-scomo:1.0//Download/Package";
    let names = [("PkgID", "hello-2"), ("Name", "hello"), ("Ext/Version", "2")];
    let exec = |path: &str| json!(["EXEC", format!("{SOFTWARE}{path}")]);
    let offer = |names: &[(&str, &str)], more: Value| {
        let mut commands = device.offer(b"hello, 2", node, "PkgURL", names);
        commands.push(more);
        json!(commands)
    };
    device.server.command(offer(&names, exec("Download/Package/Operations/DownloadInstall")));
    device.call(&agent);
    let (mark, told) = device.server.alert(DONE);
    let expected = "<ResultCode>1200</ResultCode><Identifier>hello-2</Identifier>";
    assert_eq!((mark.as_str(), &told), ("informational", &json!(expected)), "{}", device.log());
    assert_eq!(std::fs::read(device.path("parts/hello")).unwrap(), b"hello, 2");
    device.server.command(json!([
        ["GET", format!("{SOFTWARE}Inventory/Deployed/hello/Version")],
        exec("Inventory/Deployed/hello/Operations/Remove")
    ]));
    device.call(&agent);
    let told = device.server.alert(DONE).1;
    assert_eq!(
        told,
        json!("<ResultCode>1200</ResultCode><Identifier>hello</Identifier>"),
        "{}",
        device.log()
    );
    assert!(!device.path("parts/hello").exists());
    // First delivered, then installed; and one after the other.
    device.server.command(offer(&names, exec("Download/Package/Operations/Download")));
    device.call(&agent);
    assert_eq!(device.server.alert(DONE).1, json!(expected));
    device.server.command(json!([
        ["GET", format!("{SOFTWARE}Inventory/Delivered/Package/State")],
        exec("Inventory/Delivered/Package/Operations/Install"),
        exec("Inventory/Delivered/Package/Operations/Remove")
    ]));
    device.call(&agent);
    for _ in 0..2 {
        assert_eq!(device.server.alert(DONE).1, json!(expected), "{}", device.log());
    }
    assert!(device.path("parts/hello").exists());
    // What servers may not manage they may not install.
    let others = [("PkgID", "sudo-2"), ("Name", "sudo"), ("Ext/Version", "2")];
    device.server.command(offer(&others, exec("Download/Package/Operations/DownloadInstall")));
    device.call(&agent);
    let statuses = device.server.statuses();
    assert_eq!(statuses.last(), Some(&1400), "{statuses:?}");
}

#[test]
fn the_packages_of_this_machine_are_listed() {
    if !Path::new("/var/lib/dpkg/status").exists() {
        return;
    }
    let device =
        Device::new("[software]\nenabled = true\ninventory = \"dpkg\"\nshow = [\"dpkg\", \"base-files\"]\n");
    let agent = device.run();
    device.server.command(json!([["GET", format!("{SOFTWARE}Inventory/Deployed/dpkg/Version")]]));
    device.call(&agent);
    assert_eq!(device.server.statuses(), [200], "{}", device.log());
    drop(agent);
    let tree = device.leaf("urn:oma:mo:oma-scomo:1.0//Inventory/Deployed").to_string();
    assert!(tree.contains("base-files") && !tree.contains("coreutils"), "{tree}");
}

#[test]
fn a_power_cut_in_the_middle_of_an_installation_or_removal_leaves_one_that_is_whole_and_one_report() {
    let device = Device::new(
        "[software]\nenabled = true\nmanage = [\"hel*\"]\ninstall = [\"sh\", \"{dir}/slow.sh\", \"install\"]\nremove = [\"sh\", \"{dir}/slow.sh\", \"remove\"]\n",
    );
    manage(&device);
    // The first run of each comes to half of it, and stays there until its power is cut.
    let text = "cd \"$(dirname \"$0\")\"\necho $1 >> ran\nif ! test -e \"half-$1\"; then\n\
        mkdir -p parts && echo half > parts/hello && echo $$ > \"half-$1\"\n\
        while kill -0 $PPID; do sleep 0.01; done; exit 1\nfi\nexec sh manage.sh $1\n";
    std::fs::write(device.path("slow.sh"), text).unwrap();
    let names = [("PkgID", "hello-2"), ("Name", "hello"), ("Ext/Version", "2")];
    let mut install =
        device.offer(b"hello, 2", "urn:oma:mo:oma-scomo:1.0//Download/Package", "PkgURL", &names);
    install.push(json!(["EXEC", format!("{SOFTWARE}Download/Package/Operations/DownloadInstall")]));
    // Nobody has read what is installed since the agent was started.
    let remove = json!([["EXEC", format!("{SOFTWARE}Inventory/Deployed/hello/Operations/Remove")]]);
    let ran = || std::fs::read_to_string(device.path("ran")).unwrap_or_default();
    for (what, commands, identifier) in [("install", json!(install), "hello-2"), ("remove", remove, "hello")]
    {
        device.server.command(commands);
        let agent = device.run();
        device.call(&agent);
        assert_eq!(device.server.statuses().last(), Some(&202), "{what} is accepted: {}", device.log());
        wait_for("half of it", || device.path(&format!("half-{what}")).exists());
        drop(agent);
        let agent = device.run();
        let told = device.server.alert(DONE);
        let expected = json!(format!("<ResultCode>1200</ResultCode><Identifier>{identifier}</Identifier>"));
        assert_eq!(told, ("informational".to_owned(), expected), "{what}: {}", device.log());
        let there = std::fs::read(device.path("parts/hello")).ok();
        assert_eq!(there.as_deref(), (what == "install").then_some(b"hello, 2".as_slice()), "{what}");
        device.server.alerts.borrow_mut().clear();
        device.call(&agent);
        device.server.alert("urn:oma:at:dm:2.0:ClientInitiatedMgmt");
        let again = device.server.alerts.borrow().iter().any(|alert| alert["AlertType"] == DONE);
        assert!(!again, "it is told once");
    }
    assert_eq!(ran(), "install\ninstall\nremove\nremove\n");
}
