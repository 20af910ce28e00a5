#![no_main]

use omadm_client::dm1::bootstrap::check::check_bootstrap;
use omadm_client::{DataMo, Device, DeviceConfig, ManagementObject, Volatile};

/// A device with accounts and Inbox of DM 1.x, without any rights to decide on.
fn device() -> Device {
    let ddf = |text: &str, link: &str| Box::new(DataMo::new(text, link)) as Box<dyn ManagementObject>;
    let objects = vec![
        ddf(include_str!("../../ddf/dm_dmacc-v1_3.ddf"), "dm_dmacc-v1_3.ddf"),
        ddf(include_str!("../../ddf/dm_inbox-v1_0.ddf"), "dm_inbox-v1_0.ddf"),
    ];
    Device::open(DeviceConfig::default(), objects, Box::new(Volatile::new())).expect("the device opens")
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check_bootstrap(&mut device(), bytes));
