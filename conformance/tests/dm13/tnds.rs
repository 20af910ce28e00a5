//! Tree and description serialisation (`DM 1.3 TNDS`) on a device, in both encodings; libwbxml judges.

use omadm_client::dm1::Encoding;
use omadm_conformance::{Dm1Bench, libwbxml, proves, tnds};

const MOID: &str = "urn:example:mo:cam:1.0";
const DDF: &str = r#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD>
<Node><NodeName>Cam</NodeName><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat>
<Scope><Permanent/></Scope><DFType><DDFName>urn:example:mo:cam:1.0</DDFName></DFType></DFProperties>
<Node><NodeName>Preset</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><node/></DFFormat>
<Scope><Permanent/></Scope><DFType><DDFName/></DFType></DFProperties>
<Node><NodeName/><DFProperties><AccessType><Add/><Delete/><Get/><Replace/></AccessType><DFFormat><node/></DFFormat>
<Occurrence><ZeroOrMore/></Occurrence><DFType><DDFName/></DFType></DFProperties>
<Node><NodeName>Label</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><chr/></DFFormat>
<DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
<Node><NodeName>Zoom</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><int/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
<Node><NodeName>Key</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><bin/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><DFType><MIME>application/octet-stream</MIME></DFType></DFProperties></Node>
</Node></Node></Node></MgmtTree>"#;

/// A document of one preset, as a server would write it.
const NEAR: &str = "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD>\
    <Node><NodeName>near</NodeName><RTProperties><Format><node/></Format><Type><DDFName></DDFName></Type></RTProperties>\
    <Node><NodeName>Label</NodeName><RTProperties><Format><chr/></Format><Type><MIME>text/plain</MIME></Type></RTProperties>\
    <Value>a &lt;close&gt; look</Value></Node>\
    <Node><NodeName>Zoom</NodeName><RTProperties><Format><int/></Format><Type><MIME>text/plain</MIME></Type></RTProperties>\
    <Value>4</Value></Node>\
    <Node><NodeName>Key</NodeName><RTProperties><Format><bin/></Format><Type><MIME>application/octet-stream</MIME></Type></RTProperties>\
    <Value>AAEC/w==</Value></Node></Node></MgmtTree>";

/// How a document is carried: format and type of the item, and its data.
fn item(command: &str, target: &str, format: &str, kind: &str, data: &str) -> String {
    format!(
        "<{command}><Item><Target><LocURI>{target}</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">{format}</Format>\
         <Type xmlns=\"syncml:metinf\">application/vnd.syncml.dmtnds+{kind}</Type></Meta><Data>{data}</Data></Item></{command}>"
    )
}

/// A document in XML within an item.
fn in_xml(command: &str, target: &str, document: &str) -> String {
    item(command, target, "xml", "xml", &format!("<![CDATA[{document}]]>"))
}

/// The same document in WBXML, as libwbxml writes it.
fn in_wbxml(document: &str) -> Vec<u8> {
    libwbxml::to_wbxml(&format!(
        "<?xml version=\"1.0\"?><!DOCTYPE MgmtTree PUBLIC \"-//OMA//DTD-DM-DDF 1.2//EN\" \
         \"http://www.openmobilealliance.org/tech/DTD/dm_ddf-v1_2.dtd\">{document}"
    ))
}

/// A message of the server in WBXML whose command carries these octets as OPAQUE.
fn with_octets(bench: &Dm1Bench, command: &str, target: &str, octets: &[u8]) -> Vec<u8> {
    let command = item(command, target, "bin", "wbxml", "OCTETS").replacen('>', "><CmdID>10</CmdID>", 1);
    let message = bench.encode(&bench.message(1, &[("Alert", 1), ("Replace", 2)], &command));
    let text = b"\x03OCTETS\0";
    let at = message.windows(text.len()).position(|window| window == text).expect("it is there as a string");
    let mut opaque = vec![0xc3];
    let length = u8::try_from(octets.len() >> 7).unwrap();
    opaque.extend([0x80 | length, u8::try_from(octets.len() & 0x7f).unwrap()]);
    opaque.extend_from_slice(octets);
    [&message[..at], &opaque, &message[at + text.len()..]].concat()
}

/// The status of the command with this CmdID.
fn status(answer: &str, command: u32) -> u16 {
    let statuses = answer.split("<Status>").skip(1);
    let reference = format!("<CmdRef>{command}</CmdRef>");
    let own = statuses.into_iter().find(|status| status.contains(&reference));
    let own = own.unwrap_or_else(|| panic!("no status for {command} in {answer}"));
    let code = own.split("<Data>").nth(1).and_then(|rest| rest.split('<').next());
    code.expect("a status has a code").trim().parse().expect("a code is a number")
}

fn assert_near(bench: &Dm1Bench) {
    assert_eq!(bench.text("Cam/Preset/near/Label").as_deref(), Some("a <close> look"));
    assert_eq!(bench.text("Cam/Preset/near/Zoom").as_deref(), Some("4"));
    assert_eq!(bench.text("Cam/Preset/near/Key").as_deref(), Some("AAEC/w=="));
}

#[tokio::test]
async fn an_object_is_added_from_a_document_in_xml() {
    proves!("P13-DMTNDS-5.3-02", "E13-DMTNDS");
    for encoding in [Encoding::Xml, Encoding::Wbxml] {
        let mut bench = Dm1Bench::new(encoding, DDF, MOID).await;
        assert!(bench.node("Cam/Preset").is_some() && bench.node("Cam/Preset/near").is_none());
        let answer = bench.run(&[&in_xml("Add", "./Cam/Preset", NEAR)]).await;
        assert_eq!(status(&answer, 10), 200, "{encoding:?}: {answer}");
        assert_near(&bench);
    }
}

