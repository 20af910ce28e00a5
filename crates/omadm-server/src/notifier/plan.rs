//! When a device is notified: a pure decision.

use omadm_mo::Time;
use omadm_store::{Push, PushProgress};

use super::Protocol;
use crate::config::NotifierSection;

/// A device that was heard of so short a time ago, in microseconds, is in the middle of a session, or about to fetch what waits.
const QUIET: i64 = 2_000_000;
/// How far ahead of this node's the clocks of others may be, in microseconds.
const SKEW: i64 = 600_000_000;
/// Each pause is so much longer than the one before.
const BACK_OFF: i64 = 4;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// What is to be done for a device now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Send a notification; the progress is that after it.
    Send(PushProgress),
    /// Nothing before that time.
    Wait(Time),
    /// Nothing more.
    Stop(Reason),
}

/// Why nothing more is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing waits for the device.
    Empty,
    /// It was there since something was queued last.
    Came,
    /// It did not come after so many notifications.
    GaveUp,
}

/// What is to be done for a device that is due.
pub fn due(push: &Push, protocol: Protocol, settings: &NotifierSection, now: Time) -> Plan {
    let push = &as_of(push, now);
    let Push { last_contact, .. } = push;
    if push.open_commands == 0 {
        return Plan::Stop(Reason::Empty);
    }
    if last_contact.is_some_and(|contact| push.wanted.is_none_or(|wanted| wanted <= contact)) {
        return Plan::Stop(Reason::Came);
    }
    let attempts = unanswered(push);
    if attempts >= settings.max_attempts {
        return Plan::Stop(Reason::GaveUp);
    }
    let quiet = last_contact.map(|contact| contact.plus_micros(QUIET));
    if let Some(earliest) = allowed(push, settings, now).err().max(quiet).filter(|earliest| now < *earliest) {
        return Plan::Wait(earliest);
    }
    let due = now.plus_micros(pause(settings, attempts));
    Plan::Send(PushProgress { attempts: attempts + 1, due: Some(due), ..after(push, protocol, now) })
}

/// What a notification beside those leaves, such as one by hand.
///
/// # Errors
/// The earliest time that the limits allow one.
pub fn extra(
    push: &Push,
    protocol: Protocol,
    settings: &NotifierSection,
    now: Time,
) -> Result<PushProgress, Time> {
    let push = &as_of(push, now);
    // What was answered does not count for this one.
    let progress = PushProgress { attempts: unanswered(push), ..after(push, protocol, now) };
    allowed(push, settings, now).map(|()| progress)
}

/// Without times that are still to come: they were written before the clock was set back, and nobody waits for them.
fn as_of(push: &Push, now: Time) -> Push {
    let past = |time: Option<Time>| time.filter(|time| *time <= now.plus_micros(SKEW));
    let progress = PushProgress { sent: past(push.progress.sent), ..push.progress };
    Push { wanted: past(push.wanted), last_contact: past(push.last_contact), progress, ..push.clone() }
}

/// Notifications since the device was last there.
fn unanswered(push: &Push) -> u32 {
    let Push { progress, last_contact, .. } = push;
    let answered = progress.sent.is_none_or(|sent| last_contact.is_some_and(|contact| sent < contact));
    if answered { 0 } else { progress.attempts }
}

/// The number of the notification that is sent next. In DM 2.0 each has its own; in DM 1.x it is that of the session, and so the same for
/// all that call for one, and never 0 (`DM 1.2 NOTI §6.2`).
pub fn number(push: &Push, protocol: Protocol) -> u16 {
    let next = push.progress.next_id;
    match protocol {
        Protocol::Dm2 => next,
        Protocol::Dm1 if unanswered(push) > 0 => next.wrapping_sub(1),
        Protocol::Dm1 => next.max(1),
    }
}

/// Whether the notification that leads to this progress is made with the default nonce.
pub fn gives_nonce_up(progress: &PushProgress, settings: &NotifierSection) -> bool {
    let after = settings.dm1_default_nonce_after;
    after > 0 && progress.attempts > after
}

/// Whether the limits allow a notification; if not, when.
fn allowed(push: &Push, settings: &NotifierSection, now: Time) -> Result<(), Time> {
    let progress = &push.progress;
    let next = progress.sent.map(|sent| sent.plus_micros(settings.min_interval.micros()));
    if let Some(next) = next.filter(|next| now < *next) {
        return Err(next);
    }
    if progress.day == day(now) && progress.day_count >= settings.max_per_day {
        return Err(Time((day(now) + 1).saturating_mul(DAY)));
    }
    Ok(())
}

