//! The HTTP listener: checks for gateways that do not speak `ext_authz`, from trusted callers only.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http::request::Parts;
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::graceful::GracefulShutdown;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::authorizer::Authorizer;
use crate::request::forwarded;
use crate::request::incoming::Refused;
use crate::request::incoming::RequestError;
use crate::telemetry::metrics::Transport;
use crate::transport::connection;
use crate::transport::limits;
use crate::transport::listener;
use crate::transport::listener::Listener;
use crate::transport::listener::Peer;
use crate::transport::reply;
use crate::transport::reply::ReplyBody;
use crate::transport::respond;

/// Header in which a caller shows the shared secret.
const SECRET: &str = "x-cedargate-secret";

/// Serves until `stop` turns true, then lets what is under way end.
pub async fn serve(listener: Listener, authorizer: Arc<Authorizer>, stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let watching = &graceful;
    listener::accept(listener, stop, |stream, peer| {
        let authorizer = Arc::clone(&authorizer);
        let service = service_fn(move |request| {
            let authorizer = Arc::clone(&authorizer);
            async move { Ok::<_, Infallible>(answer(&authorizer, peer, request).await) }
        });
        connection::serve_http1(stream, service, watching.watcher())
    })
    .await;
    if tokio::time::timeout(limits::DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some HTTP checks were cut off by the end of the drain");
    }
}

async fn answer(
    authorizer: &Arc<Authorizer>,
    peer: Peer,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    if !is_trusted(authorizer, peer, &head) {
        return reply::text(StatusCode::FORBIDDEN, "this caller may not ask\n");
    }
    if head.uri.path() != "/check" {
        return reply::text(
            StatusCode::NOT_FOUND,
            "no dialect answers at this path; try /check\n",
        );
    }
    let traceparent = head
        .headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let arrival = authorizer.arrive(Transport::Http, None, traceparent);
    let read = match read_body(body, authorizer.config().limits.body).await {
        Ok(body) => forwarded::read(head, body, authorizer.read_options()),
        Err(what) => Err(Box::new(Refused::from(RequestError::Unreadable(what)))),
    };
    respond::http_response(authorizer.check(arrival, read).await)
}

/// A caller is trusted by its address, and by the shared secret where one is set.
fn is_trusted(authorizer: &Authorizer, peer: Peer, head: &Parts) -> bool {
    let listen = &authorizer.config().listen;
    let by_address = match peer {
        Peer::Ip(address) => listen
            .trusted_peers
            .iter()
            .any(|net| net.contains(&address)),
        Peer::Local => true,
    };
    let by_secret = listen.shared_secret.as_ref().is_none_or(|secret| {
        let mut shown = head.headers.get_all(SECRET).iter();
        let (Some(shown), None) = (shown.next(), shown.next()) else {
            return false;
        };
        shown
            .as_bytes()
            .ct_eq(secret.expose_secret().as_bytes())
            .into()
    });
    by_address && by_secret
}

async fn read_body(body: Incoming, most: usize) -> Result<Bytes, &'static str> {
    let limited = Limited::new(body, most);
    match tokio::time::timeout(limits::BODY_TIMEOUT, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err("the body is too large"),
        Ok(Err(_)) => Err("the body was cut off"),
        Err(_elapsed) => Err("the body came too slowly"),
    }
}
