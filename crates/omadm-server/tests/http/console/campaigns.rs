//! Campaigns from the form to the end, and what can go wrong with them.

use serde_json::{Value, json};

use super::Browser;
use super::pages::MAX_PAGE;
use crate::harness::{Device, END, HELLO, LANG, TestServer};

const NEW: &str = "/campaigns/new";
/// A form as a person leaves it who changes nothing but what is needed.
const READING: [(&str, &str); 6] = [
    ("change", "command"),
    ("name", "languages"),
    ("verb", "get"),
    ("address", LANG),
    ("stages/0/percent", "100"),
    ("failures/percent", "10"),
];

/// A form with some fields otherwise.
fn with<'a>(form: &[(&'a str, &'a str)], others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_other = |name: &str| others.iter().any(|(other, _)| *other == name);
    let kept = form.iter().filter(|(name, _)| !is_other(name));
    kept.chain(others).copied().collect()
}

impl Browser<'_> {
    /// Makes a campaign by the form; gives its page.
    async fn campaign(&self, form: &[(&str, &str)]) -> String {
        let page = self.page(&format!("{NEW}?change=command")).await;
        let made = self.submit(&page, NEW, form).await;
        assert_eq!(made.status, 303, "{}", made.text());
        made.header("location").to_owned()
    }

    /// Does something with a campaign, after the page that asks.
    async fn confirm(&self, campaign: &str, act: &str) -> String {
        let ask = self.page(&format!("{campaign}/{act}")).await;
        let done = self.submit(&ask, &format!("{campaign}/{act}"), &[]).await;
        assert_eq!(done.status, 303, "{}", done.text());
        ask
    }
}

/// Lets a device carry out what it is asked, with this status.
async fn session(server: &TestServer, device: &Device, status: u16) {
    let mut connection = server.connect().await;
    let mut answer = connection.send(device.package1(HELLO)).await;
    while answer.text() != END {
        let commands = answer.commands().len();
        answer = connection.send(device.statuses(&vec![status; commands])).await;
    }
}

