//! Networks and proxies of a provisioning document, as far as an account needs them (`ProvCont 1.1 §4.5`). They are values only: which
//! connection of a device they become, if any, is for the device to say.

use omadm_auth::Secret;

/// NAPDEF: a network access point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkAccess {
    /// NAPID.
    pub id: String,
    /// NAME.
    pub name: Option<String>,
    /// BEARER, such as `GSM-GPRS`; the best first.
    pub bearers: Vec<String>,
    /// NAP-ADDRESS, such as an APN.
    pub address: Option<String>,
    /// NAP-ADDRTYPE, such as `APN`.
    pub address_type: Option<String>,
    /// INTERNET: what is meant where a connection says `INTERNET` in place of an identifier.
    pub internet: bool,
    /// DNS-ADDR.
    pub dns: Vec<String>,
    /// NAPAUTHINFO.
    pub logins: Vec<NetworkLogin>,
}

/// NAPAUTHINFO or PXAUTHINFO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkLogin {
    /// AUTHTYPE or PXAUTH-TYPE, such as `PAP`.
    pub auth_type: String,
    /// AUTHNAME or PXAUTH-ID.
    pub name: Option<String>,
    /// AUTHSECRET or PXAUTH-PW.
    pub secret: Option<Secret>,
}

/// PXLOGICAL: a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// PROXY-ID.
    pub id: String,
    /// NAME.
    pub name: Option<String>,
    /// STARTPAGE.
    pub start_page: Option<String>,
    /// PXAUTHINFO.
    pub logins: Vec<NetworkLogin>,
    /// PORT.
    pub ports: Vec<Port>,
    /// PXPHYSICAL.
    pub physical: Vec<PhysicalProxy>,
}

/// PXPHYSICAL: one place where a proxy is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhysicalProxy {
    /// PHYSICAL-PROXY-ID.
    pub id: String,
    /// DOMAIN.
    pub domains: Vec<String>,
    /// PXADDR.
    pub address: String,
    /// PXADDRTYPE, such as `IPV4`.
    pub address_type: Option<String>,
    /// PORT.
    pub ports: Vec<Port>,
    /// TO-NAPID: the networks that lead to it.
    pub networks: Vec<String>,
}

/// PORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// PORTNBR.
    pub number: u16,
    /// SERVICE.
    pub services: Vec<String>,
}
