//! Device description files (`DM 2.0 §6.4`), both sides.

use omadm_codec::{Limits, ddf};
use omadm_conformance::ddf::{both_refuse, node, properties, single_root, tree};
use omadm_conformance::{
    AgentProcess, Answer, Authority, Bench, DEVICE_ID, DeviceSetup, Pair, TestServer, dmmo, logged, proves,
};
use omadm_mo::ddf::DdfNode;
use serde_json::{Value, json};

const VENDOR: &str = "urn:example:mo:rack:1.0";
const OTHER: &str = "urn:example:mo:other:1.0";
const ALL: &str = "Add Delete Get Replace";

fn rack(path: &str) -> String {
    format!("{VENDOR}//{path}")
}

fn leaf(name: &str, properties: &str) -> String {
    node(name, properties, &[])
}

/// A DDF file of one object with these nodes.
fn ddf_of(inside: &[String]) -> String {
    tree(&[single_root("Rack", VENDOR, inside)])
}

/// A DDF file of one object with one leaf, `Leaf`.
fn leaf_of(properties: &str) -> String {
    ddf_of(&[leaf("Leaf", properties)])
}

/// A device that has an object from a DDF file.
async fn bench(ddf: String) -> Bench {
    let mut bench = Bench::with(|setup| {
        setup.data_objects.push(ddf);
        setup.client.always_send_mos = true;
    })
    .await;
    bench.device.grant(VENDOR, "Rack", "/", "DMS1", 15);
    bench
}

/// Asserts that the server takes a DDF file; gives its answer.
async fn put(server: &TestServer, ddf: &str) -> Value {
    let reply = server.put_ddf("good.ddf", ddf).await;
    assert_eq!(reply.status, 200, "{ddf}: {}", String::from_utf8_lossy(&reply.body));
    let file = server.fetch_ddf("good.ddf").await;
    assert_eq!((file.status, file.body.as_slice()), (200, ddf.as_bytes()), "devices get it as it is");
    reply.json()
}

#[tokio::test]
async fn the_tree_holds_the_objects_and_says_its_version() {
    proves!(
        "DM-OBJ-013-C-M",
        "DM-OBJ-012-S-M",
        "DM-OBJ-014-C-M",
        "DM-OBJ-013-S-M",
        "DM-OBJ-017-C-M",
        "DM-OBJ-016-S-M",
        "DM-OBJ-023-C-M",
        "DM-OBJ-022-S-M"
    );
    let good = tree(&[
        single_root("Rack", VENDOR, &[leaf("Leaf", &properties("Get", "chr", "One", ""))]),
        single_root("Other", OTHER, &[]),
        single_root("Nameless", "", &[]),
    ]);
    let server = TestServer::start().await;
    let mut bench = bench(good.clone()).await;
    bench.device.grant(OTHER, "Other", "/", "DMS1", 1);
    let answer =
        bench.run(json!([["GET", rack("")], ["GET", format!("{OTHER}//")], ["GET", "urn:none:1.0//"]]));
    assert_eq!(answer.await.statuses(), [200, 200, 404]);
    let package = bench.server.package1(0);
    assert_eq!(package.miids(VENDOR).as_deref(), Some(&["Rack"][..]));
    assert_eq!(package.miids(OTHER).as_deref(), Some(&["Other"][..]));
    assert_eq!(put(&server, &good).await["moids"], json!([VENDOR, OTHER]), "a node without DDFName is none");

    both_refuse(&server, &good.replace("MgmtTree", "Tree"), (1, 1), "MgmtTree").await;
    both_refuse(&server, &good.replace("<VerDTD>1.2</VerDTD>", ""), (1, 1), "VerDTD").await;
    both_refuse(&server, &tree(&[]), (1, 1), "Node").await;
    for (version, warned) in [("1.2", false), ("1.3", false), ("9.9", true), ("", true)] {
        let ddf = good.replace("<VerDTD>1.2<", &format!("<VerDTD>{version}<"));
        let warnings = put(&server, &ddf).await["warnings"].to_string();
        assert_eq!(warnings.contains("VerDTD"), warned, "{version}: {warnings}");
        let mut setup = DeviceSetup::new([], None);
        setup.data_objects.push(ddf);
        let (device, log) = logged(|| setup.open());
        assert!(device.has(&rack("Leaf")));
        assert_eq!(log.contains("VerDTD"), warned, "{version}: {log}");
    }
}

