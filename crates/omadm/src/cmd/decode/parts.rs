//! Multipart bodies: Package#3 with the data of its GET commands (`DM 2.0 Appendix F`).

use omadm_codec::multipart::{self, Part};
use omadm_codec::{DecodeError, Leniency, MediaType, Problem, media_type};
use serde_json::{Value, json};

use super::{Decoded, Fault, Outline, content, limits, packages};

/// `multipart/form-data`; the boundary is found in it if it is not given.
pub fn multipart(input: &[u8], boundary: Option<&str>, leniency: &mut Leniency) -> Result<Decoded, Fault> {
    let boundary = match boundary {
        Some(boundary) => boundary.to_owned(),
        None => find_boundary(input)?,
    };
    let parts = multipart::decode(input, &boundary, &limits(), leniency)?;
    let mut outline = Outline::new();
    let mut described = Vec::new();
    let mut warnings = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let number = index.saturating_add(1);
        let kind = part.head.content_type.clone().unwrap_or_else(|| media_type::TEXT_PLAIN.to_owned());
        let name = part.head.name.clone();
        let about = name.as_ref().map_or_else(String::new, |name| format!(", data of command {name}"));
        if index == 0 && !is_response(&kind) {
            warnings.push(format!(
                "a server refuses it with 400: the first part has to be {}",
                media_type::RESPONSE_JSON
            ));
        }
        outline.push(0, &format!("Part {number} ({kind}{about}), {} bytes", part.body.len()));
        let decoded = decode_part(&kind, &part, leniency).map_err(|error| Fault::InPart {
            part: number,
            body: part.body,
            error,
        })?;
        outline.append(1, decoded.outline);
        warnings.extend(decoded.warnings);
        described.push(json!({ "name": name, "content_type": kind, "content": decoded.content }));
    }
    Ok(Decoded { outline, content: json!({ "boundary": boundary, "parts": described }), warnings })
}

fn is_response(content_type: &str) -> bool {
    MediaType::parse(content_type).is_ok_and(|media_type| media_type.essence == media_type::RESPONSE_JSON)
}

fn decode_part(content_type: &str, part: &Part, leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let essence = MediaType::parse(content_type).map(|media_type| media_type.essence);
    match essence.as_deref() {
        Ok(media_type::RESPONSE_JSON) => packages::response(&part.body, leniency),
        Ok(media_type::DMMO_JSON) => content::mo_data(&part.body, leniency),
        Ok(_) | Err(_) => Ok(leaf(&part.body)),
    }
}

/// A leaf that a GET brought directly, as text if it is text.
fn leaf(body: &[u8]) -> Decoded {
    let mut outline = Outline::new();
    let content = match std::str::from_utf8(body) {
        Ok(text) => {
            for line in text.lines() {
                outline.push(0, line);
            }
            json!({ "text": text })
        }
        Err(_) => {
            outline.push(0, "octets that are no text");
            json!({ "text": Value::Null, "bytes": body.len() })
        }
    };
    Decoded { outline, content, warnings: Vec::new() }
}

/// The boundary that a `Content-Type` field before the body names, as in a body copied with its head; else that of the first
/// delimiter, the first line that begins with two hyphens (`RFC 2046 §5.1.1`).
fn find_boundary(input: &[u8]) -> Result<String, DecodeError> {
    let error = |at: usize, problem: Problem| DecodeError { at, field: "boundary", problem };
    let mut at = 0_usize;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if let Some(delimiter) = line.strip_prefix(b"--") {
            let text = std::str::from_utf8(delimiter).map_err(|_| error(at, Problem::BadUtf8))?;
            return Ok(text.trim_end().to_owned());
        }
        if let Some(boundary) = named_boundary(line) {
            return Ok(boundary);
        }
        at = at.saturating_add(line.len());
    }
    let problem = "no line begins with --, so there is no delimiter to take the boundary from";
    Err(error(0, Problem::Syntax(problem.into())))
}

fn named_boundary(line: &[u8]) -> Option<String> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    if !name.eq_ignore_ascii_case("Content-Type") {
        return None;
    }
    MediaType::parse(value.trim()).ok()?.parameter("boundary").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_that_of_the_head_or_of_the_first_delimiter() {
        let find = |input: &[u8]| find_boundary(input).unwrap();
        assert_eq!(find(b"--abc \r\nx"), "abc");
        assert_eq!(find(b"preamble -- not\n--abc\nx"), "abc");
        assert_eq!(find(b"content-type: multipart/form-data; boundary=\"a b\"\r\n\r\n--a b--"), "a b");
        assert!(find_boundary(b"no delimiter").is_err());
        assert_eq!(find_boundary(b"\n--\xff\n").unwrap_err().at, 1);
    }
}