#[tokio::test]
async fn a_campaign_goes_from_the_form_to_its_report() {
    let server = TestServer::start().await;
    let (good, bad) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    let browser = Browser::admin(&server).await;
    assert!(browser.page("/campaigns").await.contains("There is no such campaign."));
    let choice = browser.page(NEW).await;
    for kind in ["firmware", "software", "profile", "command"] {
        assert!(choice.contains(&format!("{NEW}?change={kind}")), "{choice}");
    }
    let form = with(
        &READING,
        &[
            ("verb", "exec"),
            ("stages/0/percent", ""),
            ("stages/0/filter", "id = \"IMEI:1\""),
            ("stages/0/hold", "ask"),
            ("stages/2/filter", "id = \"IMEI:2\""),
            ("force", "true"),
            ("failures/percent", ""),
        ],
    );
    let page = browser.page(&format!("{NEW}?change=command")).await;
    let preview = browser.submit(&page, NEW, &with(&form, &[("do", "preview")])).await;
    let text = preview.text();
    assert_eq!(preview.status, 200, "{text}");
    assert!(text.contains("<b>2 devices</b>") && text.contains("Stage 2"), "{text}");
    assert!(
        text.contains(r#"name="stages/1/filter" value="id = &quot;IMEI:2&quot;""#),
        "a stage left out is gone: {text}"
    );
    assert!(server.items("/campaigns").await.is_empty(), "a preview makes nothing");

    let campaign = browser.campaign(&form).await;
    let page = browser.page(&campaign).await;
    assert!(
        page.contains("nothing has happened to any device") && page.contains(&format!("{campaign}/start")),
        "{page}"
    );
    assert!(!page.contains(&format!("{campaign}/pause")), "{page}");
    let ask = browser.confirm(&campaign, "start").await;
    assert!(ask.contains("2 devices") && ask.contains("in 2 stages"), "{ask}");

    server.campaign_when("languages", |seen| seen["devices"]["open"] == 1).await;
    session(&server, &good, 200).await;
    server.campaign_when("languages", |seen| seen["state"] == "holding").await;
    let page = browser.page(&campaign).await;
    assert!(page.contains("waits for somebody") && page.contains("done 1, failed 0"), "{page}");
    assert!(browser.page("/").await.contains("wait for somebody who says"));
    browser.confirm(&campaign, "resume").await;
    server.campaign_when("languages", |seen| seen["devices"]["open"] == 1).await;
    let page = browser.page(&campaign).await;
    assert!(
        page.contains("Stage 1: through 1, under way 0") && page.contains("Stage 2: through 0, under way 1"),
        "{page}"
    );
    session(&server, &bad, 500).await;
    server.campaign_when("languages", |seen| seen["state"] == "done").await;

    let page = browser.page(&campaign).await;
    assert!(page.contains("done 1, failed 1") && page.contains("Failures, and why"), "{page}");
    let devices = browser.page(&format!("{campaign}/devices?state=failed")).await;
    assert!(devices.contains("IMEI:2") && !devices.contains("IMEI:1"), "{devices}");
    let report = browser.page(&format!("{campaign}/report")).await;
    assert!(
        report.contains("50 %") && report.contains(&format!("/api/v1{campaign}/report\" download")),
        "{report}"
    );
    let listed = browser.page("/campaigns?state=done").await;
    assert!(
        listed.contains("languages") && !browser.page("/campaigns?state=running").await.contains("languages")
    );
    browser.confirm(&campaign, "remove").await;
    assert_eq!(browser.get(&campaign).await.status, 404);
}

#[tokio::test]
async fn what_is_refused_is_said_beside_its_field_and_kept() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page(&format!("{NEW}?change=command")).await;
    for (others, status, field, why) in [
        (vec![("rate", "many")], 400, "rate", "whole number"),
        (vec![("retry/wait", "soon")], 400, "retry/wait", "length of time"),
        (vec![("address", "")], 400, "address", "name the node"),
        (vec![("name", "")], 400, "name", "1 to 128 characters"),
        (vec![("stages/0/percent", "50")], 400, "stages/0/percent", "do not add up"),
        (
            vec![("stages/0/percent", "60"), ("stages/5/percent", "40")],
            400,
            "stages/1/percent",
            "more than that of the stage before",
        ),
        (
            vec![("stages/0/percent", ""), ("stages/0/filter", "colour = red")],
            400,
            "stages/0/filter",
            "there is no field colour",
        ),
        (vec![("window/from", "22:00")], 400, "window/to", "time of day"),
        (vec![("window/from", "1:00"), ("window/to", "02:00")], 400, "window/from", "time of day"),
        (
            vec![("window/from", "22:00"), ("window/to", "04:00"), ("window/zone", "Mars")],
            400,
            "window/zone",
            "no time zone",
        ),
        (vec![("late", "include")], 400, "stop", "needs stop"),
        (vec![("stop", "2001-01-01 00:00")], 400, "stop", "over already"),
        (vec![("failures/percent", "0")], 400, "failures/percent", "1 to 100"),
        (vec![("retry/attempts", "11")], 400, "retry/attempts", "campaigns.max_attempts"),
        (vec![("address", "./DevInfo/Nothing")], 400, "address", "force"),
    ] {
        let form = with(&READING, &others);
        let refused = browser.submit(&page, NEW, &form).await;
        let text = refused.text();
        assert_eq!(refused.status.as_u16(), status, "{field}: {text}");
        let (_, beside) =
            text.split_once(&format!("id=\"{field}-fault\"")).unwrap_or_else(|| panic!("{field}: {text}"));
        assert!(beside.split("</div>").next().unwrap().contains(why), "{field}: {beside}");
        assert!(text.contains(&format!("href=\"#{field}\"")), "{field}: the summary leads there");
        assert!(text.contains(LANG) || field == "address", "{field}: what was typed is kept");
    }
    let wrong = browser
        .submit(&page, NEW, &with(&READING, &[("filter", "model = X and colour = <red"), ("group", "")]))
        .await;
    assert!(wrong.text().contains("model = X and <mark>c</mark>olour = &lt;red"), "{}", wrong.text());
    let grouped =
        browser.submit(&page, NEW, &with(&READING, &[("filter", "colour = red"), ("group", "g")])).await;
    assert!(grouped.text().contains("<mark>c</mark>olour"), "counted in what was typed: {}", grouped.text());
    let gone = browser.submit(&page, NEW, &with(&READING, &[("group", "gone")])).await;
    assert_eq!(gone.status, 400, "{}", gone.text());
    assert!(server.items("/campaigns").await.is_empty());

    browser.campaign(&READING).await;
    for wish in ["make", "preview"] {
        let taken = browser.submit(&page, NEW, &with(&READING, &[("do", wish), ("rate", "60")])).await;
        assert_eq!(taken.status, 409, "{wish}: {}", taken.text());
        assert!(taken.text().contains("id=\"name-fault\"") && taken.text().contains("value=\"60\""));
    }
}

