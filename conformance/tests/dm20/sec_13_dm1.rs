//! Alerts of DM 1.x in alerts of DM 2.0 (`DM 2.0 §13.1`), the device.

use omadm_client::{Alert, AlertData, Mark, dm1x_data};
use omadm_conformance::{Bench, proves};
use omadm_mo::ServerId;
use serde_json::json;

const TYPE: &str = "urn:oma:at:scomo:1.0:OperationComplete";
const SOURCE: &str = "urn:oma:mo:oma-scomo:1.0/SCOMO1/Download/Package1/Operations/DownloadInstall";
const TARGET: &str = "urn:oma:mo:oma-scomo:1.0/SCOMO1/Inventory/Deployed/Component1";
const CONTENT: &str =
    "<ResultCode>1200</ResultCode><!-- SCOMO Result Code --><Identifier>Component1ID</Identifier>";

fn operation_complete(data: AlertData) -> Alert {
    Alert {
        source: Some(SOURCE.to_owned()),
        target: Some(TARGET.to_owned()),
        mark: Mark::Warning,
        data: Some(data),
        ..Alert::new(TYPE)
    }
}

#[tokio::test]
async fn data_of_dm_1_x_are_converted_or_carried() {
    proves!("D2-13.1-01", "D2-13.1-02", "D2-13.1-03");
    let mut bench = Bench::new().await;
    bench.session().await;
    let converted = json!({ "ResultCode": 1200, "Identifier": "Component1ID" });
    let alerts = [
        AlertData { data_type: Some("application/json".to_owned()), data: converted.clone() },
        dm1x_data(&format!("\n   <![CDATA[\n    {CONTENT}\n   ]]>\n  "), "text/xml"),
        dm1x_data(CONTENT, "text/xml"),
    ];
    let server = ServerId::parse("DMS1").unwrap();
    for data in alerts {
        bench.device.client.device_mut().raise_alert(&server, operation_complete(data)).unwrap();
    }
    bench.session().await;
    let sent = |data_type: &str, data| {
        json!({
            "AlertType": TYPE, "SourceURI": SOURCE, "TargetURI": TARGET, "Mark": "warning",
            "DataType": data_type, "Data": data,
        })
    };
    let carried = sent("text/xml", json!({ "DM1x": CONTENT }));
    let package = bench.server.package1(1).json;
    let alerts = &package["Alert"].as_array().unwrap()[1..];
    assert_eq!(alerts, [sent("application/json", converted), carried.clone(), carried]);
    assert!(!package.to_string().contains("CDATA"));
}
