//! What to ask for, and what an answer means: no I/O, no clock.

use std::time::Duration;

use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LOCATION, RANGE,
    RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use super::error::{Broken, DownloadError};
use super::{DownloadConfig, Wanted};
use crate::exchange::{AGENT, follow, parse};
use crate::peer::is_https;

/// Most redirects in a row.
const MAX_REDIRECTS: u32 = 5;
/// Longest address.
const MAX_URL: usize = 4_096;
/// Most characters of an address that a message shows.
const SHOWN: usize = 200;
/// Longest entity tag that is kept.
const MAX_TAG: usize = 512;
/// Longest pause that a server may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// What is on disk of a package, as far as the next request has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Octets from the beginning.
    pub(super) octets: u64,
    /// Strong entity tag of the representation that they are of.
    pub(super) tag: Option<String>,
    /// Its size.
    pub(super) total: Option<u64>,
}

/// What to do with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The body goes on where the file ends.
    Append {
        /// Size of the whole.
        total: Option<u64>,
    },
    /// The body is the whole from its beginning.
    Begin {
        /// Strong entity tag.
        tag: Option<String>,
        /// Size of the whole.
        total: Option<u64>,
    },
    /// All of it is on disk.
    Whole,
    /// What is on disk is of no use: ask again, from the beginning.
    Forget,
    /// Ask there.
    Follow(Uri),
    /// Ask later; as much later at least.
    Later(String, Duration),
}

/// Reads the address of a package.
pub(super) fn address(url: &str, config: &DownloadConfig) -> Result<Uri, DownloadError> {
    let bad = |reason: String| DownloadError::Url { url: url.chars().take(SHOWN).collect(), reason };
    if url.len() > MAX_URL {
        return Err(bad(format!("it has more than {MAX_URL} octets")));
    }
    let uri = parse(url).map_err(|error| bad(error.to_string()))?;
    if !is_https(&uri) && !config.plain_http {
        return Err(bad("http is not allowed here".to_owned()));
    }
    Ok(uri)
}

/// The headers of the next request.
pub(super) fn headers(kept: &Kept, wanted: &Wanted) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([
        (USER_AGENT, AGENT),
        // What is counted and hashed is the package, not a compressed form of it.
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ]);
    let tag = kept.tag.as_deref().and_then(|tag| HeaderValue::from_str(tag).ok());
    // Without a tag a digest tells in the end whether the parts belong together.
    let joins = kept.octets > 0 && (tag.is_some() || wanted.digest.is_some());
    if let Some(range) =
        joins.then(|| HeaderValue::from_str(&format!("bytes={}-", kept.octets)).ok()).flatten()
    {
        headers.insert(RANGE, range);
        tag.and_then(|tag| headers.insert(IF_RANGE, tag));
    }
    headers
}

/// What an answer from `uri` means, which was reached by so many redirects.
pub(super) fn understand(
    config: &DownloadConfig,
    wanted: &Wanted,
    kept: &Kept,
    (uri, redirects): (&Uri, u32),
    (status, headers): (StatusCode, &HeaderMap),
) -> Result<Step, Broken> {
    match status.as_u16() {
        200 => {
            plain(status, headers)?;
            let total = number(headers, &CONTENT_LENGTH);
            fits(config, wanted, total)?;
            let told = total.is_some() || headers.contains_key(TRANSFER_ENCODING);
            if !told && wanted.digest.is_none() && wanted.size.is_none() {
                let reason = "nothing says where the package ends";
                return Err(DownloadError::Answer { status: 200, reason }.into());
            }
            Ok(Step::Begin { tag: strong_tag(headers), total })
        }
        206 => partial(config, wanted, kept, headers),
        301 | 302 | 303 | 307 | 308 => next_address(uri, redirects, config, headers).map(Step::Follow),
        401 | 403 | 407 => Err(DownloadError::Unauthorized { status: status.as_u16() }.into()),
        404 | 410 => Err(DownloadError::Gone { status: status.as_u16() }.into()),
        416 if kept.octets > 0 => {
            let whole = content_range(headers).and_then(|range| range.total) == Some(kept.octets);
            Ok(if whole { Step::Whole } else { Step::Forget })
        }
        408 | 425 | 429 | 500..=599 => {
            let pause = number(headers, &RETRY_AFTER).map_or(Duration::ZERO, Duration::from_secs);
            Ok(Step::Later(format!("the server answered {status}"), pause.min(LONGEST_RETRY_AFTER)))
        }
        status => Err(DownloadError::Answer { status, reason: "a package comes with 200 or 206" }.into()),
    }
}

