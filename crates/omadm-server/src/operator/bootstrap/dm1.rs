//! Bootstraps of DM 1.x: which one an operator wants, and how it is secured (`DM 1.3 BOOT §5.2, §5.3`, `DM 1.3 SEC §5.10.2`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_auth::Secret;
use omadm_auth::bootstrap::{
    Imsi, MacHash, Method, NetworkSecret, Pin, Profile, Secrets, Sender, with_check_digits,
};
use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::{Encoding, Version};
use omadm_mo::access::Acl;
use omadm_session::dm1::bootstrap::ContentType;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Gba, Prepared};
use crate::bootstrap::dm1::{Holder, Terms, schemes, write};
use crate::config::{Endpoint, ProtocolVersion};
use crate::context::Context;
use crate::device::dm1::Schemes;
use crate::operator::problem::Problem;
use crate::random;

/// Digits of a PIN that is made.
const PIN_DIGITS: usize = 8;
/// Longest access point name in octets (`3GPP TS 23.003 §9.1`).
const MAX_APN: usize = 100;

/// For which protocol, and in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// MO data for DM 2.0.
    #[default]
    Dm2,
    /// A provisioning document for DM 1.x.
    Cp,
    /// A message for DM 1.x.
    Dm,
}

impl Kind {
    /// The profile, if it is for DM 1.x.
    pub fn profile(self) -> Option<Profile> {
        match self {
            Self::Dm2 => None,
            Self::Cp => Some(Profile::Cp),
            Self::Dm => Some(Profile::Dm),
        }
    }
}

/// The hash of a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Hash {
    /// HMAC-SHA1, which is weak by the measure of today.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
}

/// How a provisioning document is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Writing {
    #[default]
    Wbxml,
    /// For files only: it cannot be secured.
    Xml,
}

/// What a bootstrap of DM 1.x says, and how it is secured.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wishes {
    /// Version that the device speaks: `1.1`, `1.2` or `1.3`. Default: the newest that the server speaks.
    version: Option<String>,
    /// How it is secured: NETWPIN, USERPIN, USERNETWPIN or USERPINMAC for `cp`; NETWORKID, USERPIN, USERPIN_NETWORKID or 3GPP_GBA for
    /// `dm`. Default: not at all, which a push does not allow.
    sec: Option<String>,
    /// The hash of the MAC. Default: SHA-256 for the profile `dm` of 1.3; else SHA-1, which the profile `cp` and 1.2 are bound to.
    hash: Option<Hash>,
    /// USERNETWPIN: the PIN first and with a colon, as some devices expect it.
    #[serde(default)]
    pin_first: bool,
    /// Which of the servers in `dm1.endpoints`, by its identifier. Default: the first.
    server_id: Option<String>,
    /// How both sides prove themselves, one of `dm1.schemes`. Default: the first of them that the version has.
    scheme: Option<String>,
    /// `dm`: what servers may do with the account, as an ACL. Default: its server may get, replace and delete it.
    acl: Option<String>,
    /// `cp`: whether a session begins at once. Default true.
    init: Option<bool>,
    /// `cp`: access point name of the mobile network by which the device reaches the server. Default: the device's own choice.
    apn: Option<String>,
    /// `cp`: how the document is written.
    #[serde(default)]
    encoding: Writing,
}

/// What the device or its user knows beside the bootstrap.
pub struct Given {
    /// PIN.
    pub pin: Option<String>,
    /// IMSI.
    pub imsi: Option<String>,
    /// Another secret of the network, in base64.
    pub network_secret_base64: Option<String>,
}

impl Given {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pin.is_none() && self.imsi.is_none() && self.network_secret_base64.is_none()
    }

    /// The secrets of a method, with a PIN that is made if there is none.
    fn secrets(self, method: Method) -> Result<Secrets, Problem> {
        let bad = |error: omadm_auth::bootstrap::BootstrapError| Problem::bad(error.to_string());
        let unused = |what: &str| Problem::bad(format!("{what} is of no use to this sec"));
        if self.pin.is_some() && !method.needs_pin() {
            return Err(unused("pin"));
        }
        if (self.imsi.is_some() || self.network_secret_base64.is_some()) && !method.needs_network() {
            return Err(unused("an IMSI or another secret of the network"));
        }
        let pin = match self.pin {
            Some(pin) => Some(Pin::parse(&pin).map_err(bad)?),
            None if method.needs_pin() => Some(fresh_pin()?),
            None => None,
        };
        let decode = |text: String| STANDARD.decode(text).map(Secret::new);
        let key = self.network_secret_base64.map(decode).transpose();
        let key = key.map_err(|_| Problem::bad("network_secret_base64 is no base64"))?;
        let imsi = self.imsi.as_deref().map(Imsi::parse).transpose().map_err(bad)?;
        if key.is_some() && imsi.is_some() {
            return Err(Problem::bad("give the IMSI or another secret of the network, not both"));
        }
        Ok(Secrets { pin, network: NetworkSecret::new(key, imsi).map_err(bad)? })
    }
}

