//! The management tree (`DM 1.3 TND`) of a device as a server finds it: addresses, properties, ACLs, lists, and the Inbox.

use omadm_client::dm1::Encoding;
use omadm_conformance::{DEVICE_ID, Dm1Bench, proves};

const MOID: &str = "urn:example:mo:cam:1.0";
const DDF: &str = r#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD>
<Node><NodeName>Cam</NodeName><Path>.</Path><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat>
<Scope><Permanent/></Scope><DFType><DDFName>urn:example:mo:cam:1.0</DDFName></DFType></DFProperties>
<Node><NodeName>Preset</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><node/></DFFormat>
<Scope><Permanent/></Scope><DFType><DDFName/></DFType></DFProperties>
<Node><NodeName/><DFProperties><AccessType><Add/><Delete/><Get/><Replace/></AccessType><DFFormat><node/></DFFormat>
<Occurrence><ZeroOrMore/></Occurrence><DFType><DDFName/></DFType></DFProperties>
<Node><NodeName>Label</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><chr/></DFFormat>
<DFType><MIME>text/x-label</MIME></DFType></DFProperties></Node>
<Node><NodeName>Zoom</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType><DFFormat><int/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
<Node><NodeName>Key</NodeName><DFProperties><AccessType><Add/><Replace/></AccessType><DFFormat><chr/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
</Node></Node></Node>
<Node><NodeName>Inbox</NodeName><Path>.</Path><DFProperties><AccessType><Add/></AccessType><DFFormat><node/></DFFormat>
<Scope><Permanent/></Scope><DFType><DDFName>urn:oma:mo:oma-dm-inbox:1.0</DDFName></DFType></DFProperties></Node>
<Node><NodeName/><Path>./Conn</Path><DFProperties><AccessType><Add/><Delete/><Get/><Replace/></AccessType>
<DFFormat><node/></DFFormat><Occurrence><ZeroOrMore/></Occurrence><DFType><DDFName>urn:example:mo:conn:1.0</DDFName></DFType>
</DFProperties><Node><NodeName>Addr</NodeName><DFProperties><AccessType><Add/><Get/><Replace/></AccessType>
<DFFormat><chr/></DFFormat><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node></Node></MgmtTree>"#;

const BOTH: [Encoding; 2] = [Encoding::Xml, Encoding::Wbxml];

async fn bench(encoding: Encoding) -> Dm1Bench {
    Dm1Bench::new(encoding, DDF, MOID).await
}

fn get(uri: &str) -> String {
    format!("<Get><Item><Target><LocURI>{uri}</LocURI></Target></Item></Get>")
}
fn delete(uri: &str) -> String {
    format!("<Delete><Item><Target><LocURI>{uri}</LocURI></Target></Item></Delete>")
}
fn replace(uri: &str, data: &str) -> String {
    format!("<Replace><Item><Target><LocURI>{uri}</LocURI></Target><Data>{data}</Data></Item></Replace>")
}
fn add(uri: &str, format: &str, kind: &str, data: &str) -> String {
    let kind =
        if kind.is_empty() { String::new() } else { format!("<Type xmlns=\"syncml:metinf\">{kind}</Type>") };
    let data = if data.is_empty() { String::new() } else { format!("<Data>{data}</Data>") };
    format!(
        "<Add><Item><Target><LocURI>{uri}</LocURI></Target>\
         <Meta><Format xmlns=\"syncml:metinf\">{format}</Format>{kind}</Meta>{data}</Item></Add>"
    )
}

/// What a device answered to one command.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// Source, Meta as it stands, and Data of each Item of its Results.
    items: Vec<(String, String, Option<String>)>,
}

impl Answer {
    /// The Data of the only Item.
    fn data(&self) -> &str {
        assert_eq!(self.items.len(), 1, "{self:?}");
        self.items[0].2.as_deref().unwrap_or_default()
    }
    fn sources(&self) -> Vec<&str> {
        self.items.iter().map(|(source, ..)| source.as_str()).collect()
    }
    fn at(&self, source: &str) -> &(String, String, Option<String>) {
        self.items
            .iter()
            .find(|(other, ..)| other == source)
            .unwrap_or_else(|| panic!("{source} in {self:?}"))
    }
}

