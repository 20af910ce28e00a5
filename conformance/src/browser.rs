//! The browser of the device under test: writes down what it is shown, and may go and get it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use omadm_client::{Browser, Refusal, Shown, StatusCode};

use crate::script_device::fetch;

/// A browser, and the test's hand on it.
#[derive(Clone, Debug, Default)]
pub struct TestBrowser(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    shown: Vec<String>,
    fails: Option<u16>,
    ca_file: Option<PathBuf>,
}

impl TestBrowser {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics with the lock")
    }

    /// It cannot be started from now on, with this status.
    pub fn fail(&self, status: u16) {
        self.state().fails = Some(status);
    }

    /// From now on it gets the pages that it shows; `ca_file` is whom it trusts.
    pub fn get_pages(&self, ca_file: PathBuf) {
        self.state().ca_file = Some(ca_file);
    }

    /// The pages that it was shown, in order.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        self.state().shown.clone()
    }
}

impl Browser for TestBrowser {
    fn show<'a>(&'a mut self, uri: &'a str) -> Shown<'a> {
        let mut state = self.state();
        let shown = match state.fails {
            Some(status) => Err(Refusal::new(StatusCode(status), "the test says so")),
            None => {
                state.shown.push(uri.to_owned());
                if let Some(ca_file) = state.ca_file.clone() {
                    let uri = uri.to_owned();
                    // The user looks at it for as long as the server wants.
                    tokio::spawn(async move { fetch(&uri, &ca_file).await });
                }
                Ok(())
            }
        };
        Box::pin(std::future::ready(shown))
    }
}
