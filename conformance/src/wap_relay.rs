//! A relay between a device and a WAP gateway that listens, and loses datagrams on demand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// A datagram that was on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// To the gateway, or from it.
    pub to_gateway: bool,
    /// What is in it.
    pub octets: Vec<u8>,
}

/// Says whether a datagram is lost.
type Loss = Box<dyn FnMut(&Datagram) -> bool + Send>;

/// The relay; it ends with this value.
pub struct WapRelay {
    /// Its port on this machine.
    pub port: u16,
    heard: Arc<Mutex<Vec<Datagram>>>,
    loss: Arc<Mutex<Loss>>,
    _task: JoinSet<()>,
}

impl WapRelay {
    /// Before the port of the gateway on this machine.
    pub async fn before(gateway: u16) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a free port"));
        let port = socket.local_addr().expect("its address").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let loss: Arc<Mutex<Loss>> = Arc::new(Mutex::new(Box::new(|_| false)));
        let line = Line { heard: Arc::clone(&heard), loss: Arc::clone(&loss) };
        let mut task = JoinSet::new();
        task.spawn(async move { relay(socket, gateway, line).await });
        Self { port, heard, loss, _task: task }
    }

    /// From now on those datagrams are lost.
    pub fn lose(&self, loss: impl FnMut(&Datagram) -> bool + Send + 'static) {
        *self.loss.lock().expect("nobody panicked") = Box::new(loss);
    }

    /// What it has heard so far, lost or not.
    #[must_use]
    pub fn heard(&self) -> Vec<Datagram> {
        self.heard.lock().expect("nobody panicked").clone()
    }
}

/// What becomes of datagrams.
#[derive(Clone)]
struct Line {
    heard: Arc<Mutex<Vec<Datagram>>>,
    loss: Arc<Mutex<Loss>>,
}

impl Line {
    /// Hears a datagram; gives its octets unless it is lost.
    fn pass(&self, to_gateway: bool, octets: &[u8]) -> Option<Vec<u8>> {
        let datagram = Datagram { to_gateway, octets: octets.to_vec() };
        self.heard.lock().expect("nobody panicked").push(datagram.clone());
        let is_lost = (self.loss.lock().expect("nobody panicked"))(&datagram);
        (!is_lost).then_some(datagram.octets)
    }
}

/// Each device, by its port, has a port of its own towards the gateway.
async fn relay(socket: Arc<UdpSocket>, gateway: u16, line: Line) {
    let mut upstream: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut back = JoinSet::new();
    let mut buffer = vec![0; 65_535];
    loop {
        let (length, device) = socket.recv_from(&mut buffer).await.expect("a datagram");
        let own = match upstream.get(&device) {
            Some(own) => Arc::clone(own),
            None => {
                let own = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a free port"));
                own.connect(("127.0.0.1", gateway)).await.expect("an address");
                upstream.insert(device, Arc::clone(&own));
                back.spawn(answers(Arc::clone(&own), Arc::clone(&socket), device, line.clone()));
                own
            }
        };
        if let Some(octets) = line.pass(true, &buffer[..length]) {
            own.send(&octets).await.expect("the gateway listens");
        }
    }
}

/// What the gateway says to a device.
async fn answers(own: Arc<UdpSocket>, socket: Arc<UdpSocket>, device: SocketAddr, line: Line) {
    let mut buffer = vec![0; 65_535];
    while let Ok(length) = own.recv(&mut buffer).await {
        if let Some(octets) = line.pass(false, &buffer[..length]) {
            // A device that has its answer may be gone.
            let _ = socket.send_to(&octets, device).await;
        }
    }
}