/// Whether a session that names this number answers one of the notifications since the device was last there.
pub fn is_answered_by(push: &Push, protocol: Protocol, id: u16) -> bool {
    let Push { progress, last_contact, .. } = push;
    let waits = progress.sent.is_some_and(|sent| last_contact.is_none_or(|contact| contact < sent));
    let before_last = progress.next_id.wrapping_sub(1).wrapping_sub(id);
    let numbers = match protocol {
        Protocol::Dm1 => 1,
        Protocol::Dm2 => progress.attempts.max(1),
    };
    waits && u32::from(before_last) < numbers
}

fn day(time: Time) -> i64 {
    time.0.div_euclid(DAY)
}

fn after(push: &Push, protocol: Protocol, now: Time) -> PushProgress {
    let progress = &push.progress;
    let day_count = if progress.day == day(now) { progress.day_count } else { 0 };
    PushProgress {
        next_id: number(push, protocol).wrapping_add(1),
        sent: Some(now),
        day: day(now),
        day_count: day_count + 1,
        ..*progress
    }
}

/// The pause after so many notifications.
fn pause(settings: &NotifierSection, attempts: u32) -> i64 {
    let longer = settings.retry_after.micros().saturating_mul(BACK_OFF.saturating_pow(attempts));
    longer.min(settings.longest_retry.micros())
}

#[cfg(test)]
mod tests {
    use omadm_mo::DeviceId;

    use super::Protocol::{Dm1, Dm2};
    use super::*;
    use crate::config::Span;

    fn at(seconds: i64) -> Time {
        Time::from_secs(seconds)
    }

    /// A command was queued at 100 s.
    fn push(progress: PushProgress) -> Push {
        Push {
            device: DeviceId::parse("A:1").unwrap(),
            generation: 1,
            version: 0,
            addresses: vec!["udp:a".into()],
            registration: None,
            wanted: Some(at(100)),
            progress,
            last_contact: None,
            open_commands: 1,
            has_inventory: true,
            verifier: Default::default(),
            protocol: None,
            facts: String::new(),
            dm1: None,
        }
    }

    fn sent(now: i64, attempts: u32) -> PushProgress {
        PushProgress { sent: Some(at(now)), attempts, day_count: attempts, ..PushProgress::default() }
    }

    #[test]
    fn pauses_grow_until_the_server_gives_up() {
        let settings = NotifierSection { longest_retry: Span::secs(3_600), ..NotifierSection::default() };
        let mut waiting = push(PushProgress { next_id: u16::MAX, ..PushProgress::default() });
        let mut now = at(100);
        let mut pauses = Vec::new();
        while let Plan::Send(progress) = due(&waiting, Dm2, &settings, now) {
            assert_eq!(progress.sent, Some(now));
            let next = progress.due.unwrap();
            pauses.push((next.0 - now.0) / 1_000_000);
            (waiting.progress, now) = (progress, next);
        }
        assert_eq!(pauses, [60, 240, 960, 3_600, 3_600]);
        assert_eq!(waiting.progress.next_id, 4, "identifiers wrap around");
        assert_eq!(due(&waiting, Dm2, &settings, now), Plan::Stop(Reason::GaveUp));
    }

    #[test]
    fn a_device_that_came_is_left_alone() {
        let settings = NotifierSection::default();
        let here = Push { last_contact: Some(at(101)), ..push(sent(100, 1)) };
        assert_eq!(due(&here, Dm2, &settings, at(160)), Plan::Stop(Reason::Came));
        let served = Push { open_commands: 0, ..push(sent(100, 1)) };
        assert_eq!(due(&served, Dm2, &settings, at(160)), Plan::Stop(Reason::Empty));
        let again = Push { wanted: Some(at(150)), ..here };
        let Plan::Send(progress) = due(&again, Dm2, &settings, at(160)) else { panic!("it has to be told") };
        assert_eq!(progress.attempts, 1, "it answered the one before");
    }

