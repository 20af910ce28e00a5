//! What a server says that has no time for a session now (`RFC 9110 §10.2.3`).

use std::time::Duration;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use omadm_mo::Time;

use crate::transport::HttpResponse;

/// No server can have a device wait for longer.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What an answer says of when to come again, if it is one that sends away.
pub(crate) fn said(response: &HttpResponse) -> Option<HeaderValue> {
    let sends_away = matches!(response.status.as_u16(), 429 | 503);
    response.headers.get(RETRY_AFTER).filter(|_| sends_away).cloned()
}

/// How long a server wants to be left alone that has said this, one day at most; `None` if it is not to be understood.
pub(crate) fn wait(said: &HeaderValue, now: Time) -> Option<Duration> {
    let text = said.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = httpdate::parse_http_date(text).ok()?;
            let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
            let now = u64::try_from(now.as_secs()).unwrap_or_default();
            since.saturating_sub(Duration::from_secs(now))
        }
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn seconds(status: u16, value: &str) -> Option<u64> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        let status = StatusCode::from_u16(status).unwrap();
        let said = said(&HttpResponse { status, headers, body: Vec::new().into() })?;
        // 1994-11-06 08:49:37
        wait(&said, Time::from_secs(784_111_777)).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood_up_to_a_day() {
        for (status, value, expected) in [
            (503, "0", Some(0)),
            (503, " 120 ", Some(120)),
            (429, "7", Some(7)),
            (503, "86400", Some(86_400)),
            (503, "86401", Some(86_400)),
            (503, "18446744073709551615", Some(86_400)),
            (503, "Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            (503, "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            (503, "soon", None),
            (503, "-1", None),
            (503, "", None),
            (200, "120", None),
            (500, "120", None),
        ] {
            assert_eq!(seconds(status, value), expected, "{status} {value:?}");
        }
    }
}
