//! The server behind the HTTP binding of DM 1.3, told by messages that are written by hand.

use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_conformance::{Reply, ScriptDevice, TestServer, libwbxml, proves};
use openssl::sha::sha256;
use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

const ID: &str = "IMEI:493005100592800";
const XML: &str = "application/vnd.syncml.dm+xml";
const WBXML: &str = "application/vnd.syncml.dm+wbxml";
const HELLO: &str = "<Alert><CmdID>1</CmdID><Data>1201</Data></Alert>\
     <Replace><CmdID>2</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI></Source><Data>IMEI:493005100592800</Data></Item>\
     <Item><Source><LocURI>./DevInfo/Man</LocURI></Source><Data>Acme</Data></Item>\
     <Item><Source><LocURI>./DevInfo/Mod</LocURI></Source><Data>Probe</Data></Item>\
     <Item><Source><LocURI>./DevInfo/DmV</LocURI></Source><Data>1.3</Data></Item>\
     <Item><Source><LocURI>./DevInfo/Lang</LocURI></Source><Data>en</Data></Item></Replace>";

/// A message of the device in XML. It proves itself by a digest over no nonce, which is good for its first session.
fn message(device: &ScriptDevice, number: u32, body: &str) -> String {
    let (user, secret) = &device.credentials;
    let key = STANDARD.encode(sha256(format!("{user}:{secret}").as_bytes()));
    let digest = STANDARD.encode(sha256(format!("{key}:").as_bytes()));
    let credentials = if number > 1 {
        String::new()
    } else {
        format!(
            "<Cred><Meta><Format xmlns=\"syncml:metinf\">b64</Format><Type xmlns=\"syncml:metinf\">syncml:auth-sha256</Type>\
             </Meta><Data>{digest}</Data></Cred>"
        )
    };
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE SyncML PUBLIC \"-//SYNCML//DTD SyncML 1.2//EN\" \
         \"http://www.openmobilealliance.org/tech/DTD/OMA-TS-SyncML_RepPro_DTD-V1_2.dtd\">\
         <SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.3</VerProto>\
         <SessionID>1</SessionID><MsgID>{number}</MsgID><Target><LocURI>https://localhost/dm</LocURI></Target>\
         <Source><LocURI>{ID}</LocURI><LocName>{user}</LocName></Source>{credentials}</SyncHdr>\
         <SyncBody>{body}<Final/></SyncBody></SyncML>"
    )
}

fn status(id: u32, message: u32, command: &str, name: &str, code: u16) -> String {
    format!(
        "<Status><CmdID>{id}</CmdID><MsgRef>{message}</MsgRef><CmdRef>{command}</CmdRef><Cmd>{name}</Cmd><Data>{code}</Data></Status>"
    )
}

/// What stands between two tags, the first time.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    let start = text.find(begin)? + begin.len();
    let rest = text.get(start..)?;
    rest.get(..rest.find(end)?)
}

/// Address and `CmdID` of the Get in an answer.
fn asked(text: &str) -> Option<(String, String)> {
    let get = between(text, "<Get>", "</Get>")?;
    let address = between(get, "<LocURI>", "</LocURI>")?;
    Some((address.to_owned(), between(get, "<CmdID>", "</CmdID>")?.to_owned()))
}

/// Sends a message in either encoding; gives the answer in XML.
async fn say(device: &ScriptDevice, content_type: &str, message: &str) -> String {
    let octets = if content_type == XML { message.as_bytes().to_vec() } else { libwbxml::to_wbxml(message) };
    let reply = device.send(Method::POST, "/dm", &[("content-type", content_type)], &octets).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some(content_type), "in the encoding of the request");
    let cache = reply.header("cache-control").unwrap();
    assert!(cache.contains("no-store"), "{cache}");
    if content_type == XML {
        String::from_utf8(reply.body).unwrap()
    } else {
        libwbxml::to_xml("SYNCML12", &reply.body)
    }
}

#[tokio::test]
async fn a_device_is_managed_over_https_in_both_encodings() {
    proves!("OMA-ERDEF-DM-S_006-O", "E13-HTTPBinding", "E13-DMPRO");
    for content_type in [XML, WBXML] {
        let server = TestServer::start().await;
        let device = server.enrol(ID).await;
        let command = server.queue(&device, &json!({ "verb": "get", "address": "./DevInfo/Man" })).await;
        let answer = say(&device, content_type, &message(&device, 1, HELLO)).await;
        let (address, id) = asked(&answer).unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(address, "./DevInfo/Man");
        let body = [
            status(1, 1, "0", "SyncHdr", 200),
            status(2, 1, &id, "Get", 200),
            format!(
                "<Results><CmdID>3</CmdID><MsgRef>1</MsgRef><CmdRef>{id}</CmdRef><Item><Source><LocURI>./DevInfo/Man</LocURI>\
                 </Source><Data>Acme</Data></Item></Results>"
            ),
        ];
        let end = say(&device, content_type, &message(&device, 2, &body.concat())).await;
        assert!(asked(&end).is_none() && end.contains("Final"), "{end}");
        let done = server.command(&command).await;
        assert_eq!((&done["state"], &done["result"]["items"][0]["value"]), (&json!("done"), &json!("Acme")));
    }
}

