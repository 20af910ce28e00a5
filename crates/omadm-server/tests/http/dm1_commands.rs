//! What operators ask for, said to devices of DM 1.x as far as each can do it.

use serde_json::{Value, json};

use crate::harness::{Connection, TestServer};
use crate::syncml::{Dm1Device, Said, Sent, commands};

async fn started(id: &str) -> (TestServer, Dm1Device, Connection) {
    let server = TestServer::start().await;
    let device = Dm1Device::enrol(&server, id).await;
    let connection = server.connect().await;
    (server, device, connection)
}

/// Ends a session that the server leaves open or has just ended.
async fn anew(device: &mut Dm1Device, connection: &mut Connection) -> Vec<Sent> {
    device.message = 0;
    let next = u32::from_str_radix(&device.session, 16).unwrap() + 1;
    device.session = format!("{next:X}");
    commands(&device.begin(connection).await)
}

fn targets(sent: &[Sent]) -> Vec<(&str, &str)> {
    sent.iter()
        .map(|sent| (sent.name.as_str(), sent.items.first().map_or("", |item| item.0.as_str())))
        .collect()
}

fn items(command: &Value) -> Vec<(String, Value)> {
    let items = command["result"]["items"].as_array().unwrap_or_else(|| panic!("{command}"));
    items.iter().map(|item| (item["address"].as_str().unwrap().to_owned(), item["value"].clone())).collect()
}

#[tokio::test]
async fn a_subtree_is_read_in_the_best_way_that_the_model_has() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let command = device.queue(&server, json!({ "verb": "get", "address": "./Cam" })).await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Get", "./Cam?list=TNDS")]);
    let body = Said::to(&answer).status(&sent[0], 406).end();
    let answer = device.send(&mut connection, &body).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Get", "./Cam?list=StructData")]);
    let body = Said::to(&answer).status(&sent[0], 406).end();
    let answer = device.send(&mut connection, &body).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Get", "./Cam")], "node by node");
    let body = Said::to(&answer).results(&sent[0], &[("./Cam", "node", Some("Zoom/L%20x"))]).end();
    let answer = device.send(&mut connection, &body).await;
    let sent = commands(&answer);
    let asked: Vec<&str> =
        sent.iter().flat_map(|sent| sent.items.iter().map(|item| item.0.as_str())).collect();
    assert_eq!(asked, ["./Cam/Zoom", "./Cam/L%20x"]);
    let values = [("./Cam/Zoom", "int", Some("4")), ("./Cam/L%20x", "chr", Some("front"))];
    let mut said = Said::to(&answer);
    for (number, sent) in sent.iter().enumerate() {
        let own = if sent.items.len() > 1 { &values[..] } else { &values[number..=number] };
        said = said.results(sent, own);
    }
    let end = device.send(&mut connection, &said.end()).await;
    assert_eq!(commands(&end), []);

    let done = server.command(&command).await;
    assert_eq!(done["state"], "done", "{done}");
    let read = items(&done);
    assert!(
        read.contains(&("./Cam/Zoom".into(), json!(4)))
            && read.contains(&("./Cam/L%20x".into(), json!("front")))
    );
    let tree = server.items(&device.api("/tree?at=./Cam")).await;
    let known: Vec<_> = tree.iter().map(|node| (node["address"].as_str().unwrap(), &node["value"])).collect();
    assert_eq!(known, [("./Cam", &json!(null)), ("./Cam/L%20x", &json!("front")), ("./Cam/Zoom", &json!(4))]);

    let features = server.get(&device.api("")).await["features"].clone();
    assert_eq!((&features["tnds"], &features["struct_data"]), (&json!(false), &json!(false)), "{features}");

    // What is known of the tree saves asking, and what is known of the model as well.
    device.queue(&server, json!({ "verb": "get", "address": "./Cam/Zoom" })).await;
    assert_eq!(targets(&anew(&mut device, &mut connection).await), [("Get", "./Cam/Zoom")]);
    let mut same = Dm1Device::enrol(&server, "IMEI:2").await;
    same.queue(&server, json!({ "verb": "get", "address": "./Cam" })).await;
    let mut connection = server.connect().await;
    let first = same.begin(&mut connection).await;
    let first = commands(&first);
    let again = anew(&mut same, &mut connection).await;
    assert_eq!(targets(&again), [("Get", "./Cam")], "after {first:?}");
}

