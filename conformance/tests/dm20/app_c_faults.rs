//! What the device cannot foresee is 500 for every command, and the session goes on (`DM 2.0 Appendix C`).

use http::Method;
use omadm_conformance::ddf::{node, properties, tree};
use omadm_conformance::{
    Account, AgentProcess, Answer, Authority, Bench, DEVICE_ID, Package3, ScriptServer, TestBrowser, proves,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

const NOTE: &str = "urn:omadm:mo:agent:1.0//Note";
const MMS: &str = "urn:oma:mo:oma-mms:1.3";
const ALL: &str = "Add Delete Get Replace";

#[tokio::test]
async fn a_browser_or_a_host_name_that_fails_is_500() {
    proves!("D2-C-03");
    let browser = TestBrowser::default();
    browser.fail(500);
    let mut bench = Bench::with(|setup| {
        setup.browser = Some(browser.clone());
        setup.client.parameters.sp_name = Some("My Net".to_owned());
    })
    .await;
    let devid = json!(["GET", "urn:oma:mo:oma-dm-devinfo:1.2//DevID"]);
    let page = bench.server.uri("/page");
    let answer =
        bench.run(json!([["SHOW", page], devid, ["CONT", "https://[SPName].example/dm"], devid])).await;
    assert_eq!(answer.statuses(), [500, 200, 500, 200]);
    assert!(bench.server.requests().iter().all(|request| request.target != "/page"));
}

/// An agent whose files cannot grow for a while.
struct Quota {
    process: u32,
}

impl Quota {
    async fn set(&self, soft: &str) {
        let limit = format!("--fsize={soft}:unlimited");
        let set = Command::new("prlimit").args(["--pid", &self.process.to_string(), &limit]).status().await;
        assert!(set.expect("prlimit (Debian: util-linux)").success());
    }
}

/// Lets the agent answer these commands in its next session.
async fn run(server: &ScriptServer, commands: &Value) -> Package3 {
    let before = server.packages3().len();
    server.say(Answer::commands(commands));
    loop {
        let heard = server.requests().len();
        if let Some(answer) = server.packages3().into_iter().nth(before) {
            return answer;
        }
        server.wait_for(heard + 1).await;
    }
}

#[tokio::test]
async fn a_disk_that_takes_no_more_is_told_command_by_command() {
    proves!("D2-C-03", "D2-C-HGET-506");
    let authority = Authority::new();
    let server = ScriptServer::https(&authority).await;
    let file = authority.directory().join("factory.json");
    let account = Account::new("DMS1", &server.dm_uri()).bootstrap_item();
    std::fs::write(&file, json!([account]).to_string()).unwrap();
    // An object that the device could have.
    let name = format!("<DFType><DDFName>{MMS}</DDFName></DFType>");
    let leaf = node("Name", &properties(ALL, "chr", "ZeroOrOne", ""), &[]);
    let described = tree(&[node("", &properties(ALL, "node", "ZeroOrMore", &name), &[leaf])]);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mms.ddf"), described).unwrap();
    let settings = format!(
        "[bootstrap]\nfile = {file:?}\n[session]\npoll_interval = 1\n[ddf]\ndir = {:?}\n",
        directory.path()
    );
    let agent = AgentProcess::new(&authority.ca_file(), DEVICE_ID, &settings).await;
    let mut process = agent.start_with_file_limits();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let quota = Quota { process: process.id().unwrap() };

    let (one, two) = (server.take("/one"), server.take("/two"));
    let first = run(&server, &json!([["SUB", one, NOTE]])).await;
    assert_eq!(first.statuses(), [200]);
    server.route(&Method::GET, "/note", Answer::body("text/plain", "written"));
    let get = json!(["GET", "urn:oma:mo:oma-dm-devinfo:1.2//DevID"]);
    let commands = json!([
        ["HGET", server.uri("/note"), NOTE],
        get,
        ["SUB", two, "urn:oma:mo:oma-dm-devinfo:1.2//"],
        get,
        ["UNSUB", NOTE],
        get,
        ["DEFAULT", server.uri("/object"), MMS],
        get,
    ]);
    quota.set("0").await;
    let refused = run(&server, &commands).await;
    assert_eq!(refused.statuses(), [506, 200, 500, 200, 500, 200, 500, 200]);
    while !log
        .next_line()
        .await
        .unwrap()
        .expect("the agent goes on")
        .contains("session ended server=DMS1 commands=8")
    {}

    quota.set("unlimited").await;
    let taken = run(&server, &commands).await;
    assert_eq!(taken.statuses(), [200; 8]);
}