/// A bootstrap of DM 1.x that was made.
pub struct Made {
    /// Its media type.
    pub content: ContentType,
    /// The octets.
    pub body: Secret,
    /// What the user has to type.
    pub pin: Option<Pin>,
}

/// The answer about it.
#[derive(Serialize, ToSchema)]
pub struct Content {
    /// Its media type with `SEC` and `MAC`.
    content_type: String,
    /// The octets in base64, with the device's secret in them: shown this once. Null if it was sent.
    content_base64: Option<String>,
    /// What the device's user has to type, check digits included: shown this once. Null if nothing.
    pin: Option<String>,
    /// What the way to the device says of it, if it was sent.
    sent: Option<String>,
}

impl Content {
    /// `sent` is what the way says, if it went one.
    pub fn new(made: &Made, sent: Option<String>) -> Self {
        let text = |pin: &Pin| String::from_utf8_lossy(pin.digits().expose()).into_owned();
        Self {
            content_type: made.content.to_string(),
            content_base64: sent.is_none().then(|| STANDARD.encode(made.body.expose())),
            pin: made.pin.as_ref().map(text),
            sent,
        }
    }
}

/// What is wanted, checked.
pub struct Order {
    profile: Profile,
    version: Version,
    encoding: Encoding,
    method: Option<Method>,
    hash: MacHash,
    pin_first: bool,
    endpoint: Endpoint,
    schemes: Schemes,
    name: String,
    acl: Option<String>,
    init: bool,
    apn: Option<String>,
}

impl Order {
    /// Checks what an operator wants.
    ///
    /// # Errors
    /// 400 and 409 say what cannot be.
    pub fn new(context: &Context, profile: Profile, wishes: Wishes, name: String) -> Result<Self, Problem> {
        let section = &context.config.dm1;
        if !section.enabled {
            return Err(Problem::conflict("this server does not speak DM 1.x; set dm1.enabled"));
        }
        only_of(profile, &wishes)?;
        let version = version(&section.versions, wishes.version.as_deref())?;
        let method = wishes.sec.as_deref().map(|sec| method(profile, sec)).transpose()?;
        let encoding = match wishes.encoding {
            Writing::Wbxml => Encoding::Wbxml,
            Writing::Xml if method.is_none() => Encoding::Xml,
            Writing::Xml => return Err(Problem::bad("only a document in WBXML can be secured")),
        };
        let scheme = wishes.scheme.as_deref().map(scheme).transpose()?;
        let endpoints = &section.endpoints;
        let endpoint = match &wishes.server_id {
            None => endpoints.first(),
            Some(id) => endpoints.iter().find(|endpoint| endpoint.server_id(&context.config) == id),
        };
        let endpoint = endpoint.ok_or_else(|| Problem::bad("server_id is of no server in dm1.endpoints"))?;
        Ok(Self {
            profile,
            version,
            encoding,
            method,
            hash: hash(profile, version, wishes.hash)?,
            pin_first: wishes.pin_first,
            endpoint: endpoint.clone(),
            schemes: schemes(section, version, scheme).map_err(Problem::conflict)?,
            name,
            acl: wishes.acl.map(acl).transpose()?,
            init: wishes.init.unwrap_or(true),
            apn: wishes.apn.map(apn).transpose()?,
        })
    }

