//! Small HTTP answers.

use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::Full;

/// The body of every HTTP answer.
pub type ReplyBody = Full<Bytes>;

/// An answer that is never cached.
pub fn reply(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<ReplyBody> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// An answer with these headers, in this order; those whose name or value cannot stand on the wire are
/// left out, and of several with one name all stay.
pub fn with_headers(
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: impl Into<Bytes>,
) -> Response<ReplyBody> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().append(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// A line of text.
pub fn text(status: StatusCode, body: &'static str) -> Response<ReplyBody> {
    reply(status, "text/plain; charset=utf-8", body)
}

/// A JSON document.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<ReplyBody> {
    reply(status, "application/json", body)
}

/// Sets a header, unless its name or value cannot stand on the wire.
pub fn set(response: &mut Response<ReplyBody>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        response.headers_mut().insert(name, value);
    }
}
