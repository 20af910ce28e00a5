//! Pre-shared keys of devices (`DM 2.0 §9.2.2`, `RFC 4279`): the identity is the user name, the key is the secret.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use omadm_auth::{Secret, StoredCredential};
use omadm_store::Store;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContextBuilder, SslRef};
use tokio::runtime::{Builder, Handle, RuntimeFlavor};
use tokio::sync::mpsc as queue;

use crate::guard::Guard;
use crate::{ServerError, clock};

/// Handshakes that may wait for a key; more are answered as if the device were not known.
const WAITING: usize = 1_024;
/// How long the store may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a device claimed in a handshake, and the key that was expected of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// PSK identity.
    pub user: String,
    /// The key; `None` if there is none.
    pub key: Option<Secret>,
}

static SOURCE: LazyLock<Result<Index<Ssl, IpAddr>, ErrorStack>> = LazyLock::new(Ssl::new_ex_index);
static ATTEMPT: LazyLock<Result<Index<Ssl, Attempt>, ErrorStack>> = LazyLock::new(Ssl::new_ex_index);

/// Says from where a handshake comes.
pub fn set_source(ssl: &mut SslRef, source: IpAddr) {
    if let Ok(index) = &*SOURCE {
        ssl.set_ex_data(*index, source);
    }
}

fn source(ssl: &SslRef) -> Option<IpAddr> {
    ssl.ex_data(*SOURCE.as_ref().ok()?).copied()
}

/// What was claimed in a handshake last, whether it was right or not.
pub fn attempt(ssl: &SslRef) -> Option<&Attempt> {
    ssl.ex_data(*ATTEMPT.as_ref().ok()?)
}

struct Question {
    user: String,
    answer: mpsc::SyncSender<Option<Secret>>,
}

/// Finds keys for handshakes. OpenSSL asks for a key in the middle of a handshake and cannot wait as a task does; so a thread of its own
/// reads the store.
pub struct Keys {
    questions: queue::Sender<Question>,
    guard: Arc<Guard>,
}

impl Keys {
    /// Starts the thread, which ends with this.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(store: Arc<dyn Store>, guard: Arc<Guard>) -> Result<Self, ServerError> {
        let (questions, mut asked) = queue::channel::<Question>(WAITING);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(ServerError::Thread)?;
        let work = move || {
            runtime.block_on(async {
                while let Some(question) = asked.recv().await {
                    let store = store.clone();
                    tokio::spawn(async move {
                        let key = key_of(store.as_ref(), &question.user).await;
                        // Who asked may have given up.
                        let _gone = question.answer.try_send(key);
                    });
                }
            });
        };
        std::thread::Builder::new().name("psk".into()).spawn(work).map_err(ServerError::Thread)?;
        Ok(Self { questions, guard })
    }

    /// The key of a user, waiting for it; none for who has failed too often.
    fn find(&self, user: &str, source: Option<IpAddr>) -> Option<Secret> {
        if source.is_some_and(|source| self.guard.wait(Some(user), source, clock::now()).is_some()) {
            return None;
        }
        let (answer, key) = mpsc::sync_channel(1);
        self.questions.try_send(Question { user: user.to_owned(), answer }).ok()?;
        let wait = || key.recv_timeout(PATIENCE).ok().flatten();
        let many =
            Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        // The other tasks of this thread need not wait, where there are threads to go to.
        if many { tokio::task::block_in_place(wait) } else { wait() }
    }
}

async fn key_of(store: &dyn Store, user: &str) -> Option<Secret> {
    match store.credential(user).await {
        Ok(kept) => StoredCredential::read(kept?.verifier.expose())?.shared_key(),
        Err(error) => {
            tracing::error!(%error, "a pre-shared key could not be read");
            None
        }
    }
}

/// Lets devices shake hands with their keys. One that is not known is told so (`RFC 4279 §2`): identities cross the wire in clear, so
/// they are no secret.
pub(super) fn use_keys(builder: &mut SslContextBuilder, keys: Arc<Keys>) {
    builder.set_psk_server_callback(move |ssl, identity, room| {
        // In TLS 1.3 anything can stand where the identity does, tickets of other servers among it.
        let Some(user) = identity.and_then(|octets| std::str::from_utf8(octets).ok()) else { return Ok(0) };
        let key = keys.find(user, source(ssl));
        let length = key.as_ref().map_or(0, |key| {
            let key = key.expose();
            room.get_mut(..key.len()).map_or(0, |room| {
                room.copy_from_slice(key);
                key.len()
            })
        });
        if let Ok(index) = &*ATTEMPT {
            ssl.set_ex_data(*index, Attempt { user: user.to_owned(), key });
        }
        Ok(length)
    });
}
