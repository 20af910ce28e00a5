//! Cloud messaging (`DM 2.0 §E.2`).

use std::path::PathBuf;

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use omadm_auth::Secret;
use omadm_codec::Limits;
use omadm_codec::dm2::cloud::{CloudAdvice, CloudPush, CloudReply, KEY};

use super::carrier::{Failed, Remedy};
use super::http::Http;
use crate::config::{CloudSection, CloudService};

/// Only the last of our messages to a device counts: each says the same.
const COLLAPSE_KEY: &str = "omadm";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Longest API key or token in octets.
const MAX_TOKEN: usize = 16 << 10;

/// A push service.
pub struct Cloud {
    form: Form,
    url: String,
    token_file: Option<PathBuf>,
    time_to_live: u32,
}

#[derive(Clone, Copy)]
enum Form {
    Gcm,
    Fcm,
}

impl Cloud {
    /// The service of the configuration, if there is one.
    pub fn new(settings: &CloudSection) -> Option<Self> {
        let form = match settings.service {
            CloudService::None => return None,
            CloudService::Gcm => Form::Gcm,
            CloudService::Fcm => Form::Fcm,
        };
        Some(Self {
            form,
            url: settings.url.clone()?,
            token_file: settings.token_file.clone(),
            time_to_live: u32::try_from(settings.time_to_live.0.as_secs()).unwrap_or(u32::MAX),
        })
    }

    /// Hands over a notification; gives the service's name for it.
    pub async fn send(&self, http: &Http, registration: &str, notification: &[u8]) -> Result<String, Failed> {
        let push = CloudPush {
            registration,
            notification,
            key: KEY,
            time_to_live: Some(self.time_to_live),
            collapse_key: Some(COLLAPSE_KEY),
        };
        let body = match self.form {
            Form::Gcm => push.to_gcm(),
            Form::Fcm => push.to_fcm(),
        };
        let mut request = Request::post(&self.url).header(CONTENT_TYPE, JSON);
        if let Some(authorization) = self.authorization().await? {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(body.into()).map_err(|error| Failed::with(error.to_string()))?;
        let (status, headers, body) = http.send(request).await?;
        self.judge(status, &headers, &body)
    }

    async fn authorization(&self) -> Result<Option<HeaderValue>, Failed> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let unusable =
            |problem: &str| Failed::with(format!("cloud.token_file {}: {problem}", path.display()));
        let token = tokio::fs::read(path).await.map_err(|error| unusable(&error.to_string()))?;
        let token = Secret::new(token);
        let text = std::str::from_utf8(token.expose()).map_err(|_| unusable("is no text"))?.trim();
        if text.is_empty() || text.len() > MAX_TOKEN {
            return Err(unusable(&format!("has to have 1 to {MAX_TOKEN} octets")));
        }
        let scheme = match self.form {
            Form::Gcm => "key=",
            Form::Fcm => "Bearer ",
        };
        let mut value = HeaderValue::from_str(&format!("{scheme}{text}"))
            .map_err(|_| unusable("holds control characters"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn judge(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<String, Failed> {
        let limits = Limits::default();
        let reply = match self.form {
            Form::Gcm if status == StatusCode::OK => CloudReply::from_gcm(body, &limits).ok(),
            Form::Gcm => None,
            Form::Fcm => CloudReply::from_fcm(body, &limits).ok(),
        };
        match reply {
            // A registration that has another name now: the device will tell it itself.
            Some(CloudReply::Accepted { id, registration: _ }) if status.is_success() => Ok(id),
            Some(CloudReply::Refused(refusal)) => {
                let remedy = match refusal.advice() {
                    CloudAdvice::Retry | CloudAdvice::GiveUp => Remedy::Later,
                    CloudAdvice::Forget => Remedy::Forget,
                };
                Err(Failed { reason: format!("the push service answered {status}: {}", refusal.0), remedy })
            }
            Some(CloudReply::Accepted { .. }) | None => {
                let later = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let later = later.map_or_else(String::new, |later| format!(" (Retry-After: {later})"));
                Err(Failed::with(format!("the push service answered {status}{later}")))
            }
        }
    }
}