/// The pause after so many attempts that brought nothing; `random` is 0 to 1 and takes away up to half of it, so that devices which
/// failed together do not come back together.
pub(super) fn pause(config: &DownloadConfig, failures: u32, random: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let longest = config.pause.saturating_mul(doubled).min(config.longest_pause);
    longest.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
}

fn partial(
    config: &DownloadConfig,
    wanted: &Wanted,
    kept: &Kept,
    headers: &HeaderMap,
) -> Result<Step, Broken> {
    plain(StatusCode::PARTIAL_CONTENT, headers)?;
    let Some(range) = content_range(headers) else {
        let reason = "a part has to say in Content-Range which one it is";
        return Err(DownloadError::Answer { status: 206, reason }.into());
    };
    fits(config, wanted, range.total)?;
    let other = kept.total.is_some() && range.total.is_some() && kept.total != range.total;
    let another = kept.tag.is_some() && strong_tag(headers).is_some_and(|tag| Some(tag) != kept.tag);
    if range.first != Some(kept.octets) || other || another {
        return Ok(Step::Forget);
    }
    Ok(Step::Append { total: range.total })
}

/// Whether a package of this size may come.
fn fits(config: &DownloadConfig, wanted: &Wanted, total: Option<u64>) -> Result<(), DownloadError> {
    let Some(size) = total else { return Ok(()) };
    if size > config.max_size {
        return Err(DownloadError::TooLarge { size, limit: config.max_size });
    }
    match wanted.size {
        Some(wanted) if wanted != size => Err(DownloadError::Different {
            what: "size",
            found: size.to_string(),
            wanted: wanted.to_string(),
        }),
        _ => Ok(()),
    }
}

fn plain(status: StatusCode, headers: &HeaderMap) -> Result<(), DownloadError> {
    let encoded =
        headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding.as_bytes() != b"identity".as_slice());
    if encoded {
        let reason = "it is in an encoding that was not asked for";
        return Err(DownloadError::Answer { status: status.as_u16(), reason });
    }
    Ok(())
}

fn next_address(
    uri: &Uri,
    redirects: u32,
    config: &DownloadConfig,
    headers: &HeaderMap,
) -> Result<Uri, Broken> {
    let Some(location) = headers.get(LOCATION) else {
        let reason = "a redirect has to say where to";
        return Err(DownloadError::Answer { status: 302, reason }.into());
    };
    let refuse = |reason: String| {
        let location = String::from_utf8_lossy(location.as_bytes()).chars().take(SHOWN).collect();
        DownloadError::Redirect { location, reason }
    };
    let next = follow(uri, location, redirects.saturating_add(1), MAX_REDIRECTS)
        .map_err(|error| refuse(error.to_string()))?;
    if !is_https(&next) && !config.plain_http {
        return Err(refuse("it leads to http".to_owned()).into());
    }
    Ok(next)
}

/// `Content-Range` (`RFC 9110 §14.4`).
struct Range {
    first: Option<u64>,
    total: Option<u64>,
}

