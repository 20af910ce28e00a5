//! Links that are up, and links that come in.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};

use crate::address::{BluetoothAddress, LinkAddress, ListenAddress};
use crate::rfcomm;

/// Links that wait to be accepted.
const BACKLOG: i32 = 16;

/// Connects to the other end of a link within a time.
///
/// A stream of RFCOMM is given as one of TCP, too: for reading, writing and waiting a socket is a socket. Only its addresses cannot be
/// asked for.
///
/// # Errors
/// When nobody is there, or the machine has no such links.
pub async fn connect(address: &LinkAddress, time: Duration) -> io::Result<TcpStream> {
    let connecting = async {
        match address {
            LinkAddress::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            }
            LinkAddress::Rfcomm { device, channel } => connect_rfcomm(*device, *channel).await,
        }
    };
    let late =
        |_| io::Error::new(io::ErrorKind::TimedOut, format!("nobody answers within {} s", time.as_secs()));
    tokio::time::timeout(time, connecting).await.map_err(late)?
}

async fn connect_rfcomm(device: BluetoothAddress, channel: u8) -> io::Result<TcpStream> {
    let socket = rfcomm::socket().map_err(no_bluetooth)?;
    socket.set_nonblocking(true)?;
    let begun = socket.connect(&rfcomm::address(device, channel)?);
    let stream = stream(socket)?;
    match begun {
        // What is in progress shows when the socket can be written to.
        Err(error) if !is_in_progress(&error) => Err(error),
        Ok(()) | Err(_) => {
            stream.writable().await?;
            stream.take_error()?.map_or(Ok(stream), Err)
        }
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    /// `EINPROGRESS` of Linux, for which there is no kind yet.
    const IN_PROGRESS: i32 = 115;
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(IN_PROGRESS)
}

fn stream(socket: Socket) -> io::Result<TcpStream> {
    TcpStream::from_std(OwnedFd::from(socket).into())
}

fn no_bluetooth(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("this machine has no sockets of Bluetooth: {error}"))
}

/// Where links come in.
pub enum LinkListener {
    /// Over TCP.
    Tcp(TcpListener),
    /// Over Bluetooth: the socket that listens, in what waits for it.
    Rfcomm(TcpStream),
}

/// A link that has come in.
pub struct Accepted {
    /// The link.
    pub stream: TcpStream,
    /// Who is on the other end: of Bluetooth, as IP would have it there, and the port is 0.
    pub peer: SocketAddr,
}

impl LinkListener {
    /// Listens.
    ///
    /// # Errors
    /// When that address cannot be listened on, or the machine has no such links.
    pub async fn bind(address: ListenAddress) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            ListenAddress::Rfcomm(channel) => {
                let socket = rfcomm::socket().map_err(no_bluetooth)?;
                socket.bind(&rfcomm::address(BluetoothAddress([0; 6]), channel)?)?;
                socket.listen(BACKLOG)?;
                socket.set_nonblocking(true)?;
                stream(socket).map(Self::Rfcomm)
            }
        }
    }

    /// The address of IP that is listened on, if it is one.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Rfcomm(_) => None,
        }
    }

    /// Waits for a link.
    ///
    /// # Errors
    /// When one could not be accepted; the next one may.
    pub async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Accepted { stream, peer })
            }
            Self::Rfcomm(socket) => {
                let accept = || SockRef::from(socket).accept();
                let (accepted, from) = socket.async_io(Interest::READABLE, accept).await?;
                accepted.set_nonblocking(true)?;
                let device = rfcomm::device(from).unwrap_or(BluetoothAddress([0; 6]));
                let peer = SocketAddr::from((Ipv6Addr::from(device), 0));
                Ok(Accepted { stream: stream(accepted)?, peer })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the kernel has Bluetooth but nothing else, connecting fails too: with no adapter there is no way to anybody.
    #[tokio::test]
    async fn who_is_not_there_is_told_in_a_sentence() {
        let address = "obex+rfcomm:00:00:00:00:00:01/1".parse().unwrap();
        let error = connect(&address, Duration::from_secs(30)).await.unwrap_err();
        assert!(!error.to_string().is_empty());
        if rfcomm::socket().is_err() {
            assert!(error.to_string().contains("no sockets of Bluetooth"), "{error}");
            let listening = LinkListener::bind("rfcomm:9".parse().unwrap()).await;
            assert!(listening.is_err());
        }
    }
}