#[tokio::test]
async fn a_value_is_written_whether_its_node_is_there_or_not() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let command = device.queue(&server, json!({ "verb": "set", "address": "./Cam/Zoom", "value": 4 })).await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!((targets(&sent), sent[0].items[0].1.as_deref()), (vec![("Replace", "./Cam/Zoom")], Some("4")));
    let answer = device.send(&mut connection, &Said::to(&answer).status(&sent[0], 404).end()).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Add", "./Cam/Zoom")]);
    device.send(&mut connection, &Said::to(&answer).status(&sent[0], 200).end()).await;
    assert_eq!(server.command(&command).await["state"], "done");
    let tree = server.items(&device.api("/tree?at=./Cam/Zoom")).await;
    assert_eq!((tree.len(), &tree[0]["value"]), (1, &json!(4)));

    let delete = device.queue(&server, json!({ "verb": "delete", "address": "./Cam" })).await;
    device.message = 0;
    device.session = "77".into();
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Delete", "./Cam")]);
    device.send(&mut connection, &Said::to(&answer).status(&sent[0], 200).end()).await;
    assert_eq!(server.command(&delete).await["state"], "done");
    assert_eq!(server.items(&device.api("/tree?at=./Cam")).await.len(), 0);
}

#[tokio::test]
async fn a_failure_is_a_sentence() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let command =
        device.queue(&server, json!({ "verb": "set", "address": "./DevInfo/Man", "value": "x" })).await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    device.send(&mut connection, &Said::to(&answer).status(&sent[0], 425).end()).await;
    let failed = server.command(&command).await;
    assert_eq!((&failed["state"], &failed["status"]), (&json!("failed"), &json!(425)));
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("./DevInfo/Man") && reason.len() > 40, "{reason}");
}

#[tokio::test]
async fn an_execution_can_end_later() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let command = device.queue(&server, json!({ "verb": "exec", "address": "./A/Update" })).await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    let correlator = sent[0].correlator.clone().unwrap();
    device.send(&mut connection, &Said::to(&answer).status(&sent[0], 202).end()).await;
    let waiting = server.command(&command).await;
    assert_eq!((&waiting["state"], &waiting["status"]), (&json!("sent"), &json!(202)));

    device.message = 0;
    device.session = "3".into();
    let hello = device.hello("1201").replace(
        "<Final/>",
        &format!(
            "<Alert><CmdID>3</CmdID><Data>1226</Data><Correlator>{correlator}</Correlator><Item><Source><LocURI>./A/Update</LocURI>\
             </Source><Meta><Type xmlns=\"syncml:metinf\">org.example.update</Type><Format xmlns=\"syncml:metinf\">chr</Format>\
             </Meta><Data>ResultCode=200</Data></Item></Alert><Final/>"
        ),
    );
    let answer = device.send(&mut connection, &hello).await;
    assert_eq!(commands(&answer), []);
    let done = server.command(&command).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["result"]["alert"]["data"], "ResultCode=200");
    let events = server.items("/events?device=IMEI:1").await;
    let alert = events.iter().find(|event| event["kind"] == "alert").unwrap();
    assert_eq!(
        (&alert["body"]["type"], &alert["body"]["code"]),
        (&json!("org.example.update"), &json!(1226))
    );
}

