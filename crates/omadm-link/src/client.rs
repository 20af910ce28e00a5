//! OBEX client over a link.

use std::io;
use std::time::Duration;

use omadm_codec::Tolerance;
use omadm_session::dm1::obex::{Client, Failure, Gained, Object, Settings};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::LinkError;

/// Octets that are read at a time.
pub(crate) const PIECE: usize = 8 << 10;

/// The OBEX client on one end of a link.
pub struct ObexClient<S> {
    machine: Client,
    stream: S,
    began: Instant,
    /// Longest time that writing may take.
    patience: Duration,
    tolerated: Vec<Tolerance>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ObexClient<S> {
    /// Connects to the DM service at the other end.
    ///
    /// # Errors
    /// When there is none, or it does not want us.
    pub async fn connect(stream: S, settings: Settings) -> Result<Self, LinkError> {
        let patience = settings.silence;
        let machine = Client::new(settings, Duration::ZERO);
        let mut client = Self { machine, stream, began: Instant::now(), patience, tolerated: Vec::new() };
        client.run().await?;
        Ok(client)
    }

    /// Puts an object.
    ///
    /// # Errors
    /// When it is not taken. The connection is of use still if the failure is [`Failure::Refused`].
    pub async fn put(&mut self, object: Object) -> Result<(), LinkError> {
        self.machine.put(object, self.began.elapsed());
        self.run().await.map(|_| ())
    }

    /// Gets what the other side has to say, in this media type or the other one of DM.
    ///
    /// # Errors
    /// As [`ObexClient::put`].
    pub async fn get(&mut self, wanted: &str) -> Result<Object, LinkError> {
        self.machine.get(wanted, self.began.elapsed());
        match self.run().await? {
            Gained::Object(object) => Ok(object),
            _ => Err(Failure::Protocol("a Get was answered by something else").into()),
        }
    }

    /// Ends the connection.
    ///
    /// # Errors
    /// When the other side does not answer; the link ends anyway.
    pub async fn disconnect(mut self) -> Result<(), LinkError> {
        self.machine.disconnect(self.began.elapsed());
        self.run().await?;
        Ok(self.stream.shutdown().await?)
    }

    /// What was tolerated of the other side since this was asked last.
    pub fn tolerated(&mut self) -> Vec<Tolerance> {
        std::mem::take(&mut self.tolerated)
    }

    /// Lets the machine work until it has something to tell.
    async fn run(&mut self) -> Result<Gained, LinkError> {
        let mut piece = [0; PIECE];
        loop {
            while let Some(gained) = self.machine.poll() {
                match gained {
                    Gained::Transmit(octets) => write(&mut self.stream, &octets, self.patience).await?,
                    Gained::Tolerated(tolerance) => self.tolerated.push(tolerance),
                    Gained::Failed(failure) => return Err(failure.into()),
                    other => return Ok(other),
                }
            }
            let Some(deadline) = self.machine.deadline() else {
                return Err(Failure::Protocol("the connection is over").into());
            };
            tokio::select! {
                read = self.stream.read(&mut piece) => match read? {
                    0 => {
                        self.machine.lost();
                        let reason = "the other side has ended the link";
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason).into());
                    }
                    count => self.machine.receive(piece.get(..count).unwrap_or_default(), self.began.elapsed()),
                },
                () = tokio::time::sleep_until(self.began + deadline) => self.machine.wake(self.began.elapsed()),
            }
        }
    }
}

/// Writes all octets within a time.
pub(crate) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    octets: &[u8],
    patience: Duration,
) -> Result<(), LinkError> {
    let writing = async {
        stream.write_all(octets).await?;
        stream.flush().await
    };
    let silent = |_| Failure::Silent { seconds: patience.as_secs() };
    Ok(timeout(patience, writing).await.map_err(silent)??)
}
