//! Get (`DM 1.3 REPPRO §7.6.7`): of all that can be read one Results, with a Status before it.

use std::borrow::Cow;

use omadm_codec::dm1::{Item, Meta, Results};

use super::{Context, Done};
use crate::dm1::client::answer::{Answer, Answered};
use crate::dm1::client::content::size;
use crate::dm1::client::fault::Fault;
use crate::dm1::client::plan::Operate;
use crate::dm1::client::request::Request;

/// Most octets of data in the answers to one message of the server. A Get beyond it is answered 413, so that the server asks again
/// for less at a time.
const MAX_DATA: usize = 32 << 20;

pub(super) fn perform(context: &mut Context<'_>, operate: Operate) -> Done {
    let mut items = Vec::new();
    let mut answers = Vec::with_capacity(operate.items.len());
    for request in &operate.items {
        answers.push(match read(context, request) {
            Ok(read) => {
                items.extend(read);
                Answer::ok()
            }
            Err(fault) => fault.answer(request.target.as_deref()),
        });
    }
    let results = (!items.is_empty()).then(|| Results {
        id: Cow::Borrowed(""),
        msg_ref: Cow::Borrowed(""),
        cmd_ref: operate.command.id.clone().into(),
        meta: Meta::default(),
        target_ref: None,
        source_ref: None,
        items,
    });
    Done { results, ..Answered::items(operate.command, &operate.items, answers).into() }
}

fn read(context: &mut Context<'_>, request: &Request) -> Result<Vec<Item<'static>>, Fault> {
    let target = request.target(context.config, context.leniency)?;
    let read = context.tree.dm1_get(context.actor, &target)?;
    let items: Vec<_> = read.into_iter().map(|read| context.dialect.item(read)).collect();
    let mut octets = *context.octets;
    for data in items.iter().filter_map(|item| item.data.as_ref()) {
        let size = size(data);
        if size as u64 > context.max_object {
            return Err(Fault::TooLarge { limit: context.max_object });
        }
        octets = octets.saturating_add(size);
    }
    if octets > MAX_DATA {
        return Err(Fault::TooMuch { limit: MAX_DATA });
    }
    *context.octets = octets;
    Ok(items)
}
