//! A session as the client of Windows has it: its identifiers, its alerts, its way to say what went wrong.

use omadm_auth::dm1::{Hash, Scheme};
use serde_json::json;

use crate::harness::TestServer;
use crate::syncml::{Dm1Device, Proof, Said, code_of, commands, statuses};

/// Package 1 of Windows: no DMAcc nonce, `CmdID` from 2, types beside Meta, an alert for who is logged in.
fn package1(id: &str) -> String {
    let alert = |number: u32, kind: &str, data: &str| {
        format!(
            "<Alert><CmdID>{number}</CmdID><Data>1224</Data><Item><Meta><Type xmlns=\"syncml:metinf\">{kind}</Type></Meta>\
             <Data>{data}</Data></Item></Alert>"
        )
    };
    let leaves = [("DevId", id), ("Man", "Contoso"), ("Mod", "Book 3"), ("DmV", "1.3"), ("Lang", "en-US")];
    let item = |(name, value): (&str, &str)| {
        format!("<Item><Source><LocURI>./DevInfo/{name}</LocURI></Source><Data>{value}</Data></Item>")
    };
    [
        "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert>".to_owned(),
        alert(3, "com.microsoft/MDM/LoginStatus", "user"),
        alert(4, "com.microsoft/MDM/AADUserToken", "eyJhbGciOi-a-token"),
        format!("<Replace><CmdID>5</CmdID>{}</Replace>", leaves.into_iter().map(item).collect::<String>()),
        "<Final/>".to_owned(),
    ]
    .concat()
}

async fn windows(server: &TestServer) -> Dm1Device {
    let mut device = Dm1Device::enrol(server, "urn:uuid:6F0F8D0E-0001").await;
    device.path = "/dm?mode=Maintenance&Platform=WoA".to_owned();
    device.user_agent = Some("MSFT OMA DM Client/1.2.0.1".to_owned());
    device.session = "1F".to_owned();
    (device.proof, device.hash) = (Proof::Digest, Hash::Md5);
    // What it was given when it was enrolled elsewhere.
    device.nonce = b"stale".to_vec();
    device
}

#[tokio::test]
async fn a_session_of_windows_runs_from_its_first_alert_to_its_last() {
    let server = TestServer::with(|config| config.dm1.schemes = vec![Scheme::Md5]).await;
    let mut device = windows(&server).await;
    let get =
        device.queue(&server, json!({ "verb": "get", "address": "./Vendor/MSFT/DMClient/HWDevID" })).await;
    let policy = "./Vendor/MSFT/Policy/Config/Camera/AllowCamera";
    let set = device.queue(&server, json!({ "verb": "set", "address": policy, "value": 0 })).await;
    let mut connection = server.connect().await;

    let challenge = device.send(&mut connection, &package1(&device.id)).await;
    assert!(matches!(code_of(&challenge, "0"), 401 | 407));
    assert!(statuses(&challenge).iter().all(|status| matches!(status.code.as_ref(), "401" | "407")));
    let again = format!("{}{}", Said::to(&challenge).end().replace("<Final/>", ""), package1(&device.id));
    let mut answer = device.send(&mut connection, &again).await;
    assert_eq!(answer.header.session_id, "1F");
    assert_eq!(code_of(&answer, "0"), 212);
    let mut asked = Vec::new();
    for _ in 0..8 {
        let sent = commands(&answer);
        if sent.is_empty() {
            break;
        }
        let mut said = Said::to(&answer);
        for sent in &sent {
            assert!(sent.correlator.is_none() && !sent.id.is_empty(), "every command has its CmdID");
            let target = sent.items.first().map_or("", |item| item.0.as_str()).to_owned();
            assert!(!target.contains("TNDS") && !target.contains("MORoot"), "{target}");
            asked.push(format!("{} {target}", sent.name));
            said = match (sent.name.as_str(), target.as_str()) {
                ("Get", "./Vendor/MSFT/DMClient/HWDevID") => said.results(sent, &[(&target, "chr", Some("0A1B"))]),
                ("Get", _) => said.status(sent, 405),
                ("Sequence", _) => said.status(sent, 200),
                _ => said.and(&format!(
                    "<Status><CmdID/><MsgRef>{}</MsgRef><CmdRef>{}</CmdRef><Cmd>{}</Cmd>\
                     <Data xmlns:msft=\"http://schemas.microsoft.com/MobileDevice/MDM\" msft:originalerror=\"0x86000002\">404</Data></Status>",
                    answer.header.message_id, sent.id, sent.name
                )),
            };
        }
        answer = device.send(&mut connection, &said.end()).await;
    }
    let read = server.command(&get).await;
    assert_eq!(read["result"]["items"][0]["value"], "0A1B", "{read} {asked:?}");
    let failed = server.command(&set).await;
    assert_eq!((&failed["state"], &failed["status"]), (&json!("failed"), &json!(404)), "{failed} {asked:?}");
    assert!(failed["reason"].as_str().unwrap().contains("0x86000002"), "{failed}");

    let events = server.items("/events?device=urn:uuid:6F0F8D0E-0001").await;
    let alerts: Vec<_> =
        events.iter().filter(|event| event["kind"] == "alert").map(|event| &event["body"]).collect();
    let of = |kind: &str| {
        alerts.iter().find(|alert| alert["type"] == kind).unwrap_or_else(|| panic!("{alerts:?}"))
    };
    assert_eq!(of("com.microsoft/MDM/LoginStatus")["data"], "user");
    assert_eq!(of("com.microsoft/MDM/AADUserToken")["data"], json!(null), "a token is nobody's business");
    let kept = server.get(&device.api("/sessions/1")).await.to_string();
    assert!(!kept.contains("eyJhbGciOi-a-token"));

    // The user removes the management: one alert in a session of its own, and nothing after it.
    device.session = "20".to_owned();
    device.message = 0;
    let unenrol = "<Alert><CmdID>2</CmdID><Data>1226</Data><Item><Meta><Type xmlns=\"syncml:metinf\">\
         com.microsoft:mdm.unenrollment.userrequest</Type><Format xmlns=\"syncml:metinf\">int</Format></Meta><Data>1</Data></Item></Alert>";
    let body = package1(&device.id).replace("<Final/>", "") + &unenrol.replace(">2<", ">6<") + "<Final/>";
    let challenge = device.send(&mut connection, &body).await;
    let answer = if code_of(&challenge, "0") < 300 {
        challenge
    } else {
        let again = Said::to(&challenge).end().replace("<Final/>", "") + &body;
        device.send(&mut connection, &again).await
    };
    assert_eq!((code_of(&answer, "6"), answer.is_final), (200, true));
    let events = server.items("/events?device=urn:uuid:6F0F8D0E-0001").await;
    assert!(events.iter().any(|event| event["body"]["type"] == "com.microsoft:mdm.unenrollment.userrequest"));
}

#[tokio::test]
async fn an_identifier_of_a_session_is_opaque() {
    let server = TestServer::start().await;
    for (number, session) in ["0", "ffff", "12345678-abcd", &"9".repeat(64)].into_iter().enumerate() {
        let mut device = Dm1Device::enrol(&server, &format!("IMEI:{number}")).await;
        device.session = session.to_owned();
        let mut connection = server.connect().await;
        let answer = device.begin(&mut connection).await;
        assert!(code_of(&answer, "0") < 300 && answer.header.session_id == session);
    }
}
