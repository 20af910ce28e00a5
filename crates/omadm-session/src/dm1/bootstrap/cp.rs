//! The CP profile: accounts `w7` of a provisioning document, with the networks and proxies beside them (`DM 1.3 BOOT §5.2`; `w7` of
//! `DM 1.3 STDOBJ`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_auth::Secret;
use omadm_codec::provisioning::{Characteristic, Entry, Parameter, ProvisioningDocument};

use super::BootstrapError;
use super::account::{Account, Address, AddressType, AuthLevel, AuthType, Credentials, default_acl};
use super::connection::{NetworkAccess, NetworkLogin, PhysicalProxy, Port, Proxy};

const APP_ID: &str = "w7";

/// What a provisioning document says that is of use to Device Management.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioning {
    /// APPLICATION with the APPID `w7`.
    pub accounts: Vec<Account>,
    /// NAPDEF.
    pub networks: Vec<NetworkAccess>,
    /// PXLOGICAL.
    pub proxies: Vec<Proxy>,
}

impl Provisioning {
    /// The document. `AAuthPref` of the accounts is lost, and so are ACLs: there are no words for them.
    ///
    /// # Errors
    /// As [`Account::check`].
    pub fn to_document(&self) -> Result<ProvisioningDocument, BootstrapError> {
        let mut characteristics: Vec<_> = self.networks.iter().map(of_network).collect();
        characteristics.extend(self.proxies.iter().map(of_proxy));
        for account in &self.accounts {
            account.check()?;
            characteristics.push(self.of_account(account));
        }
        Ok(ProvisioningDocument { characteristics })
    }

    /// Reads a document. What it holds beside these three, and parameters that are not known, are passed over.
    ///
    /// # Errors
    /// [`BootstrapError::Missing`] and [`BootstrapError::Illegal`] for an account that is not whole.
    pub fn of_document(document: &ProvisioningDocument) -> Result<Self, BootstrapError> {
        let of_kind = |kind| document.characteristics.iter().filter(move |of| of.kind == kind);
        let accounts = of_kind("APPLICATION").filter(|of| of.get("APPID") == Some(APP_ID));
        let mut read = Self {
            accounts: Vec::new(),
            networks: of_kind("NAPDEF").map(network).collect(),
            proxies: of_kind("PXLOGICAL").map(proxy).collect::<Result<_, _>>()?,
        };
        for of in accounts {
            let mut account = account(of)?;
            // A proxy goes before a network, however it is referred to.
            account.connections.sort_by_key(|connection| !read.has_proxy(connection));
            read.accounts.push(account);
        }
        Ok(read)
    }

    fn has_proxy(&self, id: &str) -> bool {
        self.proxies.iter().any(|proxy| proxy.id == id)
    }

    fn of_account(&self, account: &Account) -> Characteristic {
        let connections = || account.connections.iter().map(String::as_str);
        Writer::new("APPLICATION")
            .value("APPID", APP_ID)
            .value("PROVIDER-ID", &account.server_id)
            .values("NAME", account.name.as_deref())
            .values("TO-PROXY", connections().filter(|id| self.has_proxy(id)))
            .values("TO-NAPID", connections().filter(|id| !self.has_proxy(id)))
            .flag("INIT", account.init)
            .inner(account.addresses.iter().map(of_address))
            .inner(account.credentials.iter().map(of_credentials))
            .done()
    }
}

/// Collects the entries of a characteristic.
struct Writer(Characteristic);

impl Writer {
    fn new(kind: &str) -> Self {
        Self(Characteristic { kind: kind.to_owned(), entries: Vec::new() })
    }

    fn flag(mut self, name: &str, is_set: bool) -> Self {
        let parameter = Parameter { name: name.to_owned(), value: None };
        self.0.entries.extend(is_set.then_some(Entry::Parameter(parameter)));
        self
    }

    fn value(self, name: &str, value: &str) -> Self {
        self.values(name, [value])
    }

    fn values<'v>(mut self, name: &str, values: impl IntoIterator<Item = &'v str>) -> Self {
        let parameter = |value: &str| Parameter { name: name.to_owned(), value: Some(value.to_owned()) };
        self.0.entries.extend(values.into_iter().map(|value| Entry::Parameter(parameter(value))));
        self
    }

    fn secret(self, name: &str, secret: Option<&Secret>) -> Self {
        let text = secret.map(|secret| String::from_utf8_lossy(secret.expose()));
        self.values(name, text.as_deref())
    }

    fn inner(mut self, inner: impl IntoIterator<Item = Characteristic>) -> Self {
        self.0.entries.extend(inner.into_iter().map(Entry::Characteristic));
        self
    }

    fn done(self) -> Characteristic {
        self.0
    }
}

