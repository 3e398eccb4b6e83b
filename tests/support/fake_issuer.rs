//! An issuer that answers as a test says, true or not, and counts who asked.

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use serde_json::json;

use super::envoy::poll;
use super::tokens::Key;

/// What is done with one connection.
type Serve = dyn Fn(TcpStream) + Send + Sync;

/// What a TLS server presents; it can be changed at any time.
pub(crate) type Presented = Arc<Mutex<Arc<ServerConfig>>>;

/// A running issuer. Its port closes with [`FakeIssuer::stop`], or else with the test process.
#[derive(Debug)]
pub(crate) struct FakeIssuer {
    port: u16,
    asked: Arc<AtomicU64>,
    stopping: Arc<AtomicBool>,
    accepting: thread::JoinHandle<()>,
}

impl FakeIssuer {
    /// Starts it on a free port. The answer is given the path.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::start_at(0, answer)
    }

    /// Starts it on a given port.
    pub(crate) fn start_at(
        port: u16,
        answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        Self::serve(port, move |mut stream| {
            let head = read_head(&mut stream);
            answer(path(&head), &mut stream);
        })
    }

    /// The same for one that is sent bodies; the answer is given the body.
    pub(crate) fn start_reading_at(
        port: u16,
        answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        Self::serve(port, move |mut stream| {
            let head = read_head(&mut stream).to_ascii_lowercase();
            let length = head.split("content-length:").nth(1);
            let length = length.and_then(|rest| rest.lines().next());
            let length = length.and_then(|length| length.trim().parse().ok());
            let mut body = Vec::new();
            drop(
                (&mut stream)
                    .take(length.unwrap_or(0))
                    .read_to_end(&mut body),
            );
            answer(&String::from_utf8_lossy(&body), &mut stream);
        })
    }

    /// Starts one that answers before it is asked.
    pub(crate) fn start_rude(answer: &'static [u8]) -> Self {
        Self::serve(0, |mut stream| {
            drop(stream.write_all(answer));
            drop(stream.read(&mut [0; 1024]));
        })
    }

    /// Starts one over TLS that answers every path with a JSON document, once the handshake is done.
    pub(crate) fn start_tls(
        presented: &Presented,
        document: impl Fn(u16, &str) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::start_tls_at(0, presented, move |port, head, stream| {
            json_document(stream, &document(port, path(head)));
        })
    }

    /// The same at a given port, for any answer; it is given the head of the request.
    pub(crate) fn start_tls_at(
        port: u16,
        presented: &Presented,
        answer: impl Fn(u16, &str, &mut dyn Write) + Send + Sync + 'static,
    ) -> Self {
        let presented = Arc::clone(presented);
        Self::serve(port, move |stream| {
            let config = presented.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a configuration");
            drop(config);
            let port = stream.local_addr().map_or(0, |address| address.port());
            let mut stream = StreamOwned::new(connection, stream);
            let head = read_head(&mut stream);
            if !head.is_empty() {
                answer(port, &head, &mut stream);
                stream.conn.send_close_notify();
                drop(stream.flush());
            }
        })
    }

    fn serve(port: u16, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = listen(port);
        let port = listener.local_addr().expect("an address").port();
        let (asked, stopping) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, stop) = (Arc::clone(&asked), Arc::clone(&stopping));
        let serve: Arc<Serve> = Arc::new(serve);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                drop(stream.set_read_timeout(Some(Duration::from_secs(5))));
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Self {
            port,
            asked,
            stopping,
            accepting,
        }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it has had.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Closes its port, so that whoever connects is refused, and returns how many had.
    pub(crate) fn stop(self) -> u64 {
        self.stopping.store(true, Ordering::SeqCst);
        // It looks when somebody connects.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        self.accepting.join().expect("it accepts until now");
        self.asked.load(Ordering::SeqCst)
    }
}

/// The head of a request, or what came of it.
fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.extend(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// Sends 200 and a JSON document.
pub(crate) fn json_document(stream: &mut (impl Write + ?Sized), body: &str) {
    let length = body.len();
    let wire = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    drop(stream.write_all(wire.as_bytes()));
}

/// A key set of one key.
pub(crate) fn key_set(key: &Key, kid: &str) -> String {
    json!({"keys": [jwk(key, kid)]}).to_string()
}

/// One published key.
pub(crate) fn jwk(key: &Key, kid: &str) -> serde_json::Value {
    let (x, y) = key.coordinates();
    json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y})
}

/// Binds a port. A child process that is just being started holds every socket of this one for a
/// moment, also that by which the port was found to be free.
fn listen(port: u16) -> TcpListener {
    let mut listener = None;
    poll(Duration::from_secs(5), || {
        listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
        listener.is_some()
    });
    listener.expect("a free port")
}