#[tokio::test]
async fn nodes_have_names_and_properties() {
    proves!("DM-OBJ-018-C-M", "DM-OBJ-024-C-M", "DM-OBJ-023-S-M");
    let get = properties("Get", "chr", "One", "<DefaultValue>x</DefaultValue>");
    let list = |names: &str| {
        let any = leaf("NAME", &properties(ALL, "chr", "ZeroOrMore", ""));
        node(
            "List",
            &properties("Get", "node", "One", ""),
            &[any.replace("<NodeName>NAME</NodeName>", names)],
        )
    };
    let server = TestServer::start().await;
    for unnamed in ["", "<NodeName/>", "<NodeName>&lt;x&gt;</NodeName>"] {
        let ddf = ddf_of(&[leaf("Some-Name_1.~", &get), list(unnamed)]);
        let mut bench = bench(ddf.clone()).await;
        let answer = bench.run(json!([["GET", rack("Some-Name_1.~")], ["GET", rack("Other")]])).await;
        assert_eq!(answer.statuses(), [200, 404]);
        for name in ["a", "b"] {
            assert_eq!(bench.hget(&rack(&format!("List/{name}")), json!(name)).await, 200, "{unnamed:?}");
        }
        let list = bench.run(json!([["GET", rack("List")]])).await.value(0);
        assert_eq!(list, json!({ "a": "a", "b": "b" }), "{unnamed:?}");
        assert_eq!(put(&server, &ddf).await["moids"], json!([VENDOR]));
    }
    for bad in ["a/b", "a b", "a?b", "a#b"] {
        both_refuse(&server, &ddf_of(&[leaf(bad, &get)]), (4, 7), "no legal node name").await;
    }
    let naked = "<Node><NodeName>Leaf</NodeName></Node>\n".to_owned();
    both_refuse(&server, &ddf_of(&[naked]), (4, 1), "DFProperties").await;
}

#[tokio::test]
async fn values_of_new_nodes_come_from_the_definition() {
    proves!("DM-OBJ-020-C-O", "DM-OBJ-026-C-O");
    let number = properties("Get Replace", "int", "One", "");
    let default = properties("Get Replace", "int", "One", "<DefaultValue>7</DefaultValue>");
    let value =
        |leaf: String, value: &str| leaf.replace("</Node>", &format!("<Value>{value}</Value></Node>"));
    let inside = [
        leaf("Nothing", &properties("Get", "chr", "One", "")),
        value(leaf("Value", &number), "5"),
        leaf("Default", &default),
        value(leaf("Both", &default), "5"),
    ];
    let many = node(
        "List",
        &properties("Get", "node", "One", ""),
        &[node("", &properties(ALL, "node", "ZeroOrMore", ""), &inside)],
    );
    let mut bench = bench(ddf_of(&[many])).await;
    assert_eq!(bench.hget(&rack("List/new"), json!({})).await, 200);
    let new = bench.run(json!([["GET", rack("List/new")]])).await.value(0);
    assert_eq!(new, json!({ "Nothing": "", "Value": 5, "Default": 7, "Both": 7 }));
    assert_eq!(bench.hget(&rack("List/set"), json!({ "Default": 8, "Value": 9 })).await, 200);
    let set = bench.run(json!([["GET", rack("List/set")]])).await.value(0);
    assert_eq!(set, json!({ "Nothing": "", "Value": 9, "Default": 8, "Both": 7 }), "unless they are set");
}