    /// The name of how it is secured.
    pub fn sec(&self) -> Option<&'static str> {
        self.method.and_then(|method| method.name(self.profile))
    }

    /// Makes it for a device that is about to be enrolled.
    ///
    /// # Errors
    /// 400 where what is given does not fit.
    pub fn make(
        &self,
        context: &Context,
        device: &mut Prepared,
        given: Given,
        gba: Option<&Gba>,
    ) -> Result<Made, Problem> {
        let kept = device.begin_dm1(self.schemes)?;
        let kept = kept.ok_or_else(|| Problem::conflict("this server does not speak DM 1.x"))?;
        let terms = Terms {
            version: self.version,
            endpoint: &self.endpoint,
            schemes: self.schemes,
            name: &self.name,
            acl: self.acl.as_deref(),
            init: self.init,
            apn: self.apn.as_deref(),
        };
        let enrolment = &device.enrolment;
        let login = Some((enrolment.user.as_str(), &device.secret));
        let holder = Holder { device: &enrolment.device, login, kept: &kept };
        let document = write(context, self.profile, self.encoding, &terms, &holder);
        self.secure(document.map_err(|error| Problem::bad(error.to_string()))?, given, gba)
    }

    fn secure(&self, document: Secret, given: Given, gba: Option<&Gba>) -> Result<Made, Problem> {
        let bad = |error: omadm_auth::bootstrap::BootstrapError| Problem::bad(error.to_string());
        let content = |method, mac| ContentType {
            encoding: self.encoding,
            ..ContentType::new(self.profile, method, mac)
        };
        let Some(method) = self.method else {
            return match given.is_empty() && gba.is_none() {
                true => Ok(Made { content: content(None, None), body: document, pin: None }),
                false => Err(Problem::bad("secrets are of no use without sec; say how it is to be secured")),
            };
        };
        if gba.is_some() != (method == Method::Gba) {
            return Err(Problem::bad("the keys of GBA Push (gba) and sec 3GPP_GBA go together"));
        }
        let secrets = given.secrets(method)?;
        let (mac, pin, body) = match method {
            Method::Gba => {
                (None, None, gba.map(|gba| gba.protect(&document)).transpose()?.unwrap_or(document))
            }
            Method::UserPinMac => {
                let pin = secrets.pin.as_ref().map(|pin| with_check_digits(pin, document.expose()));
                (None, pin.transpose().map_err(bad)?, document)
            }
            Method::Network | Method::UserPin | Method::UserPinNetwork => {
                let (profile, hash, separated) = (self.profile, self.hash, self.pin_first);
                let sender = Sender { profile, method, hash, separated };
                let mac = sender.mac(&secrets, document.expose()).map_err(bad)?;
                (Some(mac), secrets.pin, document)
            }
        };
        Ok(Made { content: content(Some(method), mac), body, pin })
    }
}

/// What one profile has and the other has not.
fn only_of(profile: Profile, wishes: &Wishes) -> Result<(), Problem> {
    let not_for_dm = [
        ("init", wishes.init.is_some()),
        ("apn", wishes.apn.is_some()),
        ("encoding", wishes.encoding == Writing::Xml),
        ("pin_first", wishes.pin_first),
    ];
    let foreign = match profile {
        Profile::Cp => Some("acl").filter(|_| wishes.acl.is_some()),
        Profile::Dm => not_for_dm.into_iter().find(|(_, given)| *given).map(|(name, _)| name),
    };
    let refused = |name| Problem::bad(format!("a bootstrap of this profile has no word for {name}"));
    foreign.map_or(Ok(()), |name| Err(refused(name)))
}

fn version(spoken: &[ProtocolVersion], wanted: Option<&str>) -> Result<Version, Problem> {
    let newest = || spoken.iter().map(|version| version.0).max();
    let version = match wanted {
        None => newest(),
        Some(name) => ProtocolVersion::named(name).filter(|version| spoken.contains(version)).map(|it| it.0),
    };
    version.ok_or_else(|| Problem::bad("version is none of dm1.versions"))
}

fn method(profile: Profile, sec: &str) -> Result<Method, Problem> {
    Method::parse(profile, sec).ok_or_else(|| {
        let names: Vec<_> = Method::ALL.iter().filter_map(|method| method.name(profile)).collect();
        Problem::bad(format!("sec is one of {}", names.join(", ")))
    })
}

fn scheme(name: &str) -> Result<Scheme, Problem> {
    Scheme::named(name).ok_or_else(|| {
        let names = Scheme::ALL.map(Scheme::as_str).join(", ");
        Problem::bad(format!("scheme is one of {names}"))
    })
}

