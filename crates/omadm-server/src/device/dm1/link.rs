//! Messages that local links bring (`DM 1.3 OBEX binding`).

use axum::body::Bytes;
use omadm_auth::dm1::Scheme;
use omadm_link::Object;
use omadm_session::dm1::server as engine;
use omadm_session::dm2::server::Refusal;

use super::{Head, exchange, refusal};
use crate::context::Context;
use crate::device::auth::{Caller, LinkCaller};

/// One message in, its reply out. A link has no paths, so it leads to the first endpoint.
///
/// # Errors
/// What HTTP would be answered.
pub async fn carried(context: &Context, caller: &LinkCaller, object: Object) -> Result<Object, Refusal> {
    let dm1 = &context.config.dm1;
    let endpoint = dm1.endpoints.first().filter(|_| dm1.enabled);
    let endpoint = endpoint.ok_or_else(|| refusal(404, "this server does not speak DM 1.x"))?;
    let head = Head {
        method: "POST".to_owned(),
        content_type: object.media_type,
        accept: None,
        content_encoding: None,
        hmac: object.hmac,
        user_agent: None,
    };
    let reply =
        exchange(context, caller.as_caller(), endpoint, &head, &Bytes::from_owner(object.body)).await?;
    Ok(Object { media_type: Some(reply.head.content_type), hmac: reply.head.hmac, body: reply.body.into() })
}

/// Checks that a message brings no password over a link where everyone on the way reads it, unless that is wanted.
///
/// # Errors
/// 403
pub(super) fn check_password(
    context: &Context,
    caller: &Caller,
    incoming: &engine::Incoming<'_>,
) -> Result<(), Refusal> {
    let credentials = incoming.message().header.credentials.as_ref();
    let scheme = credentials.and_then(|credentials| credentials.meta.media_type.as_deref());
    let shows = scheme.and_then(Scheme::of_type) == Some(Scheme::Basic);
    if shows && caller.bearer().is_link() && !context.config.dm1.obex.basic {
        let reason = "a password came over a link without encryption; dm1.obex.basic would take it";
        return Err(refusal(403, reason));
    }
    Ok(())
}
