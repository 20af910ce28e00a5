//! The packages a device sends: #1 and #3 (`DM 2.0 §5.2.2, §5.2.4, Appendix F`).

use omadm_codec::dm2::alert::{AlertData, BOOTSTRAP_COMPLETE, CLIENT_INITIATED, SERVER_INITIATED};
use omadm_codec::dm2::{Alert, Initiation, Response, StatusEntry, SupportedMo};
use omadm_codec::media_type::RESPONSE_JSON;
use omadm_codec::multipart::{self, PartHead};
use omadm_mo::{ServerId, Tree};

use super::Trigger;
use super::commands::Data;

/// Package#1: the alert of the start first, then those that wait.
pub(super) fn initiation(trigger: &Trigger, pending: &[Alert], mos: Option<Vec<SupportedMo>>) -> Vec<u8> {
    let mut alerts = vec![start_alert(trigger)];
    alerts.extend_from_slice(pending);
    let mut body = Vec::new();
    Initiation { mos, alerts }.encode(&mut body);
    body
}

/// `MOS`: what the server provisioned, with the instances it may use.
pub(super) fn supported(server: &ServerId, tree: &Tree) -> Vec<SupportedMo> {
    let listed = tree.supported(server).into_iter().map(|(moid, miids)| SupportedMo {
        ddf: tree
            .catalogue()
            .get(moid.as_str())
            .map(|definition| definition.link.clone())
            .unwrap_or_default(),
        moid: moid.as_str().to_owned(),
        miids: miids.iter().map(|miid| miid.as_str().to_owned()).collect(),
    });
    listed.collect()
}

fn start_alert(trigger: &Trigger) -> Alert {
    match trigger {
        Trigger::Client => Alert::new(CLIENT_INITIATED),
        Trigger::Bootstrap => Alert::new(BOOTSTRAP_COMPLETE),
        Trigger::Notification(id) => {
            let data = id.map(|id| AlertData {
                data_type: Some("application/json".into()),
                data: serde_json::json!({ "NOTIFICATION-ID": id }),
            });
            Alert { data, ..Alert::new(SERVER_INITIATED) }
        }
    }
}

/// Package#3 as `(Content-Type, body)`: plain JSON, or multipart when a GET brought data. `seed` makes the boundary.
pub(super) fn response(
    statuses: Vec<StatusEntry>,
    alerts: Vec<Alert>,
    parts: &[(usize, Data)],
    seed: u64,
) -> (String, Vec<u8>) {
    let mut package = Vec::new();
    Response { statuses, alerts }.encode(&mut package);
    if parts.is_empty() {
        return (RESPONSE_JSON.to_owned(), package);
    }
    let bodies: Vec<&[u8]> = core::iter::once(package.as_slice())
        .chain(parts.iter().map(|(_, data)| data.body.as_ref()))
        .collect();
    let boundary = multipart::boundary_for(seed, &bodies);
    let mut writer = multipart::Writer::new(&boundary);
    let mut body = Vec::new();
    writer.begin(&PartHead { name: None, content_type: Some(RESPONSE_JSON.into()) }, &mut body);
    body.extend_from_slice(&package);
    for (index, data) in parts {
        let head = PartHead { name: Some(index.to_string()), content_type: Some(data.content_type.clone()) };
        writer.begin(&head, &mut body);
        body.extend_from_slice(&data.body);
    }
    writer.finish(&mut body);
    (multipart::content_type(&boundary), body)
}
