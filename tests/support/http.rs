//! A small blocking HTTP/1.1 client that sends exactly what a test says.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// No answer of a test takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request to a port on loopback. Nothing is added but `Host`, `Content-Length` and
/// `Connection: close`, and the first two only if the request does not name them itself.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// The headers in order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, without its chunks.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// `target` goes out as it is, undecoded and unchecked.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header line; one of the same name stays.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds `Authorization: Bearer`.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets the body.
    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sets a body of `application/x-www-form-urlencoded`, encoded here.
    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish())
    }

    /// Sends it, and reads the answer to its end.
    pub(crate) fn send(&self, port: u16) -> io::Result<Response> {
        exchange(port, &self.encode(port))
    }

    /// What goes out.
    pub(crate) fn encode(&self, port: u16) -> Vec<u8> {
        let has = |name: &str| {
            self.headers
                .iter()
                .any(|(header, _)| header.eq_ignore_ascii_case(name))
        };
        let mut wire = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if !has("host") {
            wire.extend(format!("host: 127.0.0.1:{port}\r\n").bytes());
        }
        if !has("content-length") && !has("transfer-encoding") && !self.body.is_empty() {
            wire.extend(format!("content-length: {}\r\n", self.body.len()).bytes());
        }
        for (name, value) in &self.headers {
            wire.extend(name.bytes().chain(*b": "));
            wire.extend(value.iter().chain(b"\r\n"));
        }
        wire.extend(b"connection: close\r\n\r\n");
        wire.extend(&self.body);
        wire
    }
}

impl Response {
    /// All values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter();
        lines
            .filter(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; what is not JSON fails the test.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} {}", self.status, self.text()))
    }
}

/// Sends raw bytes on a new connection and reads one answer; the bytes must ask for the connection
/// to be closed, or be bad enough that the server closes it.
pub(crate) fn exchange(port: u16, wire: &[u8]) -> io::Result<Response> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // A server that refuses early may close before it has read everything; its answer still counts.
    let written = stream.write_all(wire);
    read_response(&mut BufReader::new(stream)).map_err(|error| written.err().unwrap_or(error))
}

/// Reads one answer.
pub(crate) fn read_response(stream: &mut impl BufRead) -> io::Result<Response> {
    let line = read_line(stream)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| invalid(&format!("no status in `{line}`")))?;
    let mut response = Response {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        let header = (name.to_ascii_lowercase(), value.trim().to_owned());
        response.headers.push(header);
    }
    if response.header("transfer-encoding") == ["chunked"] {
        response.body = read_chunks(stream)?;
    } else if let [length] = *response.header("content-length") {
        let length = length.parse().map_err(|_| invalid("bad content-length"))?;
        stream.take(length).read_to_end(&mut response.body)?;
    } else if !matches!(status, 204 | 304) {
        stream.read_to_end(&mut response.body)?;
    }
    Ok(response)
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid("bad chunk size"))?;
        stream.by_ref().take(size).read_to_end(&mut body)?;
        read_line(stream)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
