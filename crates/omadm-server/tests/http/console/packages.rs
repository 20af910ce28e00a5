//! Packages: uploaded by a form, looked at, removed.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Browser;
use super::pages::MAX_PAGE;
use crate::harness::{Answer, TestServer};

const NEW: &str = "/packages/new";
const ROUTER: [(&str, &str); 3] = [("name", "router"), ("version", "2.1"), ("kind", "firmware")];

impl Browser<'_> {
    /// Sends the form of a package with a file.
    async fn package(&self, fields: &[(&str, &str)], file: &[u8]) -> Answer {
        self.upload(&self.page(NEW).await, NEW, fields, file).await
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[tokio::test]
async fn a_package_is_uploaded_shown_used_and_removed() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    assert!(browser.page("/packages").await.contains("There is no package."));
    // What looks like the end of the form is a part of the file.
    let mut file: Vec<u8> = (0..11_u32 << 20).map(|at| u8::try_from(at % 251).unwrap()).collect();
    file.extend_from_slice(b"\r\n--x\r\n--x-\r\n");
    let digest = hex(&Sha256::digest(&file));
    let fields = [&ROUTER[..], &[("model", "R-*"), ("sha256", digest.as_str()), ("signature", "")]].concat();
    let stored = browser.package(&fields, &file).await;
    assert_eq!(stored.status, 303, "{}", stored.text());
    let place = stored.header("location").to_owned();
    let known = server.get(&place).await;
    assert_eq!(
        (&known["sha256"], &known["size"], &known["model"]),
        (&json!(digest), &json!(file.len()), &json!("R-*"))
    );
    let page = browser.page(&place).await;
    assert!(
        page.contains(&digest)
            && page.contains("11.0\u{a0}MiB")
            && page.contains("No campaign and no profile uses it."),
        "{page}"
    );
    let listed = browser.page("/packages").await;
    assert!(listed.contains("router") && listed.contains(&place), "{listed}");

    let change = json!({ "firmware": { "package": known["id"] } });
    server.campaign(json!({ "name": "update", "change": change })).await;
    assert!(browser.page(&place).await.contains("update"));
    let ask = browser.page(&format!("{place}/remove")).await;
    let kept = browser.submit(&ask, &format!("{place}/remove"), &[]).await;
    assert!(kept.status == 409 && kept.text().contains("update"), "{}", kept.text());
    assert_eq!(server.api("DELETE", "/campaigns/update", None).await.status, 204);
    let removed = browser.submit(&ask, &format!("{place}/remove"), &[]).await;
    assert_eq!(removed.header("location"), "/packages", "{}", removed.text());
    assert_eq!(browser.get(&place).await.status, 404);
}

#[tokio::test]
async fn a_package_that_is_refused_says_why_and_leaves_nothing() {
    let server = TestServer::with(|config| config.package.max_size.0 = 1_000).await;
    let browser = Browser::admin(&server).await;
    let zeros = "0".repeat(64);
    for (others, length, status, field, why) in [
        (("sha256", zeros.as_str()), 10, 400, None, "SHA-256 of what came"),
        (("sha256", "12"), 10, 400, Some("sha256"), "64 hexadecimal digits"),
        (("signature", "%%%"), 10, 400, Some("signature"), "no base64"),
        (("signature", "AAAA"), 10, 400, None, "no key is trusted"),
        (("name", ""), 10, 400, Some("name"), "needed"),
        (("model", "R-*"), 0, 400, Some("file"), "choose a file"),
        (("model", "R-*"), 1_001, 413, None, "package.max_size"),
    ] {
        let mut fields: Vec<_> = ROUTER.iter().copied().filter(|(name, _)| *name != others.0).collect();
        fields.push(others);
        let refused = browser.package(&fields, &vec![7; length]).await;
        let text = refused.text();
        assert_eq!(refused.status.as_u16(), status, "{others:?}: {text}");
        assert!(text.contains(why), "{others:?}: {text}");
        assert!(
            field.is_none_or(|field| text.contains(&format!("id=\"{field}-fault\""))),
            "{others:?}: {text}"
        );
        assert!(text.contains("value=\"2.1\""), "{others:?}: what was typed is kept");
    }
    assert!(server.items("/packages").await.is_empty());
    assert_eq!(browser.package(&ROUTER, &[7; 1_000]).await.status, 303, "at the limit");
    let again = browser.package(&ROUTER, &[7; 10]).await;
    assert!(again.status == 409 && again.text().contains("already"), "{}", again.text());

    let viewer = Browser::with_token(&server, &super::token(&server, "viewer", None).await).await;
    let page = viewer.page("/packages").await;
    assert!(!page.contains("Upload"), "{page}");
    let id = server.items("/packages").await[0]["id"].as_str().unwrap().to_owned();
    assert!(!viewer.page(&format!("/packages/{id}")).await.contains("Remove"));
    assert_eq!(viewer.submit(&page, &format!("/packages/{id}/remove"), &[]).await.status, 403);
    assert_eq!(
        viewer.package(&[("name", "mine"), ("version", "1"), ("kind", "software")], &[7; 10]).await.status,
        403
    );
}

#[tokio::test]
async fn packages_are_paged_and_their_names_are_text() {
    let server = TestServer::start().await;
    for number in 0..60 {
        let query = format!("/packages?name=%3Cscript%3E%E2%80%AE&version={number}&kind=software");
        assert_eq!(server.api("POST", &query, Some(json!("x"))).await.status, 201);
    }
    let browser = Browser::admin(&server).await;
    let page = browser.page("/packages").await;
    assert!(page.len() < MAX_PAGE && page.contains("rel=\"next\""), "{}", page.len());
    assert!(page.contains("&lt;script&gt;⟨U+202E⟩") && !page.contains("<script>\u{202e}"), "{page}");
    let offered = browser.page("/campaigns/new?change=software").await;
    assert!(offered.len() < MAX_PAGE && !offered.contains("<script>\u{202e}"), "{}", offered.len());
}
