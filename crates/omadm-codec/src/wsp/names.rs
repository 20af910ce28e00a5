//! Numbers that stand for names in headers (`WAP-230, tables 38 to 42`).

/// Names of headers by their codes in the default code page. Where a name has several codes, the first is the one that every version of
/// the encoding has.
const HEADERS: [&str; 0x48] = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Accept-Ranges",
    "Age",
    "Allow",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Base",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Location",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Date",
    "ETag",
    "Expires",
    "From",
    "Host",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Location",
    "Last-Modified",
    "Max-Forwards",
    "Pragma",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Public",
    "Range",
    "Referer",
    "Retry-After",
    "Server",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "Vary",
    "Via",
    "Warning",
    "WWW-Authenticate",
    "Content-Disposition",
    "X-Wap-Application-Id",
    "X-Wap-Content-URI",
    "X-Wap-Initiator-URI",
    "Accept-Application",
    "Bearer-Indication",
    "Push-Flag",
    "Profile",
    "Profile-Diff",
    "Profile-Warning",
    "Expect",
    "TE",
    "Trailer",
    "Accept-Charset",
    "Accept-Encoding",
    "Cache-Control",
    "Content-Range",
    "X-Wap-Tod",
    "Content-ID",
    "Set-Cookie",
    "Cookie",
    "Encoding-Version",
    "Profile-Warning",
    "Content-Disposition",
    "X-WAP-Security",
    "Cache-Control",
];

/// Character sets by their MIBenum.
const CHARSETS: [(u32, &str); 4] = [(3, "us-ascii"), (4, "iso-8859-1"), (106, "utf-8"), (1015, "utf-16")];

/// Directives of `Cache-Control` that stand alone, by their codes.
const CACHE_CONTROL: [(u32, &str); 8] = [
    (0x00, "no-cache"),
    (0x01, "no-store"),
    (0x05, "only-if-cached"),
    (0x06, "public"),
    (0x07, "private"),
    (0x08, "no-transform"),
    (0x09, "must-revalidate"),
    (0x0a, "proxy-revalidate"),
];

/// Codings of a body by their codes.
const CODINGS: [(u32, &str); 3] = [(0, "gzip"), (1, "compress"), (2, "deflate")];

/// A table of names.
#[derive(Clone, Copy)]
pub(super) enum Names {
    Charsets,
    CacheControl,
    Codings,
}

impl Names {
    fn table(self) -> &'static [(u32, &'static str)] {
        match self {
            Self::Charsets => &CHARSETS,
            Self::CacheControl => &CACHE_CONTROL,
            Self::Codings => &CODINGS,
        }
    }

    /// The name of a code.
    pub(super) fn name(self, code: u32) -> Option<&'static str> {
        self.table().iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
    }

    /// The code of a name, in any letter case.
    pub(super) fn code(self, name: &str) -> Option<u32> {
        self.table().iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(code, _)| *code)
    }
}

/// The name of a header.
pub(super) fn header(code: u8) -> Option<&'static str> {
    HEADERS.get(usize::from(code)).copied()
}

/// The first code of a header, by its name in any letter case.
pub(super) fn header_code(name: &str) -> Option<u8> {
    let at = HEADERS.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    u8::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_register() {
        let known = [
            (0x00, "Accept"),
            (0x01, "Accept-Charset"),
            (0x07, "Authorization"),
            (0x08, "Cache-Control"),
            (0x0d, "Content-Length"),
            (0x11, "Content-Type"),
            (0x1c, "Location"),
            (0x20, "Proxy-Authenticate"),
            (0x29, "User-Agent"),
            (0x2d, "WWW-Authenticate"),
            (0x2f, "X-Wap-Application-Id"),
            (0x43, "Encoding-Version"),
        ];
        for (code, name) in known {
            assert_eq!((header(code), header_code(&name.to_lowercase())), (Some(name), Some(code)));
        }
        assert_eq!((header(0x3b), header(0x3d), header(0x47)), (header(0x01), header(0x08), header(0x08)));
        assert_eq!((header(0x48), header_code("x-syncml-hmac")), (None, None));
        assert_eq!(Names::Charsets.code("UTF-8"), Some(106));
        assert_eq!(Names::CacheControl.name(7), Some("private"));
    }
}
