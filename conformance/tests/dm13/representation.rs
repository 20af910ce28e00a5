//! Representation Protocol and Meta Information (`DM 1.3 REPPRO`, `DM 1.3 Meta`), in both encodings. xmllint judges the schema of what we
//! write, libwbxml and tshark its WBXML.

use std::path::Path;

use http::Method;
use omadm_client::dm1::Encoding;
use omadm_codec::dm1::{self, Command, Data, Form, Mark, Message, WbxmlVersion};
use omadm_codec::{Leniency, Limits, Problem};
use omadm_conformance::{Dissection, Dm1Bench, TestServer, libwbxml, proves, xmllint};

const MOID: &str = "urn:example:mo:cam:1.0";
const DDF: &str = r#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD>
<Node><NodeName>Cam</NodeName><DFProperties><AccessType><Add/><Get/></AccessType><DFFormat><node/></DFFormat>
<Scope><Permanent/></Scope><DFType><DDFName>urn:example:mo:cam:1.0</DDFName></DFType></DFProperties>
<Node><NodeName>Label</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><chr/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
</Node></MgmtTree>"#;

const WBXML: Form = Form::Wbxml(WbxmlVersion::V1_3);

/// DOCTYPE by which libwbxml knows the language.
const DOCTYPE: &str = "<?xml version=\"1.0\"?><!DOCTYPE SyncML PUBLIC \"-//SYNCML//DTD SyncML 1.2//EN\" \
    \"http://www.openmobilealliance.org/tech/DTD/OMA-TS-SyncML_RepPro_DTD-V1_2.dtd\">";

fn vector(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/dm1/message");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn decode(octets: &[u8], encoding: dm1::Encoding) -> Message<'static> {
    let decoded = dm1::decode(octets, encoding, &Limits::default(), &mut Leniency::lenient());
    decoded
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(octets)))
        .message
        .into_owned()
}

fn xml_of(message: &Message<'_>) -> String {
    String::from_utf8(dm1::encode(message, Form::Xml)).unwrap()
}

/// Written and read by us and by libwbxml in turn, a message stays the same.
fn assert_agreement(message: &Message<'_>) {
    let xml = xml_of(message);
    xmllint::validate(&xml);
    let wbxml = dm1::encode(message, WBXML);
    assert!(decode(&wbxml, dm1::Encoding::Wbxml) == *message, "{xml}");
    let theirs = libwbxml::to_xml("SYNCML12", &wbxml);
    xmllint::validate(&theirs);
    assert!(decode(theirs.as_bytes(), dm1::Encoding::Xml) == *message, "{theirs}");
    let theirs = libwbxml::to_wbxml(&format!("{DOCTYPE}{xml}"));
    assert!(decode(&theirs, dm1::Encoding::Wbxml) == *message, "{theirs:02x?} of {xml}");
}

#[test]
fn messages_stay_the_same_in_either_encoding_whoever_writes_them() {
    proves!("E13-DMREPU", "E13-REPPRODTD");
    for name in [
        "package-1",
        "package-2",
        "package-3",
        "package-4",
        "every-command",
        "generic-alert",
        "large-object",
        "windows-package-1",
    ] {
        assert_agreement(&decode(vector(&format!("{name}.xml")).as_bytes(), dm1::Encoding::Xml));
    }
}

#[tokio::test]
async fn a_malformed_message_is_refused_by_a_server() {
    proves!("E13-DMREPU");
    let (_server, device) = TestServer::with_device().await;
    for name in ["cmdid-twice", "no-source", "entity-bomb", "truncated", "another-root", "stray-text"] {
        let headers = [("content-type", "application/vnd.syncml.dm+xml")];
        let body = vector(&format!("{name}.xml"));
        let reply = device.send(Method::POST, "/dm", &headers, body.as_bytes()).await;
        assert_eq!(reply.status, 400, "{name}: {reply:?}");
    }
    for cut in [0, 1, 5, 40, 120] {
        let wbxml = dm1::encode(&decode(vector("package-1.xml").as_bytes(), dm1::Encoding::Xml), WBXML);
        let headers = [("content-type", "application/vnd.syncml.dm+wbxml")];
        let reply = device.send(Method::POST, "/dm", &headers, &wbxml[..cut]).await;
        assert_eq!(reply.status, 400, "{cut} octets: {reply:?}");
    }
}

#[test]
fn tshark_understands_our_wbxml() {
    proves!("P13-DMREPU-6.2-02");
    let names = ["package-1.xml", "package-2.xml", "every-command.xml", "tnds-in-cdata.xml"];
    let messages = names.map(|name| decode(vector(name).as_bytes(), dm1::Encoding::Xml));
    let octets = messages.map(|message| dm1::encode(&message, WBXML));
    let octets: Vec<&[u8]> = octets.iter().map(Vec::as_slice).collect();
    for (message, name) in Dissection::of_syncml(&octets).iter().zip(names) {
        assert!(!message.is_malformed(), "{name}: {message:?}");
        assert_eq!(message.field("wbxml.version"), Some("0x03"), "{name}: {message:?}");
        assert_eq!(message.field("wbxml.public_id.known"), Some("0x00001201"), "{name}: {message:?}");
    }
}

