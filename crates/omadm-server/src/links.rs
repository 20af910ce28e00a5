//! DDF files behind the links that devices give with their management objects (`DM 2.0 §6.3.2`).
//!
//! A device must not choose whom this server talks to: only links below the prefixes of `ddf.fetch_from` are followed, each once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, LOCATION};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use omadm_mo::{DeviceId, Time};
use omadm_store::{NewEvent, StoreError};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::address::Inventory;
use crate::config::{DdfSection, UrlPrefix};
use crate::context::Context;
use crate::outgoing::{self, causes};
use crate::{ServerError, clock, ddfs};

/// Links that may wait to be followed; more are looked at again when a device reports them the next time.
const WAITING: usize = 64;
/// Most links that are remembered.
const MAX_TRIED: usize = 4_096;
/// After how long a link that failed is tried again, in microseconds: a day.
const PAUSE: i64 = 86_400_000_000;
/// Longest time for one file, redirects included.
const TIME: Duration = Duration::from_secs(30);
/// Most redirects.
const MAX_REDIRECTS: usize = 3;

/// Knows which links were followed, and takes new ones.
pub struct Links {
    allowed: Vec<UrlPrefix>,
    wanted: mpsc::Sender<Wanted>,
    tried: Mutex<HashMap<String, Tried>>,
}

/// A file to fetch.
pub struct Wanted {
    device: DeviceId,
    moid: String,
    link: String,
}

struct Tried {
    at: Time,
    problem: Option<String>,
}

impl Links {
    /// With what [`follow`] has to take from it.
    pub fn new(settings: &DdfSection) -> (Self, mpsc::Receiver<Wanted>) {
        let (wanted, receiver) = mpsc::channel(WAITING);
        (Self { allowed: settings.fetch_from.clone(), wanted, tried: Mutex::default() }, receiver)
    }

    /// Whether any link may be followed.
    pub fn are_followed(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Has the files fetched of management objects that no file describes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn consider(
        &self,
        context: &Context,
        device: &DeviceId,
        inventory: &Inventory,
    ) -> Result<(), StoreError> {
        let files = context.models.now(context.store.as_ref()).await?;
        let now = clock::now();
        for mo in &inventory.0 {
            let Some(link) = mo.ddf.as_deref().filter(|link| self.allows(link)) else { continue };
            let known = files.find(&mo.moid, inventory, &context.public_url).is_some();
            if known || self.was_tried(link, now) || !context.remarks.take(device, now) {
                continue;
            }
            self.want(Wanted { device: device.clone(), moid: mo.moid.clone(), link: link.to_owned() }, now);
        }
        Ok(())
    }

    /// Has a file fetched, if not too many wait already.
    fn want(&self, wanted: Wanted, now: Time) {
        let link = wanted.link.clone();
        if self.wanted.try_send(wanted).is_ok() {
            self.remember(&link, Tried { at: now, problem: None });
        }
    }

    /// Why the file behind a link is not there.
    pub fn problem(&self, link: &str) -> Option<String> {
        if self.are_followed() && !self.allows(link) {
            return Some("the link is not below a prefix of ddf.fetch_from".into());
        }
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).get(link)?.problem.clone()
    }

    fn allows(&self, link: &str) -> bool {
        let Ok(uri) = link.parse::<Uri>() else { return false };
        self.allows_uri(&uri)
    }

    fn allows_uri(&self, uri: &Uri) -> bool {
        self.allowed.iter().any(|prefix| prefix.allows(uri))
    }

    fn was_tried(&self, link: &str, now: Time) -> bool {
        let tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.get(link).is_some_and(|tried| tried.at.plus_micros(PAUSE) > now)
    }

    fn remember(&self, link: &str, outcome: Tried) {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= MAX_TRIED {
            tried.clear();
        }
        tried.insert(link.to_owned(), outcome);
    }
}

/// What fetches files: HTTPS by the trust anchors of the system and of `ddf.ca_file`, and HTTP where a prefix says so.
pub struct Fetcher(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl Fetcher {
    /// Reads the trust anchors.
    ///
    /// # Errors
    /// When they cannot be read, or TLS cannot be set up.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, ServerError> {
        let connector = outgoing::connector(ca_file, "ddf.ca_file")?;
        Ok(Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)))
    }

    /// The octets behind a link.
    async fn fetch(&self, links: &Links, link: &str) -> Result<Bytes, String> {
        let mut uri: Uri = link.parse().map_err(|error| format!("it is no URL: {error}"))?;
        for _ in 0..=MAX_REDIRECTS {
            if !links.allows_uri(&uri) {
                return Err(format!("it leads to {uri}, which is not below a prefix of ddf.fetch_from"));
            }
            let request = Request::get(&uri).header(ACCEPT, format!("{}, */*;q=0.5", ddfs::DDF_XML));
            let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
            let response = self.0.request(request).await.map_err(|error| causes(&error))?;
            let status = response.status();
            if status == StatusCode::OK {
                let body = Limited::new(response.into_body(), ddfs::MAX_FILE).collect().await;
                return body.map(|body| body.to_bytes()).map_err(|error| causes(error.as_ref()));
            }
            let location = response.headers().get(LOCATION).filter(|_| status.is_redirection());
            let location = location.and_then(|location| location.to_str().ok());
            uri = location
                .and_then(|location| target(&uri, location))
                .ok_or_else(|| format!("{uri} answered {status}"))?;
        }
        Err(format!("it redirects more than {MAX_REDIRECTS} times"))
    }
}

