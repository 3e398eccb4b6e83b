//! One connection: the HTTP/1.1 or HTTP/2 machine with its limits, drained on request.

use std::convert::Infallible;
use std::error::Error;

use http::Request;
use http::Response;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::server::conn::http2;
use hyper::service::HttpService;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::Watcher;

use crate::transport::limits;
use crate::transport::stream::Stream;

/// Serves HTTP/2 with prior knowledge, as gRPC clients speak it, until the peer leaves or a drain
/// is asked for.
pub async fn serve_http2<S, B>(stream: Stream, service: S, drain: Watcher)
where
    S: HttpService<Incoming, ResBody = B, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (interval, timeout) = limits::KEEP_ALIVE;
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // gRPC knows no dates.
        .auto_date_header(false)
        .max_concurrent_streams(limits::STREAMS)
        .max_header_list_size(limits::HEADER_LIST)
        .max_frame_size(limits::FRAME)
        .max_pending_accept_reset_streams(limits::PENDING_RESETS)
        .max_local_error_reset_streams(limits::LOCAL_RESETS)
        .max_send_buf_size(limits::SEND_BUFFER)
        .keep_alive_interval(interval)
        .keep_alive_timeout(timeout)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = drain.watch(connection).await {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// Serves HTTP/1.1 (and 1.0), without upgrades.
pub async fn serve_http1<S, B>(stream: Stream, service: S, drain: Watcher)
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_TIMEOUT)
        .max_buf_size(limits::HTTP1_HEAD)
        .max_headers(limits::HTTP1_HEADERS)
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = drain.watch(connection).await {
        tracing::debug!(%error, "a connection ended with an error");
    }
}
