//! What is underneath fails while the server runs: a disk takes no more, and PostgreSQL goes away and returns. Devices and operators are told
//! when to come again, and nothing that was acknowledged is lost.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::postgres::Postgres;
use crate::server::Server;

const LANG: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Lang";
/// More tries than any of this takes.
const PATIENCE: usize = 2_000;

/// An answer: its status, its head in lower case, and its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn of(arguments: &[&str]) -> Self {
        let output =
            Command::new("curl").args(["-s", "-k", "-i", "--http1.1"]).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{output:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// Whether it says that this does not work now, and when to come again.
    fn puts_off(&self) -> bool {
        self.status == 503 && self.head.contains("\r\nretry-after: ")
    }
}

/// A device with its credentials.
struct Device {
    url: String,
    login: String,
    id: String,
}

impl Device {
    fn enrolled(server: &Server, id: &str) -> Self {
        let enrolled = server.json(&["device", "add", id]);
        let text = |name: &str| enrolled[name].as_str().unwrap().to_owned();
        let url = server.text("device_url").to_owned();
        Self { url, login: format!("{}:{}", text("user"), text("secret")), id: id.to_owned() }
    }

    fn send(&self, kind: &str, body: &str) -> Answer {
        let (id, kind) = (
            format!("OMADM-DevID: {}", self.id),
            format!("Content-Type: application/vnd.oma.dm.{kind}+json"),
        );
        Answer::of(&["-u", &self.login, "-H", &id, "-H", &kind, "-d", body, &self.url])
    }

    /// A first message; each has other octets.
    fn begin(&self, number: usize) -> Answer {
        let alert = r#"{"Alert":[{"AlertType":"urn:oma:at:dm:2.0:ClientInitiatedMgmt"}]}"#;
        self.send("initiation", &format!("{alert}{}", " ".repeat(number % 512)))
    }

    /// A session in which it is told these commands, all of which it does.
    fn does(&self, expected: usize) {
        let told = self.begin(511);
        assert_eq!(told.status, 200, "{}", told.body);
        let commands: Value = serde_json::from_str(&told.body).unwrap();
        let commands = commands["CMD"].as_array().unwrap().len();
        assert_eq!(commands, expected, "{}", told.body);
        let statuses = vec![json!({ "sc": 200 }); commands];
        let end = self.send("response", &json!({ "Status": statuses }).to_string());
        assert!(end.body.contains("END"), "{} {}", end.status, end.body);
    }
}

fn get(server: &Server, path: &str) -> Answer {
    Answer::of(&[&format!("http://{}{path}", server.operator())])
}

/// A request of an operator with a body.
fn post(server: &Server, path: &str, body: &str) -> Answer {
    let token = std::fs::read_to_string(server.text("token_file")).unwrap();
    let authorization = format!("Authorization: Bearer {}", token.trim());
    let url = format!("http://{}/api/v1{path}", server.operator());
    Answer::of(&["-H", &authorization, "-H", "Content-Type: application/json", "-d", body, &url])
}

/// Repeats something until it gives an answer that is wanted.
fn until(what: &str, ask: impl Fn(usize) -> Answer, wanted: impl Fn(&Answer) -> bool) -> Answer {
    for number in 0..PATIENCE {
        let answer = ask(number);
        if wanted(&answer) {
            return answer;
        }
        assert!(![0, 500].contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
    }
    panic!("{what}: not after {PATIENCE} tries");
}

#[test]
fn postgresql_goes_away_and_returns() {
    let postgres = Postgres::start("off");
    let url = postgres.database();
    let server = Server::with(&[("OMADM_STORE__URL", &url), ("OMADM_STORE__CONNECT_TIMEOUT", "1")]);
    let device = Device::enrolled(&server, "IMEI:1");
    assert_eq!(device.begin(0).status, 200);
    let queued = server.json(&["run", "IMEI:1", "delete", LANG]);
    let id = queued["id"].as_str().unwrap_or_else(|| panic!("{queued}"));

    postgres.crash();
    let refused = device.begin(1);
    assert!(refused.puts_off(), "{} {}", refused.status, refused.head);
    let refused = post(&server, "/devices", r#"{"id":"IMEI:2"}"#);
    assert!(refused.puts_off(), "{} {}", refused.status, refused.head);
    assert_eq!(server.run(&["device", "ls"]).code, Some(1));
    until("not ready", |_| get(&server, "/readyz"), |answer| answer.status == 503);
    assert_eq!(get(&server, "/healthz").status, 200, "the process is well");

    postgres.restart();
    until("ready", |_| get(&server, "/readyz"), |answer| answer.status == 200);
    until("the queue", |_| get(&server, "/readyz"), |_| server.run(&["command", "show", id]).code == Some(0));
    device.does(1);
    assert_eq!(server.json(&["command", "show", id])["state"], "done", "what was acknowledged is done");
    assert_eq!(server.run(&["device", "show", "IMEI:2"]).code, Some(1), "what was refused is not there");
}

#[test]
fn a_disk_that_is_full_refuses_and_recovers() {
    let server = Server::on_disk_of("24m");
    let device = Device::enrolled(&server, "IMEI:1");
    let queued = server.json(&["run", "IMEI:1", "delete", LANG]);
    let id = queued["id"].as_str().unwrap_or_else(|| panic!("{queued}"));
    let filler = server.on_disk("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 4_096]).is_ok() {}
    drop(file);

    // Until the room that the database has already is used up.
    let value = json!({ "verb": "set", "address": LANG, "value": "x".repeat(60_000) }).to_string();
    let full = until(
        "no room",
        |_| post(&server, "/devices/IMEI:1/commands", &value),
        |answer| answer.status == 503,
    );
    assert!(full.puts_off() && full.body.contains("free some space"), "{} {}", full.head, full.body);
    let refused = until("a device", |number| device.begin(number), |answer| answer.status == 503);
    assert!(refused.puts_off(), "{}", refused.head);
    let package = post(&server, "/packages?name=p&version=1&kind=software", "octets");
    assert!(
        package.puts_off(),
        "what cannot be in the audit log is not done: {} {}",
        package.head,
        package.body
    );
    assert_eq!(server.run(&["device", "ls"]).code, Some(0), "what is there can be read");
    until("not ready", |_| get(&server, "/readyz"), |answer| answer.status == 503);

    std::fs::remove_file(&filler).unwrap();
    until("ready", |_| get(&server, "/readyz"), |answer| answer.status == 200);
    let began = until("a session", |number| device.begin(number), |answer| answer.status == 200);
    assert!(began.body.contains("CMD"), "{}", began.body);
    assert_eq!(server.json(&["command", "show", id])["verb"], "delete", "what was acknowledged is there");
    assert_eq!(post(&server, "/devices", r#"{"id":"IMEI:2"}"#).status, 201);
}
