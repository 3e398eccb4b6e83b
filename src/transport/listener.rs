//! Listening sockets, TCP and Unix, and the loop that accepts from them.

use std::fs;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use crate::config::Address;
use crate::transport::limits;
use crate::transport::stream::Stream;

/// A listener could not be opened.
#[derive(Debug, Error)]
#[error("cannot listen at `{address}`")]
pub struct ListenError {
    address: String,
    source: io::Error,
}

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP
    Tcp(TcpListener),
    /// A Unix socket; its file is removed at the end.
    Unix(UnixListener, SocketFile),
}

/// Removes the file of a Unix socket when dropped.
#[derive(Debug)]
pub struct SocketFile(std::path::PathBuf);

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address.
    Ip(IpAddr),
    /// A process that may open the socket's file.
    Local,
}

impl Peer {
    /// Whether the other end is on this machine.
    pub fn is_loopback(self) -> bool {
        match self {
            Self::Ip(address) => address.to_canonical().is_loopback(),
            Self::Local => true,
        }
    }
}

impl Listener {
    /// Binds `address`. A Unix socket's file that nobody listens at any more is replaced; the new
    /// one is open to its owner and group only.
    pub async fn bind(address: &Address) -> Result<Self, ListenError> {
        let bound = match address {
            Address::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            Address::Unix(path) => bind_unix(path).await,
        };
        bound.map_err(|source| ListenError {
            address: address.to_string(),
            source,
        })
    }

    /// Where it really listens: the port that the system chose where 0 was asked for.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(_, file) => Ok(Address::Unix(file.0.clone())),
        }
    }

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Stream::tcp(stream), Peer::Ip(address.ip().to_canonical())))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::unix(stream), Peer::Local))
            }
        }
    }
}

/// Accepts until `stop` turns true, and gives each connection to `serve` on a task of its own. At
/// most [`limits::CONNECTIONS`] are served at once.
pub async fn accept<S, F>(listener: Listener, mut stop: watch::Receiver<bool>, serve: S)
where
    S: Fn(Stream, Peer) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, peer))) => {
                let served = serve(stream, peer);
                tokio::spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            (Err(_closed), _) => return,
            (_, Err(error)) => {
                // Out of descriptors, or a connection that ended before it was taken.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn bind_unix(path: &Path) -> io::Result<Listener> {
    match UnixListener::bind(path) {
        Ok(listener) => finish_unix(listener, path),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if !fs::symlink_metadata(path)?.file_type().is_socket() {
                return Err(io::Error::other("there is a file that is not a socket"));
            }
            // Only a refusal says that nobody listens; whoever is too busy to answer is alive.
            match UnixStream::connect(path).await {
                Err(refusal) if refusal.kind() == io::ErrorKind::ConnectionRefused => {}
                Ok(_) | Err(_) => return Err(error),
            }
            fs::remove_file(path)?;
            finish_unix(UnixListener::bind(path)?, path)
        }
        Err(error) => Err(error),
    }
}

fn finish_unix(listener: UnixListener, path: &Path) -> io::Result<Listener> {
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(Listener::Unix(listener, file))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(%error, path = %self.0.display(), "a socket's file was left behind");
        }
    }
}
