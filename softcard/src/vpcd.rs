//! The way from a card to its reader: vpcd's protocol, messages with two octets of length before them.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::linux::net::TcpStreamExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::card::{Card, Setup};
use crate::fault::Flawed;

/// How long the reader may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);

/// A card in a reader, until it is pulled out or this is dropped.
#[derive(Debug)]
pub struct Inserted {
    socket: TcpStream,
    card: Arc<Mutex<Flawed>>,
    thread: Option<JoinHandle<()>>,
}

impl Inserted {
    /// Puts a card into the reader that listens on a port of this machine.
    ///
    /// # Errors
    /// When there is no reader.
    pub fn new(port: u16, card: impl Into<Flawed>) -> io::Result<Self> {
        let begun = Instant::now();
        let socket = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(socket) => break socket,
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        socket.set_nodelay(true)?;
        let card = Arc::new(Mutex::new(card.into()));
        let (its, own) = (socket.try_clone()?, Arc::clone(&card));
        let thread = std::thread::spawn(move || {
            // The reader going away is as good an end as any.
            let _ended = serve(&its, &own);
            let _closed = its.shutdown(Shutdown::Both);
        });
        Ok(Self { socket, card, thread: Some(thread) })
    }

    /// Looks at the card, or changes it.
    pub fn card<T>(&self, look: impl FnOnce(&mut Flawed) -> T) -> T {
        look(&mut self.card.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Commands and answers so far.
    #[must_use]
    pub fn trace(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.card(|card| card.trace().to_vec())
    }

    /// Waits until the card is pulled out.
    pub fn wait(mut self) {
        self.thread.take().map(JoinHandle::join);
    }

    /// Pulls the card out.
    pub fn pull(self) {
        drop(self);
    }

    /// Pulls the card out, and gives it.
    #[must_use]
    pub fn taken(mut self) -> Flawed {
        self.end();
        self.card(|card| std::mem::replace(card, Card::new(Setup::default()).into()))
    }

    fn end(&mut self) {
        let _closed = self.socket.shutdown(Shutdown::Both);
        self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Inserted {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(mut socket: &TcpStream, card: &Mutex<Flawed>) -> io::Result<()> {
    loop {
        // Has to be said again after each read; without it every answer waits for the next acknowledgement.
        socket.set_quickack(true)?;
        let mut length = [0; 2];
        socket.read_exact(&mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        socket.read_exact(&mut message)?;
        let mut card = card.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match message.as_slice() {
            [0..=2] => {
                card.card.reset();
                continue;
            }
            [4] => Some(card.card.atr()),
            command => card.transmit(command),
        };
        let Some(answer) = answer else { return Ok(()) };
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes();
        socket.write_all(&[length.as_slice(), &answer].concat())?;
    }
}
