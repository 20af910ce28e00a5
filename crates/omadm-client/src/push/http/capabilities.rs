//! What the device tells of itself when a gateway registers with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use omadm_codec::ota_http::{ACCEPT, ACCEPT_APPLICATION, CPI_TAG, MAX_REQUESTS, MAX_SIZE, TERMINAL_ID};
use omadm_codec::wsp::DM_APPLICATION;

use super::super::ACCEPTED;
use super::HttpPushConfig;

/// Octets of the digest that a tag is made of [choice].
const TAG: usize = 4;

/// The capabilities as headers.
pub(super) struct Capabilities {
    headers: HeaderMap,
    tag: HeaderValue,
    terminal_id: Option<HeaderValue>,
}

impl Capabilities {
    pub(super) fn new(config: &HttpPushConfig) -> Self {
        let pairs = [
            (ACCEPT, ACCEPTED.join(", ")),
            (ACCEPT_APPLICATION, DM_APPLICATION.to_owned()),
            (MAX_SIZE, config.max_size.to_string()),
            (MAX_REQUESTS, config.max_connections.to_string()),
        ];
        let mut lines: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        lines.sort();
        let digest = openssl::sha::sha1(lines.concat().as_bytes());
        let tag = STANDARD.encode(digest.get(..TAG).unwrap_or_default());
        let header = |name: &str| HeaderName::from_bytes(name.as_bytes()).ok();
        let headers = pairs
            .iter()
            .filter_map(|(name, value)| Some((header(name)?, HeaderValue::from_str(value).ok()?)))
            .collect();
        Self {
            headers,
            tag: HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("1")),
            terminal_id: config.terminal_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()),
        }
    }

    /// Whether a gateway that names this tag knows what the device can do.
    pub(super) fn is_tag(&self, tag: &HeaderValue) -> bool {
        *tag == self.tag
    }

    /// Tells who the device is, and if `whole` what it can do.
    pub(super) fn tell(&self, whole: bool, headers: &mut HeaderMap) {
        if whole {
            headers.extend(self.headers.clone());
        }
        let own = [(CPI_TAG, Some(&self.tag)), (TERMINAL_ID, self.terminal_id.as_ref())];
        for (name, value) in own {
            if let (Ok(name), Some(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
                headers.insert(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_changes_with_what_the_device_can_do() {
        let tag = |max_size| {
            Capabilities::new(&HttpPushConfig { max_size, ..HttpPushConfig::default() }).tag.clone()
        };
        assert_eq!(tag(1_000), tag(1_000));
        assert_ne!(tag(1_000), tag(1_001));
        assert_eq!(tag(1_000).len(), 8, "four octets in base64");
    }
}