/// Runs commands in one session and gives the answer to each.
async fn run(bench: &mut Dm1Bench, commands: &[String]) -> Vec<Answer> {
    let texts: Vec<&str> = commands.iter().map(String::as_str).collect();
    let message = bench.run(&texts).await;
    let of = |element: &str, id: usize| -> Vec<String> {
        let reference = format!("<CmdRef>{id}</CmdRef>");
        let begin = format!("<{element}>");
        let parts =
            message.split(&begin).skip(1).filter_map(|rest| rest.split(&format!("</{element}>")).next());
        parts.filter(|part| part.contains(&reference)).map(str::to_owned).collect()
    };
    let answer = |id: usize| {
        let status = of("Status", id).pop().unwrap_or_else(|| panic!("no status for {id} in {message}"));
        let items = of("Results", id).into_iter().flat_map(|results| {
            let items: Vec<String> = results.split("<Item>").skip(1).map(str::to_owned).collect();
            items.into_iter().map(|item| {
                let source =
                    inner(&item, "Source").map(|source| inner(&source, "LocURI").unwrap_or_default());
                (source.unwrap_or_default(), inner(&item, "Meta").unwrap_or_default(), inner(&item, "Data"))
            })
        });
        Answer { status: inner(&status, "Data").unwrap().trim().parse().unwrap(), items: items.collect() }
    };
    (10..10 + commands.len()).map(answer).collect()
}

