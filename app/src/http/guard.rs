//! Who may ask: requests that a foreign web page could have made a browser send are refused (DNS rebinding, cross-site requests).

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// Lets a request pass, or answers it.
pub async fn guard(State(bound): State<SocketAddr>, request: Request, next: Next) -> Response {
    let mut response = match check(bound, request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The rules.
pub fn check(bound: SocketAddr, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    check_host(bound, uri, headers)?;
    check_origin(bound, headers)?;
    if method == Method::GET || method == Method::HEAD {
        return Ok(());
    }
    if is_signed_call(method, uri, headers)? {
        return Ok(());
    }
    check_content_type(method, uri, headers)
}

fn text<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::bad_request(format!("The header {name} is there twice.")));
    }
    let not_ascii = |_| Problem::bad_request(format!("The header {name} is not text."));
    first.map(HeaderValue::to_str).transpose().map_err(not_ascii)
}

fn check_host(bound: SocketAddr, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => text(headers, &HOST)?,
    };
    if host.is_some_and(|host| is_ours(bound, host).is_some()) {
        return Ok(());
    }
    let text = format!("The Host of a request must be {bound} or localhost.");
    Err(Problem::new(StatusCode::FORBIDDEN, text))
}

/// The port of a `host` or `host:port` that means this server; `None` where it means another.
fn is_ours(bound: SocketAddr, authority: &str) -> Option<Option<u16>> {
    let (host, port) = match authority.rsplit_once(':') {
        // A colon inside brackets belongs to an IPv6 address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let same_address = address.parse() == Ok(bound.ip());
    (same_address || host.eq_ignore_ascii_case("localhost")).then_some(port)
}

fn check_origin(bound: SocketAddr, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = text(headers, &ORIGIN)? else { return Ok(()) };
    let port = origin.strip_prefix("http://").and_then(|authority| is_ours(bound, authority));
    // A page of another port of this machine is another program's page.
    if port.is_some_and(|port| port.unwrap_or(80) == bound.port()) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "Requests from pages of another origin are refused."))
}

/// Where CloudWatch's SDKs call, besides `/`.
pub const CLOUDWATCH_PATH: &str = "/service/GraniteServiceVersion20100801/operation/";

/// What they send: of JSON, CloudWatch has version 1.0 and CloudWatch Logs 1.1.
const SIGNED: [&str; 4] = [
    "application/x-www-form-urlencoded",
    "application/x-amz-json-1.0",
    "application/x-amz-json-1.1",
    "application/cbor",
];

/// CloudWatch's SDKs send forms and CBOR, and sign them. No page can send `Authorization` of this kind without asking first (CORS preflight),
/// and that is never granted; nor can a form. The signature itself says nothing here: there is no secret that it could be checked with.
fn is_signed_call(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<bool, Problem> {
    let is_path = uri.path() == "/" || uri.path().starts_with(CLOUDWATCH_PATH);
    let is_signed = text(headers, &AUTHORIZATION)?.is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 "));
    let media_type = text(headers, &CONTENT_TYPE)?.map(|value| value.split(';').next().unwrap_or_default().trim());
    let is_known =
        media_type.is_none_or(|media_type| SIGNED.iter().any(|known| media_type.eq_ignore_ascii_case(known)));
    Ok(method == Method::POST && is_path && is_signed && is_known)
}

/// What scripts may be sent as, besides JSON.
pub const YAML: &str = "application/yaml";

/// Whether a Content-Type is that of YAML, whatever stands behind it.
pub fn is_yaml(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(YAML))
}

