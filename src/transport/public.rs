//! The public listener: protected resource metadata and health, for strangers.

use std::convert::Infallible;
use std::sync::Arc;

use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::watch;

use crate::authorizer::Authorizer;
use crate::source::dev_issuer::DevIssuer;
use crate::transport::admin;
use crate::transport::admin::Readiness;
use crate::transport::connection;
use crate::transport::dev_tokens;
use crate::transport::limits;
use crate::transport::listener;
use crate::transport::listener::Listener;
use crate::transport::reply;
use crate::transport::reply::ReplyBody;
use crate::transport::respond;

/// Serves until `stop` turns true, then lets what is under way end.
pub async fn serve(
    listener: Listener,
    authorizer: Arc<Authorizer>,
    dev_issuer: Option<Arc<DevIssuer>>,
    readiness: Readiness,
    stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let watching = &graceful;
    listener::accept(listener, stop, |stream, peer| {
        let authorizer = Arc::clone(&authorizer);
        let dev_issuer = dev_issuer.clone();
        let readiness = readiness.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let authorizer = Arc::clone(&authorizer);
            let dev_issuer = dev_issuer.clone();
            let readiness = readiness.clone();
            async move {
                Ok::<_, Infallible>(match (&dev_issuer, request.uri().path()) {
                    (Some(issuer), dev_tokens::PATH) => {
                        dev_tokens::answer(issuer, peer, request).await
                    }
                    (Some(_) | None, _) => answer(&authorizer, &readiness, &request),
                })
            }
        });
        connection::serve_http1(stream, service, watching.watcher())
    })
    .await;
    if tokio::time::timeout(limits::DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some public requests were cut off by the end of the drain");
    }
}

fn answer(
    authorizer: &Authorizer,
    readiness: &Readiness,
    request: &Request<Incoming>,
) -> Response<ReplyBody> {
    let path = request.uri().path();
    let document = authorizer.document(host(request), path);
    let methods = match &document {
        Some(_) => respond::DOCUMENT_METHODS,
        None => "GET, HEAD",
    };
    match (request.method(), document) {
        (&Method::GET | &Method::HEAD, Some(body)) => {
            reply::with_headers(StatusCode::OK, respond::document_headers(), body)
        }
        (&Method::OPTIONS, Some(_)) => {
            let headers = respond::document_preflight_headers();
            reply::with_headers(StatusCode::NO_CONTENT, headers, "")
        }
        (&Method::GET | &Method::HEAD, None) => {
            let none = || reply::text(StatusCode::NOT_FOUND, "no resource has its metadata here\n");
            admin::probe(readiness, path).unwrap_or_else(none)
        }
        (_, _) => {
            let mut response =
                reply::text(StatusCode::METHOD_NOT_ALLOWED, "this is only to be read\n");
            reply::set(&mut response, "allow", methods);
            response
        }
    }
}

/// The one host that the request names, or nothing: RFC 9112, section 3.2 has the target's win.
fn host(request: &Request<Incoming>) -> &str {
    if let Some(authority) = request.uri().authority() {
        return authority.as_str();
    }
    let mut hosts = request.headers().get_all(http::header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or(""),
        (Some(_) | None, _) => "",
    }
}
