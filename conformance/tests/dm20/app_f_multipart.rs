//! Data in the body of Package#3 (`DM 2.0 Appendix F`), both sides.

use omadm_conformance::{
    Answer, Bench, DEVICE_ID, PLAIN_MOID, ScriptDevice, TestServer, address, commands, dmmo, proves, single,
};
use serde_json::{Value, json};

const DEVID: &str = "urn:oma:mo:oma-dm-devinfo:1.2//DevID";
const SESSION_INFO: &str = "urn:oma:mo:oma-sessioninfomo:1.0//";
const RESPONSE: &str = "application/vnd.oma.dm.response+json";

/// A server with commands sent to a device: their identifiers come in order.
async fn waiting_for(words: &[&[&str]]) -> (TestServer, ScriptDevice, Vec<String>) {
    let server = TestServer::start().await;
    let device = server.enrol("UUID:multipart").await;
    let mut ids = Vec::new();
    for words in words {
        ids.push(server.queue_raw(&device, words).await);
    }
    assert_eq!(commands(&device.begin().await).len(), words.len());
    (server, device, ids)
}

#[tokio::test]
async fn without_data_there_is_no_multipart() {
    proves!("D2-F-01", "D2-7.2.1.3-01");
    let mut bench = Bench::new().await;
    let answer = bench.run(json!([["GET", single("")]])).await;
    let validator = answer.part(0).unwrap().items()[0]["CV"].as_str().unwrap().to_owned();
    let answer = bench
        .run(json!([
            ["GET", address("None")],
            ["GET", single(&format!("?cv={validator}"))],
            ["GET", address("Empty")]
        ]))
        .await;
    assert_eq!(answer.statuses(), [404, 304, 204]);
    assert_eq!(answer.request.header("content-type"), Some(RESPONSE));

    let (server, device, ids) = waiting_for(&[&["GET", DEVID]]).await;
    let foreign = device.post_as("application/xml", br#"{"Status":[{"sc":200}]}"#).await;
    assert_eq!(foreign.status, 415);
    assert_eq!(server.outcome(&ids[0]).await.1, None);
}

#[tokio::test]
async fn data_comes_as_form_data_with_a_boundary_of_its_own() {
    proves!("D2-F-02", "D2-F-03");
    let mut bench = Bench::new().await;
    let hostile = "--simple_boundary\r\n--boundary--\r\n--";
    let uri = bench.server.serve("/data", &dmmo(&address("Text"), "Text", json!(hostile)));
    let answer = bench.run(json!([["HGET", uri, address("Text")], ["GET", address("Text")]])).await;
    assert_eq!(answer.statuses(), [200, 200]);
    assert_eq!(answer.value(1), hostile, "the first part was Package#3, this is the second");
    let content_type = answer.request.header("content-type").unwrap();
    let boundary = content_type.split_once("boundary=").unwrap().1.trim_matches('"');
    assert!(content_type.starts_with("multipart/form-data;"));
    assert!(!answer.parts[0].body.windows(boundary.len()).any(|window| window == boundary.as_bytes()));

    let (server, device, ids) = waiting_for(&[&["GET", DEVID]]).await;
    let good = "--b\r\nContent-Type: application/vnd.oma.dm.response+json\r\n\r\n{\"Status\":[{\"sc\":404}]}\r\n--b--\r\n";
    let bad_first = good.replace("response+json", "request+json");
    for (content_type, body) in [
        ("multipart/form-data", good),
        ("multipart/form-data; boundary=other", good),
        ("multipart/form-data; boundary=b", &bad_first),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Type: application/dmmo+json\r\n\r\n[]\r\n--b--\r\n",
        ),
    ] {
        assert_eq!(device.post_as(content_type, body.as_bytes()).await.status, 400, "{content_type} {body}");
        assert_eq!(server.outcome(&ids[0]).await.1, None);
    }
    commands(&device.post_as("multipart/form-data; boundary=b", good.as_bytes()).await);
    assert_eq!(server.outcome(&ids[0]).await, ("failed".into(), Some(404)));
}

