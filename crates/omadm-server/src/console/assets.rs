//! Style, scripts and pictures, which are part of the program.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

/// A file that pages refer to.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    octets: &'static [u8],
}

const ASSETS: [Asset; 5] = [
    Asset {
        name: "console.css",
        media_type: "text/css; charset=utf-8",
        octets: include_bytes!("assets/console.css"),
    },
    Asset {
        name: "console.js",
        media_type: "text/javascript; charset=utf-8",
        octets: include_bytes!("assets/console.js"),
    },
    Asset {
        name: "htmx.min.js",
        media_type: "text/javascript; charset=utf-8",
        octets: include_bytes!("assets/htmx.min.js"),
    },
    Asset {
        name: "htmx-LICENSE",
        media_type: "text/plain; charset=utf-8",
        octets: include_bytes!("assets/htmx-LICENSE"),
    },
    Asset { name: "mark.svg", media_type: "image/svg+xml", octets: include_bytes!("assets/mark.svg") },
];

/// Tells the assets of this program from those of another version, so that browsers may keep them.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in &ASSETS {
        hash.update(asset.octets);
    }
    hash.finalize().iter().take(6).map(|octet| format!("{octet:02x}")).collect()
});

/// The address of an asset.
pub fn href(name: &str) -> String {
    format!("/assets/{name}?v={}", *VERSION)
}

/// Gives an asset.
pub async fn show(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.octets).into_response()
}
