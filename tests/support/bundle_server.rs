//! A server of policy bundles over TLS, which answers as a test says and counts what it has sent.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;

use super::fake_issuer::FakeIssuer;
use super::fake_issuer::Presented;
use super::port;

/// What it says.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// 200 with this body and its length as the `ETag`; 304 to whoever names it.
    Bundle(Vec<u8>),
    /// 200 with this body, and no `ETag`.
    Bytes(Vec<u8>),
    /// A status line and headers without a body.
    Head(&'static str),
    /// A body without an end.
    Endless,
    /// A body that stops before its announced length.
    Short(Vec<u8>),
}

/// So many answers of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    /// With a body.
    pub(crate) whole: usize,
    /// 304
    pub(crate) not_modified: usize,
}

/// A running server, or its place while it does not run.
#[derive(Debug)]
pub(crate) struct BundleServer {
    presented: Presented,
    answer: Arc<Mutex<Answer>>,
    sent: Arc<Mutex<Sent>>,
    running: Option<FakeIssuer>,
    port: u16,
}

impl BundleServer {
    /// Makes an authority, whose certificate goes to `ca`, and listens.
    pub(crate) fn start(ca: &Path, answer: Answer) -> Self {
        let mut server = Self {
            presented: Arc::new(Mutex::new(present(ca))),
            answer: Arc::new(Mutex::new(answer)),
            sent: Arc::default(),
            running: None,
            port: port::free(),
        };
        server.up();
        server
    }

    /// Where the bundle is.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}/policies.tar.gz", self.port)
    }

    /// From now on answers so.
    pub(crate) fn answer(&self, answer: Answer) {
        *lock(&self.answer) = answer;
    }

    /// What it has sent so far.
    pub(crate) fn sent(&self) -> Sent {
        *lock(&self.sent)
    }

    /// Closes its port.
    pub(crate) fn down(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    /// Opens it again.
    pub(crate) fn up(&mut self) {
        let (answer, sent) = (Arc::clone(&self.answer), Arc::clone(&self.sent));
        let serve = move |_: u16, head: &str, stream: &mut dyn Write| {
            let answer = lock(&answer).clone();
            let not_modified = respond(&answer, head, stream);
            let mut sent = lock(&sent);
            let count = if not_modified {
                &mut sent.not_modified
            } else {
                &mut sent.whole
            };
            *count = count.saturating_add(1);
        };
        let server = FakeIssuer::start_tls_at(self.port, &self.presented, serve);
        self.running = Some(server);
    }
}

/// Answers, and says whether with 304. Who has gone meanwhile is not told.
fn respond(answer: &Answer, head: &str, stream: &mut dyn Write) -> bool {
    let ok = |body: &[u8], length: usize, tag: &str| {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{tag}content-type: application/gzip\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    };
    let wire = match answer {
        Answer::Bundle(body) => {
            let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
            let tag = format!("\"{}-{sum}\"", body.len());
            let asked = head.to_ascii_lowercase();
            if asked.contains(&format!("if-none-match: {tag}\r\n")) {
                let wire = format!("HTTP/1.1 304 Not Modified\r\netag: {tag}\r\n\r\n");
                drop(stream.write_all(wire.as_bytes()));
                return true;
            }
            ok(body, body.len(), &format!("etag: {tag}\r\n"))
        }
        Answer::Bytes(body) => ok(body, body.len(), ""),
        Answer::Short(body) => ok(body, body.len().saturating_add(1), ""),
        Answer::Head(head) => {
            format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into()
        }
        Answer::Endless => {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            drop(stream.write_all(head.as_bytes()));
            let part = vec![0x1f; 65_536];
            while stream.write_all(&part).is_ok() {}
            return false;
        }
    };
    drop(stream.write_all(&wire));
    false
}

fn present(ca: &Path) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    std::fs::write(ca, authority.pem()).expect("a certificate can be written");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into());
    Arc::new(config.expect("a pair"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
