//! A connection whose small writes go out together: HTTP/2 hands a message over in pieces, and each of them would be a TLS record and a
//! system call of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::BufWriter;

/// Octets that are gathered at most; what is larger goes out at once.
const ROOM: usize = 4 << 10;

/// The connection `C`; what is written goes out when it is flushed, as HTTP does after each message.
pub(crate) struct Gathered<C>(TokioIo<BufWriter<TokioIo<C>>>);

impl<C: Read + Write + Unpin> Gathered<C> {
    /// Takes a connection that was just made.
    pub(crate) fn new(connection: C) -> Self {
        Self(TokioIo::new(BufWriter::with_capacity(ROOM, TokioIo::new(connection))))
    }
}

impl<C: Read + Write + Unpin> Read for Gathered<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<C: Read + Write + Unpin> Write for Gathered<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, pieces)
    }
}

impl<C: Connection + Read + Write + Unpin> Connection for Gathered<C> {
    fn connected(&self) -> Connected {
        self.0.inner().get_ref().inner().connected()
    }
}
