//! Bootstraps as files and as QR codes, made of what the REST API answers to who has had one made.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use qrcode::{EcLevel, QrCode};
use serde_json::Value;
use zeroize::Zeroizing;

/// What the text of a QR code begins with that holds a bootstrap itself, in base64url.
pub const SCHEME: &str = "omadm-bootstrap:";
/// Most characters that a QR code has room for (version 40 with the least error correction).
pub const MAX_QR: usize = 2_953;

/// A bootstrap as a file: MO data as it is, one of DM 1.x as its octets, after a head with the media type if that says how it is secured.
///
/// # Errors
/// The member that the answer does not have.
pub fn content(answer: &Value) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let bootstrap = answer.get("bootstrap").filter(|bootstrap| !bootstrap.is_null());
    if let Some(bootstrap) = bootstrap {
        return Ok(Zeroizing::new(format!("{bootstrap:#}\n").into_bytes()));
    }
    let dm1 = answer.get("dm1").ok_or("bootstrap")?;
    let text = |name: &'static str| dm1.get(name).and_then(Value::as_str).ok_or(name);
    let octets = STANDARD.decode(text("content_base64")?).map_err(|_| "content_base64")?;
    let octets = Zeroizing::new(octets);
    let media_type = text("content_type")?;
    if !media_type.contains(';') {
        return Ok(octets);
    }
    let head = format!("Content-Type: {media_type}\r\n\r\n");
    Ok(Zeroizing::new([head.as_bytes(), &octets].concat()))
}

/// What the name of a file ends in that holds a bootstrap of a profile of the API.
#[must_use]
pub fn extension(profile: &str) -> &'static str {
    match profile {
        "cp" => "cp",
        "dm" => "dm",
        _ => "json",
    }
}

/// The PIN that a user has to type, if there is one.
#[must_use]
pub fn pin(answer: &Value) -> Option<&str> {
    answer.get("dm1")?.get("pin")?.as_str()
}

/// The QR code of the content of a file.
///
/// # Errors
/// A sentence that says how long it is, and what would fit.
pub fn qr(content: &[u8]) -> Result<QrCode, String> {
    let mut text = Zeroizing::new(SCHEME.to_owned());
    // The white space of MO data would take room for nothing.
    let dense = serde_json::from_slice::<Value>(content).ok().map(|json| Zeroizing::new(json.to_string()));
    let content = dense.as_ref().map_or(content, |json| json.as_bytes());
    URL_SAFE_NO_PAD.encode_string(content, &mut text);
    qr_of(&text)
}

/// The QR code of a text, such as the URL from which a device fetches its bootstrap.
///
/// # Errors
/// As [`qr`].
pub fn qr_of(text: &str) -> Result<QrCode, String> {
    QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| {
        format!(
            "the bootstrap makes {} characters, and a QR code holds {MAX_QR} at most; the URL from which the device fetches its bootstrap fits",
            text.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_says_how_it_is_secured() {
        let mo_data = content(&json!({ "bootstrap": [{ "a": 1 }], "dm1": null })).unwrap();
        assert_eq!(*mo_data, b"[\n  {\n    \"a\": 1\n  }\n]\n");
        let of = |media_type: &str| {
            content(
                &json!({ "dm1": { "content_type": media_type, "content_base64": "AAE=", "pin": "1234" } }),
            )
            .unwrap()
        };
        assert_eq!(*of("text/plain"), [0, 1]);
        assert_eq!(*of("text/plain; SEC=USERPIN"), b"Content-Type: text/plain; SEC=USERPIN\r\n\r\n\0\x01");
        assert_eq!(content(&json!({})), Err("bootstrap"));
        assert_eq!(content(&json!({ "dm1": { "content_base64": null } })), Err("content_base64"));
    }

    #[test]
    fn what_fits_is_a_code_and_what_does_not_says_what_would() {
        assert!(qr_of(&"a".repeat(MAX_QR)).is_ok());
        let refused = qr_of(&"a".repeat(MAX_QR + 1)).err().unwrap();
        assert!(refused.contains("2954 characters") && refused.contains("the URL"), "{refused}");
    }

    #[test]
    fn white_space_takes_no_room() {
        let wide = format!("[{}]", " ".repeat(MAX_QR));
        assert_eq!(qr(wide.as_bytes()).unwrap().to_colors(), qr(b"[]").unwrap().to_colors());
    }
}
