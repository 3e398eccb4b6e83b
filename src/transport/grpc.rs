//! The gRPC listener: `ext_authz`, health and reflection.
//!
//! `Check` is read and answered here rather than by the generated server, because that one answers
//! what it cannot decode with an RPC error, which a proxy with `failure_mode_allow` reads as a pass.

mod frame;

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use hyper::body::Incoming;
use hyper_util::server::graceful::GracefulShutdown;
use thiserror::Error;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

use crate::authorizer::Authorizer;
use crate::proto::DESCRIPTORS;
use crate::request::envoy;
use crate::request::incoming::Incoming as Read;
use crate::request::incoming::ReadOptions;
use crate::request::incoming::Refused;
use crate::request::incoming::RequestError;
use crate::telemetry::metrics::Transport;
use crate::transport::budget::Budget;
use crate::transport::connection;
use crate::transport::grpc::frame::FrameError;
use crate::transport::limits;
use crate::transport::listener;
use crate::transport::listener::Listener;
use crate::transport::respond;

/// The full name of the `ext_authz` service, which is also its health name.
pub const SERVICE: &str = "envoy.service.auth.v3.Authorization";

const CHECK_PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The gRPC services could not be put together.
#[derive(Debug, Error)]
#[error("the reflection service cannot read the compiled descriptors")]
pub struct GrpcError(#[from] tonic_reflection::server::Error);

/// Everything that the listener serves.
#[derive(Clone)]
pub struct GrpcService {
    authorizer: Arc<Authorizer>,
    budget: Budget,
    rest: Routes,
}

impl std::fmt::Debug for GrpcService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcService").finish_non_exhaustive()
    }
}

impl GrpcService {
    /// Serves `authorizer`, the health service `health`, and reflection; messages come out of
    /// `budget`.
    pub fn new<H>(authorizer: Arc<Authorizer>, budget: Budget, health: H) -> Result<Self, GrpcError>
    where
        H: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + tonic::server::NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        H::Future: Send,
    {
        let described = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let rest = Routes::new(health)
            .add_service(
                described()
                    .build_v1()?
                    .max_decoding_message_size(limits::SMALL_MESSAGE),
            )
            .add_service(
                described()
                    .build_v1alpha()?
                    .max_decoding_message_size(limits::SMALL_MESSAGE),
            )
            .prepare();
        Ok(Self {
            authorizer,
            budget,
            rest,
        })
    }

    async fn answer(mut self, request: Request<Incoming>) -> Response<Body> {
        if request.uri().path() == CHECK_PATH {
            return check(&self.authorizer, &self.budget, request).await;
        }
        match tokio::time::timeout(limits::BODY_TIMEOUT, self.rest.call(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_elapsed) => frame::status_only(frame::DEADLINE_EXCEEDED),
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for GrpcService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AnswerFuture;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        AnswerFuture(Box::pin(service.answer(request)))
    }
}

/// The answer to one call.
pub struct AnswerFuture(Pin<Box<dyn Future<Output = Response<Body>> + Send>>);

impl std::fmt::Debug for AnswerFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerFuture").finish_non_exhaustive()
    }
}

impl Future for AnswerFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context).map(Ok)
    }
}

/// Serves until `stop` turns true, then lets what is under way end.
pub async fn serve(listener: Listener, service: GrpcService, stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let watching = &graceful;
    listener::accept(listener, stop, |stream, _peer| {
        connection::serve_http2(stream, service.clone(), watching.watcher())
    })
    .await;
    if tokio::time::timeout(limits::DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some gRPC calls were cut off by the end of the drain");
    }
}

async fn check(
    authorizer: &Arc<Authorizer>,
    budget: &Budget,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    if head.method != Method::POST || !frame::is_grpc(&head.headers) {
        return frame::unsupported_media_type();
    }
    let traceparent = head
        .headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let arrival = authorizer.arrive(Transport::Grpc, grpc_timeout(&head.headers), traceparent);
    let most = authorizer
        .config()
        .limits
        .body
        .saturating_add(limits::MESSAGE_OVERHEAD);
    // Held until the answer is there: so long does the message take room.
    let mut share = budget.share();
    let reading = frame::read(body, most, &mut share);
    let message = tokio::time::timeout(limits::BODY_TIMEOUT, reading).await;
    let read = match message {
        Ok(Ok(bytes)) => decode(bytes, authorizer.read_options()),
        Ok(Err(FrameError::Exhausted)) => Err(Box::new(Refused::from(RequestError::Overload))),
        Ok(Err(error)) => Err(unreadable(error.text())),
        Err(_elapsed) => Err(unreadable("the check message came too slowly")),
    };
    let outcome = authorizer.check(arrival, read).await;
    drop(share);
    frame::unary(|out| respond::check_response(outcome, out))
}

/// Reads the message; a panic on the way is a message that cannot be read.
fn decode(bytes: Bytes, options: &ReadOptions) -> Result<Read, Box<Refused>> {
    catch_unwind(AssertUnwindSafe(|| envoy::decode(bytes, options)))
        .unwrap_or_else(|_panic| Err(unreadable("the check message cannot be read")))
}

fn unreadable(what: &'static str) -> Box<Refused> {
    Box::new(Refused::from(RequestError::Unreadable(what)))
}

/// The caller's deadline: `grpc-timeout` (gRPC over HTTP/2, "Requests"), at most eight digits and a
/// unit. One that cannot be read is no time at all.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?;
    let parse = || {
        let text = value.to_str().ok()?;
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number: u64 = digits.parse().ok()?;
        match unit {
            "H" => number.checked_mul(3600).map(Duration::from_secs),
            "M" => number.checked_mul(60).map(Duration::from_secs),
            "S" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_millis(number)),
            "u" => Some(Duration::from_micros(number)),
            "n" => Some(Duration::from_nanos(number)),
            _ => None,
        }
    };
    Some(parse().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_that_cannot_be_read_is_no_time_at_all() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            grpc_timeout(&headers)
        };
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("1S"), Some(Duration::from_secs(1)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        for bad in ["", "m", "1", "1x", "-1m", "999999999m", "1 m"] {
            assert_eq!(read(bad), Some(Duration::ZERO), "{bad:?}");
        }
        assert_eq!(grpc_timeout(&HeaderMap::new()), None);
    }
}
