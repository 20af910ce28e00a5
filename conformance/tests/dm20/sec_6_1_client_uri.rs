//! Addressing on the device (`DM 2.0 §6.1`).

use omadm_conformance::{Bench, EXAMPLE_MOID, MOID, Package3, SINGLE_MOID, address, proves};
use serde_json::{Value, json};

const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2";

/// The addresses that the GET at `index` matched.
fn matched(answer: &Package3, index: usize) -> Vec<String> {
    let Some(part) = answer.part(index) else { return Vec::new() };
    let address = |item: &Value| item.get("ClientURI").and_then(Value::as_str).map(str::to_owned);
    part.items().iter().filter_map(address).collect()
}

/// Runs GET of this and gives its status with the addresses that it matched, `urn:oma:mo:moid:1.0/` left away.
async fn get(bench: &mut Bench, example: &str) -> (u64, Vec<String>) {
    let answer = bench.run(json!([["GET", format!("{EXAMPLE_MOID}/{example}")]])).await;
    let prefix = format!("{EXAMPLE_MOID}/");
    let places =
        matched(&answer, 0).iter().map(|place| place.trim_start_matches(&prefix).to_owned()).collect();
    (answer.statuses().remove(0), places)
}

fn places(places: &[&str]) -> Vec<String> {
    places.iter().map(|place| (*place).to_owned()).collect()
}

#[tokio::test]
async fn the_examples_with_one_match() {
    proves!(
        "D2-6.1.3-01",
        "D2-6.1.3-03",
        "D2-6.1.3-04",
        "D2-6.1.3-05",
        "D2-6.1.3-06",
        "D2-6.1.1.3-05",
        "D2-6.1.1.3-06",
        "D2-6.1.2-10"
    );
    let mut bench = Bench::new().await;
    for (example, place) in [
        ("left/", "left/"),
        ("(x)/?nv=(x)/ID:Temperature", "right/"),
        ("(x)/ID?nv=(x)/ID:Temperature", "right/ID"),
        ("(x)/Data/1/Value?nv=(x)/ID:GPS", "left/Data/1/Value"),
        ("right/Data/(x)/Value?nv=(x)/Date:12.1", "right/Data/1/Value"),
        ("(x)/Data/(y)/Value?nv=(x)/ID:GPS&nv=(y)/Date:12.2", "left/Data/2/Value"),
        ("(x)/?nv=(x)/Data/2/Value:GPS%202", "left/"),
    ] {
        assert_eq!(get(&mut bench, example).await, (200, places(&[place])), "{example}");
    }
    for (example, status) in [
        ("left/?nv=ID:GPS", 400),
        ("left/?nv=(z)/ID:GPS", 400),
        ("(x)/?nv=(x)/Data:GPS", 404),
        ("(x)/Data/3?nv=(x)/ID:GPS", 404),
    ] {
        assert_eq!(get(&mut bench, example).await, (status, places(&[])), "{example}");
    }
    let only_right = json!([["DELETE", format!("{EXAMPLE_MOID}/left/Data/2")]]);
    assert_eq!(bench.run(only_right).await.statuses(), [200]);
    assert_eq!(get(&mut bench, "right/Data/2").await, (200, places(&["right/Data/2"])));
    let excluded = get(&mut bench, "(x)/Data/2?nv=(x)/ID:GPS").await;
    assert_eq!(
        excluded,
        (404, places(&[])),
        "the path exists only in the instance that the first step left aside"
    );
}

#[tokio::test]
async fn the_examples_with_several_matches() {
    proves!(
        "D2-6.1.3-07",
        "D2-6.1.3-08",
        "D2-6.1.3-10",
        "D2-6.1.2-02",
        "D2-6.1.2-06",
        "D2-6.1.2-09",
        "D2-6.1.1.1-05"
    );
    let mut bench = Bench::new().await;
    for (example, found) in [
        ("*/", &["left/", "right/"][..]),
        ("*/Setting", &["left/Setting", "right/Setting"]),
        ("(x)/Data/*/Value?nv=(x)/ID:GPS", &["left/Data/1/Value", "left/Data/2/Value"]),
        (
            "*/Data/*/Value",
            &["left/Data/1/Value", "left/Data/2/Value", "right/Data/1/Value", "right/Data/2/Value"],
        ),
    ] {
        assert_eq!(get(&mut bench, example).await, (200, places(found)), "{example}");
    }
    assert_eq!(get(&mut bench, "left/Data/1/Date/*").await.0, 404, "no child at the position");
    let none = format!("{}/*/", omadm_conformance::PLAIN_MOID);
    assert_eq!(bench.status(json!(["GET", none])).await, 404, "no instance of the MOID");
}

