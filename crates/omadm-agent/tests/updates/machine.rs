//! Diagnostics, lock and wipe.

use serde_json::json;

use crate::harness::Device;

#[test]
fn a_machine_is_diagnosed_locked_and_wiped_as_configured() {
    let device = Device::new(
        "[diagnostics]\nenabled = true\nlog_file = \"{dir}/some.log\"\n\
         [lock]\nenabled = true\nallow_wipe = true\nfull = [\"touch\", \"{dir}/locked\"]\nunlock = [\"rm\", \"{dir}/locked\"]\nwipe_items = [{ name = \"data\", command = [\"rm\", \"{dir}/precious\"] }, { name = \"more\", command = [\"rm\", \"{dir}/more\"] }]\n",
    );
    for (name, text) in [("some.log", "one\npassword=hunter2\nthree\n"), ("precious", ""), ("more", "")] {
        std::fs::write(device.path(name), text).unwrap();
    }
    let agent = device.run();
    device.server.command(json!([
        ["GET", "urn:oma:mo:oma-diagmon:1.0/Load/DiagMonData/Load1"],
        ["GET", "urn:oma:mo:oma-diagmon:1.0/Disk/DiagMonData/root/Available"],
        ["EXEC", "urn:oma:mo:oma-diagmon:1.0/Log/Operations/Start"]
    ]));
    device.call(&agent);
    assert_eq!(device.server.statuses(), [200, 200, 202], "{}", device.log());
    let ended = device.server.alert("urn:oma:at:diagmon:1.0:OperationComplete");
    assert_eq!(ended.1, json!(1200));
    device.server.command(json!([["GET", "urn:oma:mo:oma-diagmon:1.0/Log/DiagMonData/Excerpt"]]));
    device.call(&agent);
    assert_eq!(device.server.statuses(), [200]);
    let lock = "urn:oma:mo:oma-lawmo:1.0/";
    let done = "urn:oma:at:lawmo:1.0:OperationComplete";
    device.server.command(json!([["EXEC", format!("{lock}/Operations/FullyLock")]]));
    device.call(&agent);
    assert_eq!(device.server.alert(done).1, json!(1200));
    assert!(device.path("locked").exists());
    let mark = device.set(&format!("{lock}/AvailableWipeList/1/ToBeWiped"), "true");
    device.server.command(json!([mark, ["EXEC", format!("{lock}/Operations/Wipe")]]));
    device.call(&agent);
    assert_eq!(device.server.alert(done).1, json!(1201));
    assert!(!device.path("precious").exists() && device.path("more").exists());
    device.server.command(json!([
        ["EXEC", format!("{lock}/Operations/FactoryReset")],
        ["EXEC", format!("{lock}/Operations/PartiallyLock")]
    ]));
    device.call(&agent);
    assert_eq!(device.server.statuses(), [501, 501]);
    drop(agent);
    assert!(device.leaf("urn:oma:mo:oma-lawmo:1.0//State").to_string().contains("10"));
}
