//! In place of smartcards in an agent that was built without.

use omadm_client::Client;
use omadm_mo::ServerId;

use crate::config::Config;
use crate::error::AgentError;

/// Servers with a new account: there are none.
#[derive(Debug, Default)]
pub struct Begun {
    pub dm2: Vec<ServerId>,
    pub dm1: Vec<ServerId>,
}

/// No cards.
pub struct Cards;

/// What never happens.
pub enum Event {}

impl Cards {
    pub fn start(_config: &Config) -> Result<Self, AgentError> {
        Ok(Self)
    }

    pub async fn event(&mut self) -> Event {
        std::future::pending().await
    }

    pub async fn carry_out(&mut self, event: Event, _client: &mut Client) -> Result<Begun, AgentError> {
        match event {}
    }
}
