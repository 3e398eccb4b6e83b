//! HTTP/2 by hand (RFC 9113): frames as a test says, in any order and number.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::time::Duration;

/// `END_STREAM` of DATA and HEADERS; `ACK` of SETTINGS and PING.
pub(crate) const END_STREAM: u8 = 0x1;
/// `END_HEADERS` of HEADERS and CONTINUATION.
pub(crate) const END_HEADERS: u8 = 0x4;

/// The kinds of frames that tests send (RFC 9113, section 6).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    Push,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    Unknown,
}

impl Kind {
    fn number(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Headers => 1,
            Self::Priority => 2,
            Self::Reset => 3,
            Self::Settings => 4,
            Self::Push => 5,
            Self::Ping => 6,
            Self::GoAway => 7,
            Self::WindowUpdate => 8,
            Self::Continuation => 9,
            Self::Unknown => 0x77,
        }
    }
}

/// One connection, after the preface and with an empty SETTINGS frame sent.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects, with the given settings.
    pub(crate) fn open(port: u16, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connects");
        stream.set_nodelay(true).expect("a socket");
        stream
            .set_write_timeout(Some(Duration::from_secs(2)))
            .expect("a socket");
        let mut connection = Self {
            stream,
            buffer: Vec::new(),
        };
        connection
            .buffer
            .extend(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        connection.frame(Kind::Settings, 0, 0, &payload);
        connection
    }

    /// Queues a frame.
    pub(crate) fn frame(&mut self, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
        self.buffer.extend(length.iter().skip(1));
        self.buffer.extend([kind.number(), flags]);
        self.buffer.extend(stream.to_be_bytes());
        self.buffer.extend(payload);
    }

    /// Queues the HEADERS of a check.
    pub(crate) fn check(&mut self, stream: u32, flags: u8) {
        self.frame(Kind::Headers, END_HEADERS | flags, stream, &check_headers());
    }

    /// Sends what is queued; whether the other side still takes it.
    pub(crate) fn flush(&mut self) -> bool {
        let sent = self.stream.write_all(&self.buffer).is_ok();
        self.buffer.clear();
        sent
    }

    /// Reads until the other side closes, or for at most `time`; whether it has closed.
    pub(crate) fn is_closed_within(&mut self, time: Duration) -> bool {
        let step = Duration::from_millis(100);
        self.stream.set_read_timeout(Some(step)).expect("a socket");
        let mut waited = Duration::ZERO;
        let mut sink = vec![0; 65_536];
        while waited < time {
            match self.stream.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if is_timeout(&error) => waited = waited.saturating_add(step),
                Err(_) => return true,
            }
        }
        false
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// A header block of literals without indexing (RFC 7541, section 6.2.2).
pub(crate) fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(&mut block, text.len());
            block.extend(text.bytes());
        }
    }
    block
}

/// A length with a prefix of seven bits (RFC 7541, section 5.1).
fn integer(block: &mut Vec<u8>, value: usize) {
    let byte = |value: usize| u8::try_from(value).expect("below 256");
    if value < 127 {
        return block.push(byte(value));
    }
    block.push(127);
    let mut rest = value.saturating_sub(127);
    while rest >= 128 {
        block.push(byte(rest & 127 | 128));
        rest >>= 7;
    }
    block.push(byte(rest));
}

/// The header block of a check.
pub(crate) fn check_headers() -> Vec<u8> {
    headers(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/envoy.service.auth.v3.Authorization/Check"),
        (":authority", "cedargate"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ])
}
