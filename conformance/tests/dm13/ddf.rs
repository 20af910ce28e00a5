//! Device descriptions (`DM 1.3 DDF DTD`), both sides.

use omadm_conformance::ddf::{both_refuse, node, properties, single_root, tree};
use omadm_conformance::{DeviceSetup, TestServer, proves};

const MOID: &str = "urn:example:mo:rack:1.0";
const FORMATS: [&str; 10] = ["b64", "bin", "bool", "chr", "int", "null", "xml", "date", "time", "float"];

/// A file of one object with these nodes, each on lines of its own.
fn file(inside: &[String]) -> String {
    tree(&[single_root("Rack", MOID, inside)])
}

fn leaf(name: &str, properties: &str) -> String {
    node(name, properties, &[])
}

/// Server and device both take a file.
async fn both_take(server: &TestServer, ddf: &str) {
    let reply = server.put_ddf("good.ddf", ddf).await;
    assert_eq!(reply.status, 200, "{ddf}: {}", reply.json());
    let mut setup = DeviceSetup::new([], None);
    setup.data_objects.push(ddf.to_owned());
    drop(setup.open());
}

#[tokio::test]
async fn what_validates_is_read_by_both_sides() {
    proves!("E13-DMDDFDTD");
    let server = TestServer::start().await;
    let formats = FORMATS.map(|format| leaf(format, &properties("Get", format, "ZeroOrOne", "")));
    both_take(&server, &file(&formats)).await;
    let occurrences = ["One", "ZeroOrOne", "ZeroOrMore", "OneOrMore", "ZeroOrN 2", "OneOrN 65536"];
    let occurrences = occurrences.map(|occurrence| {
        let name = if occurrence == "One" || occurrence == "ZeroOrOne" { occurrence } else { "" };
        leaf(name, &properties("Add Copy Delete Exec Get Replace", "chr", occurrence, ""))
    });
    for of in occurrences {
        both_take(&server, &file(&[of])).await;
    }
    let all = "<DFTitle>A title</DFTitle><DFType><MIME>text/plain</MIME><MIME>text/html</MIME></DFType>\
               <CaseSense><CIS/></CaseSense>";
    let run_time = "<RTProperties><ACL>Get=*</ACL><Format><chr/></Format><Name>Leaf</Name><Size>1</Size><Title>t</Title>\
                    <TStamp>20150122T000000Z</TStamp><Type><MIME>text/plain</MIME></Type><VerNo>3</VerNo></RTProperties>";
    let whole = leaf("Leaf", &properties("Get", "chr", "One", all))
        .replace("</NodeName>", &format!("</NodeName><Path>./Rack</Path>{run_time}"))
        .replace("</DFProperties>", "</DFProperties><Value>v</Value>")
        .replace("</AccessType>", "</AccessType><DefaultValue>d</DefaultValue><Description>D</Description>");
    both_take(&server, &file(&[whole])).await;
    let doctype = "<?xml version=\"1.0\"?>\n<!DOCTYPE MgmtTree PUBLIC \"-//OMA//DTD-DM-DDF 1.2//EN\" \
                   \"http://www.openmobilealliance.org/tech/DTD/dm_ddf-v1_2.dtd\" [<?oma-dm-ddf-ver supported-versions=\"1.2\"?>]>\n";
    let head = file(&[]).replace("<VerDTD>1.2</VerDTD>", "<VerDTD>1.2</VerDTD><Man>Acme</Man><Mod>A1</Mod>");
    both_take(&server, &format!("{doctype}{head}")).await;
}

#[tokio::test]
async fn what_does_not_validate_is_refused_with_its_place() {
    proves!("E13-DMDDFDTD");
    let server = TestServer::start().await;
    let good = properties("Get", "chr", "One", "");
    let refused = |from: &str, to: &str| file(&[leaf("Leaf", &good.replace(from, to))]);
    for (from, to, column, fault) in [
        ("<chr/>", "<string/>", 87, "string"),
        ("<chr/>", "<chr/><int/>", 77, "DFFormat"),
        ("<Get/>", "<Take/>", 58, "Take"),
        ("<One/>", "<Two/>", 116, "Two"),
        ("<One/>", "<ZeroOrN>1</ZeroOrN>", 116, "from 2 to 65536"),
        ("<DFFormat><chr/></DFFormat>", "", 1, "DFFormat"),
        ("</Occurrence>", "</Occurrence><Scope><Local/></Scope>", 142, "Local"),
    ] {
        both_refuse(&server, &refused(from, to), (4, column), fault).await;
    }
    both_refuse(&server, &file(&[]).replace("<VerDTD>1.2</VerDTD>", ""), (1, 1), "VerDTD").await;
    both_refuse(&server, &file(&[]).replace("MgmtTree", "Tree"), (1, 1), "MgmtTree").await;
}