#[tokio::test]
async fn formats_decide_which_values_fit() {
    proves!("DM-OBJ-021-C-M", "DM-OBJ-028-C-O", "D2-6.4-11");
    let formats = [
        ("b64", json!("eHl6"), json!("=")),
        ("bin", json!("AAEC"), json!("?")),
        ("bool", json!(true), json!(2)),
        ("chr", json!("text"), json!({ "a": "b" })),
        ("int", json!(-5), json!(1.5)),
        ("node", json!({}), json!("text")),
        ("null", json!(null), json!("text")),
        ("xml", json!("<a/>"), json!([])),
        ("date", json!("2015-01-22"), json!("22.1.2015")),
        ("time", json!("10:20:30"), json!("noon")),
        ("float", json!(0.5), json!("half")),
    ];
    let nodes = formats.clone().map(|(format, ..)| leaf(format, &properties(ALL, format, "ZeroOrOne", "")));
    let whole = ddf_of(&nodes);
    let mut device = bench(whole.clone()).await;
    for (format, good, bad) in formats {
        let place = rack(format);
        assert_eq!(device.hget(&place, bad.clone()).await, 415, "{bad} as {format}");
        assert!(!device.device.has(&place));
        assert_eq!(device.hget(&place, good.clone()).await, 200, "{good} as {format}");
        let read = device.run(json!([["GET", rack("")]])).await.value(0);
        assert_eq!(read.get(format), Some(&good), "{format}");
    }
    let server = TestServer::start().await;
    put(&server, &whole).await;
    for unknown in ["<string/>", "<Int/>", ""] {
        let bad = leaf_of(&properties("Get", "chr", "One", "")).replace("<chr/>", unknown);
        let at = if unknown.is_empty() { "<DFFormat>" } else { unknown };
        let column = bad.lines().nth(3).unwrap().find(at).unwrap() + 1;
        both_refuse(&server, &bad, (4, column), "DFFormat").await;
    }

    let without = |inside: &[String]| {
        let list = node("List", "<AccessType><Get/></AccessType>", inside);
        ddf_of(&[list])
    };
    let child = leaf("Child", &properties("Get Replace", "chr", "One", "<DefaultValue>x</DefaultValue>"));
    let mut interior = bench(without(std::slice::from_ref(&child))).await;
    assert_eq!(interior.run(json!([["GET", rack("List")]])).await.value(0), json!({ "Child": "x" }));
    put(&server, &without(&[child])).await;
    both_refuse(&server, &without(&[]), (4, 1), "DFFormat").await;
}

#[tokio::test]
async fn access_types_decide_which_commands_are_allowed() {
    proves!("DM-OBJ-025-C-M");
    let up_to = |access: &str| leaf_of(&properties(access, "chr", "ZeroOrOne", ""));
    // HGET of a new node, GET, HGET of one that is there, DELETE, EXEC.
    for (access, statuses) in [
        ("Add Delete Exec Get Replace", [200, 200, 200, 200, 501]),
        ("Add Get", [200, 200, 403, 405, 405]),
        ("Add Replace", [200, 403, 200, 405, 405]),
        ("Add Delete", [200, 403, 403, 200, 405]),
        ("Add Exec", [200, 403, 403, 405, 501]),
        ("Get Replace Delete Exec", [403, 404, 403, 404, 404]),
    ] {
        let mut bench = bench(up_to(access)).await;
        let place = rack("Leaf");
        let added = bench.hget(&place, json!("x")).await;
        let read = bench.status(json!(["GET", place])).await;
        let replaced = bench.hget(&place, json!("y")).await;
        let executed = bench.status(json!(["EXEC", place])).await;
        let deleted = bench.status(json!(["DELETE", place])).await;
        assert_eq!([added, read, replaced, deleted, executed], statuses, "{access}");
    }
    let server = TestServer::start().await;
    let bad = up_to("Get Write");
    let column = bad.lines().nth(3).unwrap().find("<Write/>").unwrap() + 1;
    both_refuse(&server, &bad, (4, column), "none of the elements of AccessType").await;
}

