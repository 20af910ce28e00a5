//! Sessions over OBEX between the real server and the real agent, in both roles of OBEX (`DM 1.3 OBEX binding`), over TCP. RFCOMM is the
//! same above its sockets, which need a kernel with Bluetooth; `omadm-link` tests what can be tested of them without.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::Method;
use omadm_auth::dm1::Scheme;
use omadm_conformance::{AgentProcess, Dissection, Side, TestServer, proves};
use omadm_server::config::Span;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

const MAN: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Man";
const NOTE: &str = "urn:omadm:mo:agent:1.0//Note";
/// The agent takes and makes local links.
const CALLS: &str = "[dm1.obex]\ncall = true\nmax_packet = 8192";

/// A server that takes local links and makes them, with changes to its configuration.
async fn linked(change: impl FnOnce(&mut omadm_server::Config)) -> TestServer {
    TestServer::with(|config| {
        config.dm1.obex.listen = Some("127.0.0.1:0".parse().unwrap());
        config.dm1.obex.call = true;
        config.notifier.min_interval = Span::secs(0);
        change(config);
    })
    .await
}

/// Octets of each side, in order.
type Heard = Arc<Mutex<Vec<(Side, Vec<u8>)>>>;

/// A relay that keeps what goes over it.
struct Tap {
    address: SocketAddr,
    heard: Heard,
}

impl Tap {
    /// Between whoever connects to it and this address.
    async fn before(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tap = Self { address: listener.local_addr().unwrap(), heard: Arc::default() };
        let heard = tap.heard.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = TcpStream::connect(to).await.unwrap().into_split();
                tokio::spawn(hand_on(Side::Client, from_client, to_server, heard.clone()));
                tokio::spawn(hand_on(Side::Server, from_server, to_client, heard.clone()));
            }
        });
        tap
    }

    /// The packets, in their order.
    fn packets(&self) -> Vec<(Side, Vec<u8>)> {
        let mut packets: Vec<(Side, Vec<u8>)> = Vec::new();
        for (side, mut octets) in self.heard.lock().unwrap().clone() {
            // Nobody sends before the other has answered, so a packet is never cut by one of the other side.
            if let Some((last, begun)) = packets.last_mut()
                && *last == side
                && begun.len() < length(begun)
            {
                begun.append(&mut octets);
            } else {
                packets.push((side, octets));
            }
        }
        assert!(packets.iter().all(|(_, octets)| octets.len() == length(octets)), "{packets:x?}");
        packets
    }
}

async fn hand_on(side: Side, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, heard: Heard) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        heard.lock().unwrap().push((side, buffer[..count].to_vec()));
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

fn length(packet: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([packet[1], packet[2]]))
}

/// Queues commands, and gives their states once a session that the `agent` begins is over.
async fn carry_out(server: &TestServer, agent: &AgentProcess) -> Vec<Value> {
    let mut commands = Vec::new();
    for request in [
        json!({ "verb": "get", "address": MAN }),
        json!({ "verb": "set", "address": NOTE, "value": "by OBEX" }),
        json!({ "verb": "get", "address": NOTE }),
    ] {
        commands.push(server.queue_for(&agent.device_id, &request).await);
    }
    let report = agent.session().await;
    assert!(report["outcome"]["ended"].is_object(), "{report}");
    let mut done = Vec::new();
    for command in commands {
        done.push(server.command(&command).await);
    }
    done
}

fn states(commands: &[Value]) -> Vec<&str> {
    commands.iter().map(|command| command["state"].as_str().unwrap()).collect()
}

/// An account whose credentials stand in the messages.
fn account(at: SocketAddr) -> Value {
    let in_message = json!({ "type": "SHA256" });
    json!({ "addresses": [format!("obex://{at}")], "client": in_message, "server": in_message })
}

#[tokio::test]
async fn a_device_that_is_obex_client_has_its_session_and_tshark_understands_each_packet() {
    proves!("OMA-ERDEF-DM-C-007-O", "OMA-ERDEF-DM-S_007-O", "E13-OBEXBinding");
    // Credentials in the messages: tshark 4.0 does not step over a header HTTP and so takes what follows it for malformed.
    let server = linked(|config| config.dm1.schemes = vec![Scheme::Sha256]).await;
    let tap = Tap::before(server.obex_address()).await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2001";
    let agent = AgentProcess::with_dm1(&server, id, &account(tap.address), CALLS).await;
    let done = carry_out(&server, &agent).await;
    assert_eq!(states(&done), ["done", "done", "done"], "{done:#?}");
    assert_eq!(done[2]["result"]["items"][0]["value"], "by OBEX");
    assert_eq!(server.get(&format!("/devices/{id}")).await["bearer"], "obex");

    let packets = tap.packets();
    let frames: Vec<(Side, &[u8])> =
        packets.iter().map(|(side, octets)| (*side, octets.as_slice())).collect();
    let seen = Dissection::of_obex(&frames);
    for (frame, (side, octets)) in seen.iter().zip(&packets) {
        assert!(!frame.is_malformed(), "{side:?} {octets:x?}");
    }
    let opcodes: Vec<&str> = seen.iter().filter_map(|frame| frame.field("obex.opcode")).collect();
    // Connect, then Put and Get in turn, and Disconnect.
    assert_eq!(opcodes.first(), Some(&"0x00"));
    assert_eq!(opcodes.last(), Some(&"0x01"));
    let target = seen[0].octets("obex.header.value.byte_sequence");
    assert_eq!(target.as_deref(), Some(&b"SYNCML-DM"[..]));
    let types: Vec<&str> = seen.iter().filter_map(|frame| frame.field("obex.type")).collect();
    assert!(
        types.len() > 4 && types.iter().all(|name| *name == "application/vnd.syncml.dm+wbxml"),
        "{types:?}"
    );
    assert!(seen.iter().filter(|frame| frame.field("wbxml.public_id.known").is_some()).count() > 4);
}

