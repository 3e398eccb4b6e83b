//! `POST /v1/explain`: what would be decided about a request that is described, and why.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http::request::Parts;
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::transport::limits;
use crate::transport::reply;
use crate::transport::reply::ReplyBody;

/// Largest description, in bytes.
const LARGEST: usize = 64 * 1024;

/// Most explanations at once: each takes a processor, and checks come first.
const AT_ONCE: usize = 2;

/// How long an explanation may take; it is bounded in steps as well.
const LONGEST: Duration = Duration::from_secs(5);

/// Explains a description, or says everything that is wrong with it.
pub type Explain = dyn Fn(&[u8]) -> Result<String, Vec<String>> + Send + Sync;

/// Explains, a few at once.
#[derive(Clone)]
pub struct Explainer {
    explain: Arc<Explain>,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explainer").finish_non_exhaustive()
    }
}

impl Explainer {
    /// `explain` is called on a thread that may block.
    pub fn new(explain: Arc<Explain>) -> Self {
        Self {
            explain,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Answers a caller who may ask.
    pub(super) async fn answer(&self, head: &Parts, body: Incoming) -> Response<ReplyBody> {
        if head.method != Method::POST {
            let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
            reply::set(&mut response, "allow", "POST");
            return response;
        }
        // A web page cannot send this type to another origin without asking first.
        if !is_json(head) {
            return reply::text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send application/json\n",
            );
        }
        match read(body).await {
            Ok(body) => self.explain(body).await,
            Err(refusal) => *refusal,
        }
    }

    async fn explain(&self, body: Bytes) -> Response<ReplyBody> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return busy("too many explanations at once\n");
        };
        let explain = Arc::clone(&self.explain);
        let work = tokio::task::spawn_blocking(move || {
            let explained = explain(&body);
            // Kept until the work is done, whether anybody still waits for it or not.
            drop(place);
            explained
        });
        match tokio::time::timeout(LONGEST, work).await {
            Ok(Ok(Ok(document))) => reply::json(StatusCode::OK, document),
            Ok(Ok(Err(faults))) => refused(&faults),
            Ok(Err(error)) => {
                tracing::error!(%error, "an explanation panicked");
                reply::text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "it could not be explained\n",
                )
            }
            Err(_elapsed) => busy("it took too long\n"),
        }
    }
}

async fn read(body: Incoming) -> Result<Bytes, Box<Response<ReplyBody>>> {
    let reading = Limited::new(body, LARGEST).collect();
    match tokio::time::timeout(limits::BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Box::new(reply::text(
            StatusCode::PAYLOAD_TOO_LARGE,
            "at most 65536 bytes\n",
        ))),
        Ok(Err(_)) => Err(Box::new(refused(&["the body was cut off".to_owned()]))),
        Err(_elapsed) => Err(Box::new(reply::text(
            StatusCode::REQUEST_TIMEOUT,
            "the body came too slowly\n",
        ))),
    }
}

fn is_json(head: &Parts) -> bool {
    let mut types = head.headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next();
    essence.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"))
}

fn refused(faults: &[String]) -> Response<ReplyBody> {
    let body = json!({"error": "invalid_request", "faults": faults});
    reply::json(StatusCode::BAD_REQUEST, body.to_string())
}

fn busy(text: &'static str) -> Response<ReplyBody> {
    let mut response = reply::text(StatusCode::SERVICE_UNAVAILABLE, text);
    reply::set(&mut response, "retry-after", "1");
    response
}