fn of_address(address: &Address) -> Characteristic {
    let port = |port: &u16| Writer::new("PORT").value("PORTNBR", &port.to_string()).done();
    Writer::new("APPADDR")
        .value("ADDR", &address.address)
        .value("ADDRTYPE", &address.kind.0)
        .inner(address.ports.iter().map(port))
        .done()
}

fn of_credentials(of: &Credentials) -> Characteristic {
    let nonce = of.nonce.as_ref().map(|nonce| STANDARD.encode(nonce.expose()));
    Writer::new("APPAUTH")
        .values("AAUTHLEVEL", of.level.in_provisioning())
        .value("AAUTHTYPE", &of.auth_type.0)
        .values("AAUTHNAME", of.name.as_deref())
        .secret("AAUTHSECRET", of.secret.as_ref())
        .values("AAUTHDATA", nonce.as_deref())
        .done()
}

fn of_network(network: &NetworkAccess) -> Characteristic {
    let login = |login: &NetworkLogin| {
        Writer::new("NAPAUTHINFO")
            .value("AUTHTYPE", &login.auth_type)
            .values("AUTHNAME", login.name.as_deref())
            .secret("AUTHSECRET", login.secret.as_ref())
            .done()
    };
    Writer::new("NAPDEF")
        .value("NAPID", &network.id)
        .values("NAME", network.name.as_deref())
        .values("BEARER", network.bearers.iter().map(String::as_str))
        .values("NAP-ADDRESS", network.address.as_deref())
        .values("NAP-ADDRTYPE", network.address_type.as_deref())
        .flag("INTERNET", network.internet)
        .values("DNS-ADDR", network.dns.iter().map(String::as_str))
        .inner(network.logins.iter().map(login))
        .done()
}

fn of_proxy(proxy: &Proxy) -> Characteristic {
    let login = |login: &NetworkLogin| {
        Writer::new("PXAUTHINFO")
            .value("PXAUTH-TYPE", &login.auth_type)
            .values("PXAUTH-ID", login.name.as_deref())
            .secret("PXAUTH-PW", login.secret.as_ref())
            .done()
    };
    let physical = |physical: &PhysicalProxy| {
        Writer::new("PXPHYSICAL")
            .value("PHYSICAL-PROXY-ID", &physical.id)
            .values("DOMAIN", physical.domains.iter().map(String::as_str))
            .value("PXADDR", &physical.address)
            .values("PXADDRTYPE", physical.address_type.as_deref())
            .values("TO-NAPID", physical.networks.iter().map(String::as_str))
            .inner(physical.ports.iter().map(of_port))
            .done()
    };
    Writer::new("PXLOGICAL")
        .value("PROXY-ID", &proxy.id)
        .values("NAME", proxy.name.as_deref())
        .values("STARTPAGE", proxy.start_page.as_deref())
        .inner(proxy.logins.iter().map(login))
        .inner(proxy.ports.iter().map(of_port))
        .inner(proxy.physical.iter().map(physical))
        .done()
}

fn of_port(port: &Port) -> Characteristic {
    Writer::new("PORT")
        .value("PORTNBR", &port.number.to_string())
        .values("SERVICE", port.services.iter().map(String::as_str))
        .done()
}

fn account(of: &Characteristic) -> Result<Account, BootstrapError> {
    let server_id = of.get("PROVIDER-ID").unwrap_or_default();
    let mut account = Account {
        server_id: server_id.to_owned(),
        name: owned(of, "NAME"),
        connections: all(of, "TO-PROXY").into_iter().chain(all(of, "TO-NAPID")).collect(),
        init: of.get("INIT").is_some(),
        acl: Some(default_acl(server_id)),
        ..Account::default()
    };
    let top = all(of, "ADDR").into_iter().map(|address| Address { address, ..Address::default() });
    account.addresses = top.collect();
    for inner in of.all("APPADDR") {
        account.addresses.push(address(&account, inner)?);
    }
    for inner in of.all("APPAUTH") {
        account.credentials.push(credentials(&account, inner)?);
    }
    account.check()?;
    Ok(account)
}