#[tokio::test]
async fn there_is_a_part_for_each_get_with_200() {
    proves!("D2-F-04");
    let mut bench = Bench::new().await;
    let answer = bench
        .run(json!([["GET", address("Text")], ["GET", address("None")], ["GET", address("Count")]]))
        .await;
    assert_eq!(answer.statuses(), [200, 404, 200]);
    assert_eq!(answer.parts.len(), 2);

    let (server, device, ids) = waiting_for(&[&["GET", DEVID], &["GET", SESSION_INFO]]).await;
    let data = [(0, dmmo(DEVID, "DevID", json!("A:1")))];
    commands(&device.answer_with(&json!([{ "sc": 200 }, { "sc": 200 }]), &data).await);
    assert_eq!(server.outcome(&ids[0]).await, ("done".into(), Some(200)));
    let lost = server.command(&ids[1]).await;
    assert_eq!(lost["state"], "failed");
    assert!(lost["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{lost}");
}

#[tokio::test]
async fn a_part_is_named_by_the_index_of_its_status() {
    proves!("D2-F-05", "D2-F-06", "D2-F-08");
    let mut bench = Bench::new().await;
    let uri = bench.server.serve("/data", &dmmo(&address("Text"), "Text", json!("new")));
    let answer = bench
        .run(json!([["GET", address("List")], ["HGET", uri, address("Text")], ["GET", address("List")]]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 200]);
    let names: Vec<_> = answer.parts.iter().map(|part| part.name.as_deref()).collect();
    assert_eq!(names, [Some("0"), Some("2")], "the part of command 0 first, all commands counted");
    assert!(answer.parts.iter().all(|part| part.content_type == "application/dmmo+json"));

    let (server, device, ids) = waiting_for(&[&["GET", DEVID], &["GET", SESSION_INFO]]).await;
    let part = |name: &str, value: &str| {
        (
            name.to_owned(),
            "application/dmmo+json".to_owned(),
            dmmo(DEVID, "DevID", json!(value)).to_string().into_bytes(),
        )
    };
    let parts = [part("7", "seven"), part("0", "first"), part("0", "again"), part("x", "x")];
    commands(&device.answer_with_parts(&json!([{ "sc": 200 }, { "sc": 404 }]), &parts).await);
    let command = server.command(&ids[0]).await;
    assert_eq!(
        (&command["state"], &command["result"]["items"][0]["value"]),
        (&json!("done"), &json!("first"))
    );
    assert_eq!(server.outcome(&ids[1]).await, ("failed".into(), Some(404)));
    let session = server.items("/devices/UUID:multipart/sessions").await[0]["session"].clone();
    let trace = server.get(&format!("/devices/UUID:multipart/sessions/{session}")).await;
    let notes: Vec<&Value> =
        trace["messages"].as_array().unwrap().iter().map(|message| &message["notes"]).collect();
    let notes = json!(notes).to_string();
    assert!(
        notes.contains('7') && notes.contains('x'),
        "the parts that fit nothing are in the trace: {notes}"
    );
}

#[tokio::test]
async fn a_leaf_may_come_as_it_is() {
    proves!("D2-F-07");
    let mut bench = Bench::new().await;
    let answer = Answer::commands(&json!([["GET", DEVID]]))
        .with("omadm-accept", "text/plain, application/dmmo+json;q=0.5");
    let answer = bench.run_answer(answer).await;
    assert_eq!(answer.statuses(), [200]);
    assert_eq!(
        (answer.parts[0].content_type.as_str(), answer.parts[0].body.as_slice()),
        ("text/plain", DEVICE_ID.as_bytes())
    );

    let (server, device, ids) = waiting_for(&[&["GET", DEVID]]).await;
    let leaf = ("0".to_owned(), "text/plain".to_owned(), b"IMEI:493005100592800".to_vec());
    commands(&device.answer_with_parts(&json!([{ "sc": 200 }]), &[leaf]).await);
    assert_eq!(server.command(&ids[0]).await["result"]["items"][0]["value"], "IMEI:493005100592800");
}

#[tokio::test]
async fn the_printed_answer_is_understood() {
    proves!("D2-F-09", "D2-7.2.1.3-03");
    let put = ["HPUT", "https://www.data.com/MOData", "urn:oma:mo:oma-moid:1.0//"];
    let words: [&[&str]; 6] = [
        &["GET", DEVID],
        &["GET", DEVID],
        &["GET", SESSION_INFO],
        &put,
        &["GET", "urn:oma:mo:invalid-moid:1.0//"],
        &["HGET", "https://www.dms1.com/", "urn:oma:mo:oma-dm-dmacc:1.2/dms1/Auth/Noti/Secret"],
    ];
    let (server, device, ids) = waiting_for(&words).await;
    let printed =
        include_str!("../../../vectors/dm2/multipart/F.txt").replace("\r\n", "\n").replace('\n', "\r\n");
    let (head, body) = printed.split_once("\r\n\r\n").unwrap();
    commands(&device.post_as(head.trim_start_matches("Content-Type: "), body.as_bytes()).await);
    let mut outcomes = Vec::new();
    for id in &ids {
        outcomes.push(server.outcome(id).await);
    }
    let done = ("done".to_owned(), Some(200));
    assert_eq!(
        outcomes,
        [done.clone(), done.clone(), done.clone(), done.clone(), ("failed".into(), Some(404)), done]
    );
    let value = |command: Value| command["result"]["items"][0]["value"].clone();
    assert_eq!(value(server.command(&ids[0]).await), "IMEI:493005100592800");
    assert_eq!(value(server.command(&ids[1]).await), "IMEI:493005100592800");
    let information = server.command(&ids[2]).await["result"]["items"].to_string();
    assert!(information.contains("CBT") && information.contains("ROAMING"), "{information}");

    let (server, device, ids) = waiting_for(&[&["HGET", "https://x/new"], &["GET", DEVID]]).await;
    let bare = json!({ "Status": [200, "urn:oma:mo:oma-dcmo:1.0/usb/", 404] });
    commands(&device.post_as(RESPONSE, bare.to_string().as_bytes()).await);
    assert_eq!(server.command(&ids[0]).await["result"]["stored"], json!(["urn:oma:mo:oma-dcmo:1.0/usb/"]));
    assert_eq!(server.outcome(&ids[1]).await, ("failed".into(), Some(404)));
    let (server, device, ids) = waiting_for(&[&["GET", DEVID]]).await;
    assert_eq!(device.post_as(RESPONSE, br#"{"Status":[true]}"#).await.status, 400);
    assert_eq!(server.outcome(&ids[0]).await.1, None);
}

#[tokio::test]
async fn the_printed_commands_are_executed() {
    proves!("D2-F-10");
    let mut bench = Bench::new().await;
    let put = bench.server.take("/MOData");
    let new = bench.server.serve("/new", &dmmo(&address("Text"), "Text", json!("new")));
    let answer = bench
        .run(json!([
            ["GET", DEVID],
            ["GET", DEVID],
            ["GET", SESSION_INFO],
            ["HPUT", put, single("")],
            ["GET", "urn:oma:mo:invalid-moid:1.0//"],
            ["HGET", new, address("Text")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 200, 200, 404, 200]);
    assert_eq!(answer.parts.len(), 3);
    assert_eq!(answer.value(2)["CBT"], 1);
    assert!(bench.device.miids(PLAIN_MOID).is_empty());
}
