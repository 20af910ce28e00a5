//! GET (`DM 2.0 §5.3.6, §11, Appendix F`).

use omadm_codec::dm2::{StatusCode, mo_data};
use omadm_codec::media_type::DMMO_JSON;
use omadm_mo::{ClientUri, Format, Operation};

use super::{Answer, Context, Data, Yield, read};
use crate::dm2::client::accept::Form;

pub(super) fn perform(context: &Context<'_>, client: &ClientUri) -> Answer {
    let found = match context.tree.authorise(context.actor, client, Operation::Get) {
        Ok(found) => found,
        Err(error) => return Answer::refused(&error),
    };
    if read::is_current(context.tree, &found, client) {
        return Answer::success(StatusCode::NOT_MODIFIED, Yield::Nothing);
    }
    let leaf = read::single_leaf(context.tree, &found, client);
    if leaf.is_some_and(|leaf| leaf.value().is_some_and(omadm_mo::Value::is_empty)) {
        return Answer::success(StatusCode::NO_CONTENT, Yield::Nothing);
    }
    // With an x-name the server could not tell from a bare value which node was read.
    let direct = leaf
        .filter(|leaf| !client.has_x_name() && is_opaque(leaf.format()))
        .and_then(read::direct)
        .filter(|data| context.accepts.form_for_server(Some(read::essence(data))) == Form::Direct);
    let data = direct.or_else(|| {
        let items = read::items(context.tree, context.actor, &found, client);
        (!items.is_empty()).then(|| {
            let mut body = Vec::new();
            mo_data::encode(&items, &mut body);
            Data { content_type: DMMO_JSON.into(), body: body.into() }
        })
    });
    match data {
        Some(data) => Answer::success(StatusCode::OK, Yield::Data(data)),
        None => Answer::failure(StatusCode::NOT_FOUND, format!("{client} matches nothing")),
    }
}

/// Formats whose JSON form says no more than the bare octets; a number or bool keeps its type only in MO data.
fn is_opaque(format: Format) -> bool {
    matches!(format, Format::Chr | Format::Xml | Format::Bin | Format::B64)
}