/// Where a redirect leads: a whole URL, or a path on the same host.
fn target(from: &Uri, location: &str) -> Option<Uri> {
    let to: Uri = location.parse().ok()?;
    if to.authority().is_some() {
        return Some(to);
    }
    let path = to.into_parts().path_and_query?;
    let mut parts = from.clone().into_parts();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

/// Fetches what is wanted, one file at a time, until `stop` says so.
pub async fn follow(
    context: Arc<Context>,
    fetcher: Fetcher,
    mut wanted: mpsc::Receiver<Wanted>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let work = async {
            let Some(next) = wanted.recv().await else { return false };
            one(&context, &fetcher, next).await;
            true
        };
        let go_on = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => false,
            go_on = work => go_on,
        };
        if !go_on {
            return;
        }
    }
}

/// Fetches one file and tells of it.
async fn one(context: &Context, fetcher: &Fetcher, wanted: Wanted) {
    let Wanted { device, moid, link } = wanted;
    let outcome = match tokio::time::timeout(TIME, store(context, fetcher, &moid, &link)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("it was not there within {} s", TIME.as_secs())),
    };
    let now = clock::now();
    let body = match &outcome {
        Ok((file, warnings)) => {
            json!({ "what": "fetched", "moid": moid, "link": link, "file": file, "warnings": warnings })
        }
        Err(problem) => {
            tracing::warn!(%device, moid, link, problem, "a DDF file could not be fetched; `omadm ddf put` stores one by hand");
            json!({ "what": "not available", "moid": moid, "link": link, "problem": problem })
        }
    };
    context.links.remember(&link, Tried { at: now, problem: outcome.err() });
    let event = NewEvent { device: Some(device), kind: "ddf".into(), body: body.to_string() };
    if let Err(error) = context.store.add_events(vec![event], now).await {
        tracing::error!(%error, "an event about a DDF file could not be stored");
    }
}

/// Fetches a file that describes `moid` and stores it; gives its name, and what the reader found odd.
async fn store(
    context: &Context,
    fetcher: &Fetcher,
    moid: &str,
    link: &str,
) -> Result<(String, Vec<String>), String> {
    let text = fetcher.fetch(&context.links, link).await?;
    let name = ddfs::name_of_link(link);
    let (file, warnings) = ddfs::read(&name, &text, clock::now())?;
    if !file.moids.iter().any(|described| described == moid) {
        return Err(format!("it does not describe {moid}, only {}", file.moids.join(", ")));
    }
    context.store.put_ddf(file).await.map_err(|error| error.to_string())?;
    Ok((name, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_urls_or_paths() {
        let from: Uri = "https://a.example/x/y.ddf".parse().unwrap();
        let to = |location| target(&from, location).map(|uri| uri.to_string());
        assert_eq!(to("https://b.example/z").as_deref(), Some("https://b.example/z"));
        assert_eq!(to("/z?q").as_deref(), Some("https://a.example/z?q"));
        assert_eq!(to("a b"), None);
    }

    #[test]
    fn a_link_is_followed_once_a_day() {
        let (links, _wanted) = Links::new(&DdfSection::default());
        assert!(!links.are_followed() && !links.allows("https://a.example/x.ddf"));
        links.remember("l", Tried { at: Time(5), problem: Some("gone".into()) });
        assert!(links.was_tried("l", Time(6)) && !links.was_tried("l", Time(5 + PAUSE)));
        assert_eq!(links.problem("l").as_deref(), Some("gone"));
    }

    #[test]
    fn so_many_links_wait_and_no_more() {
        let (links, mut waiting) = Links::new(&DdfSection::default());
        let want = |link: &str| {
            let (device, moid) = (DeviceId::parse("A:1").unwrap(), "urn:x:1.0".to_owned());
            links.want(Wanted { device, moid, link: link.to_owned() }, Time(0));
            links.was_tried(link, Time(0))
        };
        assert!((0..WAITING).all(|number| want(&number.to_string())));
        assert!(!want("one more"), "it is looked at again when it is reported again");
        waiting.try_recv().unwrap();
        assert!(want("one more"));
    }

    #[test]
    fn so_many_links_are_remembered() {
        let (links, _wanted) = Links::new(&DdfSection::default());
        let tried = || Tried { at: Time(0), problem: None };
        (0..MAX_TRIED).for_each(|number| links.remember(&number.to_string(), tried()));
        assert!(links.was_tried("0", Time(0)));
        links.remember("one more", tried());
        assert!(!links.was_tried("0", Time(0)) && links.was_tried("one more", Time(0)));
    }
}