/// A form on a foreign page cannot send JSON or YAML without asking first (CORS preflight), and that is never granted.
fn check_content_type(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = text(headers, &CONTENT_TYPE)?.map(|value| value.split(';').next().unwrap_or_default().trim());
    match media_type {
        Some(media_type) if media_type.eq_ignore_ascii_case("application/json") => Ok(()),
        Some(media_type) if uri.path() == "/api/scripts" && is_yaml(media_type) => Ok(()),
        // A form cannot send DELETE at all, and here it carries no body.
        None if method == Method::DELETE => Ok(()),
        _ => Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Changes need Content-Type: application/json.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, headers: &[(&str, &str)]) -> u16 {
        status_at("127.0.0.1:11001", method, headers)
    }

    fn status_at(bound: &str, method: Method, headers: &[(&str, &str)]) -> u16 {
        status_of(bound, method, "/api/faults", headers)
    }

    fn status_of(bound: &str, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        match check(bound.parse().unwrap(), &method, &path.parse().unwrap(), &map) {
            Ok(()) => 200,
            Err(problem) => problem.into_response().status().as_u16(),
        }
    }

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("127.0.0.1:11001", 200),
            ("localhost:11001", 200),
            ("LOCALHOST", 200),
            ("127.0.0.1", 200),
            ("evil.example:11001", 403),
            ("localhost.evil.example", 403),
            ("127.0.0.1.evil.example", 403),
            ("127.0.0.2", 403),
            ("localhost:abc", 403),
            ("localhost:11001:1", 403),
            ("[::1]:11001", 403),
            ("", 403),
        ] {
            assert_eq!(status(Method::GET, &[("host", host)]), expected, "{host}");
        }
        assert_eq!(status(Method::GET, &[]), 403);
        assert_eq!(status(Method::GET, &[("host", "localhost"), ("host", "evil.example")]), 400);
        assert_eq!(status_at("[::1]:11001", Method::GET, &[("host", "[::1]:11001")]), 200);
        assert_eq!(status_at("[::1]:11001", Method::GET, &[("host", "[::1]")]), 200);
    }

    #[test]
    fn origins() {
        for (origin, expected) in [
            ("http://127.0.0.1:11001", 200),
            ("http://localhost:11001", 200),
            ("http://localhost:3000", 403),
            ("http://localhost", 403),
            ("https://localhost:11001", 403),
            ("http://evil.example", 403),
            ("null", 403),
        ] {
            assert_eq!(status(Method::GET, &[("host", "localhost:11001"), ("origin", origin)]), expected, "{origin}");
        }
    }

    #[test]
    fn cloudwatchs_clients_sign_what_they_send() {
        let (host, foreign) = (("host", "localhost:11001"), ("origin", "http://evil.example"));
        let signed = ("authorization", "AWS4-HMAC-SHA256 Credential=x/20261127/local/monitoring/aws4_request");
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let (cbor, json) = (("content-type", "application/cbor"), ("content-type", "application/x-amz-json-1.0"));
        let by_path = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
        for (method, path, headers, expected) in [
            (Method::POST, "/", &[host, signed, form][..], 200),
            (Method::POST, "/", &[host, signed, json], 200),
            (Method::POST, "/", &[host, signed, ("content-type", "application/x-amz-json-1.1")], 200),
            (Method::POST, by_path, &[host, signed, cbor], 200),
            (Method::POST, by_path, &[host, signed], 200),
            // What a page of another origin can send, and what it cannot.
            (Method::POST, "/", &[host, form], 415),
            (Method::POST, by_path, &[host, cbor], 415),
            (Method::POST, by_path, &[host], 415),
            (Method::POST, "/", &[host, signed, form, foreign], 403),
            (Method::POST, "/", &[("host", "evil.example"), signed, form], 403),
            (Method::POST, "/", &[host, ("authorization", "Basic eDp5"), form], 415),
            (Method::POST, "/", &[host, signed, ("content-type", "text/plain")], 415),
            // Signed or not, the rest of the API takes JSON only.
            (Method::POST, "/api/faults", &[host, signed, form], 415),
            (Method::PUT, "/", &[host, signed, form], 415),
            (Method::OPTIONS, "/", &[host, ("origin", "http://evil.example")], 403),
            (Method::OPTIONS, "/", &[host], 415),
        ] {
            assert_eq!(
                status_of("127.0.0.1:11001", method.clone(), path, headers),
                expected,
                "{method} {path} {headers:?}"
            );
        }
    }

    #[test]
    fn changes_need_json() {
        let host = ("host", "localhost:11001");
        for (method, content_type, expected) in [
            (Method::POST, Some("application/json"), 200),
            (Method::POST, Some("Application/JSON; charset=utf-8"), 200),
            (Method::POST, Some("text/plain"), 415),
            (Method::POST, Some("application/x-www-form-urlencoded"), 415),
            (Method::POST, None, 415),
            (Method::PUT, None, 415),
            (Method::DELETE, None, 200),
            (Method::DELETE, Some("text/plain"), 415),
        ] {
            let mut headers = vec![host];
            headers.extend(content_type.map(|value| ("content-type", value)));
            assert_eq!(status(method.clone(), &headers), expected, "{method} {content_type:?}");
        }
    }
}
