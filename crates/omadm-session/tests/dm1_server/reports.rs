//! Reports without a session.

use omadm_codec::dm1::{AlertCode, Command};
use omadm_session::dm1::server::Report;

use crate::alerts::{event, item};
use crate::device::{Device, Host};

fn alert(device: &mut Device, data: &str) -> Command<'static> {
    let item = item(Some("./T"), Some("org.example.temp"), Some("int"), Some(data));
    event(device, "1230", None, vec![item])
}

/// What the server makes of a message with these commands.
fn report(commands: impl FnOnce(&mut Device) -> Vec<Command<'static>>) -> Report {
    let (host, mut device) = (Host::new(vec![]), Device::new());
    let commands = commands(&mut device);
    device.report(&host, commands)
}

#[test]
fn alerts_of_a_report_are_taken_with_their_number() {
    let Report::Taken { number, alerts } = report(|device| vec![alert(device, "71"), alert(device, "72")])
    else {
        panic!("taken")
    };
    assert_eq!((number, alerts.len()), (1, 2));
    assert_eq!(alerts[0].code, AlertCode::SessionlessReport);
    let item = &alerts[1].items[0];
    assert_eq!((item.source.as_deref(), item.alert_type.as_deref()), (Some("./T"), Some("org.example.temp")));
    assert_eq!(item.data, Some(omadm_mo::Value::Text("72".into())));
}

#[test]
fn what_is_no_report_is_refused_whole() {
    let lacking = |alert_type, format, data| {
        report(move |device| vec![event(device, "1230", None, vec![item(None, alert_type, format, data)])])
    };
    let (kind, format, data) = (Some("t"), Some("chr"), Some("x"));
    let refused = [
        report(|device| vec![alert(device, "71"), device.alert(1222)]),
        report(|device| {
            let items = vec![item(None, kind, format, data), item(None, kind, format, data)];
            vec![event(device, "1230", None, items)]
        }),
        report(|device| vec![event(device, "1230", None, vec![])]),
        lacking(None, format, data),
        lacking(kind, None, data),
        lacking(kind, Some("colour"), data),
        lacking(kind, format, None),
    ];
    for report in refused {
        let Report::Refused { http_status: 400, bad_credentials: false, .. } = report else {
            panic!("{report:?}")
        };
    }
    assert!(matches!(lacking(kind, format, data), Report::Taken { .. }));
}

#[test]
fn a_report_of_nobody_is_refused() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    let commands = |device: &mut Device| vec![alert(device, "71")];
    host.account.as_mut().unwrap().transport_authenticated = false;
    let said = commands(&mut device);
    let report = device.report(&host, said);
    assert!(matches!(report, Report::Refused { http_status: 401, bad_credentials: false, .. }), "{report:?}");
    host.account = None;
    let said = commands(&mut device);
    assert!(matches!(device.report(&host, said), Report::Refused { http_status: 401, .. }));
}
