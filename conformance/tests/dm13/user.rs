//! What servers tell and ask the user of a device (`DM 1.3 PROTO §10`), with the real agent and a command that answers.

use omadm_conformance::{AgentProcess, TestServer};
use serde_json::{Value, json};

use crate::processes::carry_out;

/// An agent whose user is a shell script; it has the question on its standard input.
async fn agent(server: &TestServer, number: u32, script: &str) -> AgentProcess {
    let id = format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c5{number:03}");
    let settings =
        format!("[dm1]\nuser = \"command\"\nuser_timeout = 5\nuser_command = [\"sh\", \"-c\", {script:?}]");
    AgentProcess::with_dm1(server, &id, &json!({}), &settings).await
}

fn ask(question: Value) -> Value {
    json!({ "verb": "ask", "question": question })
}

/// Status and answer of each question.
async fn answers(server: &TestServer, agent: &AgentProcess, questions: &[Value]) -> Vec<(u64, Value)> {
    let questions: Vec<Value> = questions.iter().cloned().map(ask).collect();
    let done = carry_out(server, agent, &questions).await;
    done.into_iter()
        .map(|command| (command["status"].as_u64().unwrap(), command["result"]["answer"].clone()))
        .collect()
}

#[tokio::test]
async fn the_user_sees_who_asks_and_answers_in_every_way() {
    let server = TestServer::start().await;
    let script = "cat > question; grep -q '\"server\":\"omadm\"' question || exit 2; \
                  case $(cat question) in *'\"kind\":\"display\"'*) ;; *'\"kind\":\"confirm\"'*) echo yes ;; \
                  *'\"kind\":\"text\"'*) echo hello world ;; *'\"kind\":\"single\"'*) echo 2 ;; *) echo 1 3 ;; esac";
    let directory = tempfile::tempdir().unwrap();
    let script = format!("cd {}; {script}", directory.path().display());
    let agent = agent(&server, 1, &script).await;
    let choices = ["red", "green", "blue"];
    let given = answers(
        &server,
        &agent,
        &[
            json!({ "kind": "display", "text": "Hello" }),
            json!({ "kind": "confirm", "text": "Really?" }),
            json!({ "kind": "input", "text": "Say something", "max_length": 20 }),
            json!({ "kind": "one", "text": "Which?", "choices": choices }),
            json!({ "kind": "many", "text": "Which ones?", "choices": choices }),
        ],
    )
    .await;
    let statuses: Vec<u64> = given.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200; 5], "{given:?}");
    assert_eq!(given[1].1, "yes");
    assert_eq!(given[2].1, json!({ "text": "hello world" }));
    assert_eq!((&given[3].1, &given[4].1), (&json!({ "chosen": [2] }), &json!({ "chosen": [1, 3] })));
}

#[tokio::test]
async fn no_cancelling_silence_and_no_user_have_their_statuses() {
    let server = TestServer::start().await;
    let confirm = || json!({ "kind": "confirm", "text": "Really?" });
    for (number, script, status) in [(2, "echo no", 304), (3, "exit 1", 214), (4, "exit 2", 416)] {
        let agent = agent(&server, number, script).await;
        assert_eq!(answers(&server, &agent, &[confirm()]).await[0].0, status, "{script}");
    }
    let silent = agent(&server, 5, "exec sleep 600").await;
    let short = json!({ "kind": "confirm", "text": "Really?", "max_display": 1 });
    assert_eq!(answers(&server, &silent, &[short]).await[0].0, 408, "MAXDT is over");
    let alone =
        AgentProcess::with_dm1(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c5006", &json!({}), "").await;
    assert_eq!(answers(&server, &alone, &[confirm()]).await[0].0, 406);
}