#[tokio::test]
async fn the_examples_that_cannot_be_resolved() {
    proves!(
        "D2-6.1.3-02",
        "D2-6.1.3-09",
        "D2-6.1.2-01",
        "D2-6.1.2-03",
        "D2-6.1.2-04",
        "D2-6.1.2-05",
        "D2-6.1.2-08",
        "D2-6.1.1.3-07"
    );
    let mut bench = Bench::new().await;
    let nothing = (404, places(&[]));
    for example in [
        "/",
        "none/",
        "(x)/?nv=(x)/ID:None",
        "(x)/?nv=(x)/Data/1/Date:12.1",
        "(x)/Data/*/Value?nv=(x)/ID:GPS&nv=(x)/Setting:0xB2",
        "left/Data/(x)/Value?nv=(x)/Date:13.1",
        "left/(x)/1?nv=(x)/2/Date:12.1",
    ] {
        assert_eq!(get(&mut bench, example).await, nothing, "{example}");
    }
    let both = "(x)/Data/*/Value?nv=(x)/ID:GPS&nv=(x)/Setting:0xA1";
    assert_eq!(get(&mut bench, both).await, (200, places(&["left/Data/1/Value", "left/Data/2/Value"])));
    assert_eq!(get(&mut bench, "left/Data/(x)/Value?nv=(x)/Date:12.1").await.1, ["left/Data/1/Value"]);

    let same_date = format!("{EXAMPLE_MOID}/left/Data/2/Date");
    let uri = bench.server.serve("/date", &omadm_conformance::dmmo(&same_date, "Date", json!("12.1")));
    assert_eq!(bench.status(json!(["HGET", uri, same_date])).await, 200);
    assert_eq!(get(&mut bench, "left/Data/(x)/Value?nv=(x)/Date:12.1").await, nothing, "two nodes satisfy");

    let devinfo = json!([["GET", format!("{DEVINFO}//")], ["DELETE", format!("{EXAMPLE_MOID}/left/")]]);
    assert_eq!(bench.run(devinfo).await.statuses(), [200, 200]);
    assert_eq!(get(&mut bench, "/").await, (200, places(&["right/"])), "one instance is left");
}

#[tokio::test]
async fn every_form_of_the_grammar_resolves() {
    proves!(
        "DM-OBJ-001-C-M",
        "DM-OBJ-002-C-O",
        "D2-6.1-03",
        "D2-6.1-04",
        "D2-6.1.1.1-04",
        "D2-6.1.1.2-01",
        "D2-6.1.1-02",
        "D2-6.1.1-03",
        "D2-6.1.1-04",
        "D2-6.1.1-05"
    );
    let mut bench = Bench::new().await;
    let good = [
        format!("{DEVINFO}//"),
        format!("{DEVINFO}//DevID"),
        format!("{DEVINFO}/DevInfo/DevID"),
        format!("{EXAMPLE_MOID}/left/"),
        format!("{EXAMPLE_MOID}/left/Data"),
        format!("{EXAMPLE_MOID}/left/Data/1/Value"),
        format!("{EXAMPLE_MOID}/*/"),
        format!("{EXAMPLE_MOID}/*/Data/*"),
        format!("{EXAMPLE_MOID}/(x)/?nv=(x)/ID:GPS"),
        format!("{EXAMPLE_MOID}/(Z)/?nv=(Z)/ID:GPS"),
        format!("{EXAMPLE_MOID}/left/Data/(y)?nv=(y)/Date:12.1"),
    ];
    for address in good {
        assert_eq!(bench.status(json!(["GET", address])).await, 200, "{address}");
    }
    let bad = [
        EXAMPLE_MOID.to_owned(),
        format!("{EXAMPLE_MOID}/left//ID"),
        format!("{EXAMPLE_MOID}/left/Data//1"),
        format!("{EXAMPLE_MOID}/(xy)/"),
        format!("{EXAMPLE_MOID}/(1)/"),
        format!("{EXAMPLE_MOID}/(x)/"),
        format!("{EXAMPLE_MOID}/left/Data/(x)/Value"),
        "/left/".to_owned(),
    ];
    for address in bad {
        assert_eq!(bench.status(json!(["GET", address])).await, 400, "{address}");
    }
}

#[tokio::test]
async fn an_address_is_a_uri() {
    proves!("D2-6.1-01", "D2-6.1.1-01", "D2-6.1.1.1-02");
    let mut bench = Bench::new().await;
    for bad in ["left/Da ta", "left/<x>/Value", "left/ID#x", "left/%zz", "(x)/Data/(x)/Value?nv=(x)/ID:GPS"] {
        assert_eq!(get(&mut bench, bad).await, (400, places(&[])), "{bad}");
    }
    assert_eq!(get(&mut bench, "(x)/Data/(y)?nv=(x)/ID:GPS&nv=(y)/Date:12.1").await.0, 200);
    assert_eq!(bench.status(json!(["GET", EXAMPLE_MOID])).await, 400);

    for inst in ["left", "(x)", "", "*", "a%20b", "urn:x"] {
        for path in ["/", "/a", "/a/b", "/(y)", "/*", "/*/a/(z)", "/%C3%A9/urn:oma:x"] {
            for query in ["", "lv=2", "cv=1%262", "vendor=1", "lv=1&cv=x"] {
                parsed_and_generated_again(inst, path, query);
            }
        }
    }
}

