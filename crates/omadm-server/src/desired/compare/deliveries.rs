//! Software and firmware: that a device has done something is believed when it was seen.

use uuid::Uuid;

use super::tests::{version, wanted};
use super::*;

/// A device of which nothing is seen but by reading.
struct Machine {
    /// The version that it has.
    there: &'static str,
    /// That which was read last.
    seen: Seen,
    can_be_read: bool,
    memo: Memo,
    now: i64,
    ids: u128,
}

impl Machine {
    fn with(there: &'static str) -> Self {
        let seen = Seen::Unmet(format!("there is {there}"));
        Self { there, seen, can_be_read: true, memo: Memo::default(), now: 1_000_000, ids: 0 }
    }

    /// Looks at it after the last command has ended so.
    fn look(&mut self, wanted: &Wanted, end: Option<End>) -> Plan {
        let read = self.can_be_read.then(|| "./Version".to_owned());
        let known = [Known { seen: self.seen.clone(), read, never: None }];
        let last = Uuid::from_u128(self.ids);
        let empty = HashSet::new();
        let view = View {
            known: &known,
            under_way: &HashSet::new(),
            ended: &end.map(|end| (last, end)).into_iter().collect(),
            before: &|_| None,
            by_hand: &empty,
            told: &empty,
            unobserved: &empty,
            reports: true,
            now: Time(self.now),
            most: 8,
        };
        let ids = &mut self.ids;
        let plan = compare(wanted, &self.memo, &view, &mut || {
            *ids += 1;
            Uuid::from_u128(*ids)
        });
        self.memo = Memo::read(plan.memo.write().as_deref());
        plan
    }

    /// Has the version read, which is wanted as `2`.
    fn read(&mut self, wanted: &Wanted) -> Plan {
        self.seen =
            if self.there == "2" { Seen::Met } else { Seen::Unmet(format!("there is {}", self.there)) };
        self.look(wanted, Some(ended(true)))
    }
}

fn ended(done: bool) -> End {
    End { done, missing: false, why: "The device says no.".into() }
}

/// What each of these profiles wants is the version 2 of something.
fn deliveries() -> [Wanted; 2] {
    let of = |kind: &str| {
        let text = format!("name = \"base\"\nattempts = 2\n{kind}\npackage = \"p\"\nversion = \"2\"\n");
        wanted(&[&version(1, &text)], &[])
    };
    [of("[[software]]"), of("[firmware]")]
}

fn is_delivery(plan: &Plan) -> bool {
    let actions: Vec<_> = plan.commands.iter().map(|planned| &planned.action).collect();
    matches!(actions.as_slice(), [Action::Install { .. } | Action::Update { .. }])
}

fn is_read(plan: &Plan) -> bool {
    let actions: Vec<_> = plan.commands.iter().map(|planned| &planned.action).collect();
    matches!(actions.as_slice(), [Action::Read { .. }])
}

#[test]
fn an_upgrade_has_converged_once_it_was_seen() {
    for wanted in deliveries() {
        let mut device = Machine::with("1");
        assert!(is_delivery(&device.look(&wanted, None)), "the old version was seen before");
        device.there = "2";
        let plan = device.look(&wanted, Some(ended(true)));
        assert!(is_read(&plan), "{:?}", plan.commands);
        assert_eq!(plan.standings[0].state, ProfileState::Pending);
        let plan = device.read(&wanted);
        assert_eq!((plan.standings[0].state, plan.commands.len()), (ProfileState::Converged, 0));
        assert!(device.memo.open.is_empty());
    }
}

#[test]
fn what_is_said_to_be_done_and_is_not_has_failed() {
    for wanted in deliveries() {
        let mut device = Machine::with("1");
        device.look(&wanted, None);
        device.look(&wanted, Some(ended(true)));
        let plan = device.read(&wanted);
        assert_eq!((plan.standings[0].state, plan.commands.len()), (ProfileState::Pending, 0));
        assert!(plan.standings[0].reason.as_deref().unwrap().contains("but it is not so"), "{plan:?}");
        device.now = device.memo.due.unwrap();
        assert!(is_delivery(&device.look(&wanted, None)), "it is tried again");
        device.look(&wanted, Some(ended(true)));
        assert_eq!(device.read(&wanted).standings[0].state, ProfileState::Failed);
    }
}

#[test]
fn what_could_not_be_read_is_not_done_twice() {
    for wanted in deliveries() {
        let mut device = Machine::with("1");
        device.look(&wanted, None);
        device.there = "2";
        device.look(&wanted, Some(ended(true)));
        let plan = device.look(&wanted, Some(ended(false)));
        let reason = plan.standings[0].reason.as_deref().unwrap();
        assert!(reason.contains("It is done, but what there is now could not be read"), "{reason}");
        device.now = device.memo.due.unwrap();
        assert!(is_read(&device.look(&wanted, None)));
        assert_eq!(device.read(&wanted).standings[0].state, ProfileState::Converged);
    }
}

#[test]
fn where_nothing_can_be_read_the_word_of_the_device_counts() {
    let [software, _] = deliveries();
    let mut device = Machine { seen: Seen::Nothing, can_be_read: false, ..Machine::with("1") };
    assert!(is_delivery(&device.look(&software, None)));
    let plan = device.look(&software, Some(ended(true)));
    assert_eq!((plan.standings[0].state, plan.commands.len()), (ProfileState::Converged, 0));
}

#[test]
fn what_is_taken_away_is_looked_for_afterwards() {
    let away = version(1, "name = \"base\"\n[[software]]\npackage = \"p\"\nabsent = true\n");
    let wanted = wanted(&[&away], &[]);
    let mut device = Machine::with("1");
    let plan = device.look(&wanted, None);
    assert!(matches!(plan.commands[0].action, Action::Remove { .. }));
    assert!(is_read(&device.look(&wanted, Some(ended(true)))));
    device.seen = Seen::Met;
    let gone = End { missing: true, ..ended(false) };
    assert_eq!(device.look(&wanted, Some(gone)).standings[0].state, ProfileState::Converged);
}
