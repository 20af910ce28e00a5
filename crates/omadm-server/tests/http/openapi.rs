//! Every operation of the OpenAPI document with requests that fit it, and with requests that do not quite: none makes the server fail,
//! and every refusal is a problem.

use serde_json::{Map, Value, json};

use crate::harness::TestServer;

/// Requests for each operation.
const ROUNDS: usize = 24;
/// Deepest document that is made.
const DEPTH: usize = 6;
/// Texts that are somewhere at an edge.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "IMEI:1",
    "UUID:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "urn:oma:mo:oma-dm-devinfo:1.2//",
    "./DevInfo/Man",
    "*",
    "../../etc/passwd",
    "%00",
    "\u{0}",
    "\u{7f}\u{202e}",
    "é\u{1f600}",
    "' OR 1=1 --",
    "\"",
    "{}",
    "null",
    "-1",
    "0",
    "9223372036854775807",
    "99999999999999999999",
    "1e400",
    "2024-01-01T00:00:00Z",
    "id = \"IMEI:1\" and (",
    "label:x = \"",
    "seen < 99999999999d",
    "https://example.org/",
    "https://[::1",
    "text/plain",
    "application/json",
    "00000000-0000-0000-0000-000000000000",
    "get",
    "set",
];

/// Numbers of which each run gives the same (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn of<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }

    fn text(&mut self) -> String {
        match self.below(12) {
            0 => "x".repeat(self.below(3_000)),
            1 => format!("n{}", self.below(1_000)),
            _ => (*self.of(TEXTS)).to_owned(),
        }
    }
}

struct Maker<'d> {
    document: &'d Value,
    random: Random,
}

