//! Reading of `Content-Type` on both sides.

use omadm_codec::MediaType;

/// Reads a `Content-Type`; `Err` says in a sentence what is wrong with it.
pub(super) fn media_type(text: &str) -> Result<MediaType, String> {
    MediaType::parse(text).map_err(|error| format!("Content-Type {text:?}: {error}"))
}
