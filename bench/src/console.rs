//! The pages of the operator console over a large fleet: how long the server takes for each, and how much a browser loads that opens it first.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use http::{Method, StatusCode};
use omadm_client::{HttpRequest, HttpsConfig, HttpsTransport, Transport};

use crate::figure::{Figure, Target};
use crate::measure::{Effort, median};
use crate::processes::Server;
use crate::{Result, large};

const SCENARIO: &str = "console";
/// Longest time of a page at the median, in milliseconds.
const SLOWEST: f64 = 100.0;
/// Most octets of a first load, in kilobytes.
const HEAVIEST: f64 = 150.0;
/// Largest page or asset that is read, in octets.
const LARGEST: usize = 16 << 20;
/// How long the server may take to count the fleet for its first page.
const PATIENCE: Duration = Duration::from_secs(300);
/// Further pages of a device, beside that which a listing leads to.
const OF_A_DEVICE: [&str; 8] =
    ["", "/tree", "/tree?at=*", "/access", "/commands", "/sessions", "/events", "/profiles"];
/// Listings of devices that find some and none; the overview leads to the last three.
const FILTERS: [(&str, &str); 6] = [
    ("that were seen", "seen%20%3C%201h"),
    ("of no such model", "model%20%3D%20%22none%22"),
    ("of no such label", "label%3Asite%20%3D%20none"),
    ("with open commands", "queued%20%3E%200"),
    ("that did not come", "reach%20%3D%20unanswered"),
    ("without a bootstrap", "state%20%3D%20revoked"),
];

/// Opens each page of the menu, what the first of its links leads to, and the pages of a device.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let devices = large::devices(effort);
    let server = Server::start()?;
    large::enrol(&server, devices)?;
    let told = ["--protocol", "dm2.0", "--devices", "20", "--keep"];
    let _report: serde_json::Value = server.simulate(&told)?;
    let seen =
        server.told(&["device", "ls", "--filter", "protocol = dm2.0", "--limit", "1", "--output", "json"])?;
    let seen: serde_json::Value = serde_json::from_slice(&seen)?;
    let id =
        seen.pointer("/0/id").or_else(|| seen.pointer("/items/0/id")).and_then(serde_json::Value::as_str);
    let id = id.ok_or("no device of the simulation is there")?.replace(':', "%3A");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let browser = Browser::log_in(&server).await?;
        browser.wait_for_census().await?;
        let mut pages = browser.places().await?;
        pages.extend(OF_A_DEVICE.map(|part| format!("/devices/{id}{part}")));
        pages.push(format!("/devices/{id}/sessions/1"));
        pages.extend(FILTERS.map(|(_, filter)| format!("/devices?filter={filter}")));
        let mut figures = Vec::new();
        for page in &pages {
            let name = page.replace(&id, "{id}");
            let name = FILTERS
                .iter()
                .find(|(_, filter)| page.ends_with(filter))
                .map_or(name, |(what, _)| format!("/devices {what}"));
            let (time, load) = (browser.time(page, effort.runs).await?, browser.first_load(page).await?);
            let figure = |what: &str, value: f64, unit| {
                Figure::new(SCENARIO, format!("{name}, {devices} devices: {what}"), value, unit)
            };
            figures.push(figure("time", time, "ms").with_target(Target::AtMost(SLOWEST)));
            figures.push(figure("first load", load, "kB").with_target(Target::AtMost(HEAVIEST)));
        }
        Ok(figures)
    })
}

/// A browser that has logged in.
struct Browser {
    url: String,
    session: HeaderValue,
    transport: HttpsTransport,
}

impl Browser {
    async fn log_in(server: &Server) -> Result<Self> {
        let url = server.operator_url.trim_end_matches('/').to_owned();
        let transport = HttpsTransport::new(&HttpsConfig::default())?;
        let token = std::fs::read_to_string(&server.token_file)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let request = HttpRequest {
            method: Method::POST,
            uri: format!("{url}/login").parse()?,
            headers,
            body: format!("token={}", token.trim()).into(),
            answer_limit: LARGEST,
            identity: None,
        };
        let answer = transport.send(request).await?;
        let cookie = answer.headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let pair = cookie.and_then(|cookie| cookie.split(';').next());
        let mut session =
            HeaderValue::from_str(pair.ok_or_else(|| format!("the login: {}", answer.status))?)?;
        session.set_sensitive(true);
        Ok(Self { url, session, transport })
    }

    /// What is at a path: a page, or something that a page needs.
    async fn get(&self, path: &str) -> Result<String> {
        let request = HttpRequest {
            method: Method::GET,
            uri: format!("{}{path}", self.url).parse()?,
            headers: HeaderMap::from_iter([(COOKIE, self.session.clone())]),
            body: bytes::Bytes::new(),
            answer_limit: LARGEST,
            identity: None,
        };
        let answer = self.transport.send(request).await?;
        match answer.status {
            StatusCode::OK => Ok(String::from_utf8(answer.body.to_vec())?),
            status => Err(format!("{path}: {status}").into()),
        }
    }

    /// Looks at the overview until it has counted the fleet: it does so beside the requests.
    async fn wait_for_census(&self) -> Result<()> {
        let began = Instant::now();
        while !self.get("/").await?.contains("Devices by last contact") {
            if began.elapsed() > PATIENCE {
                return Err("the overview does not count the fleet".into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The pages of the menu, and for each the first that it leads to below itself.
    async fn places(&self) -> Result<Vec<String>> {
        let overview = self.get("/").await?;
        let menu = overview.split_once("<nav class=\"menu\"").and_then(|(_, rest)| rest.split_once("</nav>"));
        let (menu, _) = menu.ok_or("the overview has no menu")?;
        let mut places = Vec::new();
        for place in links(menu) {
            let page = self.get(&place).await?;
            let main = page.split_once("<main").map_or("", |(_, main)| main);
            let below = format!("{}/", place.trim_end_matches('/'));
            let first = links(main).into_iter().find(|link| place != "/" && link.starts_with(&below));
            places.push(place);
            places.extend(first);
        }
        Ok(places)
    }

    /// The median time of a page, in milliseconds.
    async fn time(&self, page: &str, runs: usize) -> Result<f64> {
        self.get(page).await?;
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs {
            let began = Instant::now();
            self.get(page).await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(times))
    }

    /// What a browser loads that has nothing of it yet: the page and all that it needs, in kilobytes.
    async fn first_load(&self, path: &str) -> Result<f64> {
        let page = self.get(path).await?;
        let mut octets = page.len();
        let assets: BTreeSet<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
        for asset in assets {
            octets += self.get(&asset.replace("&amp;", "&")).await?.len();
        }
        Ok(octets as f64 / 1e3)
    }
}

/// Where the links of a piece of a page lead, on this server.
fn links(piece: &str) -> Vec<String> {
    let links = piece.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links
        .filter(|link| link.starts_with('/') && !link.starts_with("/api/"))
        .map(|link| link.replace("&amp;", "&"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_those_to_pages() {
        let piece = r##"<a href="/a?x=1&amp;y=2">a</a><a href="#main">m</a><a href="/api/v1/x">x</a>"##;
        assert_eq!(links(piece), ["/a?x=1&y=2"]);
    }
}
