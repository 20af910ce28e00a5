//! Under which names requests may come. A browser on this machine can be led here by any page, under the name of that page's choice
//! (DNS rebinding): so the name has to be known, and a page may only talk to the host that it comes from.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};

use super::problem::Problem;
use crate::context::Context;

/// Refuses requests under other names, and those of pages of other hosts.
pub async fn check(
    State(context): State<Arc<Context>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let authority = authority(request.uri(), request.headers());
    let known = authority.as_ref().filter(|it| context.config.operator.allows_host(it.host()));
    let Some(known) = known else {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server is not known by the name in Host; operator.allowed_hosts lists names it may have",
        ));
    };
    if !comes_from(known, request.headers()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a page of another host may not use this server"));
    }
    Ok(next.run(request).await)
}

/// Under which host and port a request comes: in HTTP/2 and absolute forms as part of its target.
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    if let Some(authority) = uri.authority() {
        return Some(authority.clone());
    }
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    host.to_str().ok()?.parse().ok()
}

/// Whether a request comes from a page of the same host and port, or from no page.
fn comes_from(authority: &Authority, headers: &HeaderMap) -> bool {
    headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
        let scheme = origin.as_ref().and_then(Uri::scheme_str).unwrap_or_default();
        let port =
            |authority: &Authority| authority.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        origin.as_ref().and_then(Uri::authority).is_some_and(|origin| {
            origin.host().eq_ignore_ascii_case(authority.host()) && port(origin) == port(authority)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &str) -> HeaderMap {
        HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap())])
    }

    #[test]
    fn a_page_is_of_the_same_host_and_port() {
        let own: Authority = "dm.example:8080".parse().unwrap();
        assert!(comes_from(&own, &HeaderMap::new()));
        assert!(comes_from(&own, &headers("http://dm.example:8080")));
        for other in
            ["null", "http://dm.example", "http://evil.example:8080", "http://dm.example:8081", "x y"]
        {
            assert!(!comes_from(&own, &headers(other)), "{other}");
        }
        let behind_a_proxy: Authority = "dm.example".parse().unwrap();
        assert!(comes_from(&behind_a_proxy, &headers("https://dm.example")));
        assert!(!comes_from(&behind_a_proxy, &headers("https://dm.example:444")));
        let mut two = headers("https://dm.example");
        two.append(ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!comes_from(&behind_a_proxy, &two));
    }

    #[test]
    fn a_request_has_one_host() {
        let host = |hosts: &[&str], uri: &str| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, host.parse().unwrap());
            }
            authority(&uri.parse().unwrap(), &headers).map(|it| it.host().to_owned())
        };
        assert_eq!(host(&["a:1"], "/x").as_deref(), Some("a"));
        assert_eq!(host(&["a"], "http://b/x").as_deref(), Some("b"));
        assert_eq!(host(&["[::1]:8080"], "/").as_deref(), Some("[::1]"));
        assert_eq!(host(&["a", "b"], "/"), None);
        assert_eq!(host(&[], "/"), None);
    }
}
