//! The secure channel around commands (`DM 2.0 §H`): SCP03 works on headers and data, cards on commands.

use omadm_auth::scp03::{Host, HostSession, Message};
use omadm_codec::smartcard::{Class, Command, Expected, Instruction, Response, StatusWord};

use super::{CardError, CardKeys};

/// A handshake that waits for the cryptogram of the card.
pub(super) struct Handshake(Host);

impl Handshake {
    /// Begins, with INITIALIZE UPDATE on the channel of this class.
    pub(super) fn begin(
        keys: &CardKeys,
        challenge: [u8; 8],
        class: Class,
    ) -> Result<(Self, Command), CardError> {
        let class = Class::GLOBAL_PLATFORM.on(class.channel());
        let host = Host::new(keys.keys.clone(), keys.version, class.0, challenge.to_vec())?;
        let command = command(host.initialize_update(), Some(Expected::ALL))?;
        Ok((Self(host), command))
    }

    /// Checks the cryptogram, and gives EXTERNAL AUTHENTICATE.
    pub(super) fn answer(self, data: &[u8]) -> Result<(HostSession, Command), CardError> {
        let (message, session) = self.0.authenticate(data)?;
        Ok((session, command(message, None)?))
    }
}

/// Puts a command under the channel. What it is answered has a MAC, so something is expected, always.
pub(super) fn wrap(session: &mut HostSession, plain: &Command) -> Result<Command, CardError> {
    let message = session.wrap(plain.header(), plain.data(), false)?;
    command(message, Some(Expected::ALL))
}

/// Checks an answer, and gives what it holds.
pub(super) fn unwrap(
    session: &mut HostSession,
    data: &[u8],
    status: StatusWord,
) -> Result<Response, CardError> {
    let plain = session.unwrap(data, status.0)?;
    Ok(Response::new(plain.expose().to_vec(), status))
}

fn command(message: Message, expected: Option<Expected>) -> Result<Command, CardError> {
    let [class, instruction, p1, p2] = message.header;
    let command = Command::new(Class(class), Instruction(instruction), p1, p2).with_data(message.data);
    let mut command = command.map_err(|_| omadm_auth::scp03::Scp03Error::TooLong)?;
    command.expected = expected;
    Ok(command)
}
