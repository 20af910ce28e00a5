//! Properties of the decoders of this module, for `crate::check`.

use super::apdu::{Command, Response};
use super::fcp::{Condition, FileControl, Security};
use super::{content, dir, fcp, padded, pkcs15, sim};
use crate::check::{LIMITS, WIDE, check};
use crate::{Leniency, Limits};

/// Commands and responses of cards, and what responses to SELECT say.
pub fn check_apdu(bytes: &[u8]) {
    if let Ok(command) = Command::decode(bytes, &LIMITS) {
        assert_eq!(Command::decode(&command.encode(), &WIDE), Ok(command));
    }
    let Ok(response) = Response::decode(bytes, &LIMITS) else { return };
    assert_eq!(response.encode().as_slice(), bytes);
    assert!(!response.status.meaning().is_empty());
    // The data, with and without a status word behind it.
    for data in [bytes, response.data()] {
        if let Ok(selected) = sim::Selected::decode(data, &LIMITS) {
            assert_eq!(sim::Selected::decode(&selected.encode(), &WIDE), Ok(selected));
        }
        if let Ok(control) = FileControl::decode(data, &LIMITS)
            && has_form(&control.security)
        {
            assert_eq!(FileControl::decode(&control.encode(), &WIDE), Ok(control));
        }
        if let Ok(rules) = fcp::access_rules(data, &LIMITS)
            && has_form(&Security::Rules(rules.clone()))
        {
            assert_eq!(fcp::access_rules(&fcp::encode_rules(&rules), &WIDE), Ok(rules));
        }
    }
}

/// Whether every condition has an expanded form.
fn has_form(security: &Security) -> bool {
    match security {
        Security::Rules(rules) => {
            rules.iter().all(|rule| !matches!(rule.condition, Condition::Other | Condition::Cardholder))
        }
        Security::Unsaid | Security::Record(_) => true,
    }
}

/// EF(DIR).
pub fn check_ef_dir(bytes: &[u8]) {
    check(bytes, dir::decode, |templates| {
        templates.iter().flat_map(dir::ApplicationTemplate::encode).collect()
    });
}

/// EF(ODF), EF(DODF), EF(TokenInfo) and the beginning of EF(DM_Bootstrap).
pub fn check_pkcs15(bytes: &[u8]) {
    check(bytes, pkcs15::decode_odf, |directories| pkcs15::encode_odf(directories).unwrap_or_default());
    check(bytes, pkcs15::decode_dodf, |objects| pkcs15::encode_dodf(objects).unwrap_or_default());
    check(bytes, pkcs15::TokenInfo::decode, |token| token.encode().unwrap_or_default());
    let content = |bytes: &[u8], limits: &Limits, leniency: &mut Leniency| {
        content::Content::read(bytes, limits, leniency).map(|content| match content {
            content::Content::Empty => Vec::new(),
            content::Content::Json(octets) | content::Content::Wbxml(octets) => octets.to_vec(),
        })
    };
    check(bytes, content, |octets| padded(octets.clone(), octets.len() + 3).unwrap_or_default());
}
