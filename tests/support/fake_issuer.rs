//! An issuer that answers as a test says, true or not, and counts who asked.

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::tokens::Key;

/// What is done with the connection of one request, whose path is given.
type Answer = dyn Fn(&str, &mut TcpStream) + Send + Sync;

/// A running issuer; its threads end with the test process.
#[derive(Debug)]
pub(crate) struct FakeIssuer {
    port: u16,
    asked: Arc<AtomicU64>,
}

impl FakeIssuer {
    /// Starts it on a free port.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        Self::serve(listener, answer)
    }

    /// Starts it on a given port.
    pub(crate) fn start_at(
        port: u16,
        answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
        Self::serve(listener, answer)
    }

    fn serve(
        listener: TcpListener,
        answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(AtomicU64::new(0));
        let (count, answer): (_, Arc<Answer>) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                thread::spawn(move || answer_one(stream, &*answer));
            }
        });
        Self { port, asked }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it has had.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer_one(mut stream: TcpStream, answer: &Answer) {
    drop(stream.set_read_timeout(Some(Duration::from_secs(5))));
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    answer(path, &mut stream);
}

/// Sends 200 and a JSON document.
pub(crate) fn json_document(stream: &mut TcpStream, body: &str) {
    let length = body.len();
    let wire = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    drop(stream.write_all(wire.as_bytes()));
}

/// A key set of one key.
pub(crate) fn key_set(key: &Key, kid: &str) -> String {
    let (x, y) = key.coordinates();
    json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
        "kid": kid, "x": x, "y": y}]})
    .to_string()
}
