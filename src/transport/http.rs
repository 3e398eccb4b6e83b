//! The HTTP listener: checks for gateways that do not speak `ext_authz`, from trusted callers only.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use bytes::BytesMut;
use http::Request;
use http::Response;
use http::StatusCode;
use http::request::Parts;
use http_body_util::BodyExt;
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
use crate::source::dev_issuer::DevIssuer;
use crate::telemetry::metrics::Transport;
use crate::transport::budget::Budget;
use crate::transport::budget::Exhausted;
use crate::transport::budget::Share;
use crate::transport::connection;
use crate::transport::dev_tokens;
use crate::transport::limits;
use crate::transport::listener;
use crate::transport::listener::Listener;
use crate::transport::listener::Peer;
use crate::transport::reply;
use crate::transport::reply::ReplyBody;
use crate::transport::respond;

/// Header in which a caller shows the shared secret.
const SECRET: &str = "x-cedargate-secret";

/// What the listener answers with.
#[derive(Clone, Debug)]
pub struct Checks {
    /// Answers checks.
    pub authorizer: Arc<Authorizer>,
    /// Issues development tokens, where they are wanted.
    pub dev_issuer: Option<Arc<DevIssuer>>,
    /// What messages may hold together.
    pub budget: Budget,
}

/// Serves until `stop` turns true, then lets what is under way end.
pub async fn serve(listener: Listener, checks: Checks, stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let watching = &graceful;
    listener::accept(listener, stop, |stream, peer| {
        let checks = checks.clone();
        let service = service_fn(move |request| {
            let checks = checks.clone();
            async move { Ok::<_, Infallible>(answer(&checks, peer, request).await) }
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

async fn answer(checks: &Checks, peer: Peer, request: Request<Incoming>) -> Response<ReplyBody> {
    let authorizer = &checks.authorizer;
    let mut share = checks.budget.share();
    if let (Some(issuer), dev_tokens::PATH) = (&checks.dev_issuer, request.uri().path()) {
        return dev_tokens::answer(issuer, peer, request).await;
    }
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
    let asker = match peer {
        Peer::Ip(address) => Some(address),
        Peer::Local => None,
    };
    let most = authorizer.config().limits.body;
    let reading = read_body(body, most, &mut share);
    let read = match tokio::time::timeout(limits::BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => forwarded::read(head, body, asker, authorizer.read_options()),
        Ok(Err(error)) => Err(Box::new(Refused::from(error))),
        Err(_elapsed) => Err(Box::new(Refused::from(RequestError::Unreadable(
            "the body came too slowly",
        )))),
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

async fn read_body(
    mut body: Incoming,
    most: usize,
    share: &mut Share,
) -> Result<Bytes, RequestError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| RequestError::Unreadable("the body was cut off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = whole.len().saturating_add(data.len());
        if length > most {
            return Err(RequestError::Unreadable("the body is too large"));
        }
        share
            .hold(length)
            .map_err(|Exhausted| RequestError::Overload)?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
