//! Bootstraps of DM 1.x: the account of this server in either profile (`DM 1.3 BOOT §5.2, §5.3`).

use omadm_auth::Secret;
use omadm_auth::bootstrap::Profile;
use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::{Encoding, Version};
use omadm_mo::DeviceId;
use omadm_mo::dm1::Snapshot;
use omadm_session::dm1::bootstrap::{
    Account, Addition, Address, AuthLevel, AuthType, BootstrapError, Credentials, DmAcc, INBOX, Message,
    NetworkAccess, Provisioning, default_acl,
};

use crate::config::{Dm1Section, Endpoint};
use crate::context::Context;
use crate::device::dm1::{Kept, Schemes};

/// Identifier of the network of a provisioning document.
const NETWORK: &str = "N1";
const NO_SCHEME: &str = "dm1.schemes has nothing that devices before DM 1.3 can do; name md5 or mac-md5 there, which are weak, or make a bootstrap for 1.3";
/// Name of the root of an account in a TNDS document; the device may choose another.
const ROOT: &str = "1";

/// What a bootstrap says beside whom it is for.
pub struct Terms<'a> {
    /// The version that the device speaks.
    pub version: Version,
    /// Where the device finds the server, and as whom.
    pub endpoint: &'a Endpoint,
    /// By which schemes both sides prove themselves.
    pub schemes: Schemes,
    /// Name of the server for the device's user.
    pub name: &'a str,
    /// The ACL of the account; none is what the standard prescribes.
    pub acl: Option<&'a str>,
    /// CP profile: begin a session at once.
    pub init: bool,
    /// CP profile: access point name of the network that the server is reached by.
    pub apn: Option<&'a str>,
}

/// The device that a bootstrap is for.
pub struct Holder<'a> {
    /// Its identifier.
    pub device: &'a DeviceId,
    /// Its user name and secret; none if it proves itself by a certificate of its own.
    pub login: Option<(&'a str, &'a Secret)>,
    /// What its sessions begin with.
    pub kept: &'a Kept,
}

/// The schemes for a version: the one that is wished for the device, else the first of the configuration; for the server the first that is
/// no password. Devices before DM 1.3 know none of SHA-256.
///
/// # Errors
/// A sentence, where the configuration has none for it, or not the one that is wished for.
pub fn schemes(section: &Dm1Section, version: Version, wished: Option<Scheme>) -> Result<Schemes, String> {
    let fits =
        |scheme: &Scheme| version == Version::Dm13 || !matches!(scheme, Scheme::Sha256 | Scheme::MacSha256);
    let mut fitting = section.schemes.iter().copied().filter(fits);
    let server = fitting.clone().find(|scheme| *scheme != Scheme::Basic);
    let device = match wished {
        None => fitting.next().ok_or_else(|| NO_SCHEME.to_owned())?,
        Some(wished) => fitting.find(|scheme| *scheme == wished).ok_or_else(|| {
            let name = wished.as_str();
            format!("{name} is not in dm1.schemes, or devices of that version do not have it")
        })?,
    };
    // Both alike where that can be: devices may know one scheme only.
    let server = if device == Scheme::Basic { server } else { Some(device) };
    Ok(Schemes { device, server })
}

/// A bootstrap in a profile.
///
/// # Errors
/// What a value of it is not.
pub fn write(
    context: &Context,
    profile: Profile,
    encoding: Encoding,
    terms: &Terms<'_>,
    holder: &Holder<'_>,
) -> Result<Secret, BootstrapError> {
    let account = account(context, terms, holder);
    account.check()?;
    match profile {
        Profile::Cp => provisioning(account, encoding, terms),
        Profile::Dm => Ok(message(&account, terms, holder.device)),
    }
}

fn account(context: &Context, terms: &Terms<'_>, holder: &Holder<'_>) -> Account {
    let server_id = terms.endpoint.server_id(&context.config);
    let credentials = holder.login.map(|login| credentials(login, server_id, terms.schemes, holder.kept));
    Account {
        server_id: server_id.to_owned(),
        name: (!terms.name.is_empty()).then(|| terms.name.to_owned()),
        addresses: vec![Address { address: context.dm1_uri(terms.endpoint), ..Address::default() }],
        connections: Vec::new(),
        preferred: holder.login.map(|_| auth_type(terms.schemes.device)),
        credentials: credentials.unwrap_or_default(),
        init: terms.init,
        acl: Some(terms.acl.map_or_else(|| default_acl(server_id), str::to_owned)),
    }
}