/// What stands in the first element of this name.
fn inner(text: &str, element: &str) -> Option<String> {
    if text.contains(&format!("<{element}/>")) {
        return Some(String::new());
    }
    let rest = text.split(&format!("<{element}>")).nth(1).or_else(|| {
        text.split(&format!("<{element} ")).nth(1).and_then(|rest| rest.split_once('>').map(|(_, rest)| rest))
    })?;
    let text = rest.split(&format!("</{element}>")).next()?;
    let text = text.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(text);
    Some(text.replace("&amp;", "&"))
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

/// Adds `./Cam/Preset/p` with its leaves.
async fn with_preset(encoding: Encoding) -> Dm1Bench {
    let mut bench = bench(encoding).await;
    let answers = run(
        &mut bench,
        &[
            add("./Cam/Preset/p", "node", "", ""),
            add("./Cam/Preset/p/Label", "chr", "text/x-label", "close"),
            add("./Cam/Preset/p/Zoom", "int", "", "4"),
            add("./Cam/Preset/p/Key", "chr", "", "secret"),
        ],
    )
    .await;
    assert_eq!(statuses(&answers), [200, 200, 200, 200]);
    bench
}

#[tokio::test]
async fn the_acl_is_read_replaced_and_obeyed() {
    proves!("P13-DMTND-8.2-01", "E13-DMTND");
    for encoding in BOTH {
        let mut bench = with_preset(encoding).await;
        let acl = |node: &str| format!("{node}?prop=ACL");
        let answers = run(
            &mut bench,
            &[
                get(&acl("./Cam/Preset/p")),
                get(&acl("./Cam/Preset/p/Label")),
                get(&acl(".")),
                replace(&acl("./Cam/Preset/p/Label"), "Get=*"),
                replace("./Cam/Preset/p/Label", "far"),
                get(&acl("./Cam/Preset/p/Label")),
                replace(&acl("./Cam/Preset/p/Label"), ""),
                replace("./Cam/Preset/p/Label", "far"),
                // Whoever gives the right away has it no more.
                replace(&acl("./Cam/Preset/p"), "Get=*&amp;Replace=dm.other"),
                replace("./Cam/Preset/p/Label", "near"),
                delete("./Cam/Preset/p"),
                replace(&acl("./Cam/Preset/p"), "Replace=*"),
                add("./Cam/Preset/p/new", "chr", "", "x"),
                replace(&acl("./Cam"), "Replace=*"),
                get("./Cam/Preset/p/Label"),
            ],
        )
        .await;
        let expected = [200, 200, 200, 200, 425, 200, 200, 200, 200, 425, 425, 425, 425, 425, 200];
        assert_eq!(statuses(&answers), expected, "{encoding:?}");
        assert_eq!(answers[0].data(), "Add=dm.ex&Delete=dm.ex&Get=*&Replace=dm.ex");
        assert_eq!((answers[1].data(), answers[2].data(), answers[5].data()), ("", "Add=*&Get=*", "Get=*"));
        assert_eq!(answers[14].data(), "far");
        let refused = run(&mut bench, &[replace(&acl("./Cam/Preset/p"), "Get=")]).await;
        assert_eq!(statuses(&refused), [425]);
    }
}

#[tokio::test]
async fn a_malformed_acl_is_refused() {
    proves!("P13-DMTND-8.2-01");
    let mut bench = with_preset(Encoding::Xml).await;
    let acl = "./Cam/Preset/p?prop=ACL";
    let answers = run(&mut bench, &[replace(acl, "Get="), replace(acl, "Copy=*"), get(acl)]).await;
    assert_eq!(statuses(&answers), [500, 500, 200]);
    assert_eq!(answers[2].data(), "Add=dm.ex&Delete=dm.ex&Get=*&Replace=dm.ex");
}

#[tokio::test]
async fn properties_of_leaves_and_interior_nodes() {
    proves!("P13-DMTND-8.2-02", "P13-DMTND-8.2-03", "P13-DMTND-8.2-04", "P13-DMTND-8.2-05", "E13-DMTND");
    for encoding in BOTH {
        let mut bench = with_preset(encoding).await;
        let asked = [
            ("./Cam?prop=Format", "node"),
            ("./Cam/Preset/p/Zoom?prop=Format", "int"),
            ("./Cam/Preset/p?prop=Name", "p"),
            ("./Cam/Preset/p/Label?prop=Name", "Label"),
            ("./Cam?prop=Type", MOID),
            ("./DevInfo?prop=Type", "urn:oma:mo:oma-dm-devinfo:1.1"),
            ("./Cam/Preset?prop=Type", ""),
            ("./Cam/Preset/p/Label?prop=Type", "text/x-label"),
            ("./Cam/Preset/p/Label?prop=Size", "5"),
        ];
        let commands: Vec<String> = asked.iter().map(|(uri, _)| get(uri)).collect();
        for (answer, (uri, value)) in run(&mut bench, &commands).await.iter().zip(asked) {
            assert_eq!(
                (answer.status, answer.data(), answer.sources()),
                (200, value, vec![uri]),
                "{encoding:?}"
            );
        }
        let answers = run(
            &mut bench,
            &[
                get("./Cam?prop=Size"),
                get("./Cam?prop=Owner"),
                get("./None?prop=Name"),
                add("./Cam/Preset/p?prop=Title", "chr", "", "x"),
                replace("./Cam?prop=Name", "Camera"),
                replace("./Cam/Preset/p?prop=Name", "q"),
                get("./Cam/Preset/p/Label"),
                get("./Cam/Preset/q/Label"),
            ],
        )
        .await;
        assert_eq!(statuses(&answers), [406, 406, 404, 405, 425, 200, 404, 200], "{encoding:?}");
        assert_eq!(bench.text("Cam/Preset/q/Label").as_deref(), Some("close"));
    }
}

#[tokio::test]
async fn structure_and_data_in_one_answer() {
    proves!("P13-DMTND-9.1-01", "E13-DMTND");
    for encoding in BOTH {
        let mut bench = with_preset(encoding).await;
        let answers = run(
            &mut bench,
            &[get("./Cam?list=StructData"), get("./Cam/Preset/p/Key"), get("./Cam?list=None")],
        )
        .await;
        assert_eq!(statuses(&answers), [200, 405, 406], "{encoding:?}");
        let list = &answers[0];
        assert_eq!(
            list.sources(),
            ["./Cam", "./Cam/Preset", "./Cam/Preset/p", "./Cam/Preset/p/Label", "./Cam/Preset/p/Zoom"]
        );
        let (_, meta, data) = list.at("./Cam");
        assert!(meta.contains("node") && meta.contains(MOID) && data.is_none(), "{meta} {data:?}");
        let (_, meta, data) = list.at("./Cam/Preset/p/Zoom");
        assert!(meta.contains("int"), "{meta}");
        assert_eq!(data.as_deref(), Some("4"));
        assert_eq!(list.at("./Cam/Preset/p/Label").2.as_deref(), Some("close"));
    }
}

#[tokio::test]
async fn roots_of_management_objects_with_and_without_data() {
    proves!("P13-DMTND-9.1-02", "P13-DMTND-9.1-03", "E13-DMTND");
    for encoding in BOTH {
        let mut bench = with_preset(encoding).await;
        let answers = run(&mut bench, &[get(".?list=MORoot"), get(".?list=MORootData")]).await;
        let (roots, data) = (&answers[0], &answers[1]);
        for (root, moid) in [("./Cam", MOID), ("./DevInfo", "urn:oma:mo:oma-dm-devinfo:1.1")] {
            let (_, meta, value) = roots.at(root);
            assert!(meta.contains(moid) && meta.contains("node") && value.is_none(), "{meta}");
            assert!(data.at(root).1.contains(moid));
        }
        assert!(!roots.sources().iter().any(|source| source.contains("Preset")), "{roots:?}");
        assert_eq!(data.at("./Cam/Preset/p/Zoom").2.as_deref(), Some("4"));
        assert_eq!(data.at("./DevInfo/DevId").2.as_deref(), Some(DEVICE_ID));
        assert!(!data.sources().iter().any(|source| source.ends_with("Key")), "{data:?}");
    }
}

#[tokio::test]
async fn addresses_relative_to_the_root_and_to_an_object() {
    proves!("P13-DMTND-7.2-01", "E13-DMTND");
    for encoding in BOTH {
        let mut bench = with_preset(encoding).await;
        let same = ["./DevInfo/DevId", "DevInfo/DevId", "urn:oma:mo:oma-dm-devinfo:1.1//DevId"];
        let commands: Vec<String> = same.iter().map(|uri| get(uri)).collect();
        for answer in run(&mut bench, &commands).await {
            assert_eq!((answer.status, answer.data()), (200, DEVICE_ID), "{encoding:?}");
            assert_eq!(answer.sources(), ["./DevInfo/DevId"]);
        }
        let found = [
            replace("urn:example:mo:cam:1.0//Preset/(x)/Label?nv=(x)/Zoom:4", "by zoom"),
            replace("urn:example:mo:cam:1.0//Preset/(x)/Label?nv=(x)/Zoom:5", "none"),
            // What may not be read is not compared.
            get("urn:example:mo:cam:1.0//Preset/(x)/Label?nv=(x)/Key:secret"),
            get("./DevInfo/../Cam"),
            get("./DevInfo//DevId"),
            get("./"),
        ];
        assert_eq!(statuses(&run(&mut bench, &found).await), [200, 404, 404, 404, 404, 404], "{encoding:?}");
        assert_eq!(bench.text("Cam/Preset/p/Label").as_deref(), Some("by zoom"));
    }
}

#[tokio::test]
async fn the_inbox_puts_an_object_where_it_belongs() {
    proves!("P13-DMSTDOBJ-5.3.4-01", "E13-DMSTDOBJ");
    let document = |moid: &str| {
        format!(
            "<![CDATA[<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>net</NodeName>\
             <RTProperties><Format><node/></Format><Type><DDFName>{moid}</DDFName></Type></RTProperties>\
             <Node><NodeName>Addr</NodeName><RTProperties><Format><chr/></Format><Type><MIME>text/plain</MIME></Type>\
             </RTProperties><Value>internet</Value></Node></Node></MgmtTree>]]>"
        )
    };
    let tnds = "application/vnd.syncml.dmtnds+xml";
    for encoding in BOTH {
        let mut bench = bench(encoding).await;
        let answers = run(
            &mut bench,
            &[
                add("./Inbox", "xml", tnds, &document("urn:example:mo:conn:1.0")),
                get("./Conn/net/Addr"),
                get("./Inbox"),
                get("./Inbox/net"),
                get("./Inbox?prop=Name"),
                add("./Inbox", "xml", tnds, &document("urn:example:mo:unknown:1.0")),
                add("./Inbox/x", "chr", "", "value"),
            ],
        )
        .await;
        assert_eq!(statuses(&answers), [200, 200, 405, 405, 405, 404, 415], "{encoding:?}");
        assert_eq!(answers[1].data(), "internet");
        assert!(bench.node("Inbox").is_some_and(|inbox| inbox.children().next().is_none()));
    }
}
