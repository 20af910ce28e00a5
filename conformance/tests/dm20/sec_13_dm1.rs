//! DM 1.x in DM 2.0: its alerts in alerts (`DM 2.0 §13.1`), and its DDF files (`§13.3`).

use omadm_client::{Alert, AlertData, Mark, dm1x_data};
use omadm_conformance::{Bench, TestServer, proves};
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

/// A description as those of public DM 1.x files: document type with an internal subset, maker and model, Path, RTProperties, titles,
/// default values, elements of a vendor, and nodes that DM 2.0 knows no use for.
const PUBLIC_DDF: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE MgmtTree PUBLIC "-//OMA//DTD-DM-DDF 1.2//EN"
  "http://www.openmobilealliance.org/tech/DTD/DM_DDF-V1_2.dtd"
  [<?oma-dm-ddf-ver supported-versions="1.2"?>]>
<MgmtTree xmlns:VND="http://vendor.example/DM">
  <VerDTD>1.2</VerDTD>
  <Man>--The device manufacturer--</Man>
  <Mod>--The device model--</Mod>
  <Node>
    <NodeName/>
    <Path>./Device/Vendor</Path>
    <RTProperties><Format><node/></Format><Type><DDFName/></Type><Title>Package</Title><VerNo/><TStamp/></RTProperties>
    <DFProperties>
      <AccessType><Get/><Add/><Delete/></AccessType>
      <Description>The interior node that groups one update package.</Description>
      <DFFormat><node/></DFFormat>
      <Occurrence><ZeroOrMore/></Occurrence>
      <Scope><Dynamic/></Scope>
      <DFTitle>Firmware update</DFTitle>
      <DFType><DDFName>urn:oma:mo:oma-fumo:1.0</DDFName></DFType>
    </DFProperties>
    <Node>
      <NodeName>PkgName</NodeName>
      <DFProperties>
        <AccessType><Get/><Replace/><Add/></AccessType>
        <DefaultValue>none</DefaultValue>
        <DFFormat><chr/></DFFormat>
        <Occurrence><ZeroOrOne/></Occurrence>
        <Scope><Dynamic/></Scope>
        <CaseSense><CIS/></CaseSense>
        <DFType><MIME>text/plain</MIME></DFType>
        <VND:Applicability><VND:OsBuildVersion>10.0</VND:OsBuildVersion></VND:Applicability>
      </DFProperties>
    </Node>
    <Node>
      <NodeName>DownloadAndUpdate</NodeName>
      <DFProperties>
        <AccessType><Exec/></AccessType>
        <DFFormat><node/></DFFormat>
        <Occurrence><ZeroOrOne/></Occurrence>
        <DFType><DDFName/></DFType>
      </DFProperties>
      <Node>
        <NodeName>PkgURL</NodeName>
        <DFProperties>
          <AccessType><Get/><Replace/></AccessType>
          <DFFormat><chr/></DFFormat>
          <Occurrence><One/></Occurrence>
          <DFType><MIME>text/plain</MIME></DFType>
        </DFProperties>
      </Node>
    </Node>
  </Node>
</MgmtTree>
"#;

#[tokio::test]
async fn ddf_files_of_dm_1_x_are_used_as_they_are() {
    proves!("D2-13.3-01", "E20-4.3-01");
    let mut bench = Bench::with(|setup| setup.data_objects.push(PUBLIC_DDF.to_owned())).await;
    let fumo = "urn:oma:mo:oma-fumo:1.0";
    let data = json!([{ "ClientURI": format!("{fumo}//"), "MOData": { "p1": { "PkgName": "update" } } }]);
    let uri = bench.server.serve("/fumo", &data);
    let name = format!("{fumo}//PkgName");
    let answer = bench.run(json!([["HGET", uri], ["GET", name], ["DELETE", name], ["EXEC", name]])).await;
    assert_eq!(answer.statuses(), [200, 200, 405, 405], "structure and access types hold");
    assert_eq!(answer.value(1), "update");

    let server = TestServer::start().await;
    let reply = server.put_ddf("fumo.ddf", PUBLIC_DDF).await;
    assert!(matches!(reply.status, 200 | 201), "{}", reply.json());
    assert_eq!(reply.json()["moids"], json!([fumo]));
}