#[tokio::test]
async fn users_are_asked_and_what_they_answer_is_kept() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let ask =
        async |question: Value| device.queue(&server, json!({ "verb": "ask", "question": question })).await;
    let confirm =
        ask(json!({ "text": "Now?", "kind": "confirm", "default": "yes", "max_display": 60 })).await;
    let input = ask(json!({ "text": "Name", "kind": "input", "max_length": 8 })).await;
    let many = ask(json!({ "text": "Which?", "kind": "many", "choices": ["a", "b", "c"] })).await;
    let mut answer = device.begin(&mut connection).await;
    for _ in 0..4 {
        let sent = commands(&answer);
        let mut said = Said::to(&answer);
        for sent in sent.iter().filter(|sent| sent.name.starts_with("Alert")) {
            said = match sent.name.as_str() {
                "Alert 1101" => {
                    assert_eq!(sent.items[0].1.as_deref(), Some("MAXDT=60&DR=1"));
                    said.status(sent, 304)
                }
                "Alert 1102" => said.input(sent, 200, &["Ada"]),
                "Alert 1104" => {
                    assert_eq!(sent.items.len(), 5);
                    said.input(sent, 200, &["1", "3"])
                }
                other => panic!("{other}"),
            };
        }
        if sent.is_empty() {
            break;
        }
        for wrapper in sent.iter().filter(|sent| sent.name == "Sequence") {
            said = said.status(wrapper, 200);
        }
        answer = device.send(&mut connection, &said.end()).await;
    }
    for (id, expected) in
        [(confirm, json!("no")), (input, json!({ "text": "Ada" })), (many, json!({ "chosen": [1, 3] }))]
    {
        let command = server.command(&id).await;
        assert_eq!(command["result"]["answer"], expected, "{command}");
    }
    let trace = server.get(&device.api("/sessions/1")).await.to_string();
    assert!(!trace.contains("Ada"), "what a user types in may be a password");
}

#[tokio::test]
async fn a_command_can_be_sent_as_it_is() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let xml =
        "<Replace><Item><Target><LocURI>./A?prop=ACL</LocURI></Target><Data>Get=*</Data></Item></Replace>";
    let command = device.queue(&server, json!({ "verb": "raw", "xml": xml })).await;
    for bad in ["", "<Get/>", "<Status/>", "<Get><Item/></Get><Get><Item/></Get>", "<Get", "Get ./A"] {
        let answer =
            server.api("POST", &device.api("/commands"), Some(json!({ "verb": "raw", "xml": bad }))).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!(
        (targets(&sent), sent[0].items[0].1.as_deref()),
        (vec![("Replace", "./A?prop=ACL")], Some("Get=*"))
    );
    device.send(&mut connection, &Said::to(&answer).status(&sent[0], 200).end()).await;
    assert_eq!(server.command(&command).await["state"], "done");
}

#[tokio::test]
async fn where_an_object_is_is_asked_first() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    device.version = "DM/1.3";
    let known = device.queue(&server, json!({ "verb": "get", "address": "urn:x:mo:cam:1.0//Zoom" })).await;
    let unknown = device.queue(&server, json!({ "verb": "get", "address": "urn:x:mo:nowhere:1.0//" })).await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Get", ".?list=MORoot")]);
    let roots = [
        ("./DevInfo", "node urn:oma:mo:oma-dm-devinfo:1.1", None),
        ("./Ext/C1", "node urn:x:mo:cam:1.0", None),
    ];
    let answer = device.send(&mut connection, &Said::to(&answer).results(&sent[0], &roots).end()).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Get", ".?list=Struct")], "types of nodes may tell what MORoot did not");
    let all = [(".", "node", None), ("./Ext", "node", None), ("./Ext/C1", "node urn:x:mo:cam:1.0", None)];
    let answer = device.send(&mut connection, &Said::to(&answer).results(&sent[0], &all).end()).await;
    let sent = commands(&answer);
    assert!(sent.len() == 1 && sent[0].items[0].0.starts_with("./Ext/C1/Zoom"), "{sent:?}");
    let body = Said::to(&answer).results(&sent[0], &[("./Ext/C1/Zoom", "int", Some("4"))]).end();
    let end = device.send(&mut connection, &body).await;
    assert_eq!(commands(&end), []);
    let done = server.command(&known).await;
    assert_eq!(items(&done), [("urn:x:mo:cam:1.0/C1/Zoom".to_owned(), json!(4))], "{done}");
    let failed = server.command(&unknown).await;
    assert_eq!((&failed["state"], &failed["status"]), (&json!("failed"), &json!(404)), "{failed}");
    assert!(failed["reason"].as_str().unwrap().contains("urn:x:mo:nowhere:1.0"));
}

