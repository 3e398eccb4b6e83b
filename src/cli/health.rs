//! `cedargate health`

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::config;
use crate::config::Address;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Ask a running sidecar whether it is ready
///
/// Asks the admin listener of the configuration for `/readyz`, and waits 2 s for the answer. Fit for a container's health check: it needs no shell and no curl.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 ready; 1 not ready or no answer; 2 wrong usage; 3 invalid configuration."
)]
pub(super) struct Health {
    #[command(flatten)]
    file: ConfigFlag,
    /// The admin listener, an IP address and a port or `unix:/path`, instead of the configuration's
    #[arg(long, value_name = "ADDRESS", env = "CEDARGATE_LISTEN_ADMIN")]
    address: Option<String>,
}

impl Health {
    pub(super) fn run(self, output: Output) -> Exit {
        let address = match &self.address {
            Some(text) => match Address::read(text) {
                Some(address) => address,
                None => return output.usage(&HealthError::Address(text.clone())),
            },
            None => match config::load(&self.file.config) {
                Ok(loaded) => loaded.config.listen.admin,
                Err(faults) => return output.faults(&faults),
            },
        };
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return output.failure(&error),
        };
        let asked = runtime.block_on(async { tokio::time::timeout(TIMEOUT, ask(&address)).await });
        match asked {
            Ok(Ok(StatusCode::OK)) => output.data("ready"),
            Ok(Ok(_)) => output.failure(&HealthError::NotReady(address.to_string())),
            Ok(Err(error)) => output.failure(&HealthError::NoAnswer(address.to_string(), error)),
            Err(_elapsed) => output.failure(&HealthError::Slow(address.to_string())),
        }
    }
}

#[derive(Debug)]
enum HealthError {
    Address(String),
    NotReady(String),
    NoAnswer(String, Box<dyn Error + Send + Sync>),
    Slow(String),
}

impl fmt::Display for HealthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => {
                write!(
                    f,
                    "`{text}` is neither an IP address and a port nor `unix:/path`"
                )
            }
            Self::NotReady(address) => write!(
                f,
                "the sidecar at `{address}` is not ready; it is starting or draining, and its log says which"
            ),
            Self::NoAnswer(address, _) => {
                write!(
                    f,
                    "no answer from the admin listener at `{address}`; is `cedargate serve` running there?"
                )
            }
            Self::Slow(address) => write!(
                f,
                "no answer from the admin listener at `{address}` within 2 s"
            ),
        }
    }
}

impl Error for HealthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoAnswer(_, error) => Some(&**error),
            Self::Address(_) | Self::NotReady(_) | Self::Slow(_) => None,
        }
    }
}

async fn ask(address: &Address) -> Result<StatusCode, Box<dyn Error + Send + Sync>> {
    match address {
        Address::Tcp(address) => exchange(TcpStream::connect(address).await?).await,
        Address::Unix(path) => exchange(UnixStream::connect(path).await?).await,
    }
}

async fn exchange<S>(stream: S) -> Result<StatusCode, Box<dyn Error + Send + Sync>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/readyz")
        .header("host", "localhost")
        .body(Empty::<Bytes>::new());
    let request = request.map_err(io::Error::other)?;
    Ok(sender.send_request(request).await?.status())
}