/// The credentials in the header HTTP, which the MAC is in (`DM 1.3 SEC §5.6`), and in XML; packets as small as OBEX allows.
#[tokio::test]
async fn a_session_goes_in_the_smallest_packets_and_is_signed() {
    proves!("OMA-ERDEF-DM-C-007-O", "OMA-ERDEF-DM-S_007-O");
    let server = linked(|config| config.dm1.obex.max_packet.0 = 255).await;
    let tap = Tap::before(server.obex_address()).await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2002";
    let more = json!({ "addresses": [format!("obex://{}", tap.address)], "encoding": "xml" });
    let agent = AgentProcess::with_dm1(&server, id, &more, CALLS).await;
    let done = carry_out(&server, &agent).await;
    assert_eq!(states(&done), ["done", "done", "done"], "{done:#?}");
    let packets = tap.packets();
    // What answers Connect says how large the others may be.
    assert!(packets.iter().skip(2).all(|(_, octets)| octets.len() <= 255));
    let signed = |(_, octets): &&(Side, Vec<u8>)| octets.windows(13).any(|text| text == b"x-syncml-hmac");
    for side in [Side::Client, Side::Server] {
        assert!(packets.iter().filter(signed).any(|(by, _)| *by == side), "{side:?} signs");
    }
}

#[tokio::test]
async fn a_device_that_is_obex_server_is_called_and_managed_over_the_same_link() {
    proves!("OMA-ERDEF-DM-C-007-O", "OMA-ERDEF-DM-S_007-O", "E13-OBEXBinding");
    let server = linked(|_| {}).await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2003";
    let agent = AgentProcess::with_dm1(&server, id, &json!({}), "").await;
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    agent.configure(&format!(
        "[session]\npoll_interval = 0\n[dm1.obex]\nlisten = \"127.0.0.1:{port}\"\n[notification]\nenabled = true\n\
         listen = \"127.0.0.1:0\""
    ));
    let _process = agent.start();
    agent.ready().await;
    let tap = Tap::before(([127, 0, 0, 1], port).into()).await;
    let push = json!({ "addresses": [format!("obex:{}", tap.address)] });
    let reply = server.rest(Method::PUT, &format!("/devices/{id}/push"), Some(&push)).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let command = server.queue_for(id, &json!({ "verb": "get", "address": MAN })).await;
    loop {
        let done = server.command(&command).await;
        match done["state"].as_str().unwrap() {
            "queued" | "sent" => tokio::task::yield_now().await,
            state => {
                assert_eq!(state, "done", "{done}");
                break;
            }
        }
    }
    let opcodes: Vec<u8> =
        tap.packets().iter().filter(|(side, _)| *side == Side::Client).map(|(_, octets)| octets[0]).collect();
    // Connect, package 0, and the session: Get and Put in turn.
    assert_eq!(opcodes[..4], [0x80, 0x82, 0x83, 0x82], "{opcodes:x?}");
    let trace = server.items(&format!("/devices/{id}/sessions")).await;
    assert!(trace.len() >= 2, "the session is in the trace: {trace:#?}");
    assert_eq!(server.get(&format!("/devices/{id}")).await["bearer"], "obex");
}