#[tokio::test]
async fn the_device_reads_wbxml_1_3_and_refuses_a_token_that_stands_for_nothing() {
    proves!("P13-DMREPU-6.2-01");
    let mut bench = Dm1Bench::new(Encoding::Wbxml, DDF, MOID).await;
    let get = "<Get><CmdID>10</CmdID><Item><Target><LocURI>./DevInfo/Man</LocURI></Target></Item></Get>";
    let message = |bench: &Dm1Bench| {
        let mut octets = bench.encode(&bench.message(1, &[("Alert", 1), ("Replace", 2)], get));
        octets[0] = 3;
        octets
    };
    let answer = bench.run_octets(&message(&bench)).await;
    assert!(answer.contains("<CmdRef>10</CmdRef><Cmd>Get</Cmd><Data>200</Data>"), "{answer}");
    // Get with content and its CmdID; 0x3F is assigned to nothing.
    let (with_get, without) = (b"\x53\x4b\x0310\0", b"\x7f\x4b\x0310\0");
    let mut octets = message(&bench);
    let at = octets.windows(with_get.len()).position(|window| window == with_get).unwrap();
    octets[at..at + without.len()].copy_from_slice(without);
    let answer = bench.run_octets(&octets).await;
    let status = answer.split("<Status>").find(|status| status.contains("<CmdRef>10</CmdRef>")).unwrap();
    assert!(status.contains("<Data>400</Data>") && !answer.contains("<Results>"), "{answer}");
}

/// A message whose header, challenge and item have all of MetInf that DM uses, as the standard prints it.
fn meta_message(wrapper: [&str; 2]) -> String {
    let [open, close] = wrapper;
    format!(
        "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.3</VerProto><SessionID>1</SessionID><MsgID>1</MsgID>\
         <Target><LocURI>a</LocURI></Target><Source><LocURI>b</LocURI></Source>\
         <Meta>{open}<MaxMsgSize xmlns='syncml:metinf'>1023</MaxMsgSize><MaxObjSize xmlns='syncml:metinf'>4000000</MaxObjSize>{close}</Meta></SyncHdr>\
         <SyncBody><Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Chal><Meta>{open}\
         <Format xmlns='syncml:metinf'>b64</Format><Type xmlns='syncml:metinf'>syncml:auth-md5</Type>\
         <NextNonce xmlns='syncml:metinf'>ZG9iZWhhdmUNCg==</NextNonce>{close}</Meta></Chal><Data>407</Data></Status>\
         <Alert><CmdID>2</CmdID><Data>1226</Data><Item><Source><LocURI>./A</LocURI></Source><Meta>{open}\
         <Size xmlns='syncml:metinf'>37214</Size><Type xmlns='syncml:metinf'>text/calendar</Type><Format xmlns='syncml:metinf'>chr</Format>\
         <Mark xmlns='syncml:metinf'>critical</Mark><EMI xmlns='syncml:metinf'>x</EMI>{close}</Meta><Data>x</Data></Item></Alert><Final/></SyncBody></SyncML>"
    )
}

#[test]
fn meta_information_is_read_field_by_field_and_written_as_it_was() {
    proves!(
        "E13-Meta",
        "E13-MetaDTD",
        "P13-Meta-5.2.4-01",
        "P13-Meta-5.2.9-01",
        "P13-Meta-5.2.12-01",
        "P13-Meta-5.2.14-01",
        "P13-Meta-5.2.16-01",
        "P13-Meta-5.2.17-01",
        "P13-DMREPU-7.4-04"
    );
    for wrapper in [["", ""], ["<MetInf xmlns='syncml:metinf'>", "</MetInf>"]] {
        let text = meta_message(wrapper);
        let mut leniency = Leniency::strict();
        let decoded = dm1::decode(text.as_bytes(), dm1::Encoding::Xml, &Limits::default(), &mut leniency);
        let message = decoded.unwrap().message;
        assert_eq!(message.header.meta.max_message_size, Some(1023));
        assert_eq!(message.header.meta.max_object_size, Some(4_000_000));
        let [Command::Status(status), Command::Alert(alert)] = message.commands.as_slice() else {
            panic!("{message:?}")
        };
        let challenge = status.challenge.as_deref().unwrap();
        assert_eq!(challenge.format.as_deref(), Some("b64"));
        assert_eq!(challenge.media_type.as_deref(), Some("syncml:auth-md5"));
        assert_eq!(challenge.next_nonce.as_deref(), Some(b"dobehave\r\n".as_slice()));
        let meta = &alert.items[0].meta;
        assert_eq!((meta.size, meta.mark), (Some(37_214), Some(Mark::Critical)));
        assert_eq!(
            (meta.media_type.as_deref(), meta.format.as_deref()),
            (Some("text/calendar"), Some("chr"))
        );
        assert_agreement(&message);
        assert!(xml_of(&message).contains("<Format xmlns=\"syncml:metinf\">chr</Format><Type xmlns="));
    }
}

