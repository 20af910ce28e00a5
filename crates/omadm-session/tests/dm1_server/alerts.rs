//! Alerts of devices, and executions that end later (`DM 1.3 PROTO §6.7`).

use omadm_codec::dm1::{Alert, AlertCode, Command, Data as Carried, Item, Mark, Meta};
use omadm_mo::Value;
use omadm_session::dm1::server::{Data, End, Verdict};

use super::device::{Device, Host, delete, exec, get, told};

pub fn event(
    device: &mut Device,
    code: &str,
    correlator: Option<&str>,
    items: Vec<Item<'static>>,
) -> Command<'static> {
    let id = device.id().into();
    let correlator = correlator.map(|text| text.to_owned().into());
    Command::Alert(Alert { id, no_response: false, code: code.to_owned().into(), correlator, items })
}

pub fn item(
    source: Option<&str>,
    kind: Option<&str>,
    format: Option<&str>,
    data: Option<&str>,
) -> Item<'static> {
    let own = |text: Option<&str>| text.map(|text| text.to_owned().into());
    Item {
        source: own(source),
        meta: Meta {
            media_type: own(kind),
            format: own(format),
            mark: Some(Mark::Warning),
            ..Meta::default()
        },
        data: data.map(|text| Carried::Text(text.to_owned().into())),
        ..Item::default()
    }
}

#[test]
fn each_alert_has_its_answer() {
    let kind = Some("Reversed-Domain-Name: org.example.thing");
    let good = || item(Some("./F"), kind, Some("chr"), Some("x"));
    for (code, items, answer, kept) in [
        ("1226", vec![good(), good()], "200", 1),
        ("1226", vec![item(None, Some("urn:oma:at:x:1.0:y"), Some("int"), Some(""))], "200", 1),
        ("1226", vec![], "412", 0),
        ("1226", vec![item(None, None, Some("chr"), Some("x"))], "412", 0),
        ("1226", vec![item(None, kind, None, Some("x"))], "412", 0),
        ("1226", vec![item(None, kind, Some("chr"), None)], "412", 0),
        ("1226", vec![item(None, kind, Some("colour"), Some("x"))], "415", 0),
        (
            "1224",
            vec![item(None, Some("com.microsoft/MDM/LoginStatus"), Some("chr"), Some("user"))],
            "200",
            1,
        ),
        ("1224", vec![], "412", 0),
        ("1100", vec![good()], "405", 0),
        ("1104", vec![good()], "405", 0),
        ("1230", vec![good()], "406", 0),
        ("1227", vec![good()], "406", 0),
        ("200", vec![good()], "406", 0),
        ("1105", vec![good()], "406", 0),
        ("", vec![good()], "412", 0),
        ("abc", vec![good()], "412", 0),
    ] {
        let (mut host, mut device) = (Host::new(vec![]), Device::new());
        let mut package = device.package1();
        package.push(event(&mut device, code, None, items));
        let step = device.say(&mut host, package);
        assert_eq!(
            device.codes(),
            ["SyncHdr 212", "Alert 200", "Replace 200", &format!("Alert {answer}")],
            "{code}"
        );
        assert_eq!(step.alerts.len(), kept, "{code}");
    }
}

#[test]
fn alerts_are_passed_on_as_they_came() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    let mut package = device.package1();
    let kind = Some("urn:oma:at:diagmon:1.0:x");
    package.push(event(
        &mut device,
        "1226",
        Some(" c-1 "),
        vec![item(Some("./F"), kind, Some("int"), Some("7"))],
    ));
    let step = device.say(&mut host, package);
    let [alert] = step.alerts.as_slice() else { panic!() };
    assert_eq!((alert.code, alert.correlator.as_deref()), (AlertCode::GenericAlert, Some("c-1")));
    let item = &alert.items[0];
    assert_eq!(
        (item.source.as_deref(), item.alert_type.as_deref(), item.format.as_deref()),
        (Some("./F"), kind, Some("int"))
    );
    assert_eq!((item.mark, &item.data), (Mark::Warning, &Some(Value::Text("7".into()))));
}

#[test]
fn an_execution_ends_with_its_alert() {
    let (mut host, mut device) =
        (Host::new(vec![exec("./F/Run", Some("c-1")), delete("./A")]), Device::new());
    device.begin(&mut host);
    let said = device.done(&[("./F/Run", 202)]);
    device.say(&mut host, said);
    assert_eq!((host.verdict(1), host.verdict(2)), (&Verdict::Accepted, &Verdict::Done(200)));
    // In a session of its own, after whatever happened to the device meanwhile.
    for (code, correlator, expected) in
        [("ResultCode=200", Some("other"), None), ("ResultCode=410", Some("c-1"), Some(410))]
    {
        let mut device = Device::new();
        device.session = code.into();
        let mut package = device.package1();
        let end = item(Some("./F"), Some("org.example.done"), Some("chr"), Some(code));
        package.push(event(&mut device, "1226", correlator, vec![end]));
        let step = device.say(&mut host, package);
        assert_eq!((step.alerts.len(), step.sends.len()), (1, 0), "an execution under way is not sent again");
        let ended = expected.map_or(Verdict::Accepted, Verdict::Failed);
        assert_eq!(host.verdict(1), &ended);
    }
    assert!(matches!(host.result(1).data, Some(Data::Reported(_))));
    assert!(host.queue.is_empty());
}

#[test]
fn a_device_may_give_up_and_what_it_answered_counts() {
    let (mut host, mut device) =
        (Host::new(vec![delete("./A"), delete("./B"), exec("./C", None)]), Device::new());
    device.begin(&mut host);
    let abort = device.alert(1223);
    let said = vec![device.header_status(212), device.status("5", "Delete", 200), abort];
    let step = device.say(&mut host, said);
    assert_eq!(device.codes(), ["SyncHdr 212", "Alert 200"]);
    assert!(device.asked().is_empty() && device.is_final());
    assert_eq!(step.ended, Some(End::ByDevice));
    assert_eq!(host.verdict(1), &Verdict::Done(200));
    assert!(matches!(host.verdict(2), Verdict::Again(_)) && matches!(host.verdict(3), Verdict::Again(_)));
    // Nothing goes on after that.
    let said = vec![device.header_status(212)];
    device.turned_away(&mut host, said);
    assert_eq!(told(&device.asked()), ["Alert 1223"]);
}

#[test]
fn a_device_may_give_up_at_once() {
    let (mut host, mut device) = (Host::new(vec![get("./A")]), Device::new());
    let mut package = device.package1();
    package.push(device.alert(1223));
    let step = device.say(&mut host, package);
    assert_eq!((step.ended, step.sends), (Some(End::ByDevice), vec![]));
}
