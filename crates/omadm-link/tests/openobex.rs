//! Links with OpenOBEX on the other end, an implementation of OBEX that is not ours.
//!
//! Its tools know no port but 650, so this test has to be allowed to listen there. They name no service and no type of what they send: that
//! tolerances are used for that shows, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use omadm_codec::Tolerance;
use omadm_codec::obex::ResponseCode;
use omadm_link::{
    Event, Failure, LinkError, LinkListener, ObexClient, ObexServer, Object, Settings, connect,
};
use tokio::process::{Child, Command};

const WBXML: &str = "application/vnd.syncml.dm+wbxml";
/// Longest time for a tool to come up.
const TIME: Duration = Duration::from_secs(30);

fn tool(name: &str, arguments: &[&str], directory: &Path) -> Child {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("the Debian packages openobex-apps and obexftp are installed")
}

/// What is taken for WBXML, and much longer than a packet.
fn message() -> Vec<u8> {
    [2].into_iter().chain((0..=255).cycle().take(100_000)).collect()
}

/// What happens on a link whose client is a tool.
async fn put_by(listener: &LinkListener, name: &str, arguments: &[&str], directory: &Path) -> Vec<Event> {
    let mut child = tool(name, arguments, directory);
    let accepted = listener.accept().await.unwrap();
    let settings = Settings { max_object: 1 << 20, ..Settings::default() };
    let mut link = ObexServer::serve(accepted.stream, settings, [7; 16]);
    let mut events = Vec::new();
    while let Some(event) = link.event().await {
        events.push(event);
    }
    child.wait().await.unwrap();
    events
}

#[tokio::test]
async fn openobex_is_client_and_server() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    std::fs::write(directory.join("message"), message()).unwrap();
    let address = "127.0.0.1:650".parse().unwrap();
    let listener = LinkListener::bind(address).await.expect("this test may listen on port 650");
    for (name, arguments) in [
        ("obexftp", &["-n", "127.0.0.1", "-U", "none", "-H", "-S", "-p", "message"][..]),
        ("obex_tcp", &["message", "127.0.0.1"]),
    ] {
        let events = put_by(&listener, name, arguments, directory).await;
        let object = Object { media_type: Some(WBXML.to_owned()), hmac: None, body: message().into() };
        let expected = [
            Event::Tolerated(Tolerance::UndirectedObex),
            Event::Connected { user: None },
            Event::Tolerated(Tolerance::MissingObexType),
            Event::Put(object),
            Event::Over(None),
        ];
        assert_eq!(events, expected, "{name}");
    }
    drop(listener);

    let mut server = tool("obex_tcp", &[], directory);
    let address = "obex:127.0.0.1".parse().unwrap();
    let stream = loop {
        match connect(&address, TIME).await {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
        // As long as a link from before is there it cannot listen.
        if server.try_wait().unwrap().is_some() {
            server = tool("obex_tcp", &[], directory);
        }
    };
    let mut client = ObexClient::connect(stream, Settings::default()).await.unwrap();
    assert_eq!(client.tolerated(), [Tolerance::UndirectedObex]);
    client
        .put(Object { media_type: Some(WBXML.to_owned()), hmac: None, body: message().into() })
        .await
        .unwrap();
    let refused = client.get(WBXML).await.unwrap_err();
    let code = ResponseCode::NOT_IMPLEMENTED;
    assert!(
        matches!(refused, LinkError::Obex(Failure::Refused { request: "Get", code: given }) if given == code)
    );
    // Who ends the link first keeps the port for a while, and it shall not be the one who has 650.
    drop(client);
    // It answers before it writes.
    let written = directory.join("OBEX_PUT_Unknown_object");
    let all = async {
        while std::fs::read(&written).ok().as_deref() != Some(&message()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIME, all).await.expect("OpenOBEX has taken what was put");
    server.kill().await.unwrap();
}
