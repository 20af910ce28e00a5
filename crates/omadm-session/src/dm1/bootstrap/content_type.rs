//! Media types of bootstraps with `SEC` and `MAC`, as HTTP writes them and as WSP does.

use std::fmt;

use omadm_auth::bootstrap::{Claim, Method, Profile};
use omadm_codec::dm1::Encoding;
use omadm_codec::media_type::SYNCML_DM_WBXML;
use omadm_codec::wsp::{Media, MediaName, ShortInteger, Token};
use omadm_codec::{MediaType, provisioning, wsp};

use super::BootstrapError;

const SEC: &str = "SEC";
const MAC: &str = "MAC";

/// What the media type of a bootstrap says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// Which profile it is.
    pub profile: Profile,
    /// How it is written. The DM profile has WBXML only.
    pub encoding: Encoding,
    /// `SEC`: how it is secured.
    pub method: Option<Method>,
    /// `MAC`, hexadecimal digits.
    pub mac: Option<String>,
}

impl ContentType {
    /// That of a document in WBXML.
    #[must_use]
    pub fn new(profile: Profile, method: Option<Method>, mac: Option<String>) -> Self {
        Self { profile, encoding: Encoding::Wbxml, method, mac }
    }

    /// Reads a media type. `SEC` may be a name or a number, in any letter case; parameters that are not known are passed over.
    ///
    /// # Errors
    /// [`BootstrapError::MediaType`] and [`BootstrapError::Method`].
    pub fn parse(text: &str) -> Result<Self, BootstrapError> {
        let unknown = || BootstrapError::MediaType(text.to_owned());
        let media = MediaType::parse(text).map_err(|_| unknown())?;
        let (profile, encoding) = match media.essence.as_str() {
            provisioning::WBXML_TYPE => (Profile::Cp, Encoding::Wbxml),
            provisioning::XML_TYPE => (Profile::Cp, Encoding::Xml),
            SYNCML_DM_WBXML => (Profile::Dm, Encoding::Wbxml),
            _ => return Err(unknown()),
        };
        let method = |text: &str| {
            Method::parse(profile, text.trim()).ok_or_else(|| BootstrapError::Method(text.to_owned()))
        };
        let method = media.parameter("sec").map(method).transpose()?;
        let mac = media.parameter("mac").map(|mac| mac.trim().to_owned());
        Ok(Self { profile, encoding, method, mac })
    }

    /// What it claims of its security; `None` if nothing.
    #[must_use]
    pub fn claim(&self) -> Option<Claim<'_>> {
        let Self { profile, method, mac, .. } = self;
        method.map(|method| Claim { profile: *profile, method, mac: mac.as_deref() })
    }

    /// The same for a push. `SEC` is a number, which WSP wants it to be and peers read in the DM profile as well; where there is none
    /// for it, it is a word.
    #[must_use]
    pub fn media(&self) -> Media {
        let code = match (self.profile, self.encoding) {
            (Profile::Cp, Encoding::Wbxml) => wsp::CONNECTIVITY_WBXML_CODE,
            (Profile::Cp, Encoding::Xml) => wsp::CONNECTIVITY_XML_CODE,
            (Profile::Dm, _) => wsp::SYNCML_DM_WBXML_CODE,
        };
        let Some(method) = self.method else { return Media::code(code) };
        let number = method.number(self.profile).and_then(ShortInteger::new);
        match (number, self.mac.as_deref().and_then(Token::new)) {
            (Some(number), mac) => Media::secured(code, number, mac.as_ref()),
            (None, mac) => {
                let pair = |name: &str, value| Token::new(name).zip(value);
                let method = method.name(self.profile).and_then(Token::new);
                let pairs: Vec<_> = [pair(SEC, method), pair(MAC, mac)].into_iter().flatten().collect();
                let words = Token::new(SYNCML_DM_WBXML).map(|name| Media::text(name, &pairs).parameters);
                Media { name: MediaName::Code(code), parameters: words.unwrap_or_default() }
            }
        }
    }
}

impl fmt::Display for ContentType {
    /// As HTTP writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.profile, self.encoding) {
            (Profile::Cp, Encoding::Wbxml) => provisioning::WBXML_TYPE,
            (Profile::Cp, Encoding::Xml) => provisioning::XML_TYPE,
            (Profile::Dm, _) => SYNCML_DM_WBXML,
        })?;
        if let Some(name) = self.method.and_then(|method| method.name(self.profile)) {
            write!(f, "; {SEC}={name}")?;
        }
        self.mac.as_deref().map_or(Ok(()), |mac| write!(f, "; {MAC}={mac}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ContentType {
        ContentType::parse(text).unwrap()
    }

    #[test]
    fn what_gateways_make_of_it_is_read() {
        let mac = "C483EC25F7E3E0CF100380DA5F6714CF204A5EC5";
        let wanted = ContentType::new(Profile::Cp, Some(Method::UserPin), Some(mac.to_owned()));
        for text in ["SEC=1; MAC=", "sec=USERPIN;mac=", "Sec=\"userpin\" ; x=y; Mac="] {
            let text = format!("Application/VND.wap.connectivity-wbxml; {text}{mac}");
            assert_eq!(parsed(&text), wanted, "{text}");
        }
        let text = wanted.to_string();
        assert_eq!(text, format!("application/vnd.wap.connectivity-wbxml; SEC=USERPIN; MAC={mac}"));
        assert_eq!(parsed(&text), wanted);
        let xml = parsed("text/vnd.wap.connectivity-xml");
        assert_eq!((xml.profile, xml.encoding, xml.claim()), (Profile::Cp, Encoding::Xml, None));
        assert_eq!(xml.to_string(), "text/vnd.wap.connectivity-xml");
    }

    #[test]
    fn other_types_and_methods_are_refused() {
        for other in ["application/vnd.syncml.dm+xml", "text/plain", "", "application/dmmo+json"] {
            assert!(matches!(ContentType::parse(other), Err(BootstrapError::MediaType(_))), "{other}");
        }
        for method in ["4", "NETWORKID", "X"] {
            let text = format!("application/vnd.wap.connectivity-wbxml; SEC={method}");
            assert!(matches!(ContentType::parse(&text), Err(BootstrapError::Method(_))), "{method}");
        }
    }

    #[test]
    fn a_push_says_the_same() {
        for profile in [Profile::Cp, Profile::Dm] {
            for method in Method::ALL {
                let mac = method.has_mac().then(|| "00FF".repeat(10));
                let Some(name) = method.name(profile) else { continue };
                let content = ContentType::new(profile, Some(method), mac);
                let text = content.media().as_http().unwrap();
                assert_eq!(parsed(&text), content, "{name}: {text}");
            }
            let plain = ContentType::new(profile, None, None);
            assert_eq!(parsed(&plain.media().as_http().unwrap()), plain);
        }
        let octets = ContentType::new(Profile::Cp, Some(Method::UserPin), Some("AB".to_owned())).media();
        assert_eq!(octets.name, MediaName::Code(0x36));
        assert_eq!(octets.parameters, b"\x91\x81\x92AB\0");
        let dm = ContentType::new(Profile::Dm, Some(Method::Network), Some("AB".to_owned())).media();
        assert_eq!((dm.name, dm.parameters), (MediaName::Code(0x42), b"\x91\x80\x92AB\0".to_vec()));
        let gba = ContentType::new(Profile::Dm, Some(Method::Gba), None).media();
        assert_eq!(gba.parameters, b"SEC\x003GPP_GBA\0");
    }
}
