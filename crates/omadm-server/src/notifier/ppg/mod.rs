//! Push by a Push Proxy Gateway, which takes pushes by the Push Access Protocol (`WAP-247`).

mod query;
mod result;
mod ticket;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use omadm_auth::dm1::HMAC_HEADER;
use omadm_auth::{BasicCredentials, Secret};
use omadm_codec::Limits;
use omadm_codec::pap::{
    self, Code, Content, Delivery, Meaning, MessageState, Priority, PushMessage, Said, Wanted,
};
use omadm_codec::wsp::DM_APPLICATION;
use omadm_mo::Time;

use super::carrier::{Failed, Item, Subject};
use super::http::Http;
use crate::config::PpgSection;
use crate::{ServerError, clock, outgoing, random};

use query::Queries;
pub use query::ask_due;
pub use result::{PATH, notified};
pub use ticket::Tickets;

/// Names no application in particular.
const ANY_APPLICATION: &str = "x-wap-application:*";
/// Bounds on what a gateway says.
const LIMITS: Limits = Limits { bytes: 64 << 10, depth: 8, items: 1_000 };
/// What there is to leave away when the gateway cannot do what it is asked for, and the first attempt.
const MAX_ATTEMPTS: usize = 4;

/// A gateway.
pub struct Ppg {
    url: String,
    name: String,
    authorization: Option<HeaderValue>,
    deliver_within: i64,
    bearer: Option<String>,
    network: Option<String>,
    /// Where results are to be told.
    notify: Option<String>,
    tickets: Tickets,
    /// The pushes to ask after.
    queries: Queries,
}

impl Ppg {
    /// That of the configuration, if there is one. `public_url` is where it finds us, and `server` our name.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub fn new(
        settings: &PpgSection,
        public_url: &str,
        server: &str,
        key: &Secret,
    ) -> Result<Option<Self>, ServerError> {
        let Some(url) = settings.url.clone() else { return Ok(None) };
        let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let secret = outgoing::password(settings.password_file.as_deref(), "ppg.password_file")?;
        Ok(Some(Self {
            name: settings.name.clone().or(host).unwrap_or_default(),
            authorization: settings.user.clone().zip(secret).and_then(basic),
            deliver_within: settings.deliver_within.micros(),
            bearer: settings.bearer.clone(),
            network: settings.network.clone(),
            notify: settings.notify.then(|| format!("{public_url}{PATH}")),
            tickets: Tickets::new(server, key)?,
            queries: Queries::new(settings.query_after.map(|after| after.micros())),
            url,
        }))
    }

    /// The push-ids of this server.
    pub fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// Submits a push; gives its push-id and what the gateway said to it.
    pub async fn send(
        &self,
        http: &Http,
        to: &pap::Address,
        item: &Item<'_>,
        subject: Option<&Subject<'_>>,
    ) -> Result<String, Failed> {
        let mut push = self.message(to, subject)?;
        for _ in 0..MAX_ATTEMPTS {
            // A push that was refused is another one when it is asked for anew.
            push.push_id = self.push_id(subject)?;
            let (code, description) = self.submit(http, &push, item).await?;
            let said = description.map_or_else(String::new, |text| format!(" ({text})"));
            let Code(number) = code;
            if code.meaning() == Meaning::Accepted {
                // Of a push that is no notification nobody waits for the result.
                if subject.is_some() {
                    self.queries.note(push.push_id.clone(), clock::now());
                }
                return Ok(format!("{}: {number}{said}", push.push_id));
            }
            if !leave_away(&mut push, code) {
                let later = match code.meaning() {
                    Meaning::Temporary => "may do later",
                    Meaning::Accepted | Meaning::Permanent => "will not do",
                };
                return Err(Failed::with(format!(
                    "the push proxy gateway said {number}{said}, so it {later}"
                )));
            }
        }
        Err(Failed::with("the push proxy gateway can do nothing of what it is asked for".to_owned()))
    }

    fn message(&self, to: &pap::Address, subject: Option<&Subject<'_>>) -> Result<PushMessage, Failed> {
        let wanted = |name: &Option<String>| name.clone().map(|name| Wanted { name, required: false });
        let until = clock::now().plus_micros(self.deliver_within);
        Ok(PushMessage {
            push_id: String::new(),
            address: to.clone(),
            gateway: self.name.clone(),
            // Of a push that is no notification nobody waits for the result.
            notify_to: self.notify.clone().filter(|_| subject.is_some()),
            deliver_before: Some(clock::rfc3339(Time::from_secs(until.as_secs()))),
            priority: Priority::Medium,
            delivery: Delivery::Unconfirmed,
            network: wanted(&self.network),
            bearer: wanted(&self.bearer),
        })
    }

    fn push_id(&self, subject: Option<&Subject<'_>>) -> Result<String, Failed> {
        let unique = random::word().map_err(|error| Failed::with(error.to_string()))?;
        Ok(match subject {
            Some(subject) => self.tickets.issue(subject, &unique),
            None => self.tickets.anonymous(&unique),
        })
    }

    /// One request, and what the gateway says to it.
    async fn submit(
        &self,
        http: &Http,
        push: &PushMessage,
        item: &Item<'_>,
    ) -> Result<(Code, Option<String>), Failed> {
        let boundary = random::word().map_err(|error| Failed::with(error.to_string()))?;
        let application = if item.application { DM_APPLICATION } else { ANY_APPLICATION };
        let headers: Vec<_> = item.hmac.map(|hmac| (HMAC_HEADER, hmac)).into_iter().collect();
        let content =
            Content { media_type: &item.content_type, application, headers: &headers, octets: item.body };
        let body = push.to_multipart(&content, &boundary);
        match self.say(http, &pap::related(&boundary), body).await? {
            Said::Response { push_id, code, description } if push_id == push.push_id => {
                Ok((code, description))
            }
            Said::BadMessage { code, description } => Ok((code, description)),
            Said::Response { .. } | Said::Result { .. } | Said::Status { .. } => Err(other_push()),
        }
    }

    /// Asks what has become of a push.
    async fn query(&self, http: &Http, of: &str) -> Result<(MessageState, Code), Failed> {
        match self.say(http, pap::CONTROL, pap::status_query(of).into_bytes()).await? {
            Said::Status { push_id, state, code, .. } if push_id == of => Ok((state, code)),
            Said::BadMessage { code: Code(number), .. } => {
                Err(Failed::with(format!("the push proxy gateway said {number}")))
            }
            Said::Response { .. } | Said::Result { .. } | Said::Status { .. } => Err(other_push()),
        }
    }

    /// Sends a body and reads the answer.
    async fn say(&self, http: &Http, content_type: &str, body: Vec<u8>) -> Result<Said, Failed> {
        let mut request = Request::post(&self.url).header(CONTENT_TYPE, content_type);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Bytes::from(body).into());
        let request = request.map_err(|error| Failed::with(format!("ppg.url: {error}")))?;
        let (status, _, body) = http.send(request).await?;
        if !status.is_success() {
            return Err(Failed::with(format!("the push proxy gateway answered {status}")));
        }
        pap::decode(&body, &LIMITS)
            .map_err(|error| Failed::with(format!("the answer of the push proxy gateway: {error}")))
    }
}