#[tokio::test]
async fn what_dm_1_does_not_have_is_refused_at_once() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let subscribe = json!({ "verb": "subscribe", "address": "urn:oma:mo:oma-dm-devinfo:1.2//" });
    let early = device.queue(&server, subscribe.clone()).await;
    device.begin(&mut connection).await;
    let failed = server.command(&early).await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(failed["reason"].as_str().unwrap().contains("DM 1.x"));
    for command in [
        subscribe,
        json!({ "verb": "upload", "addresses": ["./A", "./B"] }),
        json!({ "verb": "fetch", "from": "https://a.example/x" }),
        json!({ "verb": "show", "url": "https://a.example/" }),
        json!({ "verb": "default", "moid": "urn:x:1.0", "from": "https://a.example/" }),
        json!({ "verb": "raw", "words": ["GET", "urn:oma:mo:oma-dm-devinfo:1.2//"] }),
        json!({ "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2/*/Man" }),
        json!({ "verb": "get", "address": "./A/../B" }),
    ] {
        let answer = server.api("POST", &device.api("/commands"), Some(command.clone())).await;
        assert_eq!(answer.status, 400, "{command}: {}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().len() > 20);
    }
}

/// Runs a session in which the device says where one instance is, and that it can read TNDS or not.
async fn acquainted(tnds: bool) -> (TestServer, Dm1Device, Connection) {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    device.queue(&server, json!({ "verb": "get", "address": "./Ext" })).await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    let document = "&lt;MgmtTree&gt;&lt;VerDTD&gt;1.2&lt;/VerDTD&gt;&lt;Node&gt;&lt;NodeName&gt;Ext&lt;/NodeName&gt;\
         &lt;RTProperties&gt;&lt;Format&gt;&lt;node/&gt;&lt;/Format&gt;&lt;/RTProperties&gt;\
         &lt;Node&gt;&lt;NodeName&gt;C1&lt;/NodeName&gt;&lt;RTProperties&gt;&lt;Format&gt;&lt;node/&gt;&lt;/Format&gt;\
         &lt;Type&gt;&lt;DDFName&gt;urn:x:mo:cam:1.0&lt;/DDFName&gt;&lt;/Type&gt;&lt;/RTProperties&gt;&lt;Node&gt;&lt;NodeName&gt;Zoom&lt;/NodeName&gt;\
         &lt;RTProperties&gt;&lt;Format&gt;&lt;int/&gt;&lt;/Format&gt;&lt;/RTProperties&gt;&lt;Value&gt;4&lt;/Value&gt;&lt;/Node&gt;&lt;/Node&gt;&lt;/Node&gt;&lt;/MgmtTree&gt;";
    let end = if tnds {
        let kind = "xml application/vnd.syncml.dmtnds+xml";
        let body = Said::to(&answer).results(&sent[0], &[("./Ext", kind, Some(document))]).end();
        device.send(&mut connection, &body).await
    } else {
        let answer = device.send(&mut connection, &Said::to(&answer).status(&sent[0], 406).end()).await;
        let sent = commands(&answer);
        let nodes = [
            ("./Ext", "node", None),
            ("./Ext/C1", "node urn:x:mo:cam:1.0", None),
            ("./Ext/C1/Zoom", "int", Some("4")),
        ];
        device.send(&mut connection, &Said::to(&answer).results(&sent[0], &nodes).end()).await
    };
    assert_eq!(commands(&end), []);
    let inventory = server.get(&device.api("")).await["inventory"].clone();
    let cam =
        inventory.as_array().unwrap().iter().find(|mo| mo["moid"] == "urn:x:mo:cam:1.0").unwrap().clone();
    assert_eq!((&cam["miids"], &cam["roots"]), (&json!(["C1"]), &json!(["./Ext/C1"])));
    (server, device, connection)
}