#[tokio::test]
async fn types_name_the_media_of_a_leaf_or_the_object_of_a_node() {
    proves!("DM-OBJ-022-C-O", "DM-OBJ-032-C-O", "DM-OBJ-031-S-O");
    let types = "<DFType><MIME>text/x-one</MIME><MIME>application/x-two</MIME></DFType>";
    let ddf = leaf_of(&properties("Get Replace", "chr", "One", types));
    let mut bench = bench(ddf.clone()).await;
    let (data, up) = (bench.server.uri("/data"), bench.server.take("/up"));
    for (media_type, status) in
        [("text/x-one", 200), ("application/x-two", 200), ("text/plain", 200), ("text/html", 415)]
    {
        let before = bench.device.text(&rack("Leaf"));
        bench.server.route(&http::Method::GET, "/data", Answer::body(media_type, media_type));
        assert_eq!(bench.status(json!(["HGET", data, rack("Leaf")])).await, status, "{media_type}");
        let expected = if status == 200 { Some(media_type.to_owned()) } else { before };
        assert_eq!(bench.device.text(&rack("Leaf")), expected);
    }
    bench.server.say(
        Answer::commands(&json!([["HPUT", up, rack("Leaf")]])).with("OMADM-Accept", "application/x-two"),
    );
    bench.session().await;
    let sent = bench.server.data_requests().pop().unwrap();
    assert_eq!(
        (sent.header("content-type"), sent.text().as_str()),
        (Some("application/x-two"), "text/plain")
    );

    let server = TestServer::start().await;
    assert_eq!(put(&server, &ddf).await["moids"], json!([VENDOR]), "the type of the root is the MOID");
    assert_eq!(put(&server, &ddf.replace(VENDOR, OTHER)).await["moids"], json!([OTHER]));
}

#[test]
fn the_log_tells_whose_description_the_device_has() {
    proves!("DM-OBJ-015-C-O", "DM-OBJ-016-C-O");
    let ddf = leaf_of(&properties("Get", "chr", "One", ""));
    for (told, man, model) in [
        ("<Man>Maker of racks</Man>\n<Mod>Rack 9</Mod>\n", true, true),
        ("<Man>Maker of racks</Man>\n", true, false),
        ("<Mod>Rack 9</Mod>\n", false, true),
        ("", false, false),
    ] {
        let mut setup = DeviceSetup::new([], None);
        setup.data_objects.push(ddf.replace("</VerDTD>\n", &format!("</VerDTD>\n{told}")));
        let (device, log) = logged(|| setup.open());
        assert!(device.has(&rack("Leaf")), "{told}");
        let line = log.lines().find(|line| line.contains("DDF file read") && line.contains("data-0.ddf"));
        let line = line.unwrap_or_else(|| panic!("{log}"));
        assert_eq!((line.contains("Maker of racks"), line.contains("Rack 9")), (man, model), "{line}");
    }
}

#[tokio::test]
async fn the_path_places_instances_in_the_tree() {
    proves!("DM-OBJ-019-C-O");
    let inside = [leaf("Leaf", &properties(ALL, "chr", "ZeroOrOne", ""))];
    for (path, place) in [
        ("<Path>./Vendor/Things</Path>", "./Vendor/Things/made"),
        ("<Path>.</Path>", "./made"),
        ("", "./rack/made"),
    ] {
        let more = format!("<DFType><DDFName>{VENDOR}</DDFName></DFType>");
        let root = node("&lt;x&gt;", &properties(ALL, "node", "ZeroOrMore", &more), &inside);
        let ddf = tree(&[root.replacen("</NodeName>", &format!("</NodeName>{path}"), 1)]);
        let mut bench = Bench::with(|setup| setup.data_objects.push(ddf)).await;
        let made = json!([{ "ClientURI": rack(""), "MOData": { "made": { "Leaf": "x" } } }]);
        bench.server.route(
            &http::Method::GET,
            "/made",
            Answer::body("application/dmmo+json", made.to_string()),
        );
        assert_eq!(bench.status(json!(["HGET", bench.server.uri("/made")])).await, 200);
        let device = bench.device.client.device();
        let instance = device.tree().instances().find(|instance| instance.moid.as_str() == VENDOR).unwrap();
        let names = device.tree().node(instance.root).unwrap().path();
        let at = names.iter().fold(".".to_owned(), |at, name| at + "/" + name.as_str());
        assert_eq!(at, place, "{path:?}");
        assert_eq!(
            bench.run(json!([["GET", rack("Leaf")]])).await.value(0),
            "x",
            "the address has no place in it"
        );
    }
}

