//! Pushes over HTTP and by SIP.

use omadm_client::push::http::{Gateway, HttpPush, HttpPushConfig, HttpPushTls};
use omadm_client::push::sip::{SipConfig, SipCredentials, SipPush, SipRegistrar};
use omadm_client::{PushContent, Secret};

use crate::config::Config;
use crate::error::AgentError;
use crate::provisioning::read_secret;

/// What listens.
pub struct Pushes {
    http: Option<HttpPush>,
    sip: Option<SipPush>,
}

impl Pushes {
    /// Listens if the configuration says so. What is in the way is told: there are other ways to a session.
    pub async fn start(config: &Config, device_id: Option<&str>) -> Self {
        let http = http(config, device_id).await.unwrap_or_else(|error| {
            tracing::error!("cannot take pushes over HTTP (push.http): {error}");
            None
        });
        let sip = sip(config).await.unwrap_or_else(|error| {
            tracing::error!("cannot take pushes by SIP (push.sip): {error}");
            None
        });
        Self { http, sip }
    }

    /// Waits for a push.
    pub async fn content(&mut self) -> PushContent {
        let Self { http, sip } = self;
        let http = async {
            match http {
                Some(http) => http.content().await,
                None => std::future::pending().await,
            }
        };
        let sip = async {
            match sip {
                Some(sip) => sip.content().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            content = http => content,
            content = sip => content,
        }
    }

    /// Connects to a Push Proxy Gateway that asks for it.
    pub fn contact(&self, request: &PushContent) {
        let Some(http) = &self.http else { return };
        if let Err(error) = http.contact(request) {
            tracing::warn!("a session initiation request is ignored: {error}");
        }
    }
}

async fn http(config: &Config, device_id: Option<&str>) -> Result<Option<HttpPush>, AgentError> {
    let settings = &config.push.http;
    if settings.listen.is_none() && settings.listen_tls.is_none() && settings.gateways.is_empty() {
        return Ok(None);
    }
    let user = credentials(settings.user.as_ref(), settings.password_file.as_deref())?;
    let gateways = settings.gateways.iter().map(|gateway| Gateway {
        address: gateway.address,
        name: gateway.name.clone(),
        ca_file: settings.gateways_ca_file.clone(),
    });
    let mut push = HttpPush::new(HttpPushConfig {
        weak: settings.weak,
        terminal_id: device_id.filter(|_| !settings.anonymous).map(str::to_owned),
        gateways: gateways.collect(),
        max_size: settings.max_size.0,
        max_connections: settings.max_connections,
        timeout: settings.timeout.0,
        per_source: config.notification.per_source,
        in_all: config.notification.in_all,
        user,
    });
    let refused = |error: omadm_client::push::http::HttpPushError| AgentError::Refused(error.to_string());
    if let Some(address) = settings.listen {
        let address = push.listen(address, None).await.map_err(refused)?;
        tracing::info!(%address, "listening for pushes over HTTP");
    }
    if let Some(address) = settings.listen_tls {
        let address = push.listen(address, tls(config)).await.map_err(refused)?;
        tracing::info!(%address, "listening for pushes over HTTPS");
    }
    Ok(Some(push))
}

fn tls(config: &Config) -> Option<HttpPushTls> {
    let (settings, tls) = (&config.push.http, &config.tls);
    let (certificate, key) = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        _ => (tls.certificate.as_ref()?, tls.key.as_ref()?),
    };
    Some(HttpPushTls {
        certificate: certificate.clone(),
        key: key.clone(),
        senders_ca_file: settings.senders_ca_file.clone(),
        senders: settings.senders.clone(),
    })
}

async fn sip(config: &Config) -> Result<Option<SipPush>, AgentError> {
    let settings = &config.push.sip;
    let Some(listen) = settings.listen else { return Ok(None) };
    let place = settings.registrar.as_ref().and_then(|text| text.parse::<http::uri::Authority>().ok());
    let credentials = credentials(settings.user.as_ref(), settings.password_file.as_deref())?;
    let registrar = place.zip(settings.address.clone()).and_then(|(place, address)| {
        Some(SipRegistrar {
            host: place.host().trim_matches(['[', ']']).to_owned(),
            port: place.port_u16()?,
            address,
            contact: settings.contact.clone(),
            credentials: credentials.map(|(user, secret)| SipCredentials { user, secret }),
            expires: u32::try_from(settings.expires.0.as_secs()).unwrap_or(u32::MAX),
        })
    });
    let push = SipPush::listen(SipConfig {
        max_size: settings.max_size.0,
        per_source: config.notification.per_source,
        in_all: config.notification.in_all,
        registrar,
        ..SipConfig::new(listen)
    });
    let push =
        push.await.map_err(|source| AgentError::System { action: "listen for pushes by SIP", source })?;
    let [udp, tcp] = push.addresses();
    tracing::info!(%udp, %tcp, "listening for pushes by SIP");
    Ok(Some(push))
}

fn credentials(
    user: Option<&String>,
    file: Option<&std::path::Path>,
) -> Result<Option<(String, Secret)>, AgentError> {
    let (Some(user), Some(file)) = (user, file) else { return Ok(None) };
    Ok(Some((user.clone(), read_secret(file)?)))
}