#[tokio::test]
async fn an_object_is_added_from_a_document_in_wbxml() {
    proves!("P13-DMTNDS-5.3-02", "E13-DMTNDS");
    let mut bench = Dm1Bench::new(Encoding::Wbxml, DDF, MOID).await;
    let message = with_octets(&bench, "Add", "./Cam/Preset", &in_wbxml(NEAR));
    let answer = bench.run_octets(&message).await;
    assert_eq!(status(&answer, 10), 200, "{answer}");
    assert_near(&bench);
    // In a message in XML it stands in base64.
    let mut bench = Dm1Bench::new(Encoding::Xml, DDF, MOID).await;
    let base64 = tnds::base64(&in_wbxml(NEAR));
    let answer = bench.run(&[&item("Add", "./Cam/Preset", "b64", "wbxml", &base64)]).await;
    assert_eq!(status(&answer, 10), 200, "{answer}");
    assert_near(&bench);
}

#[tokio::test]
async fn a_document_that_is_broken_changes_nothing() {
    proves!("P13-DMTNDS-5.3-02", "E13-DMTNDS");
    let mut bench = Dm1Bench::new(Encoding::Xml, DDF, MOID).await;
    for (broken, why) in [
        (NEAR[..NEAR.len() / 2].to_owned(), "cut"),
        (NEAR.replace("MgmtTree", "Tree"), "another root"),
        (NEAR.replace("<int/>", "<number/>"), "no format"),
        (NEAR.replace("</Node></Node></MgmtTree>", "</Node></MgmtTree>"), "not closed"),
        (NEAR.replace("&lt;", "&bomb;"), "an entity"),
    ] {
        let answer = bench.run(&[&in_xml("Add", "./Cam/Preset", &broken)]).await;
        let status = status(&answer, 10);
        assert!((400..500).contains(&status), "{why}: {status}");
        assert!(bench.node("Cam/Preset/near").is_none(), "{why}");
    }
    // The last node is what it must not be; those before it are not left behind.
    let wrong = NEAR.replace("<Value>AAEC/w==</Value>", "<Value>no base64!</Value>");
    let answer = bench.run(&[&in_xml("Add", "./Cam/Preset", &wrong)]).await;
    assert!(status(&answer, 10) >= 400, "{answer}");
    assert!(bench.node("Cam/Preset/near").is_none(), "{answer}");

    let mut bench = Dm1Bench::new(Encoding::Wbxml, DDF, MOID).await;
    let whole = in_wbxml(NEAR);
    for length in [0, 4, 40, whole.len() - 1] {
        let message = with_octets(&bench, "Add", "./Cam/Preset", &whole[..length]);
        let answer = bench.run_octets(&message).await;
        let status = status(&answer, 10);
        assert!((400..500).contains(&status), "{length} octets: {status}");
        assert!(bench.node("Cam/Preset/near").is_none(), "{length} octets");
    }
}

#[tokio::test]
async fn a_sub_tree_is_read_as_a_document() {
    proves!("P13-DMTNDS-5.3-01", "E13-DMTNDS");
    let get = "<Get><Item><Target><LocURI>./Cam?list=TNDS</LocURI></Target></Item></Get>";
    let mut documents = Vec::new();
    for encoding in [Encoding::Xml, Encoding::Wbxml] {
        let mut bench = Dm1Bench::new(encoding, DDF, MOID).await;
        let answer = bench.run(&[&in_xml("Add", "./Cam/Preset", NEAR)]).await;
        assert_eq!(status(&answer, 10), 200, "{answer}");
        let answer = bench.run(&[get]).await;
        assert_eq!(status(&answer, 10), 200, "{answer}");
        let document = match encoding {
            Encoding::Xml => {
                assert!(answer.contains("application/vnd.syncml.dmtnds+xml"), "{answer}");
                tnds::of_data(&answer)
            }
            Encoding::Wbxml => {
                let octets = tnds::of_octets(&bench.last_octets());
                libwbxml::to_xml("DMDDF12", &octets)
            }
        };
        tnds::check(&document);
        documents.push(tnds::nodes(&document));
    }
    let facts = |name: &str, documents: &[(String, Option<String>)]| {
        let found = documents.iter().find(|(found, _)| found == name);
        found.unwrap_or_else(|| panic!("no {name} in {documents:?}")).1.clone()
    };
    for document in &documents {
        assert_eq!(document[0], ("Cam".to_owned(), None), "the first node is the one asked for");
        assert_eq!(facts("Label", document).as_deref(), Some("a <close> look"));
        assert_eq!(facts("Zoom", document).as_deref(), Some("4"));
    }
    assert_eq!(facts("Key", &documents[0]).as_deref(), Some("AAEC/w=="), "octets are base64 in XML");
}

/// What one device gives, another one takes: the document is the same after it.
#[tokio::test]
async fn a_document_goes_from_one_device_to_another() {
    proves!("E13-DMTNDS");
    let get = "<Get><Item><Target><LocURI>./Cam/Preset/near?list=TNDS</LocURI></Target></Item></Get>";
    let mut first = Dm1Bench::new(Encoding::Xml, DDF, MOID).await;
    first.run(&[&in_xml("Add", "./Cam/Preset", NEAR)]).await;
    let document = tnds::of_data(&first.run(&[get]).await);
    let mut second = Dm1Bench::new(Encoding::Xml, DDF, MOID).await;
    let answer = second.run(&[&in_xml("Add", "./Cam/Preset", &document)]).await;
    assert_eq!(status(&answer, 10), 200, "{document}: {answer}");
    assert_near(&second);
    let again = tnds::of_data(&second.run(&[get]).await);
    assert_eq!(tnds::nodes(&again), tnds::nodes(&document));
}