fn address(account: &Account, of: &Characteristic) -> Result<Address, BootstrapError> {
    let illegal = || account.illegal("port", "not 0 to 65535".to_owned());
    let number = |port: &Characteristic| port.get("PORTNBR").unwrap_or_default().trim().parse();
    Ok(Address {
        address: of.get("ADDR").unwrap_or_default().to_owned(),
        kind: of.get("ADDRTYPE").map(AddressType::read).unwrap_or_default(),
        ports: of.all("PORT").map(number).collect::<Result<_, _>>().map_err(|_| illegal())?,
    })
}

fn credentials(account: &Account, of: &Characteristic) -> Result<Credentials, BootstrapError> {
    let written = of.get("AAUTHLEVEL").filter(|level| !level.is_empty());
    let level = AuthLevel::ALL.into_iter().find(|level| level.in_provisioning() == written);
    let level = level.ok_or_else(|| {
        account.illegal("AAUTHLEVEL", format!("{:?} is not known", written.unwrap_or_default()))
    })?;
    let secret = |name| of.get(name).map(|text| Secret::new(text.as_bytes().to_vec()));
    let nonce = of.get("AAUTHDATA").map(|text| STANDARD.decode(text.trim()).map(Secret::new));
    Ok(Credentials {
        level,
        auth_type: AuthType::of_provisioning(of.get("AAUTHTYPE").unwrap_or_default(), level),
        name: owned(of, "AAUTHNAME"),
        secret: secret("AAUTHSECRET"),
        nonce: nonce.transpose().map_err(|_| account.illegal("AAUTHDATA", "no base64".to_owned()))?,
    })
}

fn network(of: &Characteristic) -> NetworkAccess {
    NetworkAccess {
        id: of.get("NAPID").unwrap_or_default().to_owned(),
        name: owned(of, "NAME"),
        bearers: all(of, "BEARER"),
        address: owned(of, "NAP-ADDRESS"),
        address_type: owned(of, "NAP-ADDRTYPE"),
        internet: of.get("INTERNET").is_some(),
        dns: all(of, "DNS-ADDR"),
        logins: of.all("NAPAUTHINFO").map(|of| login(of, ["AUTHTYPE", "AUTHNAME", "AUTHSECRET"])).collect(),
    }
}

fn proxy(of: &Characteristic) -> Result<Proxy, BootstrapError> {
    let physical = |of: &Characteristic| {
        Ok::<_, BootstrapError>(PhysicalProxy {
            id: of.get("PHYSICAL-PROXY-ID").unwrap_or_default().to_owned(),
            domains: all(of, "DOMAIN"),
            address: of.get("PXADDR").unwrap_or_default().to_owned(),
            address_type: owned(of, "PXADDRTYPE"),
            ports: ports(of)?,
            networks: all(of, "TO-NAPID"),
        })
    };
    let names = ["PXAUTH-TYPE", "PXAUTH-ID", "PXAUTH-PW"];
    Ok(Proxy {
        id: of.get("PROXY-ID").unwrap_or_default().to_owned(),
        name: owned(of, "NAME"),
        start_page: owned(of, "STARTPAGE"),
        logins: of.all("PXAUTHINFO").map(|of| login(of, names)).collect(),
        ports: ports(of)?,
        physical: of.all("PXPHYSICAL").map(physical).collect::<Result<_, _>>()?,
    })
}

fn ports(of: &Characteristic) -> Result<Vec<Port>, BootstrapError> {
    let illegal = |_| {
        let reason = "not 0 to 65535".to_owned();
        BootstrapError::Illegal { server: String::new(), what: "port", reason }
    };
    let port = |of: &Characteristic| {
        let number = of.get("PORTNBR").unwrap_or_default().trim().parse().map_err(illegal)?;
        Ok(Port { number, services: all(of, "SERVICE") })
    };
    of.all("PORT").map(port).collect()
}

fn login(of: &Characteristic, [kind, name, secret]: [&str; 3]) -> NetworkLogin {
    NetworkLogin {
        auth_type: of.get(kind).unwrap_or_default().to_owned(),
        name: owned(of, name),
        secret: of.get(secret).map(|text| Secret::new(text.as_bytes().to_vec())),
    }
}

fn owned(of: &Characteristic, name: &str) -> Option<String> {
    of.get(name).map(str::to_owned)
}

/// Every value of a parameter that may be repeated.
fn all(of: &Characteristic, name: &str) -> Vec<String> {
    let values = of.parameters().filter(|parameter| parameter.name == name);
    values.filter_map(|parameter| parameter.value.clone()).filter(|value| !value.is_empty()).collect()
}