#[tokio::test]
async fn forms_of_every_kind_mean_what_they_say() {
    let server = TestServer::start().await;
    let package = server
        .api("POST", "/packages?name=fw&version=2&kind=firmware&model=R-*", Some(json!("octets")))
        .await;
    let package = package.json()["id"].as_str().unwrap().to_owned();
    let profile = json!({ "name": "base", "node": [{ "address": LANG, "value": "de" }] });
    for value in ["de", "en"] {
        let mut profile = profile.clone();
        profile["node"][0]["value"] = value.into();
        let stored = server.api("PUT", "/profiles/base?force=true", Some(profile)).await;
        assert_eq!(stored.status, 200, "{}", stored.text());
    }
    server.api("PUT", "/groups/berlin", Some(json!({ "filter": "label:site = B" }))).await;
    let browser = Browser::admin(&server).await;
    let empty = browser.page(&format!("{NEW}?change=software")).await;
    assert!(!empty.contains(&package), "firmware is not offered as software");
    let offered = browser.page(&format!("{NEW}?change=firmware&package={package}")).await;
    assert!(offered.contains(&format!("<option value=\"{package}\" selected>fw 2 for R-*")), "{offered}");
    let first = [
        ("name", "f"),
        ("change", "firmware"),
        ("package", package.as_str()),
        ("group", "berlin"),
        ("stages/0/percent", "100"),
    ];
    let firmware = browser.campaign(&first).await;
    let spec = server.get(&firmware).await["spec"].clone();
    assert_eq!(
        (&spec["change"]["firmware"]["package"], &spec["filter"]),
        (&json!(package), &json!("group:\"berlin\""))
    );
    assert!(browser.page(&firmware).await.contains(&format!("href=\"/packages/{package}\"")));
    assert!(
        browser.page(&format!("/packages/{package}")).await.contains(&firmware),
        "the package says what uses it"
    );

    let second = with(
        &first,
        &[
            ("name", "p"),
            ("change", "profile"),
            ("profile", "base"),
            ("window/from", "22:00"),
            ("window/to", "04:00"),
            ("window/zone", "Europe/Berlin"),
            ("expires_in", "1 h 30 min"),
            ("retry/attempts", "3"),
        ],
    );
    let profile = browser.campaign(&second).await;
    let spec = server.get(&profile).await["spec"].clone();
    assert_eq!(spec["change"], json!({ "profile": { "name": "base", "version": 2 } }), "the newest version");
    assert_eq!((&spec["expires_in"], &spec["retry"]["attempts"]), (&json!(5_400), &json!(3)));
    let page = browser.page(&profile).await;
    assert!(
        page.contains("version 2 of the profile")
            && page.contains("1 h 30 min")
            && page.contains("Europe/Berlin"),
        "{page}"
    );

    browser.confirm(&profile, "start").await;
    let ask = browser.confirm(&profile, "rollback").await;
    assert!(ask.contains("taken from all of them, and the campaign is stopped"), "{ask}");
    assert_eq!(server.get(&profile).await["state"], "stopped");
}

#[tokio::test]
async fn another_stage_is_another_row_and_makes_nothing() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page(&format!("{NEW}?change=command")).await;
    assert!(page.contains("stages/2/percent") && !page.contains("stages/3/percent"));
    let more = with(&READING, &[("do", "stage"), ("rate", "many")]);
    for _ in 0..2 {
        let longer = browser.submit(&page, NEW, &more).await;
        assert_eq!(longer.status, 200, "{}", longer.text());
        let text = longer.text();
        assert!(
            text.contains("stages/1/percent")
                && !text.contains("stages/2/percent")
                && text.contains("value=\"many\""),
            "{text}"
        );
    }
    assert!(server.items("/campaigns").await.is_empty());
}