fn hash(profile: Profile, version: Version, wanted: Option<Hash>) -> Result<MacHash, Problem> {
    match (profile, wanted) {
        (Profile::Cp, Some(Hash::Sha256)) => Err(Problem::bad("the MAC of the profile cp is of SHA-1")),
        (_, Some(Hash::Sha1)) | (Profile::Cp, None) => Ok(MacHash::Sha1),
        (Profile::Dm, Some(Hash::Sha256)) => Ok(MacHash::Sha256),
        (Profile::Dm, None) if version == Version::Dm13 => Ok(MacHash::Sha256),
        (Profile::Dm, None) => Ok(MacHash::Sha1),
    }
}

fn acl(text: String) -> Result<String, Problem> {
    let problem = |reason: &str| Problem::bad(format!("acl: {reason}"));
    let acl = Acl::parse(&text).map_err(problem)?;
    if acl.is_empty() { Err(problem("it gives nothing to anybody")) } else { Ok(text) }
}

fn apn(text: String) -> Result<String, Problem> {
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
    let is_apn = (1..=MAX_APN).contains(&text.len()) && text.bytes().all(legal);
    let refused = || Problem::bad(format!("an apn has 1 to {MAX_APN} letters, digits, '-' and '.'"));
    is_apn.then_some(text).ok_or_else(refused)
}

/// A PIN of random digits, each as likely as any other.
fn fresh_pin() -> Result<Pin, Problem> {
    let mut digits = String::with_capacity(PIN_DIGITS);
    while digits.len() < PIN_DIGITS {
        let octets: [u8; 16] = random::octets()?;
        // 250 to 255 would favour some digits.
        let fair = octets.iter().filter(|octet| **octet < 250).map(|octet| char::from(octet % 10 + b'0'));
        digits.extend(fair.take(PIN_DIGITS - digits.len()));
    }
    Pin::parse(&digits).map_err(|error| Problem::bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pin: Option<&str>, imsi: Option<&str>, key: Option<&str>) -> Given {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Given { pin: text(pin), imsi: text(imsi), network_secret_base64: text(key) }
    }

    #[test]
    fn secrets_are_those_of_the_method() {
        let made = given(None, None, None).secrets(Method::UserPin).unwrap();
        assert_eq!(made.pin.unwrap().digits().expose().len(), PIN_DIGITS);
        let imsi = Some("123456789012345");
        assert!(given(Some("1234"), imsi, None).secrets(Method::UserPinNetwork).is_ok());
        for (given, method) in [
            (given(Some("123"), None, None), Method::UserPin),
            (given(Some("1234"), None, None), Method::Network),
            (given(None, imsi, None), Method::UserPin),
            (given(None, Some("12345x789"), None), Method::Network),
            (given(None, None, Some("!")), Method::Network),
            (given(None, None, Some("")), Method::Network),
            (given(None, imsi, Some("AAAA")), Method::Network),
        ] {
            assert!(given.secrets(method).is_err(), "{method:?}");
        }
    }

    #[test]
    fn the_hash_goes_by_profile_and_version() {
        let of = |profile, version, wanted| hash(profile, version, wanted).ok();
        assert_eq!(of(Profile::Dm, Version::Dm13, None), Some(MacHash::Sha256));
        assert_eq!(of(Profile::Dm, Version::Dm12, None), Some(MacHash::Sha1));
        assert_eq!(of(Profile::Dm, Version::Dm12, Some(Hash::Sha256)), Some(MacHash::Sha256));
        assert_eq!(of(Profile::Cp, Version::Dm13, None), Some(MacHash::Sha1));
        assert_eq!(of(Profile::Cp, Version::Dm13, Some(Hash::Sha256)), None);
    }

    #[test]
    fn values_are_checked() {
        assert!(acl("Get=*&Replace=a".to_owned()).is_ok());
        for bad in ["", "Get", "Read=a", "Get=a b"] {
            assert!(acl(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(apn("internet.op-1".to_owned()).is_ok() && apn("a".repeat(100)).is_ok());
        for bad in ["", "a b", "a\n", &"a".repeat(101)] {
            assert!(apn(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(scheme("md5").is_ok() && scheme("MD5").is_err());
        assert!(method(Profile::Cp, "netwpin").is_ok() && method(Profile::Cp, "NETWORKID").is_err());
    }
}
