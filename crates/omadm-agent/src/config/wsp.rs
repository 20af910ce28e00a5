//! Sessions of DM 1.x through a WAP gateway.

use std::net::SocketAddr;

use omadm_client::dm1::{WspConfig, WspMode};
use omadm_config::{Fault, Span};
use omadm_mo::ServerId;
use serde::{Deserialize, Serialize};

/// Octets of the smallest and of the largest datagram that can be asked for.
const DATAGRAMS: [usize; 2] = [64, 65_507];
/// The smallest without a connection: a message of 1 KiB, which is the least there is, and what is around it.
const SMALLEST_CONNECTIONLESS: usize = 1_400;
/// Stands for every server.
const EVERY_SERVER: &str = "*";

/// `[dm1.wsp]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WspSection {
    /// Host and port of a WAP gateway, such as `10.0.0.1:9201`. Default: none. It needs `servers` and `allow_insecure`.
    pub gateway: Option<String>,
    /// `connection` (default): WSP over WTP, usually port 9201; or `connectionless`, usually port 9200, for messages that fit into a
    /// datagram, with nothing that repeats what is lost but the session itself.
    pub mode: Mode,
    /// `ServerID`s of the accounts whose sessions go through the gateway; `*` stands for all.
    pub servers: Vec<String>,
    /// Insecure: there is no WTLS, so everyone on the way to the gateway, and the gateway, reads what is said and may change it.
    pub allow_insecure: bool,
    /// Octets of the largest datagram that is sent, 64 to 65507; without a connection 1400 or more.
    pub datagram: usize,
    /// Pause before a packet that got no answer is sent again.
    pub retry: Span,
    /// How often it is sent again.
    pub retries: u32,
    /// Longest wait for anything new of the gateway, one second or more.
    pub timeout: Span,
}

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Mode {
    #[default]
    Connection,
    Connectionless,
}

impl From<Mode> for WspMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Connection => Self::Connection,
            Mode::Connectionless => Self::Connectionless,
        }
    }
}

impl Default for WspSection {
    fn default() -> Self {
        let WspConfig { datagram, retry, retries, timeout, .. } =
            WspConfig::new(String::new(), WspMode::default(), Vec::new());
        Self {
            gateway: None,
            mode: Mode::default(),
            servers: Vec::new(),
            allow_insecure: false,
            datagram,
            retry: Span(retry),
            retries,
            timeout: Span(timeout),
        }
    }
}

impl WspSection {
    /// The settings as the library has them; `None` without a gateway.
    pub fn to_wsp(&self) -> Option<WspConfig> {
        let gateway = self.gateway.clone()?;
        Some(WspConfig {
            datagram: self.datagram,
            retry: self.retry.0,
            retries: self.retries,
            timeout: self.timeout.0,
            ..WspConfig::new(gateway, self.mode.into(), self.servers.clone())
        })
    }

    /// What a well-formed value must be beyond its type.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let [least, most] = DATAGRAMS;
        if !(least..=most).contains(&self.datagram) {
            return Err(Fault::new("dm1.wsp.datagram", format!("has to be {least} to {most}")));
        }
        if self.mode == Mode::Connectionless && self.datagram < SMALLEST_CONNECTIONLESS {
            let problem = format!("has to be {SMALLEST_CONNECTIONLESS} or more without a connection");
            return Err(Fault::new("dm1.wsp.datagram", problem));
        }
        for (key, span) in [("dm1.wsp.retry", self.retry), ("dm1.wsp.timeout", self.timeout)] {
            if span < Span::secs(1) {
                return Err(Fault::new(key, "has to be one second or more"));
            }
        }
        let is_server = |name: &String| name == EVERY_SERVER || ServerId::parse(name).is_ok();
        if let Some(name) = self.servers.iter().find(|name| !is_server(name)) {
            return Err(Fault::new("dm1.wsp.servers", format!("{name:?} is no ServerID")));
        }
        let Some(gateway) = &self.gateway else { return Ok(()) };
        if !is_host_and_port(gateway) {
            return Err(Fault::new("dm1.wsp.gateway", "has to be host:port, such as 10.0.0.1:9201"));
        }
        if !self.allow_insecure {
            let problem = "needs dm1.wsp.allow_insecure = true: there is no WTLS, so everyone on the way to the gateway, and the \
                           gateway, reads what is said and may change it";
            return Err(Fault::new("dm1.wsp.gateway", problem));
        }
        if self.servers.is_empty() {
            return Err(Fault::new("dm1.wsp.gateway", "needs dm1.wsp.servers, which may be [\"*\"]"));
        }
        Ok(())
    }
}