#[tokio::test]
async fn items_are_written_all_or_none() {
    for tnds in [false, true] {
        let (server, mut device, mut connection) = acquainted(tnds).await;
        let items = json!([
            { "ClientURI": "urn:x:mo:cam:1.0/C1/", "MOData": { "C1": { "Zoom": 5, "Label": "a b" } } },
            { "ClientURI": "urn:x:mo:cam:1.0/C2/", "MOData": { "C2": { "Zoom": 6 } } },
        ]);
        let command = device.queue(&server, json!({ "verb": "set", "items": items })).await;
        device.message = 0;
        device.session = "9".into();
        let answer = device.begin(&mut connection).await;
        let sent = commands(&answer);
        let expected = [
            ("Atomic", ""),
            ("Add", "./Ext/C1/Label"),
            ("Replace", "./Ext/C1/Zoom"),
            ("Add", "./Ext/C2"),
            ("Add", "./Ext/C2/Zoom"),
        ];
        assert_eq!(targets(&sent), expected[..if tnds { 4 } else { 5 }]);
        if tnds {
            let document = sent[3].items[0].1.as_ref().unwrap();
            assert!(
                document.contains("urn:x:mo:cam:1.0") && document.contains("<Value>6</Value>"),
                "{document}"
            );
        }
        let said = sent.iter().fold(Said::to(&answer), |said, sent| said.status(sent, 200));
        device.send(&mut connection, &said.end()).await;
        assert_eq!(server.command(&command).await["state"], "done");
        let tree = server.items(&device.api("/tree?at=urn:x:mo:cam:1.0/*/")).await;
        let leaves: Vec<_> = tree
            .iter()
            .filter(|node| node["interior"] == false)
            .map(|node| (node["address"].as_str().unwrap(), &node["value"]))
            .collect();
        let of = |miid: &str, leaf: &str| format!("urn:x:mo:cam:1.0/{miid}/{leaf}");
        for (address, value) in
            [(of("C1", "Label"), json!("a b")), (of("C1", "Zoom"), json!(5)), (of("C2", "Zoom"), json!(6))]
        {
            assert!(leaves.contains(&(address.as_str(), &value)), "{address}: {leaves:?}");
        }
    }
}

/// As on devices of DM 2.0: what is uploaded is kept as it is, and known from then on.
#[tokio::test]
async fn an_upload_is_read_and_kept() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let whole = device.queue(&server, json!({ "verb": "upload", "address": "./Cam" })).await;
    let log = device.queue(&server, json!({ "verb": "upload", "address": "./Cam/Log" })).await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Get", "./Cam?list=TNDS")]);
    let answer = device.send(&mut connection, &Said::to(&answer).status(&sent[0], 406).end()).await;
    let sent = commands(&answer);
    let nodes = [
        ("./Cam", "node urn:x:mo:cam:1.0", None),
        ("./Cam/Zoom", "int", Some("4")),
        ("./Cam/Log", "bin", None),
    ];
    let answer = device.send(&mut connection, &Said::to(&answer).results(&sent[0], &nodes).end()).await;
    let sent = commands(&answer);
    assert!(targets(&sent)[0].1.starts_with("./Cam/Log"), "{sent:?}");
    // In two messages, as it is too large for one.
    let part = |data: &str, more: &str, size: &str| {
        format!(
            "<Results><CmdID/><MsgRef>{}</MsgRef><CmdRef>{}</CmdRef><Item><Source><LocURI>./Cam/Log</LocURI></Source>\
             <Meta><Format xmlns=\"syncml:metinf\">b64</Format><Type xmlns=\"syncml:metinf\">image/x-log</Type>{size}</Meta>\
             <Data>{data}</Data>{more}</Item></Results>",
            answer.header.message_id, sent[0].id
        )
    };
    let size = "<Size xmlns=\"syncml:metinf\">8</Size>";
    let body = Said::to(&answer).status(&sent[0], 200).and(&part("AAEC", "<MoreData/>", size)).end();
    let next = device.send(&mut connection, &body.replace("<Final/>", "")).await;
    assert_eq!(commands(&next)[0].name, "Alert 1222");
    let body = Said::to(&next).and(&part("AwQF", "", "")).end();
    let end = device.send(&mut connection, &body).await;
    assert_eq!(commands(&end), []);

    let kept = async |command: &str| {
        let shown = server.command(command).await;
        assert_eq!(shown["state"], "done", "{shown}");
        let upload = shown["result"]["upload"].clone();
        let path = device.api(&format!("/payloads/{}", upload["id"].as_str().unwrap()));
        let payload = server.api("GET", &path, None).await;
        assert_eq!(payload.header("content-type"), upload["content_type"].as_str().unwrap());
        assert_eq!(payload.body.len() as u64, upload["length"].as_u64().unwrap());
        payload
    };
    let document = kept(&whole).await;
    assert_eq!(document.header("content-type"), "application/vnd.syncml.dmtnds+xml");
    let text = document.text();
    assert!(text.contains("<NodeName>Zoom</NodeName>") && text.contains("<Value>4</Value>"), "{text}");
    let log = kept(&log).await;
    assert_eq!((log.header("content-type"), &log.body[..]), ("image/x-log", &[0, 1, 2, 3, 4, 5][..]));
    let tree = server.items(&device.api("/tree?at=urn:x:mo:cam:1.0//")).await;
    assert!(tree.iter().any(|node| node["value"] == 4), "{tree:?}");
}

