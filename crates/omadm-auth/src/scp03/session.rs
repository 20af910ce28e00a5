//! Commands and responses under the channel (`Amendment D §6.2.4` to `§6.2.7`).

use subtle::ConstantTimeEq as _;

use super::cipher::{BLOCK, Block, Key};
use super::keys::SessionKeys;
use super::{Message, Mode, Scp03Error};
use crate::secret::Secret;

/// The bit of the class for secure messaging, on channels 0 to 3 and on the others.
const SECURED: u8 = 0x04;
const SECURED_FURTHER: u8 = 0x20;
/// The bit of the class that says that it is of channel 4 or higher.
const FURTHER: u8 = 0x40;
/// The bit of the class that a MAC covers, beside that for secure messaging: channels are left out.
const PROPRIETARY: u8 = 0x80;
/// The most octets in the data of a short command.
const SHORT: usize = 0xff;
/// The most octets in the data of a short response.
const SHORT_RESPONSE: usize = 0x100;
/// The most octets in the data of any command.
const LONGEST: usize = 0xffff;
/// First octet of the block that the counter makes for a response.
const RESPONSE: u8 = 0x80;

/// What both sides of a session share.
pub(super) struct Channel {
    enc: Key,
    mac: Key,
    rmac: Key,
    mode: Mode,
    /// The MAC of the last command, in full.
    chain: Block,
    /// Commands so far.
    counter: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A command comes next.
    Command,
    /// The response to the last command comes next.
    Response,
    /// Nothing comes any more.
    Closed,
}

impl Channel {
    pub(super) fn new(keys: SessionKeys, mode: Mode) -> Self {
        let SessionKeys { enc, mac, rmac, .. } = keys;
        Self { enc, mac, rmac, mode, chain: [0; BLOCK], counter: 0, state: State::Command }
    }

    /// EXTERNAL AUTHENTICATE: the first command of the chain, not encrypted and not counted.
    pub(super) fn authenticate(&mut self, header: [u8; 4], data: &[u8]) -> Result<Message, Scp03Error> {
        self.put_mac(header, data.to_vec(), false)
    }

    /// Checks EXTERNAL AUTHENTICATE: gives its data.
    pub(super) fn check_authenticate<'d>(
        &mut self,
        header: [u8; 4],
        data: &'d [u8],
    ) -> Result<&'d [u8], Scp03Error> {
        self.check_mac(header, data, false)
    }

    /// Begins a step: it has to be the turn of it.
    fn turn(&mut self, expected: State) -> Result<(), Scp03Error> {
        match self.state {
            State::Closed => Err(Scp03Error::Closed),
            state if state == expected => Ok(()),
            State::Command | State::Response => Err(Scp03Error::Turn),
        }
    }

    /// Closes for good unless the step went well; then it is the turn of `next`.
    fn ended<T>(&mut self, result: Result<T, Scp03Error>, next: State) -> Result<T, Scp03Error> {
        self.state = if result.is_ok() { next } else { State::Closed };
        result
    }

    /// The block from which encryption goes on: the counter, encrypted.
    fn iv(&self, first: u8) -> Block {
        let mut block = [0; BLOCK];
        block.iter_mut().rev().zip(self.counter.to_le_bytes()).for_each(|(to, from)| *to = from);
        block[0] = first;
        self.enc.block(block)
    }

    /// The MAC of a command: over the MAC before it, the header without its channel, the length of the data with a MAC behind, the data.
    fn command_mac(&self, header: [u8; 4], data: &[u8], extended: bool) -> Result<Block, Scp03Error> {
        let [class, instruction, p1, p2] = header;
        let length = data.len().saturating_add(self.mode.size());
        let octets = u16::try_from(length).map_err(|_| Scp03Error::TooLong)?.to_be_bytes();
        let long = [0, octets[0], octets[1]];
        let length = if extended || length > SHORT { &long[..] } else { &octets[1..] };
        let header = [class & PROPRIETARY | SECURED, instruction, p1, p2];
        Ok(self.mac.mac(&[&self.chain, &header, length, data]))
    }

    fn put_mac(&mut self, header: [u8; 4], data: Vec<u8>, extended: bool) -> Result<Message, Scp03Error> {
        self.chain = self.command_mac(header, &data, extended)?;
        let mut data = data;
        data.extend(self.chain.iter().take(self.mode.size()));
        let [class, rest @ ..] = header;
        let secured = if class & FURTHER == 0 { class | SECURED } else { class | SECURED_FURTHER };
        let [instruction, p1, p2] = rest;
        Ok(Message { header: [secured, instruction, p1, p2], data })
    }

    fn check_mac<'d>(
        &mut self,
        header: [u8; 4],
        data: &'d [u8],
        extended: bool,
    ) -> Result<&'d [u8], Scp03Error> {
        let (data, mac) = self.split(data)?;
        let full = self.command_mac(header, data, extended)?;
        self.matches(&full, mac)?;
        self.chain = full;
        Ok(data)
    }

    /// Data, and the MAC behind it.
    fn split<'d>(&self, data: &'d [u8]) -> Result<(&'d [u8], &'d [u8]), Scp03Error> {
        let at = data.len().checked_sub(self.mode.size()).ok_or(Scp03Error::Mac)?;
        data.split_at_checked(at).ok_or(Scp03Error::Mac)
    }

    fn matches(&self, full: &Block, mac: &[u8]) -> Result<(), Scp03Error> {
        let expected = full.get(..self.mode.size()).unwrap_or_default();
        if bool::from(expected.ct_eq(mac)) { Ok(()) } else { Err(Scp03Error::Mac) }
    }

    fn response_mac(&self, data: &[u8], status: u16) -> Block {
        self.rmac.mac(&[&self.chain, data, &status.to_be_bytes()])
    }

    /// What is not there is not encrypted.
    fn encrypt(&self, first: u8, data: &[u8]) -> Vec<u8> {
        if data.is_empty() { Vec::new() } else { self.enc.encrypt(self.iv(first), data) }
    }

    fn decrypt(&self, first: u8, data: &[u8]) -> Result<Secret, Scp03Error> {
        if data.is_empty() { Ok(Secret::new(Vec::new())) } else { self.enc.decrypt(self.iv(first), data) }
    }
}

