//! One unary gRPC call on HTTP/2: a length-prefixed message each way (gRPC over HTTP/2).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper::body::Incoming;
use tonic::body::Body;

use crate::transport::budget::Exhausted;
use crate::transport::budget::Share;

/// `grpc-status` of a call that took too long.
pub(super) const DEADLINE_EXCEEDED: &str = "4";

const PREFIX: usize = 5;

/// What an answer usually takes, in bytes.
const USUAL: usize = 1_024;

/// Most bytes of an answer in one frame. h2 gathers frames below one kibibyte, those of other answers
/// too, and writes them at once; each longer one costs system calls of its own.
const PIECE: usize = 1_000;

/// Why a message could not be taken off the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    Broken,
    TooLarge,
    Compressed,
    Length,
    Exhausted,
}

impl FrameError {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Broken => "the check message was cut off",
            Self::TooLarge => "the check message is too large",
            Self::Compressed => "the check message is compressed",
            Self::Length => "the check message is not one length-prefixed message",
            Self::Exhausted => "too many large messages at once",
        }
    }
}

/// Whether the content type is gRPC with protobuf messages.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        value == "application/grpc"
            || value.starts_with("application/grpc+proto")
            || value.starts_with("application/grpc;")
    })
}

/// Reads the one message of a unary call, of at most `most` bytes.
pub(super) async fn read(
    mut body: Incoming,
    most: usize,
    share: &mut Share,
) -> Result<Bytes, FrameError> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| FrameError::Broken)?.into_data() else {
            continue;
        };
        let so_far = first
            .as_ref()
            .map_or(0, Bytes::len)
            .saturating_add(rest.len());
        if so_far.saturating_add(data.len()) > most.saturating_add(PREFIX) {
            return Err(FrameError::TooLarge);
        }
        share
            .hold(so_far.saturating_add(data.len()))
            .map_err(|Exhausted| FrameError::Exhausted)?;
        match &first {
            None => first = Some(data),
            Some(_) => rest.put(data),
        }
    }
    let first = first.unwrap_or_default();
    let whole = if rest.is_empty() {
        first
    } else {
        let mut whole = BytesMut::with_capacity(first.len().saturating_add(rest.len()));
        whole.put(first);
        whole.put(rest);
        whole.freeze()
    };
    message(whole)
}

fn message(mut whole: Bytes) -> Result<Bytes, FrameError> {
    if whole.len() < PREFIX {
        return Err(FrameError::Length);
    }
    let compressed = whole.get_u8();
    let length = usize::try_from(whole.get_u32()).map_err(|_| FrameError::TooLarge)?;
    match compressed {
        0 if length == whole.len() => Ok(whole),
        0 => Err(FrameError::Length),
        _ => Err(FrameError::Compressed),
    }
}

/// The answer that carries the message that `write` writes, with `grpc-status: 0` in its trailers.
pub(super) fn unary(write: impl FnOnce(&mut Vec<u8>)) -> Response<Body> {
    // A `Vec`, because messages are written in many small pieces, which it takes faster than
    // `BytesMut` does.
    let mut data = Vec::with_capacity(USUAL);
    data.extend([0; PREFIX]);
    write(&mut data);
    let length = data.len().saturating_sub(PREFIX);
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    for (to, from) in data.iter_mut().skip(1).zip(length) {
        *to = from;
    }
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = UnaryBody {
        data: Bytes::from(data),
        trailers: Some(trailers),
    };
    let mut response = Response::new(Body::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// An answer without a message ("Trailers-Only").
pub(super) fn status_only(status: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(status));
    response
}

/// What a caller that does not speak gRPC is told.
pub(super) fn unsupported_media_type() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

struct UnaryBody {
    data: Bytes,
    trailers: Option<HeaderMap>,
}

impl hyper::body::Body for UnaryBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = if self.data.is_empty() {
            self.trailers.take().map(Frame::trailers)
        } else {
            let length = self.data.len().min(PIECE);
            Some(Frame::data(self.data.split_to(length)))
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_uncompressed_message_is_read() {
        let read = |bytes: &'static [u8]| message(Bytes::from_static(bytes));
        assert_eq!(read(b"\0\0\0\0\x02ab"), Ok(Bytes::from_static(b"ab")));
        assert_eq!(read(b"\0\0\0\0\0"), Ok(Bytes::new()));
        assert_eq!(read(b""), Err(FrameError::Length));
        assert_eq!(read(b"\0\0\0\0"), Err(FrameError::Length));
        assert_eq!(read(b"\0\0\0\0\x03ab"), Err(FrameError::Length));
        assert_eq!(read(b"\0\0\0\0\x01ab"), Err(FrameError::Length));
        assert_eq!(read(b"\0\xff\xff\xff\xffab"), Err(FrameError::Length));
        assert_eq!(read(b"\x01\0\0\0\x02ab"), Err(FrameError::Compressed));
    }

    #[test]
    fn a_long_answer_is_sent_in_pieces_and_whole() {
        for length in [0, 1, PIECE - PREFIX - 3, PIECE, 4 * PIECE] {
            let sent = "a".repeat(length);
            let mut body = UnaryBody {
                data: Bytes::from(sent.clone()),
                trailers: Some(HeaderMap::new()),
            };
            let mut context = Context::from_waker(std::task::Waker::noop());
            let mut got = Vec::new();
            let mut ended = false;
            while let Poll::Ready(Some(Ok(frame))) =
                hyper::body::Body::poll_frame(Pin::new(&mut body), &mut context)
            {
                assert!(!ended, "the trailers come last");
                match frame.into_data() {
                    Ok(data) => {
                        assert!((1..=PIECE).contains(&data.len()));
                        got.extend(data);
                    }
                    Err(_trailers) => ended = true,
                }
            }
            assert!(ended && got == sent.as_bytes());
        }
    }
}