#[tokio::test]
async fn people_read_titles_and_descriptions_on_the_device() {
    proves!("DM-OBJ-027-C-O", "DM-OBJ-031-C-O");
    let words = "<Description>Volume of the horn, in dB.</Description>";
    let ddf = ddf_of(&[
        leaf("Volume", &(properties("Get", "int", "One", "") + "<DFTitle>Volume</DFTitle>")),
        leaf("Plain", &properties("Get", "int", "One", "")),
    ]);
    let ddf =
        ddf.replacen("</AccessType><DFFormat><int/>", &format!("</AccessType>{words}<DFFormat><int/>"), 1);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("rack.ddf"), ddf).unwrap();
    let settings = format!("[ddf]\ndir = {:?}", directory.path());
    let agent = AgentProcess::new(&Authority::new().ca_file(), DEVICE_ID, &settings).await;
    for (name, title, description) in [
        ("Volume", json!("Volume"), json!("Volume of the horn, in dB.")),
        ("Plain", Value::Null, Value::Null),
    ] {
        let said = agent.run(&["tree", &rack(name), "--output", "json"]).await.stdout;
        let said: Value = serde_json::from_slice(&said).unwrap();
        assert_eq!((&said[0]["title"], &said[0]["description"]), (&title, &description), "{name}");
    }
}

#[tokio::test]
async fn occurrence_scope_and_letter_case() {
    proves!("DM-OBJ-029-C-O", "DM-OBJ-030-C-O", "DM-OBJ-033-C-O");
    let list = |name: &str, occurrence: &str, more: &str| {
        let any = leaf("", &properties(ALL, "chr", occurrence, ""));
        node(name, &properties("Get Replace", "node", "One", more), &[any])
    };
    let ddf = ddf_of(&[
        list("Two", "ZeroOrN 2", ""),
        list("Many", "ZeroOrMore", ""),
        list("Folded", "ZeroOrMore", "<CaseSense><CIS/></CaseSense>"),
        list("Exact", "ZeroOrMore", "<CaseSense><CS/></CaseSense>"),
        leaf("Permanent", &properties(ALL, "chr", "ZeroOrOne", "<Scope><Permanent/></Scope>")),
        leaf("Dynamic", &properties(ALL, "chr", "ZeroOrOne", "<Scope><Dynamic/></Scope>")),
    ]);
    let mut bench = bench(ddf).await;
    for (path, status) in [
        ("Two/a", 200),
        ("Two/b", 200),
        ("Two/c", 403),
        ("Many/a", 200),
        ("Many/b", 200),
        ("Many/c", 200),
        ("Permanent", 403),
        ("Dynamic", 200),
        ("Folded/Name", 200),
        ("Folded/NAME", 200),
        ("Exact/Name", 200),
        ("Exact/NAME", 200),
    ] {
        assert_eq!(bench.hget(&rack(path), json!("x")).await, status, "{path}");
    }
    let whole = bench.run(json!([["GET", rack("")]])).await.value(0);
    assert_eq!(whole["Folded"], json!({ "Name": "x" }), "one node");
    assert_eq!(whole["Exact"], json!({ "Name": "x", "NAME": "x" }), "two nodes");
    let answer = bench.run(json!([
        ["GET", rack("folded/nAme")],
        ["GET", rack("Folded/nAme")],
        ["GET", rack("Exact/nAme")]
    ]));
    assert_eq!(answer.await.statuses()[1..], [200, 404]);
}