/// A MOID of which the device has no instance goes where its DDF file says.
#[tokio::test]
async fn a_first_instance_goes_where_its_file_says() {
    let (server, mut device, mut connection) = started("IMEI:1").await;
    let items = json!([{ "ClientURI": "urn:x:mo:cam:1.0/C1/", "MOData": { "C1": { "Zoom": 5 } } }]);
    let set = json!({ "verb": "set", "items": items });
    let nowhere = device.queue(&server, set.clone()).await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Get", ".?list=Struct")], "first it is asked for");
    let none = [(".", "node", None), ("./Ext", "node", None)];
    let end = device.send(&mut connection, &Said::to(&answer).results(&sent[0], &none).end()).await;
    assert_eq!(commands(&end), []);
    let failed = server.command(&nowhere).await;
    assert_eq!((&failed["state"], &failed["status"]), (&json!("failed"), &json!(404)), "{failed}");
    assert!(failed["reason"].as_str().unwrap().contains("set its nodes by path"), "{failed}");

    let ddf = "<MgmtTree><VerDTD>1.2</VerDTD><Man>x</Man><Mod>y</Mod><Node><NodeName></NodeName><Path>./Ext</Path>\
         <DFProperties><AccessType><Get/><Add/></AccessType><DFFormat><node/></DFFormat><Occurrence><ZeroOrMore/></Occurrence>\
         <Scope><Dynamic/></Scope><DFType><DDFName>urn:x:mo:cam:1.0</DDFName></DFType></DFProperties>\
         <Node><NodeName>Zoom</NodeName><DFProperties><AccessType><Get/><Replace/></AccessType><DFFormat><int/></DFFormat>\
         <Occurrence><ZeroOrOne/></Occurrence><Scope><Dynamic/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node></Node></MgmtTree>";
    let stored = server.put_ddf("cam.ddf", ddf).await;
    assert!(stored.status.is_success(), "{}", stored.text());
    let command = device.queue(&server, set).await;
    let get = json!({ "verb": "get", "address": "urn:x:mo:cam:1.0/C1/Zoom" });
    let behind = device.queue(&server, get).await;
    device.message = 0;
    device.session = "2B".into();
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Get", ".?list=Struct")]);
    let answer = device.send(&mut connection, &Said::to(&answer).results(&sent[0], &none).end()).await;
    let sent = commands(&answer);
    assert_eq!(targets(&sent), [("Atomic", ""), ("Add", "./Ext/C1"), ("Add", "./Ext/C1/Zoom")]);
    let said = sent.iter().fold(Said::to(&answer), |said, sent| said.status(sent, 200));
    let answer = device.send(&mut connection, &said.end()).await;
    let sent = commands(&answer);
    let asked = targets(&sent)[0];
    assert!(asked.1.starts_with("./Ext/C1/Zoom"), "what waited for it goes out at once: {asked:?}");
    let value = [("./Ext/C1/Zoom", "int", Some("5"))];
    device.send(&mut connection, &Said::to(&answer).results(&sent[0], &value).end()).await;
    assert_eq!(server.command(&behind).await["state"], "done");
    assert_eq!(server.command(&command).await["state"], "done");
    let inventory = server.get(&device.api("")).await["inventory"].clone();
    let cam = inventory.as_array().unwrap().iter().find(|mo| mo["moid"] == "urn:x:mo:cam:1.0").cloned();
    assert_eq!(cam.unwrap()["roots"], json!(["./Ext/C1"]));
}