#[tokio::test]
async fn links_are_off_unless_they_are_wanted_and_show_no_password() {
    proves!("OMA-ERDEF-DM-C-007-O", "OMA-ERDEF-DM-S_007-O");
    let server = linked(|config| config.dm1.schemes.push(Scheme::Basic)).await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2004";
    let at = server.obex_address();
    let agent = AgentProcess::new(&server.ca_file(), id, "").await;
    let file = agent.dm1_account(&server, &account(at)).await;
    agent.output(&["bootstrap", &file.display().to_string()]).await;
    let report = agent.output(&["session", "--output", "json"]).await;
    let said = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(said.contains("calls nobody over those"), "{said}");

    let mut basic = account(at);
    basic["client"]["type"] = "BASIC".into();
    let schemes = "[dm1]\nschemes = [\"sha256\", \"mac-sha256\", \"basic\"]\n";
    agent.configure(&format!("{schemes}{CALLS}"));
    let file = agent.dm1_account_of(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2005", &basic).await;
    agent.output(&["bootstrap", &file.display().to_string()]).await;
    let report = agent.output(&["session", "--output", "json"]).await;
    let said = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(said.contains("which over a link without TLS everyone can read"), "{said}");
}

/// What a raw client is answered: the codes, in their order.
async fn answers(stream: &mut TcpStream, packet: &[u8]) -> u8 {
    stream.write_all(packet).await.unwrap();
    let mut head = [0; 3];
    stream.read_exact(&mut head).await.unwrap();
    let mut rest = vec![0; length(&head) - head.len()];
    stream.read_exact(&mut rest).await.unwrap();
    head[0]
}

const CONNECT: &[u8] = b"\x80\x00\x13\x10\x00\x20\x00\x46\x00\x0cSYNCML-DM";
const GET: &[u8] = b"\x83\x00\x08\xcb\x00\x00\x00\x01";

/// A Put of a whole object for connection 1, final or not.
fn put(opcode: u8, body: &[u8]) -> Vec<u8> {
    let media = b"application/vnd.syncml.dm+xml\0";
    let mut packet = vec![opcode, 0, 0, 0xcb, 0, 0, 0, 1, 0x42, 0, 33];
    packet.extend(media);
    packet.extend([0xc3, 0, 0, 0, u8::try_from(body.len()).unwrap()]);
    packet.extend([0x49, 0, u8::try_from(3 + body.len()).unwrap()]);
    packet.extend(body);
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    packet[1..3].copy_from_slice(&length);
    packet
}

#[tokio::test]
async fn devices_that_do_not_keep_to_the_binding_hear_so() {
    proves!("OMA-ERDEF-DM-S_007-O");
    let server = linked(|_| {}).await;
    let connect = || async { TcpStream::connect(server.obex_address()).await.unwrap() };
    // Data synchronisation is another service; who does not understand that is left.
    let sync = b"\x80\x00\x15\x10\x00\x20\x00\x46\x00\x0eSYNCML-SYNC";
    let mut stream = connect().await;
    for _ in 0..3 {
        assert_eq!(answers(&mut stream, sync).await, 0xc4);
    }
    assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0, "the link is over");

    let mut stream = connect().await;
    assert_eq!(answers(&mut stream, &put(0x82, b"<a/>")).await, 0xc0, "before Connect");
    assert_eq!(answers(&mut stream, CONNECT).await, 0xa0);
    assert_eq!(answers(&mut stream, GET).await, 0xd3, "nothing was put");
    assert_eq!(answers(&mut stream, b"\x83\x00\x03").await, 0xc0, "no Connection-Id");
    assert_eq!(answers(&mut stream, b"\x85\x00\x05\x00\x00").await, 0xd1, "there are no folders");
    // Taken back in the middle, and then put whole: it is no message, which is told where its answer would be.
    assert_eq!(answers(&mut stream, &put(0x02, b"<a")).await, 0x90);
    assert_eq!(answers(&mut stream, b"\xff\x00\x08\xcb\x00\x00\x00\x01").await, 0xa0);
    assert_eq!(answers(&mut stream, &put(0x82, b"<a/>")).await, 0xa0);
    assert_eq!(answers(&mut stream, GET).await, 0xc0);
    assert_eq!(answers(&mut stream, b"\x82\x00\x02").await, 0xc0, "less than its own head");
    assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0);
}

#[tokio::test]
async fn links_may_ask_for_credentials_of_their_own() {
    proves!("OMA-ERDEF-DM-C-007-O", "OMA-ERDEF-DM-S_007-O");
    let directory = tempfile::tempdir().unwrap();
    let password = directory.path().join("password");
    std::fs::write(&password, "workshop\n").unwrap();
    let server = linked(|config| {
        config.dm1.obex.user = Some("bench".to_owned());
        config.dm1.obex.password_file = Some(password);
    })
    .await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2006";
    let mut more = account(server.obex_address());
    more["obex"] = json!({ "type": "HTTP-DIGEST", "user": "bench", "password": "workshop" });
    let agent = AgentProcess::with_dm1(&server, id, &more, CALLS).await;
    assert_eq!(states(&carry_out(&server, &agent).await), ["done", "done", "done"]);

    let stranger =
        AgentProcess::new(&server.ca_file(), "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2007", CALLS).await;
    more["obex"]["password"] = "guess".into();
    let file = stranger.dm1_account(&server, &more).await;
    stranger.output(&["bootstrap", &file.display().to_string()]).await;
    let report = stranger.output(&["session", "--output", "json"]).await;
    let said = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(said.contains("wants OBEX credentials"), "{said}");
}
