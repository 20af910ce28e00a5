//! What a bootstrap file is: JSON, or one of DM 1.x by its first octets, by a head with its media type before it, or in the text of a QR
//! code, which `omadm bootstrap` writes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use omadm_client::Body;
use omadm_client::dm1::bootstrap::{MESSAGE_WBXML, PROVISIONING_WBXML, PROVISIONING_XML};

use crate::cli::Security;

/// What the text of a QR code begins with that holds a bootstrap.
const SCHEME: &[u8] = b"omadm-bootstrap:";
/// The head of a file that says what is in it.
const HEAD: &[u8] = b"content-type:";
/// Longest head in octets.
const MAX_HEAD: usize = 1_024;
/// A part of the name of what a provisioning document is.
const PROVISIONING: &[u8] = b"DTD PROV";

/// A bootstrap of DM 1.x.
pub struct Dm1File {
    pub content_type: String,
    pub body: Body,
}

/// What is in a file.
pub enum BootstrapFile {
    Dm1(Dm1File),
    Json(Body),
}

impl BootstrapFile {
    /// Looks into it. What the command line says of the security counts where the file says nothing.
    pub fn read(body: Body, security: &Security) -> Result<Self, String> {
        let body = match body.trim_ascii_start().strip_prefix(SCHEME) {
            None => body,
            Some(code) => {
                let octets = URL_SAFE_NO_PAD.decode(code.trim_ascii_end());
                octets.map_err(|_| "the text of the QR code is no base64url")?.into()
            }
        };
        if let Some((content_type, octets)) = headed(&body) {
            return Ok(Self::Dm1(Dm1File { content_type, body: octets.to_vec().into() }));
        }
        let Some(essence) = essence(&body) else { return Ok(Self::Json(body)) };
        let parameter = |name, value: &Option<String>| {
            value.as_ref().map(|value| format!("; {name}={value}")).unwrap_or_default()
        };
        let (sec, mac) = (parameter("SEC", &security.sec), parameter("MAC", &security.mac));
        Ok(Self::Dm1(Dm1File { content_type: format!("{essence}{sec}{mac}"), body }))
    }
}

/// The media type of a head, and what follows the empty line.
fn headed(body: &[u8]) -> Option<(String, &[u8])> {
    let end = body.iter().take(MAX_HEAD).position(|octet| *octet == b'\n')?;
    let (line, rest) = body.split_at_checked(end + 1)?;
    let (name, value) = line.split_at_checked(HEAD.len())?;
    if !name.eq_ignore_ascii_case(HEAD) {
        return None;
    }
    let content = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"))?;
    Some((std::str::from_utf8(value).ok()?.trim().to_owned(), content))
}

/// The media type by the first octets. WBXML begins with its version and a number for what is in it: 11 is a provisioning document, 0 is
/// followed by a name.
fn essence(body: &[u8]) -> Option<&'static str> {
    match body {
        [1..=3, 0x0B, ..] => return Some(PROVISIONING_WBXML),
        [1..=3, 0, ..] if body.windows(PROVISIONING.len()).any(|octets| octets == PROVISIONING) => {
            return Some(PROVISIONING_WBXML);
        }
        [1..=3, ..] => return Some(MESSAGE_WBXML),
        _ => {}
    }
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    text.starts_with(b"<").then_some(PROVISIONING_XML)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(sec: Option<&str>, mac: Option<&str>) -> Security {
        Security { sec: sec.map(str::to_owned), mac: mac.map(str::to_owned), pin: None }
    }

    fn read(body: &[u8]) -> Option<(String, Vec<u8>)> {
        match BootstrapFile::read(body.to_vec().into(), &security(None, None)).unwrap() {
            BootstrapFile::Dm1(Dm1File { content_type, body }) => Some((content_type, body.to_vec())),
            BootstrapFile::Json(_) => None,
        }
    }

    #[test]
    fn a_file_is_known_by_how_it_begins() {
        for (body, essence) in [
            (&b"[]"[..], None),
            (b" {\"dm1\": {}}", None),
            (b"", None),
            (b"\x03\x0B\x6A\x00", Some(PROVISIONING_WBXML)),
            (b"\x03\x00\x00\x6A\x1D-//WAPFORUM//DTD PROV 1.0//EN\x00", Some(PROVISIONING_WBXML)),
            (b"\x02\xA4\x01\x6A\x00", Some(MESSAGE_WBXML)),
            (b"\x03\x00\x00\x6A\x1D-//SYNCML//DTD SyncML 1.2//EN\x00", Some(MESSAGE_WBXML)),
            (b"<?xml version=\"1.0\"?><wap-provisioningdoc/>", Some(PROVISIONING_XML)),
            (b"\xEF\xBB\xBF <wap-provisioningdoc/>", Some(PROVISIONING_XML)),
        ] {
            assert_eq!(
                read(body).map(|(content_type, _)| content_type),
                essence.map(str::to_owned),
                "{body:?}"
            );
        }
    }

    #[test]
    fn a_head_or_the_command_line_says_how_it_is_secured() {
        let whole = ("a/b; SEC=1; MAC=00".to_owned(), b"\x03\n".to_vec());
        for head in ["Content-Type: a/b; SEC=1; MAC=00\r\n\r\n", "content-type:a/b; SEC=1; MAC=00\n\n"] {
            assert_eq!(read(&[head.as_bytes(), b"\x03\n"].concat()).as_ref(), Some(&whole), "{head:?}");
        }
        let coded = format!(
            "omadm-bootstrap:{}\n",
            URL_SAFE_NO_PAD.encode("Content-Type: a/b; SEC=1; MAC=00\n\n\x03\n")
        );
        assert_eq!(read(coded.as_bytes()), Some(whole));
        assert!(BootstrapFile::read(b"omadm-bootstrap:!".to_vec().into(), &security(None, None)).is_err());
        for no_head in [&b"Content-Type: a/b\n"[..], b"Content-Type: a/b", b"Content: a/b\n\n"] {
            assert_eq!(read(no_head), None, "{no_head:?}");
        }
        let said = security(Some("USERPIN"), Some("00ff"));
        let BootstrapFile::Dm1(file) = BootstrapFile::read(b"\x03\x0B".to_vec().into(), &said).unwrap()
        else {
            panic!()
        };
        assert_eq!(file.content_type, format!("{PROVISIONING_WBXML}; SEC=USERPIN; MAC=00ff"));
    }
}
