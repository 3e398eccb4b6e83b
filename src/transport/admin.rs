//! The admin listener: probes, metrics, and what the program knows about itself.

pub mod explain;

use std::convert::Infallible;
use std::sync::Arc;

use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http::request::Parts;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::graceful::GracefulShutdown;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::telemetry::metrics::Metrics;
use crate::transport::admin::explain::Explainer;
use crate::transport::connection;
use crate::transport::limits;
use crate::transport::listener;
use crate::transport::listener::Listener;
use crate::transport::listener::Peer;
use crate::transport::reply;
use crate::transport::reply::ReplyBody;

/// Whether checks should be sent here; turns true once and false at the end.
pub type Readiness = watch::Receiver<bool>;

/// Writes a document.
pub type Status = Arc<dyn Fn() -> Vec<u8> + Send + Sync>;

/// What the listener shows.
#[derive(Clone)]
pub struct Admin {
    /// For the probes.
    pub readiness: Readiness,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Called before the metrics are written.
    pub before_scrape: Arc<dyn Fn() + Send + Sync>,
    /// For `/v1/status`.
    pub status: Status,
    /// For `/v1/policies`.
    pub policies: Status,
    /// For `/v1/explain`.
    pub explainer: Explainer,
    /// What readers of `/v1` must show; absent: they must be on this machine.
    pub token: Option<SecretString>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// Serves until `stop` turns true, then lets what is under way end.
pub async fn serve(listener: Listener, admin: Admin, stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let watching = &graceful;
    listener::accept(listener, stop, |stream, peer| {
        let admin = admin.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let admin = admin.clone();
            async move { Ok::<_, Infallible>(respond(&admin, peer, request).await) }
        });
        connection::serve_http1(stream, service, watching.watcher())
    })
    .await;
    if tokio::time::timeout(limits::DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some admin requests were cut off by the end of the drain");
    }
}

/// `/livez` and `/readyz`.
pub fn probe(readiness: &Readiness, path: &str) -> Option<Response<ReplyBody>> {
    match path {
        "/livez" => Some(reply::text(StatusCode::OK, "alive\n")),
        "/readyz" if *readiness.borrow() => Some(reply::text(StatusCode::OK, "ready\n")),
        "/readyz" => Some(reply::text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")),
        _ => None,
    }
}

async fn respond(admin: &Admin, peer: Peer, request: Request<Incoming>) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    if head.uri.path() != "/v1/explain" {
        return answer(admin, peer, &head);
    }
    if !may_read(admin, peer, &head) {
        return refused(admin);
    }
    admin.explainer.answer(&head, body).await
}

fn answer(admin: &Admin, peer: Peer, head: &Parts) -> Response<ReplyBody> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        reply::set(&mut response, "allow", "GET, HEAD");
        return response;
    }
    let path = head.uri.path();
    if let Some(response) = probe(&admin.readiness, path) {
        return response;
    }
    match path {
        "/metrics" => metrics(admin),
        "/v1/status" | "/v1/policies" if !may_read(admin, peer, head) => refused(admin),
        "/v1/status" => reply::json(StatusCode::OK, (admin.status)()),
        "/v1/policies" => reply::json(StatusCode::OK, (admin.policies)()),
        _ => reply::text(
            StatusCode::NOT_FOUND,
            "try /livez, /readyz, /metrics, /v1/status, /v1/policies or /v1/explain\n",
        ),
    }
}

fn metrics(admin: &Admin) -> Response<ReplyBody> {
    (admin.before_scrape)();
    match admin.metrics.text() {
        Ok(text) => reply::reply(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            text,
        ),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            reply::text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the metrics could not be written\n",
            )
        }
    }
}

