//! Reports without a session (`DM 1.3 Sessionless Reporting §5.1`).

use std::borrow::Cow;

use omadm_codec::dm1::{AlertCode, Command, Encoder, Encoding, Form, Header, Location, Version};
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};

use super::auth::ClientProof;
use super::config::{Account, Config, DeviceAlert};
use super::content::Dialect;
use super::exchange::Post;
use super::package::write_alert;
use super::sessionless::NO_SESSION;

const ACCEPT: &str = "application/vnd.syncml.dm+wbxml, application/vnd.syncml.dm+xml";

/// Makes the message that reports an alert outside of sessions: one Alert 1230 with one item. `number` is its `MsgID`, larger than that of
/// every report before, and the same when it is sent again. Any answer of the transport that is a success is all that there is.
#[must_use]
pub fn report(config: &Config, account: &Account, number: u32, alert: &DeviceAlert) -> Post {
    let version = Version::Dm13;
    let encoding = if config.wbxml { Encoding::Wbxml } else { Encoding::Xml };
    let form = Form::for_version(encoding, version);
    let proof = ClientProof::new(account, config);
    let header = Header {
        ver_dtd: version.ver_dtd().into(),
        ver_proto: version.ver_proto().into(),
        session_id: NO_SESSION.into(),
        message_id: number.to_string().into(),
        target: Location { uri: account.uri.clone().into(), name: None },
        source: Location {
            uri: config.device_id.as_str().to_owned().into(),
            name: proof.user().map(|user| Cow::Owned(user.to_owned())),
        },
        resp_uri: None,
        no_response: false,
        credentials: proof.credentials(),
        meta: omadm_codec::dm1::Meta::default(),
    };
    let mut alert = write_alert(alert, Dialect { version, form });
    alert.id = "1".into();
    alert.code = AlertCode::SessionlessReport.number().to_string().into();
    let mut encoder = Encoder::new(&header, form);
    encoder.push(&Command::Alert(alert));
    let body = encoder.finish(true);
    Post {
        uri: account.uri.clone(),
        content_type: match encoding {
            Encoding::Xml => SYNCML_DM_XML,
            Encoding::Wbxml => SYNCML_DM_WBXML,
        },
        accept: ACCEPT,
        hmac: proof.hmac(&body),
        body: body.into(),
        message_id: number,
        wait: core::time::Duration::ZERO,
    }
}