fn is_host_and_port(text: &str) -> bool {
    let named = text.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains([':', '/', '@']));
    named.is_some_and(|(_, port)| port.parse::<u16>().is_ok()) || text.parse::<SocketAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> WspSection {
        WspSection {
            gateway: Some("10.0.0.1:9201".to_owned()),
            servers: vec!["dm.example".to_owned()],
            allow_insecure: true,
            ..WspSection::default()
        }
    }

    /// The fault, if there is one.
    fn fault(section: &WspSection) -> Option<String> {
        section.check().err().map(|Fault { key, problem }| format!("{key} {problem}"))
    }

    #[test]
    fn there_is_no_gateway_unless_it_is_named() {
        assert_eq!(fault(&WspSection::default()), None);
        assert_eq!(WspSection::default().to_wsp(), None);
        let settings = section().to_wsp().unwrap();
        assert_eq!(
            (settings.gateway.as_str(), settings.mode, settings.datagram),
            ("10.0.0.1:9201", WspMode::Connection, 1400)
        );
        let connectionless = WspSection { mode: Mode::Connectionless, ..section() };
        assert_eq!(connectionless.to_wsp().unwrap().mode, WspMode::Connectionless);
    }

    #[test]
    fn what_is_needed_beside_a_gateway_is_said() {
        assert_eq!(fault(&section()), None);
        let open = fault(&WspSection { allow_insecure: false, ..section() }).unwrap();
        assert!(open.contains("dm1.wsp.allow_insecure") && open.contains("WTLS"), "{open}");
        let nobody = fault(&WspSection { servers: Vec::new(), ..section() }).unwrap();
        assert!(nobody.contains("dm1.wsp.servers"), "{nobody}");
        assert_eq!(fault(&WspSection { servers: vec!["*".to_owned()], ..section() }), None);
        assert!(fault(&WspSection { servers: vec!["a+b".to_owned(), String::new()], ..section() }).is_some());
    }

    #[test]
    fn a_gateway_is_a_host_and_a_port() {
        for good in ["gw.example:9201", "10.0.0.1:9200", "[::1]:9201"] {
            assert_eq!(fault(&WspSection { gateway: Some(good.to_owned()), ..section() }), None, "{good}");
        }
        for bad in ["", "gw.example", ":9201", "gw:99999", "http://gw:9201", "::1", "user@gw:1"] {
            assert!(fault(&WspSection { gateway: Some(bad.to_owned()), ..section() }).is_some(), "{bad}");
        }
    }

    #[test]
    fn sizes_and_times_have_their_bounds() {
        for (datagram, mode, good) in [
            (63, Mode::Connection, false),
            (64, Mode::Connection, true),
            (65_507, Mode::Connection, true),
            (65_508, Mode::Connection, false),
            (1_399, Mode::Connectionless, false),
            (1_400, Mode::Connectionless, true),
        ] {
            assert_eq!(fault(&WspSection { datagram, mode, ..section() }).is_none(), good, "{datagram}");
        }
        for (retry, timeout, good) in [(1, 1, true), (0, 1, false), (1, 0, false)] {
            let section = WspSection { retry: Span::secs(retry), timeout: Span::secs(timeout), ..section() };
            assert_eq!(fault(&section).is_none(), good);
        }
    }
}