fn content_range(headers: &HeaderMap) -> Option<Range> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.trim().split_once('/')?;
    let first = match range {
        "*" => None,
        range => {
            let (first, last) = range.split_once('-')?;
            let (first, last) = (decimal(first)?, decimal(last)?);
            Some(first).filter(|first| *first <= last)
        }
    };
    let total = if total == "*" { None } else { Some(decimal(total)?) };
    Some(Range { first, total })
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    decimal(headers.get(name)?.to_str().ok()?)
}

/// Digits and nothing else: `parse` would take a sign.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The entity tag, if it vouches for every octet (`RFC 9110 §8.8.3`).
fn strong_tag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    let strong = tag.len() <= MAX_TAG && tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"');
    strong.then(|| tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "https://a.example/p";

    fn wanted() -> Wanted {
        Wanted { url: HERE.to_owned(), digest: None, size: None }
    }

    fn kept() -> Kept {
        Kept { octets: 10, tag: Some("\"1\"".to_owned()), total: Some(30) }
    }

    fn head(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn step(status: u16, pairs: &[(HeaderName, &str)]) -> Result<Step, String> {
        let config = DownloadConfig { max_size: 100, ..DownloadConfig::default() };
        let uri = Uri::from_static(HERE);
        let answer = (StatusCode::from_u16(status).unwrap(), &head(pairs));
        understand(&config, &wanted(), &kept(), (&uri, 0), answer).map_err(|broken| match broken {
            Broken::Final(error) => error.to_string(),
            Broken::Passing(reason) => reason,
        })
    }

    #[test]
    fn parts_that_belong_together_are_joined_and_others_begin_anew() {
        let range = |text: &'static str| [(CONTENT_RANGE, text)];
        assert_eq!(step(206, &range("bytes 10-29/30")), Ok(Step::Append { total: Some(30) }));
        assert_eq!(step(206, &range("bytes 10-29/*")), Ok(Step::Append { total: None }));
        for other in ["bytes 9-29/30", "bytes 10-30/31", "bytes */30", "bytes 20-10/30"] {
            assert_eq!(step(206, &range(other)), Ok(Step::Forget), "{other}");
        }
        let another = [(CONTENT_RANGE, "bytes 10-29/30"), (ETAG, "\"2\"")];
        assert_eq!(step(206, &another), Ok(Step::Forget));
        for faulty in ["", "bytes", "bytes 10-29", "octets 10-29/30", "bytes +10-29/30"] {
            assert!(step(206, &range(faulty)).is_err(), "{faulty}");
        }
        let whole = [(CONTENT_LENGTH, "30"), (ETAG, "\"3\"")];
        assert_eq!(step(200, &whole), Ok(Step::Begin { tag: Some("\"3\"".to_owned()), total: Some(30) }));
        let weak = [(ETAG, "W/\"3\""), (TRANSFER_ENCODING, "chunked")];
        assert_eq!(step(200, &weak), Ok(Step::Begin { tag: None, total: None }));
        assert!(step(200, &[]).is_err(), "it may have been cut off");
    }

    #[test]
    fn what_cannot_be_satisfied_may_be_all_there_is() {
        assert_eq!(step(416, &[(CONTENT_RANGE, "bytes */10")]), Ok(Step::Whole));
        assert_eq!(step(416, &[(CONTENT_RANGE, "bytes */11")]), Ok(Step::Forget));
        assert_eq!(step(416, &[]), Ok(Step::Forget));
    }

    #[test]
    fn sizes_are_looked_at_before_anything_is_written() {
        assert!(step(200, &[(CONTENT_LENGTH, "100")]).is_ok());
        assert!(step(200, &[(CONTENT_LENGTH, "101")]).unwrap_err().contains("more than the 100"));
        assert!(step(206, &[(CONTENT_RANGE, "bytes 10-99/101")]).is_err());
        let config = DownloadConfig::default();
        let wanted = Wanted { size: Some(31), ..wanted() };
        let answer = (StatusCode::OK, &head(&[(CONTENT_LENGTH, "30")]));
        let uri = Uri::from_static(HERE);
        assert!(understand(&config, &wanted, &kept(), (&uri, 0), answer).is_err());
    }

    #[test]
    fn refusals_are_final_and_trouble_passes() {
        for status in [204, 302, 400, 401, 403, 404, 410, 418] {
            assert!(step(status, &[]).is_err(), "{status}");
        }
        for status in [408, 429, 500, 503] {
            let later = step(status, &[(RETRY_AFTER, "7")]);
            assert!(matches!(later, Ok(Step::Later(_, pause)) if pause.as_secs() == 7), "{status}");
        }
        let later = step(503, &[(RETRY_AFTER, "99999999")]);
        assert!(matches!(later, Ok(Step::Later(_, LONGEST_RETRY_AFTER))));
        assert!(step(200, &[(CONTENT_ENCODING, "gzip")]).is_err());
    }

    #[test]
    fn redirects_are_bounded_and_do_not_leave_https() {
        let config = DownloadConfig { plain_http: true, ..DownloadConfig::default() };
        let to = |from: &'static str, count, location| {
            let answer = (StatusCode::FOUND, &head(&[(LOCATION, location)]));
            let from = Uri::from_static(from);
            understand(&config, &wanted(), &kept(), (&from, count), answer).ok()
        };
        let follow = |uri| Some(Step::Follow(Uri::from_static(uri)));
        assert_eq!(to(HERE, 0, "https://b.example/q"), follow("https://b.example/q"));
        assert_eq!(to(HERE, 4, "/q?x=1"), follow("https://a.example/q?x=1"));
        assert_eq!(to(HERE, 5, "/q"), None);
        assert_eq!(to(HERE, 0, "http://a.example/q"), None);
        assert_eq!(to("http://a.example/p", 0, "http://b.example/q"), follow("http://b.example/q"));
        assert_eq!(to(HERE, 0, "ftp://b.example/q"), None);
    }

    #[test]
    fn addresses_have_a_scheme_that_is_allowed_and_no_credentials() {
        let (strict, lax) =
            (DownloadConfig::default(), DownloadConfig { plain_http: true, ..DownloadConfig::default() });
        assert!(address(HERE, &strict).is_ok());
        assert!(
            address("http://a.example/p", &strict).is_err() && address("http://a.example/p", &lax).is_ok()
        );
        for url in ["", "/p", "a.example/p", "file:///etc/passwd", "https:///p", "https://u:p@a.example/"] {
            assert!(address(url, &lax).is_err(), "{url}");
        }
        let long = format!("https://a.example/{}", "x".repeat(MAX_URL));
        assert!(address(&long, &lax).is_err());
    }

    #[test]
    fn only_what_can_be_joined_is_asked_for_in_parts() {
        let range = |kept: &Kept, wanted: &Wanted| {
            let headers = headers(kept, wanted);
            (headers.contains_key(RANGE), headers.contains_key(IF_RANGE))
        };
        let hashed = Wanted { digest: Some([0; 32]), ..wanted() };
        let untagged = Kept { tag: None, ..kept() };
        assert_eq!(range(&kept(), &wanted()), (true, true));
        assert_eq!(range(&untagged, &hashed), (true, false));
        assert_eq!(range(&untagged, &wanted()), (false, false));
        assert_eq!(range(&Kept { octets: 0, ..kept() }, &hashed), (false, false));
        assert_eq!(headers(&kept(), &wanted()).get(RANGE).unwrap(), "bytes=10-");
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_spread() {
        let config = DownloadConfig::default();
        let seconds = [1, 2, 3, 8, 9, u32::MAX].map(|failures| pause(&config, failures, 0.0).as_secs());
        assert_eq!(seconds, [2, 4, 8, 256, 300, 300]);
        assert_eq!(pause(&config, 1, 1.0), Duration::from_secs(1));
        assert_eq!(pause(&config, 1, 7.0), Duration::from_secs(1));
    }
}
