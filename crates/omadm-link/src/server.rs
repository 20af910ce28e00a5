//! OBEX server over a link.

use std::time::Duration;

use omadm_codec::obex::ResponseCode;
use omadm_session::dm1::obex::{Event, Failure, Object, Server, Settings};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::LinkError;
use crate::client::{PIECE, write};

/// Events that wait to be heard; until then nothing more is read.
const WAITING: usize = 8;
/// How long the one who has disconnected may take to end the link itself.
const GOODBYE: Duration = Duration::from_secs(5);

/// The OBEX server on one end of a link: it works beside its host, so that the other side has its answers in time whatever the host does.
/// Dropping it ends the link.
pub struct ObexServer {
    orders: mpsc::UnboundedSender<Order>,
    events: mpsc::Receiver<Event>,
    /// Objects that the host has heard of.
    heard: u64,
}

enum Order {
    /// To the object of this number. By the time that it is there another one may have been put, which it is no answer to.
    Answer(u64, Object),
    /// As [`Order::Answer`].
    Decline(u64, ResponseCode),
    Finish,
}

impl ObexServer {
    /// Serves a link; `nonce` as for [`Server::new`].
    pub fn serve<S>(stream: S, settings: Settings, nonce: [u8; 16]) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (orders, ordered) = mpsc::unbounded_channel();
        let (told, events) = mpsc::channel(WAITING);
        let patience = settings.silence;
        let machine = Server::new(settings, nonce, Duration::ZERO);
        tokio::spawn(work(
            Work { machine, stream, began: Instant::now(), patience, put: 0, was_left: false },
            ordered,
            told,
        ));
        Self { orders, events, heard: 0 }
    }

    /// What happens next; never [`Event::Transmit`], and nothing after [`Event::Over`].
    pub async fn event(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        self.heard += u64::from(matches!(event, Some(Event::Put(_))));
        event
    }

    /// Answers the object of the last [`Event::Put`] that was heard. Of no use when that is off, or another one has been put since.
    pub fn answer(&self, object: Object) {
        self.order(Order::Answer(self.heard, object));
    }

    /// Answers it by nothing but a code.
    pub fn decline(&self, code: ResponseCode) {
        self.order(Order::Decline(self.heard, code));
    }

    /// Says that there is nothing more to answer.
    pub fn finish(&self) {
        self.order(Order::Finish);
    }

    fn order(&self, order: Order) {
        // Of a link that is over nobody wants anything.
        let _sent = self.orders.send(order);
    }
}

struct Work<S> {
    machine: Server,
    stream: S,
    began: Instant,
    /// Longest time that writing may take.
    patience: Duration,
    /// Objects that were put.
    put: u64,
    /// Whether the other side has disconnected.
    was_left: bool,
}

async fn work<S: AsyncRead + AsyncWrite + Unpin>(
    mut work: Work<S>,
    mut ordered: mpsc::UnboundedReceiver<Order>,
    told: mpsc::Sender<Event>,
) {
    let mut piece = [0; PIECE];
    loop {
        if !work.tell(&told).await {
            drop(told);
            return work.linger().await;
        }
        let deadline = work.machine.deadline().unwrap_or_default();
        tokio::select! {
            order = ordered.recv() => match order {
                Some(Order::Answer(to, object)) if to == work.put => work.machine.answer(object),
                Some(Order::Decline(to, code)) if to == work.put => work.machine.decline(code),
                Some(Order::Answer(..) | Order::Decline(..)) => {}
                Some(Order::Finish) => work.machine.finish(),
                None => return,
            },
            read = work.stream.read(&mut piece) => match read {
                Ok(0) | Err(_) => work.machine.lost(),
                Ok(count) => {
                    work.machine.receive(piece.get(..count).unwrap_or_default(), work.began.elapsed());
                }
            },
            () = tokio::time::sleep_until(work.began + deadline) => work.machine.wake(work.began.elapsed()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Work<S> {
    /// Sends and tells what there is; whether it goes on.
    async fn tell(&mut self, told: &mpsc::Sender<Event>) -> bool {
        while let Some(event) = self.machine.poll() {
            let event = match event {
                Event::Transmit(octets) => match write(&mut self.stream, &octets, self.patience).await {
                    Ok(()) => continue,
                    Err(LinkError::Obex(failure)) => Event::Over(Some(failure)),
                    Err(LinkError::Io(_)) => Event::Over(Some(Failure::Protocol("the link broke"))),
                },
                other => other,
            };
            let is_over = matches!(event, Event::Over(_));
            self.put += u64::from(matches!(event, Event::Put(_)));
            self.was_left = matches!(event, Event::Over(None));
            if told.send(event).await.is_err() || is_over {
                return false;
            }
        }
        true
    }

    /// Leaves it to the other side to end the link, if it has said that it will: its port is free at once then.
    async fn linger(mut self) {
        if !self.was_left {
            return;
        }
        let mut piece = [0; 1];
        // What comes of it does not matter any more.
        let _end = tokio::time::timeout(GOODBYE, self.stream.read(&mut piece)).await;
    }
}
