//! What is known of devices in the middle of a session, so that their next message needs no read. It is only a memory: the store
//! refuses a step that was made from what is no longer so, and then the device is read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use omadm_mo::DeviceId;
use omadm_store::{CheckIn, Credential};

/// Devices with more open commands are read again; they are few, and would take much room.
const MAX_COMMANDS: usize = 64;
/// Devices with a longer reply to keep, in octets, are read again.
const MAX_REPLY: usize = 8 << 10;

/// Check-ins by user name, the newest of them.
pub struct Memory {
    /// Most check-ins; 0 remembers none.
    capacity: usize,
    kept: Mutex<Kept>,
}

/// What was put in lately, and what was before: when the first is full, the second goes at once.
#[derive(Default)]
struct Kept {
    young: HashMap<String, (Credential, CheckIn)>,
    old: HashMap<String, (Credential, CheckIn)>,
}

impl Memory {
    /// Room for so many check-ins.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    /// Takes out what is known of the device of a user, if `accept` takes the credential.
    pub fn take(
        &self,
        user: &str,
        accept: impl FnOnce(&Credential) -> bool,
    ) -> Option<(Credential, CheckIn)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let map = if kept.young.contains_key(user) { &mut kept.young } else { &mut kept.old };
        if !accept(&map.get(user)?.0) {
            return None;
        }
        map.remove(user)
    }

    /// Forgets a device whose credential has ended.
    pub fn forget(&self, device: &DeviceId) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { young, old } = &mut *kept;
        for map in [young, old] {
            map.retain(|_, (credential, _)| credential.device != *device);
        }
    }

    /// Remembers what the next message of an open session would read.
    pub fn keep(&self, user: String, credential: Credential, check: CheckIn) {
        let open = check.session.as_ref().is_some_and(|row| !row.ended && row.reply.len() <= MAX_REPLY);
        if !open || check.more || check.commands.len() > MAX_COMMANDS || self.capacity == 0 {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.young.len() >= self.capacity.div_ceil(2) {
            kept.old = std::mem::take(&mut kept.young);
        }
        kept.old.remove(&user);
        kept.young.insert(user, (credential, check));
    }
}

#[cfg(test)]
mod tests {
    use omadm_mo::Time;
    use omadm_store::{Command, CommandState, Device, SessionRow};
    use uuid::Uuid;

    use super::*;

    fn check(id: &str) -> (Credential, CheckIn) {
        let device = DeviceId::parse(id).unwrap();
        let credential = Credential { device: device.clone(), generation: 1, verifier: vec![1].into() };
        let device = Device {
            id: device,
            generation: 1,
            label: String::new(),
            protocol: None,
            bearer: None,
            facts: "{}".to_owned(),
            inventory: None,
            enrolled: Time(0),
            last_contact: None,
            open_commands: 0,
            revoked: None,
            desired: None,
            pinned: None,
        };
        let session = SessionRow {
            session: 1,
            version: 1,
            state: Vec::new(),
            request_digest: Vec::new(),
            reply: Vec::new(),
            ended: false,
            updated: Time(0),
        };
        (
            credential,
            CheckIn {
                device,
                session: Some(session),
                commands: Vec::new(),
                more: false,
                last_seq: 0,
                validators: Vec::new(),
                dm1: None,
            },
        )
    }

    fn command() -> Command {
        Command {
            id: Uuid::nil(),
            device: DeviceId::parse("A:1").unwrap(),
            generation: 1,
            seq: 1,
            verb: "get".to_owned(),
            address: String::new(),
            args: String::new(),
            payload: None,
            state: CommandState::Queued,
            status: None,
            reason: None,
            result: None,
            attempts: 0,
            created: Time(0),
            sent: None,
            finished: None,
            expires: Time(1),
            created_by: String::new(),
            origin: None,
        }
    }

    fn keep(memory: &Memory, user: &str) {
        let (credential, check) = check(user);
        memory.keep(user.to_owned(), credential, check);
    }

    fn knows(memory: &Memory, user: &str) -> bool {
        memory.take(user, |_| true).is_some()
    }

    #[test]
    fn what_is_known_is_taken_once_and_by_its_owner() {
        let memory = Memory::new(4);
        keep(&memory, "A:1");
        assert!(memory.take("A:1", |_| false).is_none());
        assert!(!knows(&memory, "A:2"));
        assert!(knows(&memory, "A:1"));
        assert!(!knows(&memory, "A:1"));
    }

    #[test]
    fn a_device_can_be_forgotten_by_its_identifier() {
        let memory = Memory::new(4);
        for user in ["A:1", "A:2", "A:3"] {
            keep(&memory, user);
        }
        for device in ["A:1", "A:3", "A:4"] {
            memory.forget(&DeviceId::parse(device).unwrap());
        }
        assert_eq!(["A:1", "A:2", "A:3"].map(|user| knows(&memory, user)), [false, true, false]);
    }

    #[test]
    fn the_room_is_bounded() {
        let memory = Memory::new(4);
        for number in 0..100 {
            keep(&memory, &format!("A:{number}"));
        }
        let known = (0..100).filter(|number| knows(&memory, &format!("A:{number}"))).collect::<Vec<_>>();
        assert!((2..=4).contains(&known.len()) && known.contains(&99), "{known:?}");
        let none = Memory::new(0);
        keep(&none, "A:1");
        assert!(!knows(&none, "A:1"));
    }

    #[test]
    fn only_small_open_sessions_are_kept() {
        let memory = Memory::new(4);
        let kept = |change: fn(&mut CheckIn)| {
            let (credential, mut check) = check("A:1");
            change(&mut check);
            memory.keep("A:1".to_owned(), credential, check);
            knows(&memory, "A:1")
        };
        let row = |change: fn(&mut SessionRow)| {
            let (credential, mut check) = check("A:1");
            check.session.iter_mut().for_each(change);
            memory.keep("A:1".to_owned(), credential, check);
            knows(&memory, "A:1")
        };
        assert!(row(|row| row.reply = vec![0; MAX_REPLY]));
        assert!(!row(|row| row.reply = vec![0; MAX_REPLY + 1]));
        assert!(!row(|row| row.ended = true));
        assert!(!kept(|check| check.more = true));
        assert!(!kept(|check| check.session = None));
        assert!(kept(|check| check.commands = vec![command(); MAX_COMMANDS]));
        assert!(!kept(|check| check.commands = vec![command(); MAX_COMMANDS + 1]));
    }
}
