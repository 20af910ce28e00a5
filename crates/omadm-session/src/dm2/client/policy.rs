//! Which URIs of a server the device uses.

use omadm_mo::ServerUri;

use super::Config;

/// Replaces the parameters of a ServerURI and checks that its scheme is one that may be used: `https`, or `http` where it is allowed.
/// `Err` says in a sentence why not.
pub(super) fn expand(config: &Config, uri: &ServerUri) -> Result<String, String> {
    let expanded = uri.expand(&config.parameters);
    let scheme = expanded.split(':').next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case("https")
        || (scheme.eq_ignore_ascii_case("http") && config.allow_plain_http)
    {
        Ok(expanded)
    } else if scheme.eq_ignore_ascii_case("http") {
        Err(format!("{expanded}: plain http is not allowed by the settings of this device"))
    } else {
        Err(format!("{expanded}: packages and data go over HTTP, not {scheme}"))
    }
}

/// The URI that a ServerURI such as the SrvURI of an account means on this device: its parameters replaced (`DM 2.0 §6.2`).
///
/// # Errors
/// A sentence that says why it is not to be used: it is no ServerURI, or has a scheme that is not allowed.
pub fn expand_text(config: &Config, text: &str) -> Result<String, String> {
    let uri = ServerUri::parse(text).map_err(|error| format!("{text:?} is no ServerURI: {error}"))?;
    expand(config, &uri)
}

/// Host and port of a URI, in lower case.
pub(super) fn authority(uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether something in the host is percent-encoded, such as a blank: no name can be looked up by that.
pub(super) fn has_encoded_host(uri: &str) -> bool {
    authority(uri).rsplit('@').next().is_some_and(|host| host.contains('%'))
}

#[cfg(test)]
mod tests {
    use super::{authority, has_encoded_host};

    #[test]
    fn only_what_is_encoded_in_the_host_is_in_the_way() {
        for (uri, encoded) in [
            ("https://My%20Net.example/", true),
            ("https://u@x%3A1.example/a", true),
            ("https://u%20v@host/a%20b?c%20d", false),
            ("https://[2001:db8::1]:8443/", false),
        ] {
            assert_eq!(has_encoded_host(uri), encoded, "{uri}");
        }
    }

    #[test]
    fn the_authority_ends_at_path_query_or_fragment() {
        for uri in ["https://Host:1/a?b", "https://host:1?b", "https://host:1#c", "https://host:1"] {
            assert_eq!(authority(uri), "host:1", "{uri}");
        }
    }
}