fn other_push() -> Failed {
    Failed::with("the push proxy gateway answered for another push".to_owned())
}

/// Leaves away what the gateway says it cannot do; whether there was something.
fn leave_away(push: &mut PushMessage, code: Code) -> bool {
    match code {
        Code::NETWORK => push.network.take().is_some(),
        Code::BEARER => push.bearer.take().is_some(),
        Code::DELIVERY_METHOD if push.delivery != Delivery::NotSpecified => {
            push.delivery = Delivery::NotSpecified;
            true
        }
        _ => false,
    }
}

fn basic((user, secret): (String, Secret)) -> Option<HeaderValue> {
    let credentials = BasicCredentials { user, password: secret };
    let mut value = HeaderValue::from_bytes(credentials.to_header().expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gateway_cannot_do_is_left_away_once() {
        let ppg = PpgSection {
            url: Some("https://ppg.example/wappush".to_owned()),
            bearer: Some("SMS".to_owned()),
            network: Some("GSM".to_owned()),
            ..PpgSection::default()
        };
        let key = Secret::new(vec![1; 32]);
        let ppg = Ppg::new(&ppg, "https://dm.example", "dm.example", &key).unwrap().unwrap();
        let mut push = ppg.message(&pap::Address::Plmn("+46701".to_owned()), None).unwrap();
        assert_eq!(push.gateway, "ppg.example");
        assert_eq!(push.notify_to, None);
        for code in [Code::BEARER, Code::NETWORK, Code::DELIVERY_METHOD] {
            assert!(leave_away(&mut push, code), "{code:?}");
            assert!(!leave_away(&mut push, code), "{code:?} again");
        }
        assert_eq!((push.bearer, push.network, push.delivery), (None, None, Delivery::NotSpecified));
    }
}