/// With a token set, whoever shows it; without one, callers on this machine, and no web page that a
/// rebound name has led here: such a page's browser sends a `Host` that is not this machine. A page of
/// another origin says so itself (Fetch, section 3.2).
fn may_read(admin: &Admin, peer: Peer, head: &Parts) -> bool {
    let Some(token) = &admin.token else {
        return asks_here(peer, &head.headers) && is_of_no_other_origin(&head.headers);
    };
    let mut shown = head.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(shown), None) = (shown.next(), shown.next()) else {
        return false;
    };
    let Some((scheme, value)) = shown.as_bytes().split_at_checked("Bearer ".len()) else {
        return false;
    };
    let same: bool = value.ct_eq(token.expose_secret().as_bytes()).into();
    scheme.eq_ignore_ascii_case(b"Bearer ") && same
}

/// Whether the caller is on this machine, and means this machine.
pub(super) fn asks_here(peer: Peer, headers: &HeaderMap) -> bool {
    peer.is_loopback() && (peer == Peer::Local || names_loopback(headers))
}

/// Whether the request comes from no web page, or from one that was served here.
fn is_of_no_other_origin(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (origin, host) = match (origins.next(), origins.next(), headers.get(header::HOST)) {
        (None, _, _) => return true,
        (Some(origin), None, Some(host)) => (origin.as_bytes(), host.as_bytes()),
        (Some(_), _, _) => return false,
    };
    [&b"http://"[..], b"https://"].iter().any(|scheme| {
        let authority = origin.strip_prefix(*scheme);
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    })
}

fn names_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _port)) => address,
        None => host.split_once(':').map_or(host, |(name, _port)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn refused(admin: &Admin) -> Response<ReplyBody> {
    if admin.token.is_none() {
        return reply::text(
            StatusCode::FORBIDDEN,
            "only callers on this machine; set admin.token\n",
        );
    }
    let mut response = reply::text(StatusCode::UNAUTHORIZED, "show the admin token\n");
    reply::set(&mut response, "www-authenticate", "Bearer");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(token: Option<&str>) -> Admin {
        Admin {
            readiness: watch::channel(true).1,
            metrics: Arc::new(Metrics::new(&[])),
            before_scrape: Arc::new(|| ()),
            status: Arc::new(|| b"{}".to_vec()),
            policies: Arc::new(|| b"{}".to_vec()),
            explainer: Explainer::new(Arc::new(|_| Ok(String::new()))),
            token: token.map(|token| SecretString::from(token.to_owned())),
        }
    }

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/v1/status");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const HERE: Peer = Peer::Ip(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    const THERE: Peer = Peer::Ip(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    #[test]
    fn without_a_token_only_this_machine_reads_and_no_rebound_name() {
        let admin = admin(None);
        for (host, allowed) in [
            ("127.0.0.1:9193", true),
            ("localhost:9193", true),
            ("[::1]:9193", true),
            ("evil.example:9193", false),
            ("127.0.0.1.evil.example", false),
        ] {
            assert_eq!(
                may_read(&admin, HERE, &head(&[("host", host)])),
                allowed,
                "{host}"
            );
        }
        assert!(!may_read(&admin, THERE, &head(&[("host", "127.0.0.1")])));
        assert!(!may_read(&admin, HERE, &head(&[])));
        assert!(may_read(&admin, Peer::Local, &head(&[])));
        for (origin, allowed) in [
            ("http://localhost:9193", true),
            ("https://LOCALHOST:9193", true),
            ("http://localhost:8080", false),
            ("http://evil.example", false),
            ("null", false),
        ] {
            let headers = [("host", "localhost:9193"), ("origin", origin)];
            assert_eq!(may_read(&admin, HERE, &head(&headers)), allowed, "{origin}");
        }
    }

    #[test]
    fn with_a_token_only_the_token_reads() {
        let admin = admin(Some("s3cret"));
        for (values, allowed) in [
            (&["Bearer s3cret"][..], true),
            (&["bearer s3cret"], true),
            (&["Bearer s3cre"], false),
            (&["Bearer s3crets"], false),
            (&["Basic s3cret"], false),
            (&["Bearer s3cret", "Bearer s3cret"], false),
            (&[], false),
        ] {
            let headers: Vec<_> = values
                .iter()
                .map(|value| ("authorization", *value))
                .collect();
            assert_eq!(
                may_read(&admin, THERE, &head(&headers)),
                allowed,
                "{values:?}"
            );
        }
    }
}