#[test]
fn addresses_are_uris_urns_and_names_and_stay_as_they_are() {
    proves!("P13-DMREPU-5.5-01");
    for address in [
        "https://dm.example.net:8443/dm?s=1&t=%20x",
        "urn:oma:mo:oma-dm-devinfo:1.1//Man",
        "urn:uuid:6f0f8d0e-0001",
        "IMEI:490000000000001",
        "./Vendor/MSFT/A%20B",
        "Just a name",
    ] {
        let escaped = address.replace('&', "&amp;");
        let text = vector("package-1.xml").replace("urn:uuid:6f0f8d0e-0001", &escaped);
        let message = decode(text.as_bytes(), dm1::Encoding::Xml);
        assert_eq!(message.header.source.uri, address);
        assert_agreement(&message);
    }
}

#[test]
fn commands_are_found_in_the_body_and_nowhere_else() {
    proves!("P13-DMREPU-7.2-04");
    let text = vector("package-1.xml");
    let alert = "<Alert><CmdID>9</CmdID><Data>1223</Data></Alert>";
    let beside = text.replace("</SyncHdr>", &format!("{alert}</SyncHdr>{alert}"));
    assert_eq!(decode(beside.as_bytes(), dm1::Encoding::Xml), decode(text.as_bytes(), dm1::Encoding::Xml));
    let twice = text.replace("</SyncML>", &format!("<SyncBody>{alert}</SyncBody></SyncML>"));
    let error =
        dm1::decode(twice.as_bytes(), dm1::Encoding::Xml, &Limits::default(), &mut Leniency::lenient());
    assert_eq!(error.unwrap_err().problem, Problem::Duplicate);
}

/// The part of a message between the tags of its first element of this name.
fn element<'a>(message: &'a str, name: &str) -> &'a str {
    let (_, rest) =
        message.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {message}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

#[tokio::test]
async fn what_a_device_sends_has_the_order_of_the_schema_in_either_encoding() {
    proves!(
        "P13-DMREPU-5.3-01",
        "P13-DMREPU-6.2-02",
        "P13-DMREPU-7.1-01",
        "P13-DMREPU-7.1.10-01",
        "P13-DMREPU-7.1.24-01",
        "P13-DMREPU-7.1.27-01",
        "P13-DMREPU-7.2-01",
        "P13-DMREPU-7.2-02",
        "P13-DMREPU-7.3-01",
        "P13-DMREPU-7.4-07",
        "P13-DMREPU-7.6.13-01"
    );
    for encoding in [Encoding::Xml, Encoding::Wbxml] {
        let mut bench = Dm1Bench::new(encoding, DDF, MOID).await;
        let add = "<Add><Item><Target><LocURI>./Cam/Label</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">chr</Format></Meta>\
            <Data>a &lt;close&gt; look</Data></Item></Add>";
        let get = "<Get><Item><Target><LocURI>./Cam/Label</LocURI></Target></Item></Get>";
        let answer = bench.run(&[add, get]).await;
        assert_eq!(bench.text("Cam/Label").as_deref(), Some("a <close> look"), "{answer}");

        let results =
            decode(answer.as_bytes(), dm1::Encoding::Xml).commands.into_iter().find_map(|command| {
                if let Command::Results(results) = command { Some(results) } else { None }
            });
        let item = &results.unwrap().items[0];
        assert_eq!(item.source.as_deref(), Some("./Cam/Label"));
        assert_eq!(item.meta.format.as_deref(), Some("chr"));
        assert_eq!(item.meta.media_type.as_deref(), Some("text/plain"));
        assert_eq!(item.data.as_ref().and_then(Data::as_str), Some("a <close> look"));

        let requests = bench.server.requests();
        for request in &requests {
            let message = match encoding {
                Encoding::Xml => String::from_utf8(request.body.clone()).unwrap(),
                Encoding::Wbxml => {
                    assert_eq!(request.body[..5], [0x03, 0xA4, 0x01, 0x6A, 0x00]);
                    libwbxml::to_xml("SYNCML12", &request.body)
                }
            };
            xmllint::validate(&message);
            assert!(message.contains("<SyncML xmlns=\"SYNCML:SYNCML1.2\">"), "{message}");
            assert!(message.contains("xmlns=\"syncml:metinf\""), "{message}");
            assert!(message.contains("<Final/></SyncBody></SyncML>"), "{message}");
            assert!(element(element(&message, "Target"), "LocURI").starts_with("https://"), "{message}");
            assert!(!element(element(&message, "Source"), "LocURI").is_empty(), "{message}");
        }
        assert!(requests.len() >= 2);
    }
}
