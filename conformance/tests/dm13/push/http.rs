//! Push over HTTP.

use omadm_conformance::{Authority, Dissection, Flaw, proves};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::Command;

use super::{Device, free_port, notify, password, server};

/// A device with this number, and settings of `[push.http]` beside a listener without TLS, where users have a name.
async fn device(server: &omadm_conformance::TestServer, number: u32, more: &str) -> (Device, u16) {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port().await;
    let settings = format!(
        "[push.http]\nlisten = \"127.0.0.1:{port}\"\nuser = \"dm\"\npassword_file = {:?}\n{more}",
        password(&directory)
    );
    let id = format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2{number:03}");
    (Device::new(server, &id, &settings, Some(port)).await, port)
}

/// What curl is told by a device; `words` are its arguments beside the address.
async fn curl(url: &str, words: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--max-time", "30"]).args(words).arg(url);
    let output = command.output().await.expect("curl (Debian: curl); run: cargo xtask test");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn status(answer: &str) -> Option<&str> {
    // With a challenge there are two answers.
    answer.rsplit("HTTP/1.1 ").next()?.split(' ').next()
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let last = answer.rsplit("HTTP/1.1 ").next()?;
    last.lines().find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[tokio::test]
async fn a_push_over_http_brings_a_session() {
    proves!(
        "P13-DMNOTI-7.4-01",
        "P13-PushBinding-4+5-01",
        "P13-PushBinding-5.3-01",
        "P13-PushBinding-5.3-02",
        "OMA-ERDEF-DM-C-009-O",
        "OMA-ERDEF-DM-S_009-O",
        "E13-PushBinding",
        "E13-4.3-03"
    );
    let directory = tempfile::tempdir().unwrap();
    let server = server(|config| {
        config.http_push.user = Some("dm".to_owned());
        config.http_push.password_file = Some(password(&directory));
    })
    .await;
    let (device, port) = device(&server, 1, "").await;
    device.reached(&server, &[format!("http:127.0.0.1:{port}")]).await;
    for _ in 0..2 {
        let sent = device.serves(&server).await;
        assert_eq!(sent["via"], "http");
        assert_eq!(sent["receipt"], format!("127.0.0.1:{port}: X-Wap-Push-Status 400"));
    }
}

#[tokio::test]
async fn who_does_not_know_the_password_does_not_get_in() {
    proves!("P13-PushBinding-5.3-02", "E13-4.3-03");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wrong");
    std::fs::write(&file, "wrong").unwrap();
    let server = server(|config| {
        config.http_push.user = Some("dm".to_owned());
        config.http_push.password_file = Some(file);
    })
    .await;
    let (device, port) = device(&server, 2, "").await;
    device.reached(&server, &[format!("http:127.0.0.1:{port}")]).await;
    let (code, answer) = notify(&server, device.id()).await;
    assert_eq!(code, 502, "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("401 Unauthorized (http_push.user"), "{answer}");
    assert!(device.events(&server, "answered").await.is_empty());
    assert!(!device.events(&server, "failed").await.is_empty());
}

#[tokio::test]
async fn curl_is_answered_as_a_gateway_has_to_be() {
    proves!("P13-PushBinding-5.3-01", "P13-PushBinding-5.3-02", "E13-4.3-03");
    let server = server(|_| {}).await;
    let more = "max_size = \"1 KiB\"\n[notification]\nper_source = 200";
    let (device, port) = device(&server, 3, more).await;
    let url = format!("http://127.0.0.1:{port}/wappush");
    let known = ["--digest", "--user", "dm:secret"];
    let ask = async |words: &[&str]| curl(&url, &[&known[..], words].concat()).await;

    let anonymous = curl(&url, &["--request", "OPTIONS"]).await;
    assert_eq!(status(&anonymous), Some("401"), "{anonymous}");
    for challenge in ["www-authenticate", "x-wap-authenticate"] {
        assert!(header(&anonymous, challenge).unwrap().contains("algorithm=SHA-256"), "{anonymous}");
    }
    assert_eq!(header(&anonymous, "x-wap-terminal-id"), None, "who it is is nobody's business");
    let basic = curl(&url, &["--basic", "--user", "dm:secret", "--request", "OPTIONS"]).await;
    assert_eq!(status(&basic), Some("401"), "no passwords without TLS");

    let registered = ask(&["--request", "OPTIONS"]).await;
    assert_eq!(status(&registered), Some("204"), "{registered}");
    assert_eq!(header(&registered, "x-wap-push-status"), Some("501"));
    assert_eq!(header(&registered, "x-wap-push-ota-version"), Some("1.0"));
    assert_eq!(header(&registered, "x-wap-terminal-id"), Some(device.id()));
    assert_eq!(header(&registered, "x-wap-push-accept-appid"), Some("x-wap-application:syncml.dm"));
    assert_eq!(header(&registered, "x-wap-push-maxmsgsize"), Some("1024"));
    assert!(
        header(&registered, "x-wap-push-accept").unwrap().contains("application/vnd.syncml.dm.notification")
    );
    let tag = format!("X-Wap-CPITag: {}", header(&registered, "x-wap-cpitag").unwrap());
    let again = ask(&["--request", "OPTIONS", "--header", &tag]).await;
    assert_eq!(header(&again, "x-wap-push-status"), Some("500"), "nothing has changed");
    assert_eq!(header(&again, "x-wap-push-accept"), None);

    let post = async |content_type: &str, more: &[&str], body: &str| {
        let content_type = format!("Content-Type: {content_type}");
        let words = ["--header", content_type.as_str(), "--data-binary", body];
        let answer = ask(&[&words[..], more].concat()).await;
        let push = header(&answer, "x-wap-push-status").map(str::to_owned);
        (status(&answer).unwrap().to_owned(), push)
    };
    let said = |status: &str, push: Option<&str>| (status.to_owned(), push.map(str::to_owned));
    const NESTED: &str = "application/http";
    const NOTIFICATION: &str = "application/vnd.syncml.dm.notification";
    let nested = |head: &str| format!("{head}\r\nContent-Length: 1\r\n\r\nx");
    let good = nested(&format!("HTTP/1.1 200 OK\r\nContent-Type: {NOTIFICATION}"));
    assert_eq!(post(NESTED, &["--header", &tag], &good).await, said("204", Some("400")));
    assert_eq!(post(NOTIFICATION, &[], "x").await, said("204", Some("400")), "not nested");
    assert_eq!(post(NESTED, &["--header", "X-Wap-CPITag: old"], &good).await, said("204", Some("256")));
    let application = ["--header", "X-Wap-Application-Id: x-wap-application:mms.ua"];
    assert_eq!(post(NOTIFICATION, &application, "x").await, said("204", Some("236")));
    assert_eq!(post("text/plain", &[], "x").await, said("204", Some("238")));
    let other =
        nested(&format!("HTTP/1.1 200 OK\r\nContent-Type: {NOTIFICATION}\r\nX-Wap-Application-Id: 4"));
    assert_eq!(post(NESTED, &[], &other).await, said("204", Some("236")));
    for bad in [
        "no response".to_owned(),
        nested("HTTP/1.1 200 OK"),
        nested(&format!("HTTP/1.1 404 Not Found\r\nContent-Type: {NOTIFICATION}")),
        good.replace("Length: 1", "Length: 2"),
        good.replace("Length: 1", "Length: 0"),
    ] {
        assert_eq!(post(NESTED, &[], &bad).await, said("400", None), "{bad:?}");
    }
    assert_eq!(post(NOTIFICATION, &[], &"x".repeat(1_024)).await, said("204", Some("400")));
    assert_eq!(post(NOTIFICATION, &[], &"x".repeat(1_025)).await, said("413", None));

    let elsewhere = curl(&format!("http://127.0.0.1:{port}/"), &[]).await;
    assert_eq!(status(&elsewhere), Some("404"));
    let get = curl(&url, &[]).await;
    assert_eq!((status(&get), header(&get, "allow")), (Some("405"), Some("POST, OPTIONS")));
    assert!(device.events(&server, "answered").await.is_empty(), "none of them was a notification");
}

#[tokio::test]
async fn slow_and_many_peers_cost_the_device_little() {
    proves!("P13-PushBinding-5.3-01");
    let directory = tempfile::tempdir().unwrap();
    let server = server(|config| {
        config.http_push.user = Some("dm".to_owned());
        config.http_push.password_file = Some(password(&directory));
    })
    .await;
    let (device, port) = device(&server, 4, "timeout = \"1 s\"").await;
    device.reached(&server, &[format!("http:127.0.0.1:{port}")]).await;
    let connect = || TcpStream::connect(("127.0.0.1", port));
    let mut slow = Vec::new();
    for head in ["POST /wap", "POST /wappush HTTP/1.1\r\nHost: x\r\n", ""] {
        let mut stream = connect().await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let mut rest = Vec::new();
    for mut stream in slow {
        // It ends by itself, whatever is said by then.
        stream.read_to_end(&mut rest).await.unwrap();
    }
    let mut endless = connect().await.unwrap();
    let head = format!("OPTIONS /wappush HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(64 << 10));
    // It may be closed before all of it is written.
    let _broken = endless.write_all(head.as_bytes()).await;
    let mut said = Vec::new();
    let _reset = endless.read_to_end(&mut said).await;
    assert!(!String::from_utf8_lossy(&said).contains(" 401 "), "the head has no end");
    device.serves(&server).await;
}

#[tokio::test]
async fn over_tls_both_sides_know_each_other() {
    proves!("P13-PushBinding-5.3-02", "E13-4.3-03");
    let authority = Authority::new();
    let gateway = authority.issue("gateway.example", Flaw::Nothing);
    let other_authority = Authority::new();
    let stranger = other_authority.issue("stranger.example", Flaw::Nothing);
    // The certificate of the device is that of the authority for this machine.
    let (certificate, key) = authority.server_files();
    let port = free_port().await;
    let settings = format!(
        "[push.http]\nlisten_tls = \"127.0.0.1:{port}\"\ncertificate = {certificate:?}\nkey = {key:?}\nsenders_ca_file = {:?}",
        authority.ca_file()
    );
    let (ca_file, files, other) = (authority.ca_file(), gateway.files.clone(), stranger.files.clone());
    let trusted = server(|config| {
        config.notifier.ca_file = Some(ca_file.clone());
        (config.http_push.certificate, config.http_push.key) = (Some(files.0.clone()), Some(files.1.clone()));
    })
    .await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2005";
    let device = Device::new(&trusted, id, &settings, Some(port)).await;
    device.reached(&trusted, &[format!("https:127.0.0.1:{port}")]).await;
    let sent = device.serves(&trusted).await;
    assert_eq!(sent["via"], "https");

    for own in [None, Some(other)] {
        let untrusted = server(|config| {
            config.notifier.ca_file = Some(authority.ca_file());
            if let Some((certificate, key)) = own {
                (config.http_push.certificate, config.http_push.key) = (Some(certificate), Some(key));
            }
        })
        .await;
        let device = Device::new(&untrusted, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2006", "", None).await;
        device.reached(&untrusted, &[format!("https:127.0.0.1:{port}")]).await;
        let (code, answer) = notify(&untrusted, device.id()).await;
        assert_eq!(code, 502, "without a certificate that the device trusts: {answer}");
    }
    let url = format!("https://localhost:{port}/wappush");
    let ca = authority.ca_file().display().to_string();
    let anonymous = curl(&url, &["--cacert", &ca, "--request", "OPTIONS"]).await;
    assert_eq!(status(&anonymous).filter(|status| *status == "204"), None, "{anonymous}");
}

/// A session initiation request for DM with one contact point, as Wireshark reads it.
fn initiation(port: u16) -> Vec<u8> {
    let mut request = vec![0x01, 0x06, 0x03, 0xb4, 0xaf, 0x81];
    request.extend([1, 2, 0xaf, 0x87, 0, 7, 0x44]);
    request.extend(port.to_be_bytes());
    request.extend([127, 0, 0, 1, 0, 0, 0]);
    request
}

#[tokio::test]
async fn a_gateway_may_ask_the_device_to_connect_to_it() {
    proves!("P13-PushBinding-5.1-01", "P13-PushBinding-4+5-01", "P13-DMNOTI-7.4-01", "E13-PushBinding");
    let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stranger = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (known, other) = (gateway.local_addr().unwrap().port(), stranger.local_addr().unwrap().port());
    let udp = free_port().await;
    let server = server(|_| {}).await;
    let settings = format!(
        "[notification]\nenabled = true\nlisten = \"127.0.0.1:{udp}\"\n\
         [push.http]\nanonymous = true\ngateways = [{{ address = \"127.0.0.1:{known}\" }}]"
    );
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2007", &settings, None).await;
    let found = Dissection::of_pushes(&[&initiation(known)]);
    assert!(!found[0].is_malformed(), "{found:?}");
    assert_eq!(found[0].field("wap.sir.app_id_list.length"), Some("2"), "{found:?}");
    assert_eq!(found[0].field("wap.sir.contact_points.length"), Some("7"), "{found:?}");

    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    device.reached(&server, &[format!("udp:127.0.0.1:{port}")]).await;
    let command = server.queue_for(device.id(), &json!({ "verb": "get", "address": super::MAN })).await;
    let mut buffer = [0; 2_048];
    let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
    let package = &buffer[6..length];

    // First to one that is not configured, then to one that is: whoever was to be connected to first did not hear of it.
    socket.send_to(&initiation(other), ("127.0.0.1", udp)).await.unwrap();
    socket.send_to(&initiation(known), ("127.0.0.1", udp)).await.unwrap();
    let (mut stream, _) = gateway.accept().await.unwrap();
    let nested = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.syncml.dm.notification\r\n\
         X-Wap-Application-Id: x-wap-application:syncml.dm\r\nContent-Length: {}\r\n\r\n",
        package.len()
    );
    let body = [nested.as_bytes(), package].concat();
    let head = format!(
        "POST /wappush HTTP/1.1\r\nHost: device\r\nContent-Type: application/http\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 204");
    while server.command(&command).await["state"] != "done" {
        tokio::task::yield_now().await;
    }
    let heard =
        std::future::poll_fn(|context| std::task::Poll::Ready(stranger.poll_accept(context).is_ready()))
            .await;
    assert!(!heard, "the device connects to nobody else");
}