#[tokio::test]
async fn what_the_binding_does_not_have_is_an_http_error() {
    proves!("E13-HTTPBinding", "E13-DMREPU");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let good = message(&device, 1, HELLO);
    let post = async |headers: &[(&str, &str)], body: &str| -> Reply {
        device.send(Method::POST, "/dm", headers, body.as_bytes()).await
    };
    let get = device.send(Method::GET, "/dm", &[("content-type", XML)], b"").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    assert_eq!(post(&[("content-type", "application/json")], &good).await.status, 415);
    assert_eq!(post(&[], &good).await.status, 415);
    assert_eq!(post(&[("content-type", XML), ("content-encoding", "gzip")], &good).await.status, 415);
    assert_eq!(post(&[("content-type", XML), ("accept", "text/html")], &good).await.status, 406);
    for bad in
        ["", "<SyncML", "<SyncML/>", &good.replace("<MsgID>1<", "<MsgID><"), &good.replace("</SyncBody>", "")]
    {
        assert_eq!(post(&[("content-type", XML)], bad).await.status, 400, "{bad:.80}");
    }
    let entity =
        good.replace("<!DOCTYPE SyncML ", "<!DOCTYPE SyncML [<!ENTITY a \"b\">] ").replace("Acme", "&a;");
    assert_eq!(post(&[("content-type", XML)], &entity).await.status, 400, "entities of its own");
    let large = good.replace("Acme", &"A".repeat(2 << 20));
    assert_eq!(post(&[("content-type", XML)], &large).await.status, 413);
}

#[tokio::test]
async fn the_server_finds_out_what_a_device_can_do_and_shows_it() {
    proves!("E13-4.3-08");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    server.queue(&device, &json!({ "verb": "get", "address": "./Ext" })).await;
    let mut answer = say(&device, XML, &message(&device, 1, HELLO)).await;
    let mut ways = Vec::new();
    for number in 2..8 {
        let Some((address, id)) = asked(&answer) else { break };
        let result = format!(
            "<Results><CmdID>3</CmdID><MsgRef>{}</MsgRef><CmdRef>{id}</CmdRef><Item><Source><LocURI>./Ext</LocURI></Source>\
             <Meta><Format xmlns=\"syncml:metinf\">node</Format></Meta></Item></Results>",
            number - 1
        );
        let can = address.ends_with("StructData");
        let (code, result) = if can { (200, result.as_str()) } else { (406, "") };
        ways.push(address);
        let body =
            status(1, number - 1, "0", "SyncHdr", 200) + &status(2, number - 1, &id, "Get", code) + result;
        answer = say(&device, XML, &message(&device, number, &body)).await;
    }
    let shown = server.get(&format!("/devices/{ID}")).await;
    assert_eq!(shown["features"]["struct_data"], json!(true), "{shown} after {ways:?}");
}

#[tokio::test]
async fn tls_is_of_1_2_or_later_and_of_1_1_only_if_it_is_wanted() {
    proves!("E13-4.3-09", "E13-4.3-10");
    for (policy, version, expected) in [
        ("modern", None, Some("TLSv1.3")),
        ("modern", Some(SslVersion::TLS1_2), Some("TLSv1.2")),
        ("modern", Some(SslVersion::TLS1_1), None),
        ("legacy", Some(SslVersion::TLS1_1), Some("TLSv1.1")),
    ] {
        let server =
            TestServer::with(|config| config.tls.policy = serde_json::from_value(json!(policy)).unwrap())
                .await;
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_ca_file(server.ca_file()).unwrap();
        connector.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
        connector.set_max_proto_version(version).unwrap();
        connector.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
        let ssl = connector.build().configure().unwrap().into_ssl("localhost").unwrap();
        let mut stream =
            SslStream::new(ssl, TcpStream::connect(server.device_address()).await.unwrap()).unwrap();
        let shaken = Pin::new(&mut stream).connect().await;
        assert_eq!(shaken.is_ok().then(|| stream.ssl().version_str()), expected, "{policy} {version:?}");
        if expected.is_some() {
            let request =
                b"POST /dm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 415", "the binding answers");
        }
    }
}

/// A ClientHello of SSL 3.0, whose version 0x0300 comes thrice: in the record, in the message, and with nothing newer beside.
#[tokio::test]
async fn ssl_is_refused() {
    proves!("E13-4.3-09");
    let server =
        TestServer::with(|config| config.tls.policy = serde_json::from_value(json!("legacy")).unwrap()).await;
    let mut hello = vec![3, 0];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0, 0x2f, 0, 0x0a, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 0, 0, length + 4, 1, 0, 0, length];
    record.append(&mut hello);
    let mut stream = TcpStream::connect(server.device_address()).await.unwrap();
    stream.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    // The server may also reset the connection.
    let _outcome = stream.read_to_end(&mut answer).await;
    assert!(answer.first().is_none_or(|kind| *kind == 21), "an alert, or nothing: {answer:?}");
}
