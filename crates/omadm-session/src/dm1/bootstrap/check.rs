//! Properties of bootstraps that come from strangers, for fuzzers and tests: it panics where one does not hold.

use omadm_codec::provisioning::ProvisioningDocument;
use omadm_codec::{Leniency, Limits};
use omadm_mo::dm1::Snapshot;

use super::{Account, ContentType, DmAcc, Message, Provisioning, grant_default};

/// Limits under which the properties are checked.
const LIMITS: Limits = Limits { bytes: 64 * 1024, depth: 16, items: 1000 };
/// Those of what we wrote ourselves.
const WIDE: Limits = Limits { bytes: 1024 * 1024, depth: 32, items: 10_000 };

/// A media type, a provisioning document or a message: what is read of it is what is read again after it is written.
///
/// # Panics
/// When that is not so.
pub fn check_dm1_bootstrap(bytes: &[u8]) {
    if let Some(content) = std::str::from_utf8(bytes).ok().and_then(|text| ContentType::parse(text).ok()) {
        check_content_type(&content);
    }
    if let Ok(document) = ProvisioningDocument::from_wbxml(bytes, &LIMITS, &mut Leniency::lenient()) {
        check_provisioning(&document);
    }
    let mut leniency = Leniency::lenient();
    if let Ok(message) = Message::read(bytes, &LIMITS, &mut leniency) {
        check_message(message, leniency.used.is_empty());
    }
}

fn check_content_type(content: &ContentType) {
    // A MAC that is none is refused when it is verified.
    if content.mac.as_deref().is_none_or(|mac| !mac.is_empty() && mac.bytes().all(|c| c.is_ascii_hexdigit()))
    {
        assert_eq!(ContentType::parse(&content.to_string()).ok().as_ref(), Some(content));
        let pushed = content.media().as_http().and_then(|text| ContentType::parse(&text).ok());
        let without_mac = ContentType { mac: None, ..content.clone() };
        assert_eq!(pushed, Some(if content.method.is_some() { content.clone() } else { without_mac }));
    }
}

fn check_provisioning(document: &ProvisioningDocument) {
    let Ok(read) = Provisioning::of_document(document) else { return };
    let again = read.to_document().ok().and_then(|document| Provisioning::of_document(&document).ok());
    assert_eq!(again.as_ref(), Some(&read));
    read.accounts.iter().for_each(check_account);
}

fn check_message(message: Message, strict: bool) {
    let again = Message::read(&message.write(), &WIDE, &mut Leniency::strict());
    assert!(again.is_ok(), "{again:?} of {message:?}");
    let Ok(again) = again else { return };
    if strict {
        assert_eq!(again, message);
    }
    assert_eq!(again.write(), message.write());
    for mut addition in message.additions {
        let Ok(accounts) = Account::all_of(&addition.document) else { continue };
        accounts.iter().for_each(check_account);
        grant_default(&mut addition.document);
        let granted = Account::all_of(&addition.document).unwrap_or_default();
        assert!(granted.len() == accounts.len() && granted.iter().all(|of| of.acl.is_some()), "{granted:?}");
    }
}

/// What is lost on the way into the tree is INIT alone.
fn check_account(account: &Account) {
    let document = Snapshot { nodes: vec![account.to_node(DmAcc::V1_1, "1")] };
    let wanted = Account { init: false, ..account.clone() };
    assert_eq!(Account::all_of(&document).ok(), Some(vec![wanted]));
}