    #[test]
    fn a_device_that_is_there_is_not_notified() {
        let settings = NotifierSection::default();
        let busy = Push { last_contact: Some(at(99)), ..push(PushProgress::default()) };
        assert_eq!(due(&busy, Dm2, &settings, at(100)), Plan::Wait(at(101)));
        assert!(matches!(due(&busy, Dm2, &settings, at(101)), Plan::Send(_)));
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let settings = NotifierSection { max_per_day: 3, ..NotifierSection::default() };
        let again = Push { last_contact: Some(at(91)), ..push(sent(90, 1)) };
        assert_eq!(due(&again, Dm2, &settings, Time(99_999_999)), Plan::Wait(at(100)));
        assert!(matches!(due(&again, Dm2, &settings, at(100)), Plan::Send(_)));
        assert_eq!(extra(&again, Dm2, &settings, Time(99_999_999)), Err(at(100)));
        assert_eq!(extra(&again, Dm2, &settings, at(100)).unwrap().attempts, 0, "it answered the one before");
        let third = push(sent(90, 2));
        assert_eq!(extra(&third, Dm2, &settings, at(100)).unwrap().day_count, 3);
        let fourth = push(sent(90, 3));
        assert_eq!(due(&fourth, Dm2, &settings, at(100)), Plan::Wait(at(86_400)));
        assert_eq!(extra(&fourth, Dm2, &settings, at(86_400)).unwrap().day_count, 1);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait() {
        let settings = NotifierSection::default();
        let ahead = Push {
            wanted: Some(at(10_000)),
            last_contact: Some(at(9_000)),
            ..push(PushProgress { due: Some(at(11_000)), ..sent(10_000, 3) })
        };
        let Plan::Send(progress) = due(&ahead, Dm2, &settings, at(100)) else {
            panic!("nothing is known of it")
        };
        assert_eq!((progress.sent, progress.attempts), (Some(at(100)), 1));
        assert!(extra(&ahead, Dm2, &settings, at(100)).is_ok());
        assert!(extra(&ahead, Dm2, &settings, at(9_990)).is_err(), "the clocks of nodes may differ");
    }

    #[test]
    fn an_answer_names_what_was_sent() {
        let waiting = push(PushProgress { next_id: 1, ..sent(50, 2) });
        for (id, answers) in [(0, true), (u16::MAX, true), (u16::MAX - 1, false), (1, false), (7, false)] {
            assert_eq!(is_answered_by(&waiting, Dm2, id), answers, "{id}");
        }
        let there = Push { last_contact: Some(at(60)), ..waiting };
        assert!(!is_answered_by(&there, Dm2, 0), "it was there since");
        assert!(!is_answered_by(&push(PushProgress::default()), Dm2, 0), "none was sent");
        assert!(
            is_answered_by(&push(sent(50, 0)), Dm2, u16::MAX),
            "one by hand does not count as an attempt"
        );
    }

    #[test]
    fn one_number_stands_for_all_calls_for_a_session_of_dm1() {
        let settings = NotifierSection::default();
        for (next, numbers) in [(7, [7, 7, 7]), (0, [1, 1, 1]), (u16::MAX, [u16::MAX; 3])] {
            let mut waiting = push(PushProgress { next_id: next, ..PushProgress::default() });
            let mut now = at(100);
            for wanted in numbers {
                assert_eq!(number(&waiting, Dm1), wanted);
                let Plan::Send(progress) = due(&waiting, Dm1, &settings, now) else {
                    panic!("it has to be told")
                };
                (waiting.progress, now) = (progress, progress.due.unwrap());
                assert!(is_answered_by(&waiting, Dm1, wanted));
                assert!(!is_answered_by(&waiting, Dm1, wanted.wrapping_sub(1)));
            }
            waiting.last_contact = Some(now.plus_micros(1));
            let following = numbers[0].wrapping_add(1).max(1);
            assert_eq!(number(&waiting, Dm1), following, "another session has another number");
            assert!(!is_answered_by(&waiting, Dm1, numbers[0]), "it was there since");
        }
    }

    #[test]
    fn the_nonce_is_given_up_where_it_is_set_so_and_not_before() {
        let attempts = |attempts| PushProgress { attempts, ..PushProgress::default() };
        let settings = NotifierSection { dm1_default_nonce_after: 2, ..NotifierSection::default() };
        assert!(!gives_nonce_up(&attempts(2), &settings));
        assert!(gives_nonce_up(&attempts(3), &settings));
        assert!(!gives_nonce_up(&attempts(99), &NotifierSection::default()));
    }
}
