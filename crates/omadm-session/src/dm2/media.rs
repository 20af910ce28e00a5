//! Reading of `Content-Type` on both sides.

use omadm_codec::{Leniency, MediaType, Tolerance};

/// Reads a `Content-Type`; `Err` says in a sentence what is wrong with it.
pub(super) fn media_type(text: &str, leniency: &mut Leniency) -> Result<MediaType, String> {
    let media = MediaType::parse(text).map_err(|error| format!("Content-Type {text:?}: {error}"))?;
    let written = text.split(';').next().unwrap_or_default().trim();
    if written != media.essence && !leniency.allow(Tolerance::MediaTypeCase) {
        return Err(format!("Content-Type {written:?} is not spelt as registered, {:?}", media.essence));
    }
    Ok(media)
}
