//! Every limit of the servers, set by hand: a library's default is not a promise.

use std::time::Duration;

/// Connections served at once on one listener; further ones wait in the kernel's queue.
pub const CONNECTIONS: usize = 1_024;

/// HTTP/2 streams open at once on one connection (RFC 9113, section 5.1.2).
pub const STREAMS: u32 = 1_024;

/// Size of a decoded header list, in bytes (RFC 9113, section 6.5.2). A proxy's own headers are
/// small: the checked request travels in the message.
pub const HEADER_LIST: u32 = 16 * 1024;

/// Largest HTTP/2 frame accepted, in bytes; the smallest that RFC 9113, section 6.5.2, allows.
pub const FRAME: u32 = 16 * 1024;

/// Streams that a peer may open and reset before they are accepted ("rapid reset",
/// CVE-2023-44487).
pub const PENDING_RESETS: usize = 20;

/// Resets that a peer's own protocol errors may cause on a connection (RUSTSEC-2024-0003,
/// CVE-2025-8671).
pub const LOCAL_RESETS: usize = 64;

/// Bytes of answers that may wait for a peer that does not read, per stream.
pub const SEND_BUFFER: usize = 64 * 1024;

/// What a check message may hold beside the body: headers, path, certificate and metadata.
pub const MESSAGE_OVERHEAD: usize = 512 * 1024;

/// Largest message of the gRPC services beside the checks, in bytes: they ask by name.
pub const SMALL_MESSAGE: usize = 16 * 1024;

/// What messages that are being read or judged may hold together, in bytes, beside the start of
/// each.
pub const MESSAGES: usize = 64 * 1024 * 1024;

/// The start of a message that is not counted, in bytes: a usual check is smaller.
pub const FREE_START: usize = 16 * 1024;

/// How long a peer may take to send the head of an HTTP/1.1 request.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to send a whole request body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of an HTTP/1.1 request, in bytes.
pub const HTTP1_HEAD: usize = 64 * 1024;

/// Headers in an HTTP/1.1 request.
pub const HTTP1_HEADERS: usize = 128;

/// How often an idle HTTP/2 connection is probed, and how long the answer may take.
pub const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// How long requests that are under way may take to end after the listeners have closed.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How long to wait before accepting again when the process has run out of file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a peer may take no byte of what is sent to it.
pub const WRITE_STALL: Duration = Duration::from_secs(30);
