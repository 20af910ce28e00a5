//! The browser of a device, which shows the pages of SHOW (`DM 2.0 §5.3.7`).

use std::pin::Pin;

use crate::plugin::Refusal;

/// How it went to start a browser.
pub type Shown<'a> = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + 'a>>;

/// The Web Browser Component of a device.
pub trait Browser: Send {
    /// Starts to show a page, and is ready when the browser is started: what the user makes of it is not waited for. The session
    /// waits meanwhile. `uri` is `https`, or `http` where that is allowed.
    ///
    /// # Errors
    /// [`Refusal`] is the status of the command: 500 when the browser does not start, 503 when there is too much on the screen
    /// already, 507 when the user wants none.
    fn show<'a>(&'a mut self, uri: &'a str) -> Shown<'a>;
}
