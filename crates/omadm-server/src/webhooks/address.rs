//! Where webhooks may lead. Whoever may add one must not make this server talk to what only it can reach: a name is looked up once, every
//! address it has is checked, and the connection goes to one of these.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Uri;

use crate::config::WebhookSection;

/// Most addresses of a name that are looked at.
const MAX_ADDRESSES: usize = 32;

/// Where a webhook leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether by TLS.
    pub secure: bool,
    /// Name or address of the host, without the brackets of IPv6.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `Host` of requests.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(url: &str, settings: &WebhookSection) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("the URL cannot be read: {error}"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if settings.plain_http => false,
            Some("http") => {
                return Err("the URL has to begin with https:// (see webhook.plain_http)".to_owned());
            }
            _ => return Err("the URL has to begin with https://".to_owned()),
        };
        let authority = uri.authority().ok_or("the URL has no host")?;
        if authority.as_str().contains('@') {
            return Err(
                "the URL may hold no user and no password: they would be shown in listings".to_owned()
            );
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("the URL has no host".to_owned());
        }
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() == authority.host() => {
                if secure {
                    443
                } else {
                    80
                }
            }
            None => return Err("the URL has no port that there is".to_owned()),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { secure, host, port, authority: authority.as_str().to_owned(), path })
    }

    /// The addresses that it may be reached at.
    ///
    /// # Errors
    /// A sentence: the name is not known, or leads to where it may not.
    pub async fn addresses(&self, settings: &WebhookSection) -> Result<Vec<SocketAddr>, String> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found = found.map_err(|error| format!("the host {} is not known: {error}", self.host))?;
        let found: Vec<SocketAddr> = found.take(MAX_ADDRESSES).collect();
        check(&self.host, &found, settings)?;
        Ok(found)
    }
}

/// Whether all addresses of a host are such as webhooks may lead to.
///
/// # Errors
/// A sentence that says which is not. It is the same for all, so that nobody maps a network by it.
fn check(host: &str, addresses: &[SocketAddr], settings: &WebhookSection) -> Result<(), String> {
    if addresses.is_empty() {
        return Err(format!("the host {host} has no address"));
    }
    if settings.allow_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    let may = |address: &SocketAddr| {
        is_public(address.ip())
            || settings.allow_networks.iter().any(|network| network.contains(address.ip()))
    };
    match addresses.iter().all(may) {
        true => Ok(()),
        false => Err(format!(
            "{host} leads to an address that is no public one; webhook.allow_hosts and webhook.allow_networks list exceptions"
        )),
    }
}

/// Whether an address is one of the public network: none of this machine, of a private network, of a link (where clouds keep what they
/// tell a machine about itself), of many, or kept for something else (IANA's registries of special addresses).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => is_public_v6(six),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Between a provider and its customers (RFC 6598), protocol assignments, 6to4 relays, measurements of devices.
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out; in it are tunnels that hold an IPv4 address (2001::/32, 2002::/16) and documentation.
    let given_out = a & 0xe000 == 0x2000;
    let special = (a == 0x2001 && (b < 0x200 || b == 0x0db8)) || a == 0x2002 || a & 0xfff0 == 0x3ff0;
    given_out && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2001::1",
            "3fff::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    #[test]
    fn a_url_is_read_as_it_is_used() {
        let settings = WebhookSection::default();
        let target = Target::parse("https://h.example/a/b?c=d", &settings).unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("h.example", 443, "/a/b?c=d"));
        let six = Target::parse("https://[2001:db8::1]:8443", &settings).unwrap();
        assert_eq!((six.host.as_str(), six.port, six.path.as_str()), ("2001:db8::1", 8443, "/"));
        assert_eq!(six.authority, "[2001:db8::1]:8443");
        for wrong in ["", "/x", "ftp://h/", "http://h/", "https://u:p@h/", "https:///x", "https://h:99999/"] {
            assert!(Target::parse(wrong, &settings).is_err(), "{wrong}");
        }
        let plain = WebhookSection { plain_http: true, ..settings };
        assert_eq!(Target::parse("http://h/", &plain).unwrap().port, 80);
    }

    #[test]
    fn one_bad_address_is_enough() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 443);
        let mut settings = WebhookSection::default();
        assert!(check("h", &[at("1.1.1.1")], &settings).is_ok());
        let problem = check("h", &[at("1.1.1.1"), at("10.0.0.1")], &settings).unwrap_err();
        assert!(problem.contains("allow_networks") && !problem.contains("10.0.0.1"), "{problem}");
        assert!(check("h", &[], &settings).is_err());
        settings.allow_networks = serde_json::from_str(r#"["10.0.0.0/8"]"#).unwrap();
        assert!(check("h", &[at("10.0.0.1")], &settings).is_ok());
        assert!(check("h", &[at("127.0.0.1")], &settings).is_err());
        settings.allow_hosts = vec!["siem.internal".to_owned()];
        assert!(check("SIEM.internal", &[at("127.0.0.1")], &settings).is_ok());
    }

    #[tokio::test]
    async fn forms_of_addresses_are_looked_up_like_names() {
        let settings = WebhookSection::default();
        for disguised in [
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://localhost/",
            "https://[::1]/",
        ] {
            let target = Target::parse(disguised, &settings).unwrap();
            assert!(target.addresses(&settings).await.is_err(), "{disguised}");
        }
    }
}
