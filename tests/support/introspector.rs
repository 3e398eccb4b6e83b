//! An introspection endpoint (RFC 7662) that answers about each token as a test says, true or not.

use std::collections::HashMap;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use super::process::READY;

/// What is said about one token.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// 200 with this body as JSON.
    Json(String),
    /// A status, the further header lines, each with its end, and a body.
    Raw(&'static str, &'static str, String),
    /// Nothing, for as long as the other side waits.
    Silence,
    /// The connection is closed without an answer.
    Close,
}

type Script = Arc<Mutex<HashMap<String, Reply>>>;

/// A running endpoint; its threads end with the test process. A token that nobody has told it about
/// is not active.
#[derive(Debug)]
pub(crate) struct Introspector {
    port: u16,
    script: Script,
}

impl Introspector {
    /// Starts it on a free port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let script = Script::default();
        let told = Arc::clone(&script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let told = Arc::clone(&told);
                thread::spawn(move || answer(stream, &told));
            }
        });
        Self { port, script }
    }

    /// Where it is asked.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/introspect", self.port)
    }

    /// A new opaque token, about which this will be said.
    pub(crate) fn token(&self, reply: Reply) -> String {
        let token = format!(
            "opaque-{:016x}{:016x}",
            fastrand::u64(..),
            fastrand::u64(..)
        );
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.insert(token.clone(), reply);
        token
    }
}

fn answer(mut stream: TcpStream, script: &Script) {
    drop(stream.set_read_timeout(Some(READY)));
    let Some(token) = asked_about(&mut stream) else {
        return;
    };
    let reply = {
        let script = script.lock().unwrap_or_else(PoisonError::into_inner);
        script.get(&token).cloned()
    };
    let inactive = || Reply::Json(r#"{"active":false}"#.to_owned());
    let (status, headers, body) = match reply.unwrap_or_else(inactive) {
        Reply::Json(body) => ("200 OK", "content-type: application/json\r\n", body),
        Reply::Raw(status, headers, body) => (status, headers, body),
        Reply::Silence => {
            thread::sleep(Duration::from_secs(10));
            return;
        }
        Reply::Close => return,
    };
    let length = body.len();
    let wire = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    drop(stream.write_all(wire.as_bytes()));
}

/// The `token` of the form, once head and body are there.
fn asked_about(stream: &mut TcpStream) -> Option<String> {
    let mut wire = Vec::new();
    let mut byte = [0];
    loop {
        let text = String::from_utf8_lossy(&wire);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines().map(str::to_ascii_lowercase);
            let length =
                lines.find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let mut form = url::form_urlencoded::parse(body.as_bytes());
                return form
                    .find(|(name, _)| name == "token")
                    .map(|(_, token)| token.into_owned());
            }
        }
        match stream.read(&mut byte) {
            Ok(1) => wire.extend(byte),
            _ => return None,
        }
    }
}