impl<'d> Maker<'d> {
    fn resolved(&self, schema: &'d Value) -> &'d Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let found = self.document.pointer(reference.trim_start_matches('#'));
                found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
            }
            None => schema,
        }
    }

    /// A value that fits a schema, or now and then one that does not.
    fn value(&mut self, schema: &'d Value, depth: usize) -> Value {
        let schema = self.resolved(schema);
        if depth == 0 || self.random.one_in(16) {
            return self.anything();
        }
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            return self.random.of(choices).clone();
        }
        for name in ["oneOf", "anyOf"] {
            if let Some(choices) = schema.get(name).and_then(Value::as_array) {
                let choice = self.random.below(choices.len());
                return self.value(&choices[choice], depth - 1);
            }
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            let mut all = Map::new();
            for part in parts {
                if let Value::Object(members) = self.value(part, depth) {
                    all.extend(members);
                }
            }
            return all.into();
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.random.of(kinds).as_str(),
            kind => kind.as_str(),
        };
        match kind {
            Some("object") => self.object(schema, depth),
            Some("array") => {
                let count = self.random.below(4);
                (0..count).map(|_| self.value(&schema["items"], depth - 1)).collect()
            }
            Some("string") if schema["format"] == "uuid" && !self.random.one_in(4) => {
                json!(format!("00000000-0000-7000-8000-{:012}", self.random.below(9)))
            }
            Some("string") => self.random.text().into(),
            Some("integer" | "number") => self.number(),
            Some("boolean") => self.random.one_in(2).into(),
            _ => self.anything(),
        }
    }

    fn object(&mut self, schema: &'d Value, depth: usize) -> Value {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut members = Map::new();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let is_there = if required.contains(&name.as_str()) {
                !self.random.one_in(20)
            } else {
                self.random.one_in(3)
            };
            if is_there {
                members.insert(name.clone(), self.value(member, depth - 1));
            }
        }
        if self.random.one_in(20) {
            members.insert(self.random.text(), self.anything());
        }
        members.into()
    }

    fn number(&mut self) -> Value {
        let edges = [
            json!(0),
            json!(1),
            json!(-1),
            json!(2),
            json!(100),
            json!(1_001),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(0.5),
        ];
        self.random.of(&edges).clone()
    }

    fn anything(&mut self) -> Value {
        match self.random.below(7) {
            0 => Value::Null,
            1 => self.random.one_in(2).into(),
            2 => self.number(),
            3 => json!([]),
            4 => json!({}),
            5 => json!([{ "a": [null] }]),
            _ => self.random.text().into(),
        }
    }

    /// Path and query of an operation.
    fn target(&mut self, path: &str, operation: &'d Value) -> String {
        let mut target = path.to_owned();
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let is_in_path = parameter["in"] == "path";
            let value = match self.value(&parameter["schema"], 1) {
                _ if is_in_path && self.random.one_in(3) => "IMEI:1".to_owned(),
                Value::String(text) => text,
                other => other.to_string(),
            };
            // A segment that is empty would be another path.
            let value =
                if is_in_path && matches!(value.as_str(), "" | "." | "..") { "a".to_owned() } else { value };
            if is_in_path {
                target = target.replace(&format!("{{{name}}}"), &encoded(&value));
            } else if self.random.one_in(2) {
                query.push(format!("{name}={}", encoded(&value)));
            }
        }
        if self.random.one_in(12) {
            query.push(format!("{}={}", encoded(&self.random.text()), encoded(&self.random.text())));
        }
        if query.is_empty() { target } else { format!("{target}?{}", query.join("&")) }
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Two types of one name would be one schema, and clients that are made from the document would be wrong.
#[tokio::test]
async fn a_batch_is_one_of_enrolments_or_of_bootstraps() {
    let document = TestServer::start().await.get("/openapi.json").await;
    let members = |path: &str| {
        let body = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
        let name = body["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let properties = document["components"]["schemas"][&name]["properties"].as_object().unwrap();
        properties.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(members("/devices/batch"), ["devices"]);
    assert!(members("/bootstrap/batch").contains(&"profile".to_owned()));
}

#[tokio::test]
async fn no_request_of_the_document_makes_the_server_fail() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let document = server.get("/openapi.json").await;
    let mut made = 0;
    for seed in 0..2_u64 {
        let mut maker = Maker { document: &document, random: Random(seed) };
        for (path, item) in document["paths"].as_object().unwrap() {
            // A stream has no end, and every failed login makes the next one wait.
            if matches!(path.as_str(), "/events/stream" | "/login") {
                continue;
            }
            for (method, operation) in item.as_object().unwrap() {
                for _ in 0..ROUNDS / 2 {
                    let target = maker.target(path, operation);
                    let contents = operation["requestBody"]["content"].as_object();
                    let schema = contents.and_then(|contents| Some(&contents.values().next()?["schema"]));
                    let body = schema.map(|schema| match maker.random.below(10) {
                        0 => maker.random.text(),
                        _ => quick(maker.value(schema, DEPTH)).to_string(),
                    });
                    let method = method.to_uppercase();
                    let answer = match &body {
                        Some(body) => server.api_text(&method, &target, body.clone()).await,
                        None => server.api(&method, &target, None).await,
                    };
                    let status = answer.status.as_u16();
                    let shown = format!("{method} {target} {body:?}: {status} {:?}", answer.body);
                    assert!(status < 500 || (status == 502 && is_told_what_others_said(path)), "{shown}");
                    if status >= 400 {
                        assert_eq!(answer.header("content-type"), "application/problem+json", "{shown}");
                        assert_eq!(answer.json()["status"], status, "{shown}");
                    }
                    made += 1;
                }
            }
        }
    }
    assert!(made > 1_000, "{made}");
    assert_eq!(server.api("GET", "/server", None).await.status, 200);
}

/// A request that waits for nothing: a wait that is asked for would be kept.
fn quick(mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.remove("wait");
    }
    body
}

/// Routes that talk to a device or to another server, which may not be there.
fn is_told_what_others_said(path: &str) -> bool {
    path.starts_with("/bootstrap") || path.ends_with("/sessionless") || path.ends_with("/notify")
}