/// Parses an address of these components, adds what its x-names need, and compares what is generated from it.
fn parsed_and_generated_again(inst: &str, path: &str, query: &str) {
    let letters =
        ["x", "y", "z"].iter().filter(|letter| format!("{inst}{path}").contains(&format!("({letter})")));
    let fields = letters.map(|letter| format!("nv=({letter})/i/d:v%26a"));
    let query = fields.chain((!query.is_empty()).then(|| query.to_owned())).collect::<Vec<_>>().join("&");
    let text = format!("{MOID}/{inst}{path}{}{query}", if query.is_empty() { "" } else { "?" });
    let parsed = omadm_mo::ClientUri::parse(&text);
    let Ok(uri) = &parsed else { panic!("{text}: {parsed:?}") };
    let generated = uri.to_string();
    assert!(
        generated.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"{}|\\^`[]".contains(&byte)),
        "{generated}"
    );
    assert_eq!(omadm_mo::ClientUri::parse(&generated), parsed, "{text}");
    assert_eq!(uri.moid.as_str(), MOID);
    assert_eq!(uri.path.len(), if path == "/" { 0 } else { path.matches('/').count() });
    assert_eq!(uri.query.conditions().count(), query.matches("nv=").count());
}

#[tokio::test]
async fn query_fields() {
    proves!(
        "D2-6.1.1.3-01",
        "D2-6.1.1.3-02",
        "D2-6.1.1.3-03",
        "D2-6.1.1.3-04",
        "D2-6.1.1.3-08",
        "D2-6.1.1.3-09"
    );
    let mut bench = Bench::new().await;
    let list = address("List");
    let answer = bench
        .run(json!([
            ["GET", list],
            ["GET", format!("{list}?lv=1")],
            ["GET", format!("{list}?lv=2")],
            ["GET", format!("{list}?vendor=1")],
            ["GET", format!("{DEVINFO}//?lv=1")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 200, 200, 200]);
    assert_eq!(answer.value(0)["one"]["Data"]["2"]["Value"], "far");
    assert_eq!(answer.value(1), json!({ "one": {}, "two": {} }));
    let two_levels = json!({ "one": { "ID": "GPS", "Value": "12.2", "Data": {} }, "two": { "ID": "Temperature", "Value": "21" } });
    assert_eq!(answer.value(2), two_levels);
    assert_eq!(answer.value(3), answer.value(0));
    assert_eq!(answer.value(4)["Man"], "Vendor");

    for bad in ["lv=0", "lv=-1", "lv=a", "lv=1&lv=2", "lv=", "cv=a&cv=b"] {
        assert_eq!(bench.status(json!(["GET", format!("{list}?{bad}")])).await, 400, "{bad}");
    }
    let odd = bench.status(json!(["GET", format!("{list}?lv")])).await;
    assert!([200, 400].contains(&odd), "{odd}");

    let three = format!("{EXAMPLE_MOID}/(x)/Data/(y)/Value?nv=(x)/ID:GPS&nv=(y)/Date:12.2&lv=1");
    assert_eq!(bench.status(json!(["GET", three])).await, 200, "two nv fields and lv");
    let encoded = format!("{EXAMPLE_MOID}/(x)/?nv=(x)/ID:%47%50S");
    assert_eq!(bench.status(json!(["GET", encoded])).await, 200, "values are compared decoded");

    let root = format!("{SINGLE_MOID}//");
    let answer = bench.run(json!([["GET", root]])).await;
    let validator = answer.part(0).unwrap().items()[0]["CV"].as_str().unwrap().to_owned();
    assert_eq!(bench.status(json!(["GET", format!("{root}?cv={validator}")])).await, 304);
}

#[tokio::test]
async fn names_match_exactly_unless_the_ddf_says_otherwise() {
    proves!("D2-6.1.2-07");
    let mut bench = Bench::new().await;
    let folded = bench.server.serve(
        "/folded",
        &omadm_conformance::dmmo(&address("Folded"), "Folded", json!({ "Name": "any case" })),
    );
    let answer = bench
        .run(json!([
            ["GET", address("Text")],
            ["GET", address("text")],
            ["GET", address("TEXT")],
            ["HGET", folded, address("Folded")],
            ["GET", address("Folded/NAME")],
            ["GET", address("Folded/Name")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 404, 404, 200, 200, 200]);
}

#[tokio::test]
async fn a_wildcard_in_the_path_takes_named_nodes_too() {
    proves!("D2-6.1.1.2-02");
    let mut bench = Bench::new().await;
    let answer = bench
        .run(json!([
            ["GET", address("List/one/ID")],
            ["GET", format!("{MOID}/alpha/List/(x)/ID?nv=(x)/ID:GPS")],
            ["GET", address("List/*/ID")],
            ["GET", format!("{DEVINFO}//*")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 200, 200]);
    assert_eq!(matched(&answer, 2), [address("List/one/ID"), address("List/two/ID")]);
    let named = matched(&answer, 3);
    assert!(
        named.contains(&format!("{DEVINFO}/DevInfo/DevID"))
            && named.contains(&format!("{DEVINFO}/DevInfo/Man"))
    );
}
