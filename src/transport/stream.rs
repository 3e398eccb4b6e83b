//! One accepted connection, which ends when the peer stops reading.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio::time::Sleep;

use crate::transport::limits;

/// A connection over TCP or a Unix socket. Nothing else times out a peer that takes no more bytes:
/// its answers would wait, and keep its place, for as long as it likes.
///
/// It takes no list of buffers in one write: to a stream that does, h2 writes each answer of 256 bytes
/// or more by itself, and a system call costs more than the copying that it saves.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    /// Since the peer last took something.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Over TCP.
    pub fn tcp(stream: TcpStream) -> Self {
        Self {
            socket: Socket::Tcp(stream),
            stalled: None,
        }
    }

    /// Over a Unix socket.
    pub fn unix(stream: UnixStream) -> Self {
        Self {
            socket: Socket::Unix(stream),
            stalled: None,
        }
    }

    fn write<T>(
        &mut self,
        context: &mut Context<'_>,
        attempt: impl FnOnce(&mut Socket, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = attempt(&mut self.socket, context) {
            self.stalled = None;
            return Poll::Ready(written);
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limits::WRITE_STALL)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .write(context, |socket, context| match socket {
                Socket::Tcp(stream) => Pin::new(stream).poll_write(context, data),
                Socket::Unix(stream) => Pin::new(stream).poll_write(context, data),
            })
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .write(context, |socket, context| match socket {
                Socket::Tcp(stream) => Pin::new(stream).poll_flush(context),
                Socket::Unix(stream) => Pin::new(stream).poll_flush(context),
            })
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .write(context, |socket, context| match socket {
                Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
                Socket::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_peer_that_takes_nothing_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            let mut stream = Stream::unix(ours);
            let mut again = std::pin::pin!(std::future::poll_fn(|context| {
                let taken = stream.write(context, |_, _| Poll::<io::Result<()>>::Pending);
                // As if the time had passed since.
                stream.stalled = Some(Box::pin(tokio::time::sleep(Duration::ZERO)));
                context.waker().wake_by_ref();
                taken
            }));
            let error = again.as_mut().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            let taken =
                std::future::poll_fn(|context| stream.write(context, |_, _| Poll::Ready(Ok(()))));
            assert!(
                taken.await.is_ok() && stream.stalled.is_none(),
                "a byte starts it anew"
            );
        });
    }
}
