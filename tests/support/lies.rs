//! Wrong answers of an HTTP server: each holds a document that would be believed, or nearly one, in a
//! form that must not be.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

/// A wrong answer.
pub(crate) struct Lie {
    /// What is wrong.
    pub(crate) what: String,
    /// The word that a fetch which meets it is counted under.
    pub(crate) outcome: &'static str,
    /// What is sent first.
    head: Vec<u8>,
    /// What is sent after it, until nobody takes it any more.
    endless: Vec<u8>,
}

/// No server of a test sends more.
pub(crate) const MOST: usize = 100 << 20;

impl Lie {
    /// These bytes, and then the end.
    pub(crate) fn new(what: &str, outcome: &'static str, wire: impl Into<Vec<u8>>) -> Self {
        Self::endless(what, outcome, wire, "")
    }

    /// These bytes, and then others over and over, up to [`MOST`].
    pub(crate) fn endless(
        what: &str,
        outcome: &'static str,
        head: impl Into<Vec<u8>>,
        piece: &str,
    ) -> Self {
        let pieces = 65_536_usize.checked_div(piece.len()).unwrap_or(0);
        Self {
            what: what.to_owned(),
            outcome,
            head: head.into(),
            endless: piece.repeat(pieces).into_bytes(),
        }
    }

    /// A 200 with this body, which is said to be JSON.
    pub(crate) fn body(what: &str, outcome: &'static str, body: impl AsRef<[u8]>) -> Self {
        Self::new(what, outcome, answer("200 OK", &[JSON], body))
    }

    /// The same with a word in it changed for another of the same length, wherever it stands plainly.
    pub(crate) fn naming(mut self, from: &str, to: &str) -> Self {
        assert_eq!(from.len(), to.len(), "lengths are stated");
        let mut at = 0;
        while let Some(rest) = self.head.get_mut(at..) {
            if rest.starts_with(from.as_bytes()) {
                rest.iter_mut()
                    .zip(to.bytes())
                    .for_each(|(old, new)| *old = new);
            }
            if rest.is_empty() {
                break;
            }
            at = at.saturating_add(1);
        }
        self
    }

    /// Sends it; how many bytes were taken.
    pub(crate) fn tell(&self, stream: &mut TcpStream) -> usize {
        let mut taken = 0_usize;
        if stream.write_all(&self.head).is_ok() {
            taken = self.head.len();
        }
        while !self.endless.is_empty() && taken > 0 && taken < MOST {
            if stream.write_all(&self.endless).is_err() {
                break;
            }
            taken = taken.saturating_add(self.endless.len());
        }
        taken
    }
}

/// The header of a document that is read.
pub(crate) const JSON: &str = "content-type: application/json";

/// One answer, with its length.
pub(crate) fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = format!("content-length: {}", body.len());
    let mut wire = head(status, &[headers, &[&length]].concat());
    wire.extend(body);
    wire
}

/// What comes before a body, with nothing said of its length.
pub(crate) fn head(status: &str, headers: &[&str]) -> Vec<u8> {
    let mut wire = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for header in headers {
        wire.push_str(header);
        wire.push_str("\r\n");
    }
    wire.push_str("\r\n");
    wire.into_bytes()
}

/// Answers that are wrong before their body is looked at. `trap` is an address that some send on to.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn of_transport(good: &str, trap: &str) -> Vec<Lie> {
    let mut lies = Vec::new();
    for status in [
        "201 Created",
        "202 Accepted",
        "203 Non-Authoritative Information",
        "206 Partial Content",
        "300 Multiple Choices",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "410 Gone",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "599 x",
    ] {
        lies.push(Lie::new(status, "status", answer(status, &[JSON], good)));
    }
    for status in ["204 No Content", "304 Not Modified"] {
        lies.push(Lie::new(status, "status", head(status, &[JSON])));
    }
    let location = format!("location: {trap}");
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        lies.push(Lie::new(
            status,
            "status",
            answer(status, &[JSON, &location], good),
        ));
    }
    for kind in [
        "text/html",
        "text/plain",
        "text/json",
        "application/jose",
        "application/json-seq",
        "multipart/form-data",
        "application/x+jsonx",
        "json",
        "",
    ] {
        let header = format!("content-type: {kind}");
        let wire = answer("200 OK", &[&header], good);
        lies.push(Lie::new(
            &format!("a content type of `{kind}`"),
            "content_type",
            wire,
        ));
    }
    let html = "<html><form action=/login>Sign in</form></html>";
    let login = answer("200 OK", &["content-type: text/html; charset=utf-8"], html);
    lies.push(Lie::new("a login page", "content_type", login));
    lies.push(Lie::new(
        "no content type",
        "content_type",
        answer("200 OK", &[], good),
    ));
    for coding in ["gzip", "br", "deflate", "identity, gzip", "x"] {
        let header = format!("content-encoding: {coding}");
        let wire = answer("200 OK", &[JSON, &header], good);
        lies.push(Lie::new(
            &format!("an encoding of `{coding}`"),
            "content_type",
            wire,
        ));
    }
    let bomb = answer("200 OK", &[JSON, "content-encoding: gzip"], bomb(good));
    lies.push(Lie::new("a bomb", "content_type", bomb));
    lies.extend(of_framing(good));
    lies
}