/// Whether a response with this status word has a MAC: an error comes bare (`Amendment D §6.2.5`).
fn is_protected(status: u16) -> bool {
    let [sw1, _] = status.to_be_bytes();
    status == 0x9000 || matches!(sw1, 0x62 | 0x63)
}

/// The device's side of a session.
pub struct HostSession(Channel);

impl HostSession {
    pub(super) fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// The most octets of data that [`HostSession::wrap`] takes for a command in its short form.
    #[must_use]
    pub fn room(&self) -> usize {
        room(SHORT, self.0.mode)
    }

    /// The most octets of data that a response in its short form can bring.
    #[must_use]
    pub fn response_room(&self) -> usize {
        room(SHORT_RESPONSE, self.0.mode)
    }

    /// Puts a command under the channel. Its header has the class with the bits of the logical channel; `extended` says that it
    /// will be in the extended form even if its data is short. GET RESPONSE goes without.
    ///
    /// # Errors
    /// [`Scp03Error::TooLong`], [`Scp03Error::Turn`], [`Scp03Error::Closed`].
    pub fn wrap(&mut self, header: [u8; 4], data: &[u8], extended: bool) -> Result<Message, Scp03Error> {
        let channel = &mut self.0;
        channel.turn(State::Command)?;
        if data.len() > LONGEST - BLOCK - channel.mode.size() {
            return Err(Scp03Error::TooLong);
        }
        channel.counter = channel.counter.checked_add(1).ok_or(Scp03Error::Closed)?;
        let encrypted = channel.encrypt(0, data);
        let message = channel.put_mac(header, encrypted, extended);
        channel.ended(message, State::Response)
    }

    /// Checks the response to the last command, as it is after GET RESPONSE, and gives its data. Whether `status` is an error
    /// is up to the caller: one without data passes, since nothing protects it.
    ///
    /// # Errors
    /// [`Scp03Error::Mac`], [`Scp03Error::Unprotected`], [`Scp03Error::Padding`], [`Scp03Error::Turn`],
    /// [`Scp03Error::Closed`].
    pub fn unwrap(&mut self, data: &[u8], status: u16) -> Result<Secret, Scp03Error> {
        let channel = &mut self.0;
        channel.turn(State::Response)?;
        let plain = if is_protected(status) {
            channel.split(data).and_then(|(data, mac)| {
                channel.matches(&channel.response_mac(data, status), mac)?;
                channel.decrypt(RESPONSE, data)
            })
        } else if data.is_empty() {
            Ok(Secret::new(Vec::new()))
        } else {
            Err(Scp03Error::Unprotected)
        };
        channel.ended(plain, State::Command)
    }
}

/// The card's side of a session.
pub struct CardSession(Channel);

impl CardSession {
    pub(super) fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// The most octets of data that fit into a response in its short form.
    #[must_use]
    pub fn room(&self) -> usize {
        room(SHORT_RESPONSE, self.0.mode)
    }

    /// Checks a command and gives its data. `extended` says whether it came in the extended form.
    ///
    /// # Errors
    /// [`Scp03Error::Mac`], [`Scp03Error::Padding`], [`Scp03Error::Turn`], [`Scp03Error::Closed`].
    pub fn unwrap(&mut self, header: [u8; 4], data: &[u8], extended: bool) -> Result<Secret, Scp03Error> {
        let channel = &mut self.0;
        channel.turn(State::Command)?;
        channel.counter = channel.counter.checked_add(1).ok_or(Scp03Error::Closed)?;
        let plain = channel.check_mac(header, data, extended);
        let plain = plain.and_then(|data| channel.decrypt(0, data));
        channel.ended(plain, State::Response)
    }

    /// Puts a response under the channel: gives its data, nothing for an error.
    ///
    /// # Errors
    /// [`Scp03Error::Turn`], [`Scp03Error::Closed`].
    pub fn wrap(&mut self, data: &[u8], status: u16) -> Result<Vec<u8>, Scp03Error> {
        let channel = &mut self.0;
        channel.turn(State::Response)?;
        let wrapped = if is_protected(status) {
            let mut out = channel.encrypt(RESPONSE, data);
            let mac = channel.response_mac(&out, status);
            out.extend(mac.iter().take(channel.mode.size()));
            out
        } else {
            Vec::new()
        };
        channel.ended(Ok(wrapped), State::Command)
    }
}

/// Data, with an octet of padding at least, and the MAC fit into `octets`.
fn room(octets: usize, mode: Mode) -> usize {
    (octets - mode.size()) / BLOCK * BLOCK - 1
}

impl std::fmt::Debug for HostSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostSession({} commands)", self.0.counter)
    }
}

impl std::fmt::Debug for CardSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CardSession({} commands)", self.0.counter)
    }
}
