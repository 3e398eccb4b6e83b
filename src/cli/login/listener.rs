//! The port on this machine that the browser comes back to (RFC 8252, section 7.3).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::HeaderValue;
use http::Response;
use http::header;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::cli::login::callback;
use crate::cli::login::callback::Expected;
use crate::cli::login::callback::Page;
use crate::cli::login::callback::Refused;
use crate::cli::login::callback::Verdict;

/// Longest head of a request, in bytes: a code, a state and a browser's headers.
const HEAD: usize = 32 * 1024;

/// Headers of a request.
const HEADERS: usize = 64;

/// How long one connection may take; browsers open some that they never use.
const CONNECTION: Duration = Duration::from_secs(10);

/// Connections at once.
const CONNECTIONS: usize = 32;

type Outcome = Result<SecretString, Refused>;

/// Answers requests until one ends the login, and has been answered.
pub(super) async fn wait(listener: TcpListener, expected: Expected) -> Outcome {
    let login = Arc::new(Login {
        expected,
        over: AtomicBool::new(false),
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve(stream, Arc::clone(&login)));
                    }
                    // A connection that was gone at once, or no file descriptors for the moment.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
            Some(ended) = connections.join_next() => {
                if let Ok(Some(outcome)) = ended {
                    return outcome;
                }
            }
        }
    }
}

struct Login {
    expected: Expected,
    over: AtomicBool,
}

/// Serves one request, and says how the login ended if that request ended it.
async fn serve(stream: TcpStream, login: Arc<Login>) -> Option<Outcome> {
    let outcome = Mutex::new(None);
    {
        let service = service_fn(|request: http::Request<Incoming>| {
            let verdict = callback::judge(
                request.method(),
                request.uri(),
                request.headers(),
                &login.expected,
            );
            let page = match verdict {
                Verdict::Ignored(page) => page,
                // A browser may ask twice.
                Verdict::Final(_) if login.over.swap(true, Ordering::SeqCst) => Page::Over,
                Verdict::Final(ended) => {
                    let page = if ended.is_ok() {
                        Page::Done
                    } else {
                        Page::Failed
                    };
                    *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
                    page
                }
            };
            async move { Ok::<_, Infallible>(response(page)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(CONNECTION)
            .max_buf_size(HEAD)
            .max_headers(HEADERS)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // Whether the browser got the page or not, the outcome stands.
        drop(tokio::time::timeout(CONNECTION, connection).await);
    }
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn response(page: Page) -> Response<String> {
    let mut response = Response::new(page.html());
    *response.status_mut() = page.status();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    if page == Page::Method {
        let get = HeaderValue::from_static("GET");
        response.headers_mut().insert(header::ALLOW, get);
    }
    response
}
