//! A tiny HTTP server that answers by script, on a real socket.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::source::Clock;

/// A clock that stands still until it is told to go on.
#[derive(Debug, Default)]
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        i64::try_from(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// The same after a while.
    After(Duration, Vec<u8>),
    /// Sends one byte at a time, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Says nothing and keeps the connection.
    Hang,
}

/// From the path to the answer.
type Script = Box<dyn Fn(&str) -> Answer + Send>;

pub(crate) struct Server {
    pub(crate) base: String,
    script: Arc<Mutex<Script>>,
    heads: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let seen = Seen {
            script: Arc::clone(&script),
            heads: Arc::clone(&heads),
            bodies: Arc::clone(&bodies),
        };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, seen.clone()));
            }
        });
        Self {
            base,
            script,
            heads,
            bodies,
            task,
        }
    }

    /// From now on answers so.
    pub(crate) fn answer(&self, script: impl Fn(&str) -> Answer + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        format!("{}{path}", self.base).parse().unwrap()
    }

    /// The head of every request so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The body of every request so far that had one.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A 200 of JSON.
pub(crate) fn ok(body: &str) -> Answer {
    Answer::Bytes(response(
        "200 OK",
        &["content-type: application/json"],
        body.as_bytes(),
    ))
}

pub(crate) fn response(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for header in headers {
        write!(head, "{header}\r\n").unwrap();
    }
    if !headers
        .iter()
        .any(|header| header.starts_with("content-length"))
    {
        write!(head, "content-length: {}\r\n", body.len()).unwrap();
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// What all connections of a server share.
#[derive(Clone)]
struct Seen {
    script: Arc<Mutex<Script>>,
    heads: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, seen: Seen) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    if let Some(length) = length {
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let body = String::from_utf8(body).unwrap();
        seen.bodies.lock().unwrap().push(body);
    }
    seen.heads.lock().unwrap().push(head);
    let answer = (seen.script.lock().unwrap())(&path);
    // The client may have gone; that is its right.
    let sent = match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes).await,
        Answer::After(pause, bytes) => {
            tokio::time::sleep(pause).await;
            stream.write_all(&bytes).await
        }
        Answer::Drip(bytes, pause) => {
            let mut sent = Ok(());
            for byte in bytes {
                sent = sent.and(stream.write_all(&[byte]).await);
                if sent.is_err() {
                    break;
                }
                tokio::time::sleep(pause).await;
            }
            sent
        }
        Answer::Hang => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
    };
    drop((sent, stream.shutdown().await));
}
