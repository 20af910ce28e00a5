//! Sessions of DM 1.x.

use std::path::PathBuf;

use omadm_client::dm1::{LinkConfig, Scheme, SessionConfig, SessionlessConfig};
use omadm_config::{Size, Span};
use omadm_link::ObexSection;
use omadm_mo::ServerId;
use serde::{Deserialize, Serialize};

use super::dm1_bootstrap::Dm1BootstrapSection;
use super::wsp::WspSection;

/// `[dm1]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dm1Section {
    /// Files with one DM 1.x account each (JSON), installed at the first start.
    pub accounts: Vec<PathBuf>,
    /// Schemes by which device and server may prove who they are: `sha256` and `mac-sha256` (default), and the weak `basic`, `md5` and
    /// `mac-md5`, which DM 1.2 has and nothing else.
    pub schemes: Vec<Scheme>,
    /// Take a digest of the server that is made of the text of the nonce instead of its octets: a common mistake.
    pub lenient_nonce: bool,
    /// Answer an Atomic in several messages where one does not hold the answers; else nothing of it is done, and it is answered 517.
    pub split_atomic: bool,
    /// Largest message that is received (`MaxMsgSize`), 1 KiB to 1 GiB.
    pub max_message: Size,
    /// Largest object that is received (`MaxObjSize`), 1 KiB to 1 GiB.
    pub max_object: Size,
    /// Take and send objects in chunks (`DevDetail/LrgObj`).
    pub large_objects: bool,
    /// Most messages of the server in one session, 1 or more.
    pub max_rounds: u32,
    /// Longest pause before a message is sent again that got no answer, three times at most.
    pub retry_pause: Span,
    /// Most segments of an address (`DevDetail/URI/MaxDepth`); 0 is as many as the tree has room for.
    pub uri_depth: u16,
    /// Most characters of an address (`DevDetail/URI/MaxTotLen`); 0 is no limit of its own.
    pub uri_length: u16,
    /// Most characters of a segment (`DevDetail/URI/MaxSegLen`); 0 is no limit of its own.
    pub uri_segment: u16,
    /// Who answers what servers ask the user: nobody (`none`, default), the person at the `terminal` of the agent, or a `command`.
    pub user: UserMode,
    /// The command that answers, with its arguments: it gets the question as JSON and prints the answer.
    pub user_command: Vec<String>,
    /// How long an answer may take, one second or more, whatever the server allows.
    pub user_timeout: Span,
    /// Carry out commands of DM 1.3 that come as a push, without a session, where they prove that they are from the server of an account.
    pub sessionless: bool,
    /// Servers (`ServerID`) whose commands without a session need no proof of their own where the transport has authenticated the sender.
    pub sessionless_trusted: Vec<String>,
    /// Age by the time of the bearer at which commands without a session are too old, one minute or more.
    pub sessionless_max_age: Span,
    /// Over local links.
    pub obex: ObexSection,
    /// Through a WAP gateway.
    pub wsp: WspSection,
    /// Bootstraps.
    pub bootstrap: Dm1BootstrapSection,
}

/// Who answers what servers ask the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum UserMode {
    #[default]
    None,
    Terminal,
    Command,
}

impl Default for Dm1Section {
    fn default() -> Self {
        let SessionConfig {
            max_message,
            max_object,
            large_objects,
            max_rounds,
            schemes,
            lenient_nonce,
            split_atomic,
            patience,
            longest_pause,
            links: _,
            wsp: _,
            sessionless: _,
        } = SessionConfig::default();
        Self {
            accounts: Vec::new(),
            schemes,
            lenient_nonce,
            split_atomic,
            max_message: size(max_message),
            max_object: size(max_object),
            large_objects,
            max_rounds,
            retry_pause: Span(longest_pause),
            uri_depth: 32,
            uri_length: 1_024,
            uri_segment: 255,
            user: UserMode::None,
            user_command: Vec::new(),
            user_timeout: Span(patience),
            sessionless: false,
            sessionless_trusted: Vec::new(),
            sessionless_max_age: Span(SessionlessConfig::default().max_age),
            obex: ObexSection::default(),
            wsp: WspSection::default(),
            bootstrap: Dm1BootstrapSection::default(),
        }
    }
}

impl Dm1Section {
    /// The settings as the library has them.
    pub fn to_sessions(&self, strict: bool) -> SessionConfig {
        let octets = |size: Size| u32::try_from(size.0).unwrap_or(u32::MAX);
        SessionConfig {
            max_message: octets(self.max_message),
            max_object: octets(self.max_object),
            large_objects: self.large_objects,
            max_rounds: self.max_rounds,
            schemes: self.schemes.clone(),
            lenient_nonce: self.lenient_nonce,
            split_atomic: self.split_atomic,
            patience: self.user_timeout.0,
            longest_pause: self.retry_pause.0,
            links: LinkConfig {
                call: self.obex.call,
                basic: self.obex.basic,
                obex: self.obex.settings(self.max_message.0, strict),
                connect_timeout: self.obex.connect_timeout.0,
            },
            wsp: self.wsp.to_wsp(),
            sessionless: self.sessionless.then(|| self.to_sessionless()),
        }
    }
}

impl Dm1Section {
    fn to_sessionless(&self) -> SessionlessConfig {
        let trusted = self.sessionless_trusted.iter().filter_map(|server| ServerId::parse(server).ok());
        SessionlessConfig { trusted: trusted.collect(), max_age: self.sessionless_max_age.0 }
    }
}

fn size(octets: u32) -> Size {
    Size(usize::try_from(octets).unwrap_or(usize::MAX))
}