/// Answers whose end, or even beginning, is not where it is said to be.
#[expect(clippy::too_many_lines, reason = "a table")]
fn of_framing(good: &str) -> Vec<Lie> {
    let framed = |what: &str, outcome: &'static str, headers: &[&str], body: &str| {
        let mut wire = head("200 OK", &[&[JSON], headers].concat());
        wire.extend(body.bytes());
        Lie::new(what, outcome, wire)
    };
    let chunked = "transfer-encoding: chunked";
    let long = good.len().saturating_add(1);
    let chunk = |end: &str| format!("{:x}\r\n{good}\r\n{end}", good.len());
    let many: Vec<String> = (0..1_000).map(|n| format!("x-{n}: {n}")).collect();
    let many = many.join("\r\n");
    let wide = format!("x: {}", "a".repeat(1 << 20));
    vec![
        framed(
            "a length that is too long",
            "connect",
            &[&format!("content-length: {long}")],
            good,
        ),
        framed(
            "a length that is no number",
            "connect",
            &["content-length: x"],
            good,
        ),
        framed(
            "a negative length",
            "connect",
            &["content-length: -1"],
            good,
        ),
        framed(
            "two lengths",
            "connect",
            &["content-length: 2", "content-length: 9"],
            good,
        ),
        framed(
            "a huge length",
            "connect",
            &["content-length: 18446744073709551614"],
            good,
        ),
        framed(
            "a length of 100 MB",
            "too_large",
            &["content-length: 104857600"],
            good,
        ),
        framed("chunks without an end", "connect", &[chunked], &chunk("")),
        framed(
            "chunks of no size",
            "connect",
            &[chunked],
            &format!("x\r\n{good}\r\n0\r\n\r\n"),
        ),
        framed(
            "a chunk of all memory",
            "connect",
            &[chunked],
            "ffffffffffffffff\r\n{",
        ),
        framed("a thousand headers", "connect", &[&many], good),
        framed("a header of 1 MiB", "connect", &[&wide], good),
        framed("NUL in a header", "connect", &["x: a\0b"], good),
        framed("a header without a name", "connect", &[": x"], good),
        Lie::new("nothing", "connect", ""),
        Lie::new("no HTTP at all", "connect", good),
        Lie::new("HTTP/0.9", "connect", format!("<html>{good}</html>")),
        Lie::new(
            "HTTP/3",
            "connect",
            format!("HTTP/3 200 OK\r\n{JSON}\r\n\r\n{good}"),
        ),
        Lie::new(
            "HTTP/2",
            "connect",
            &b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0"[..],
        ),
        Lie::new("TLS", "connect", &b"\x15\x03\x03\x00\x02\x02\x28"[..]),
        Lie::new("SSH", "connect", &b"SSH-2.0-OpenSSH_9.9\r\n"[..]),
        Lie::new(
            "half a head",
            "connect",
            &b"HTTP/1.1 200 OK\r\ncontent-ty"[..],
        ),
        Lie::new("NUL", "connect", vec![0; 4_096]),
        Lie::endless(
            "a head without an end",
            "connect",
            "HTTP/1.1 200 OK\r\n",
            "x-a: a\r\n",
        ),
        Lie::endless(
            "a body without an end",
            "too_large",
            head("200 OK", &[JSON]),
            " ",
        ),
        Lie::endless(
            "chunks for ever",
            "too_large",
            head("200 OK", &[JSON, chunked]),
            "10\r\n                \r\n",
        ),
    ]
}

/// Bodies that are not the JSON object that they look like; counted under `outcome`.
pub(crate) fn of_bodies(good: &str, outcome: &'static str) -> Vec<Lie> {
    let inside = good.trim_start_matches('{').trim_end_matches('}');
    let whole = |text: String| text.into_bytes();
    let nested = format!("{}{}", "[".repeat(99), "]".repeat(99));
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing in it", Vec::new()),
        ("spaces", b"   ".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"17".to_vec()),
        ("a text", whole(serde_json::Value::from(good).to_string())),
        ("an array", whole(format!("[{good}]"))),
        ("HTML that is called JSON", b"<html></html>".to_vec()),
        ("cut off", whole(format!("{{{inside}"))),
        ("more after it", whole(format!("{good}x"))),
        ("twice", whole(format!("{good}{good}"))),
        (
            "every member twice",
            whole(format!("{{{inside},{inside}}}")),
        ),
        ("a comma too many", whole(format!("{{{inside},}}"))),
        ("a comment", whole(format!("/**/{good}"))),
        ("single quotes", whole(good.replace('"', "'"))),
        ("a byte order mark", whole(format!("\u{feff}{good}"))),
        ("UTF-16", utf16),
        (
            "invalid UTF-8",
            [b"{\"x\":\"\xff\",", inside.as_bytes(), b"}"].concat(),
        ),
        (
            "a lone surrogate",
            whole(format!("{{\"x\":\"\\ud800\",{inside}}}")),
        ),
        ("NUL after it", whole(format!("{good}\0"))),
        ("NUL in a text", whole(format!("{{\"x\":\"\0\",{inside}}}"))),
        (
            "deeply nested",
            whole(format!("{{\"x\":{nested},{inside}}}")),
        ),
        ("nested without an end", whole("[".repeat(50_000))),
        ("not a number", whole(format!("{{\"x\":NaN,{inside}}}"))),
        ("a bomb that is called plain", bomb(good)),
    ];
    let lie = |(what, body): (&str, Vec<u8>)| Lie::body(what, outcome, body);
    bodies.into_iter().map(lie).collect()
}

/// The document and 60 MB of white space, compressed to about 60 KB.
pub(crate) fn bomb(good: &str) -> Vec<u8> {
    let script = "(printf %s \"$1\"; head -c 60000000 /dev/zero | tr '\\0' ' ') | gzip -9";
    let made = Command::new("sh").args(["-c", script, "sh", good]).output();
    let bomb = made.expect("gzip").stdout;
    assert!((10_000..200_000).contains(&bomb.len()), "{}", bomb.len());
    bomb
}
