//! Device descriptions.

use super::{Browser, token};
use crate::harness::TestServer;

/// A file that describes an object, with a node that says this.
fn file(moid: &str, title: &str) -> String {
    let properties = |format: &str, more: &str| {
        format!(
            "<DFProperties><AccessType><Get/><Replace/></AccessType><DFFormat><{format}/></DFFormat>\
             <Occurrence><ZeroOrN>4</ZeroOrN></Occurrence><Scope><Dynamic/></Scope>{more}</DFProperties>"
        )
    };
    format!(
        "<MgmtTree><VerDTD>1.2</VerDTD><Man>Pumps &amp; Co</Man><Mod>P1</Mod><Node><NodeName>Pump</NodeName>{}\
         <Node><NodeName>Speed</NodeName>{}</Node></Node></MgmtTree>",
        properties("node", &format!("<DFType><DDFName>{moid}</DDFName></DFType>")),
        properties("int", &format!("<DFTitle>{title}</DFTitle><DFType><MIME>text/plain</MIME></DFType>"))
    )
}

#[tokio::test]
async fn a_file_is_put_read_and_removed() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let list = browser.page("/ddfs").await;
    assert!(list.contains("dm_devinfo-v1_2.ddf") && list.contains("with the server"), "{list}");
    let text = file("urn:pump:1.0", "&lt;script&gt;Turns&#x202e; a minute");
    let put = browser.upload(&list, "/ddfs", &[("name", "pump.ddf")], text.as_bytes()).await;
    assert_eq!((put.status.as_u16(), put.header("location")), (303, "/ddfs/pump.ddf"), "{}", put.text());
    let page = browser.page("/ddfs/pump.ddf").await;
    for said in [
        "Pumps &amp; Co",
        "urn:pump:1.0",
        "&lt;script&gt;Turns⟨U+202E⟩ a minute",
        "a whole number",
        "at most 4",
        "comes and goes",
        "read, change",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let removed =
        browser.submit(&browser.page("/ddfs/pump.ddf/remove").await, "/ddfs/pump.ddf/remove", &[]).await;
    assert_eq!(removed.header("location"), "/ddfs");
    assert_eq!(browser.get("/ddfs/pump.ddf").await.status, 404);
    assert_eq!(server.api("DELETE", "/ddfs/pump.ddf", None).await.status, 404);
}

#[tokio::test]
async fn a_file_of_the_server_comes_back_when_what_replaced_it_goes() {
    let server = TestServer::start().await;
    let name = "dm_devinfo-v1_2.ddf";
    let moid = "urn:oma:mo:oma-dm-devinfo:1.2";
    let stays = server.api("DELETE", &format!("/ddfs/{name}"), None).await;
    assert_eq!(stays.status, 409, "{}", stays.text());
    assert_eq!(server.put_ddf(name, &file(moid, "Ours")).await.status, 200);
    assert!(server.api("GET", &format!("/ddfs/{name}"), None).await.text().contains("Ours"));
    assert_eq!(server.api("DELETE", &format!("/ddfs/{name}"), None).await.status, 204);
    let back = server.items("/ddfs").await.into_iter().find(|file| file["name"] == name).unwrap();
    assert!(back["stored"].is_null(), "{back}");
    assert!(!server.api("GET", &format!("/ddfs/{name}"), None).await.text().contains("Ours"));
}

#[tokio::test]
async fn what_is_no_description_is_refused_where_it_was_chosen() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let list = browser.page("/ddfs").await;
    for (name, text, said) in [
        ("x.ddf", "<MgmtTree>\n<Node></MgmtTree>", "line 2, column"),
        ("x.ddf", "", "choose a file"),
        ("", "<a/>", "give the file a name"),
        ("a\"><b>", "<a/>", "is not legal"),
    ] {
        let refused = browser.upload(&list, "/ddfs", &[("name", name)], text.as_bytes()).await;
        assert!(
            refused.status.is_client_error() && refused.text().contains(said),
            "{said}: {}",
            refused.text()
        );
        assert!(!refused.text().contains("<b>\""), "{name}");
    }
    let viewer = Browser::with_token(&server, &token(&server, "viewer", None).await).await;
    assert!(!viewer.page("/ddfs").await.contains("Put a file"));
    assert!(!viewer.page("/ddfs/dm_devinfo-v1_2.ddf").await.contains("Remove this file"));
}

#[tokio::test]
async fn a_large_file_is_shown_in_parts() {
    let server = TestServer::start().await;
    let node = "<Node><NodeName>N</NodeName><DFProperties><AccessType><Get/></AccessType><Description>"
        .to_owned()
        + &"&lt;".repeat(1_000)
        + "</Description><DFFormat><chr/></DFFormat><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>";
    let nodes: String = (0..400).map(|number| node.replace(">N<", &format!(">N{number}<"))).collect();
    let text = file("urn:large:1.0", "t")
        .replace("</Node></Node></MgmtTree>", &format!("</Node>{nodes}</Node></MgmtTree>"));
    let put = server.put_ddf("large.ddf", &text).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let browser = Browser::admin(&server).await;
    let mut path = "/ddfs/large.ddf".to_owned();
    let mut pages = 0;
    loop {
        let page = browser.page(&path).await;
        assert!(page.len() < 400_000, "{}", page.len());
        pages += 1;
        let next = page.split("class=\"button\" href=\"").find_map(|rest| rest.split_once("\" rel=\"next\""));
        let Some((next, _)) = next else {
            assert!(page.contains("N399"));
            break;
        };
        path = next.replace("&amp;", "&");
    }
    assert_eq!(pages, 3);
    assert!(browser.page("/ddfs/large.ddf?after=99999999").await.contains("First page"));
}