fn credentials(
    (user, secret): (&str, &Secret),
    server_id: &str,
    schemes: Schemes,
    kept: &Kept,
) -> Vec<Credentials> {
    let (client_nonce, server_nonce) = kept.nonces();
    let of = |level, scheme, name: &str, secret: Secret, nonce: &[u8]| Credentials {
        level,
        auth_type: auth_type(scheme),
        name: Some(name.to_owned()),
        secret: Some(secret),
        nonce: (!nonce.is_empty()).then(|| Secret::new(nonce.to_vec())),
    };
    let device = of(AuthLevel::Client, schemes.device, user, secret.clone(), client_nonce);
    let server = schemes
        .server
        .map(|scheme| of(AuthLevel::Server, scheme, server_id, kept.server_secret(server_id), server_nonce));
    std::iter::once(device).chain(server).collect()
}

/// `AAuthType` of a scheme.
fn auth_type(scheme: Scheme) -> AuthType {
    match scheme {
        Scheme::Basic => AuthType::BASIC,
        Scheme::Md5 => AuthType::DIGEST,
        Scheme::MacMd5 => AuthType::HMAC,
        Scheme::Sha256 => AuthType::SHA256,
        Scheme::MacSha256 => AuthType::HMAC_SHA256,
    }
}

fn provisioning(account: Account, encoding: Encoding, terms: &Terms<'_>) -> Result<Secret, BootstrapError> {
    let network = terms.apn.map(|apn| NetworkAccess {
        id: NETWORK.to_owned(),
        name: Some(terms.name.to_owned()),
        bearers: vec!["GSM-GPRS".to_owned()],
        address: Some(apn.to_owned()),
        address_type: Some("APN".to_owned()),
        ..NetworkAccess::default()
    });
    let connections = network.iter().map(|network| network.id.clone()).collect();
    let account = Account { connections, ..account };
    let networks = network.into_iter().collect();
    let document =
        Provisioning { accounts: vec![account], networks, ..Provisioning::default() }.to_document()?;
    Ok(Secret::new(match encoding {
        Encoding::Xml => document.to_xml().into_bytes(),
        Encoding::Wbxml => document.to_wbxml(),
    }))
}

fn message(account: &Account, terms: &Terms<'_>, device: &DeviceId) -> Secret {
    let object = if terms.version == Version::Dm13 { DmAcc::V1_1 } else { DmAcc::V1_0 };
    let document = Snapshot { nodes: vec![account.to_node(object, ROOT)] };
    let server = account.addresses.first().map(|address| address.address.clone()).unwrap_or_default();
    let message = Message {
        version: terms.version,
        device: device.as_str().to_owned(),
        server,
        additions: vec![Addition { target: INBOX.to_owned(), document }],
    };
    Secret::new(message.write())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_before_1_3_get_no_scheme_of_sha256() {
        let section = |schemes: &[Scheme]| Dm1Section { schemes: schemes.to_vec(), ..Dm1Section::default() };
        let both = |scheme| Ok(Schemes { device: scheme, server: Some(scheme) });
        let strong = section(&[Scheme::MacSha256, Scheme::Sha256]);
        assert_eq!(schemes(&strong, Version::Dm13, None), both(Scheme::MacSha256));
        assert_eq!(schemes(&strong, Version::Dm13, Some(Scheme::Sha256)), both(Scheme::Sha256));
        assert!(schemes(&strong, Version::Dm12, None).unwrap_err().contains("dm1.schemes"));
        assert!(schemes(&strong, Version::Dm13, Some(Scheme::Md5)).unwrap_err().contains("md5"));
        let weak = section(&[Scheme::Sha256, Scheme::Md5, Scheme::Basic]);
        assert_eq!(schemes(&weak, Version::Dm13, None), both(Scheme::Sha256));
        assert_eq!(schemes(&weak, Version::Dm12, None), both(Scheme::Md5));
        assert!(schemes(&weak, Version::Dm12, Some(Scheme::Sha256)).is_err());
        let basic = schemes(&weak, Version::Dm12, Some(Scheme::Basic));
        assert_eq!(basic, Ok(Schemes { device: Scheme::Basic, server: Some(Scheme::Md5) }));
        let basic = schemes(&section(&[Scheme::Basic]), Version::Dm12, None);
        assert_eq!(basic, Ok(Schemes { device: Scheme::Basic, server: None }));
    }
}