/// The model without what DM 2.0 ignores.
fn model(text: &str) -> Vec<DdfNode> {
    fn strip(node: &mut DdfNode) {
        node.rt_properties = None;
        node.children.iter_mut().for_each(strip);
    }
    let mut nodes = ddf::decode(text.as_bytes(), &Limits::default()).unwrap().ddf.nodes;
    nodes.iter_mut().for_each(strip);
    nodes
}

/// What a device with this DDF file does with one script.
async fn behaviour(ddf: &str) -> (Vec<u64>, Value) {
    let mut bench = bench(ddf.to_owned()).await;
    let writes =
        [("Leaf", json!("text")), ("Leaf", json!("5")), ("Number", json!("text")), ("New", json!(1))];
    let writes = writes.into_iter().enumerate().map(|(at, (path, content))| {
        let data = bench.server.serve(&format!("/{at}"), &dmmo(&rack(path), path, content));
        json!(["HGET", data, rack(path)])
    });
    let others = [("GET", "Leaf"), ("DELETE", "Leaf"), ("EXEC", "Leaf"), ("GET", "")];
    let others = others.map(|(command, path)| json!([command, rack(path)]));
    let script = writes.chain(others).collect();
    let answer = bench.run(script).await;
    (answer.statuses(), answer.value(7))
}

#[tokio::test]
async fn what_dm_2_0_does_not_need_is_ignored() {
    proves!(
        "D2-6.4-01",
        "D2-6.4-02",
        "D2-6.4-03",
        "D2-6.4-04",
        "D2-6.4-05",
        "D2-6.4-06",
        "D2-6.4-07",
        "D2-6.4-08",
        "D2-6.4-09",
        "D2-6.4-10"
    );
    let plain = ddf_of(&[
        leaf("Leaf", &properties("Get Replace", "chr", "One", "<DefaultValue>x</DefaultValue>")),
        leaf("Number", &properties("Get Replace", "int", "One", "")),
    ]);
    let expected = behaviour(&plain).await;
    assert_eq!(expected.0, [200, 200, 415, 404, 200, 405, 405, 200]);
    let server = TestServer::start().await;
    let moids = put(&server, &plain).await["moids"].clone();
    let each = [
        "",
        "<ACL>Add=*&amp;Delete=*&amp;Get=other&amp;Replace=other</ACL>",
        "<Format><int/></Format>",
        "<Name>Else</Name>",
        "<Size>1</Size>",
        "<Title>A title</Title>",
        "<TStamp>20010101T000000Z</TStamp>",
        "<Type><MIME>image/png</MIME></Type>",
        "<VerNo>9</VerNo>",
    ];
    for ignored in each.into_iter().map(str::to_owned).chain([each.concat()]) {
        let properties = format!("<RTProperties>{ignored}</RTProperties><DFProperties>");
        let ddf = plain.replace("<DFProperties>", &properties);
        assert_eq!(model(&ddf), model(&plain), "{ignored}");
        assert_eq!(behaviour(&ddf).await, expected, "{ignored}");
        assert_eq!(put(&server, &ddf).await["moids"], moids, "{ignored}");
    }
    let broken = plain.replace("</MgmtTree>", "</MgmtTre>");
    let line = broken.lines().count();
    both_refuse(&server, &broken, (line, 1), "MgmtTree").await;
}

#[tokio::test]
async fn what_is_there_for_people_does_no_harm() {
    let people = "<Man>Maker</Man><Mod>Model</Mod>";
    let ddf =
        leaf_of(&properties("Get", "chr", "One", "<Description>Text</Description><DFTitle>Title</DFTitle>"))
            .replace("</VerDTD>", &format!("</VerDTD>{people}"))
            .replace("</NodeName>", "</NodeName><Path>./Vendor</Path>");
    let mut pair = Pair::with(|setup| setup.data_objects.push(ddf.clone())).await;
    pair.device.grant(VENDOR, "Rack", "/", "omadm", 1);
    assert_eq!(pair.get(&rack("Leaf")).await.0, 204);
    put(&pair.server, &ddf).await;
}