#[tokio::test]
async fn pages_that_are_stale_say_so_and_roles_are_kept() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let campaign = browser.campaign(&READING).await;
    let (start, remove) =
        (browser.page(&format!("{campaign}/start")).await, browser.page(&format!("{campaign}/remove")).await);
    let page = browser.page(&campaign).await;
    browser.confirm(&campaign, "start").await;
    server.campaign_when("languages", |seen| seen["state"] == "done").await;
    assert_eq!(browser.get(&format!("{campaign}/pause")).await.status, 409);
    let late = browser.submit(&page, &format!("{campaign}/start"), &[]).await;
    assert!(late.status == 409 && late.text().contains("only a draft can be started"), "{}", late.text());
    let to = format!("{campaign}/remove");
    let (one, two) = tokio::join!(browser.submit(&remove, &to, &[]), browser.submit(&remove, &to, &[]));
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (303, 303), "a double click is one");
    assert_eq!(browser.submit(&start, &format!("{campaign}/start"), &[("again", "1")]).await.status, 404);
    for path in [
        campaign.as_str(),
        &format!("{campaign}/devices"),
        &format!("{campaign}/report"),
        &format!("{campaign}/stop"),
        "/campaigns/x/explode",
    ] {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    assert_eq!(browser.get("/campaigns?state=odd").await.status, 400);

    let campaign = browser.campaign(&READING).await;
    let viewer = Browser::with_token(&server, &super::token(&server, "viewer", None).await).await;
    for path in ["/campaigns", &campaign] {
        let page = viewer.page(path).await;
        assert_eq!(page.matches(r#"method="post""#).count(), 2, "{path}: appearance and log out alone");
        assert!(
            !page.contains("New campaign") && !page.contains(&format!("{campaign}/start")),
            "{path}: {page}"
        );
    }
    let page = viewer.page("/campaigns").await;
    assert_eq!(viewer.submit(&page, &format!("{campaign}/start"), &[]).await.status, 403);
    let refused = viewer.submit(&page, NEW, &with(&READING, &[("name", "mine")])).await;
    assert!(refused.status == 403 && refused.text().contains("campaigns:write"), "{}", refused.text());
}

#[tokio::test]
async fn pages_stay_small_and_names_stay_text() {
    let server = TestServer::start().await;
    let hostile = "<script>alert(1)</script>\u{202e}'\"><img src=x>";
    let change = json!({ "command": { "verb": "get", "address": LANG } });
    for number in 0..40 {
        let name = format!("{hostile} {number}");
        let stages: Vec<Value> =
            (1..=100).map(|percent| json!({ "percent": percent, "hold": { "seconds": 60 } })).collect();
        let models: Vec<_> = (0..15).map(|model| format!("\"{}{model}\"", "x".repeat(200))).collect();
        let filter = format!("model in ({})", models.join(", "));
        server.campaign(json!({ "name": name, "change": change, "filter": filter, "stages": stages })).await;
    }
    server.enrol_many(120).await;
    server.campaign(json!({ "name": "all", "change": change })).await;
    server.act("all", "start").await;
    server.campaign_when("all", |seen| seen["devices"]["open"] == 120).await;
    let browser = Browser::admin(&server).await;
    let listed = browser.page("/campaigns").await;
    assert!(listed.len() < MAX_PAGE && listed.contains("rel=\"next\""), "{}", listed.len());
    let id = server.get("/campaigns/all").await["id"].as_str().unwrap().to_owned();
    let devices = browser.page(&format!("/campaigns/{id}/devices?state=open")).await;
    assert!(devices.len() < MAX_PAGE && devices.contains("SIM:00049") && !devices.contains("SIM:00050"));
    let next = devices
        .split("class=\"button\" href=\"")
        .find_map(|rest| rest.split_once("\" rel=\"next\""))
        .unwrap()
        .0;
    assert!(browser.page(&next.replace("&amp;", "&")).await.contains("SIM:00050"));
    let other = server.items("/campaigns?state=draft&limit=1").await[0]["id"].as_str().unwrap().to_owned();
    for path in [
        "/campaigns",
        "/",
        &format!("/campaigns/{other}"),
        &format!("/campaigns/{other}/start"),
        &format!("{NEW}?change=command"),
    ] {
        let page = browser.page(path).await;
        assert!(
            !page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains('\u{202e}'),
            "{path}"
        );
        assert!(page.len() < MAX_PAGE, "{path}: {}", page.len());
    }
}
