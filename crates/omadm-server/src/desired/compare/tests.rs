//! A model of a device that does what it is told: what is planned for it makes it as it should be, in an order that can be, and no more.

use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

use super::*;
use crate::desired::document::{Document, Form, Node, Observe};
use crate::desired::memo::Versions;
use crate::desired::wanted::{Spot, Version};

/// A device: its nodes by address, and what the server knows of them.
#[derive(Default)]
struct Model {
    nodes: BTreeMap<String, Option<Json>>,
    known: BTreeMap<String, (Seen, i64)>,
    observed: BTreeSet<String>,
    reports: bool,
    refuses: BTreeSet<String>,
    memo: Memo,
    before: BTreeMap<String, What>,
    under_way: Vec<Planned>,
    ended: HashMap<CommandId, End>,
    ids: u128,
    now: i64,
    log: Vec<Action>,
}

impl Model {
    fn new() -> Self {
        Self { reports: true, now: 1_000_000, ..Self::default() }
    }

    /// Looks at the device; what is planned is under way then.
    fn look(&mut self, wanted: &Wanted) -> Plan {
        let known: Vec<Known> = wanted
            .wants
            .iter()
            .map(|want| {
                let seen = want.item.what.address().and_then(|address| self.known.get(address));
                let read = want.item.what.address().map(str::to_owned);
                Known { seen: seen.map(|(seen, _)| seen.clone()).unwrap_or_default(), read, never: None }
            })
            .collect();
        let under_way = self.under_way.iter().map(|planned| planned.id).collect();
        let before = std::mem::take(&mut self.before);
        let empty = HashSet::new();
        let view = View {
            known: &known,
            under_way: &under_way,
            ended: &std::mem::take(&mut self.ended),
            before: &|key| before.get(key).cloned(),
            by_hand: &empty,
            told: &empty,
            unobserved: &empty,
            reports: self.reports,
            now: Time(self.now),
            most: 8,
        };
        let ids = &mut self.ids;
        let plan = compare(wanted, &self.memo, &view, &mut || {
            *ids += 1;
            Uuid::from_u128(*ids)
        });
        self.before =
            wanted.wants.iter().map(|want| (want.item.key.clone(), want.item.what.clone())).collect();
        self.memo = plan.memo.clone();
        for (id, _) in &plan.superseded {
            self.under_way.retain(|planned| planned.id != *id);
        }
        self.under_way.extend(plan.commands.clone());
        plan
    }

    /// Carries out all that is under way.
    fn work(&mut self) {
        for planned in std::mem::take(&mut self.under_way) {
            self.log.push(planned.action.clone());
            let end = self.carry_out(&planned.action);
            self.ended.insert(planned.id, end);
        }
    }

    fn carry_out(&mut self, action: &Action) -> End {
        let end = |done, missing| End { done, missing, why: "The device says no.".into() };
        let refused = |address: &str| self.refuses.contains(address);
        let parent = |address: &str| {
            address.rsplit_once('/').map(|(above, _)| above.to_owned()).filter(|above| above != ".")
        };
        match action {
            Action::Read { address } => {
                let found: Vec<_> = self
                    .nodes
                    .iter()
                    .filter(|(at, _)| Spot::of(address).unwrap().holds(&Spot::of(at).unwrap()))
                    .map(|(at, value)| (at.clone(), value.clone()))
                    .collect();
                self.known.retain(|at, _| !Spot::of(address).unwrap().holds(&Spot::of(at).unwrap()));
                for (at, value) in &found {
                    self.see(at, value.clone());
                }
                end(!found.is_empty(), found.is_empty())
            }
            Action::Set { address, .. } | Action::Make { address, .. } if refused(address) => {
                end(false, false)
            }
            Action::Set { address, value } => {
                let can = parent(address).is_none_or(|above| self.nodes.get(&above) == Some(&None));
                if can {
                    self.put(address, Some(value.json().clone()));
                }
                end(can, !can)
            }
            Action::Make { address, below } => {
                assert_ne!(self.nodes.get(address), Some(&None), "what is there is not made again");
                self.put(address, None);
                for (at, value) in below {
                    let above = parent(at).unwrap();
                    assert_eq!(self.nodes.get(&above), Some(&None), "{at}: parents first");
                    self.put(at, value.as_ref().map(|value| value.json().clone()));
                }
                end(true, false)
            }
            Action::Delete { address } => {
                let spot = Spot::of(address).unwrap();
                let was_there = self.nodes.contains_key(address);
                self.nodes.retain(|at, _| !spot.holds(&Spot::of(at).unwrap()));
                self.known.retain(|at, _| !spot.holds(&Spot::of(at).unwrap()));
                end(was_there, !was_there)
            }
            Action::Observe { address } => end(self.observed.insert(address.clone()), false),
            Action::Unobserve { address } => end(true, !self.observed.remove(address)),
            Action::Install { .. } | Action::Remove { .. } | Action::Update { .. } => end(true, false),
        }
    }

    fn put(&mut self, address: &str, value: Option<Json>) {
        self.nodes.insert(address.to_owned(), value.clone());
        self.see(address, value);
    }

    fn see(&mut self, address: &str, value: Option<Json>) {
        let at = Time(self.now);
        let seen = value.map_or(Seen::Interior(at), |value| Seen::Leaf(value, at));
        self.known.insert(address.to_owned(), (seen, self.now));
    }

    /// Looks and works until there is nothing to do; gives the last plan.
    fn converge(&mut self, wanted: &Wanted) -> Plan {
        for _ in 0..60 {
            let plan = self.look(wanted);
            if self.under_way.is_empty() {
                return plan;
            }
            self.work();
            self.now += 1;
        }
        panic!("no end: {:?}", self.log);
    }

    fn is_as(&self, wanted: &Wanted) -> bool {
        wanted.wants.iter().all(|want| match &want.item.what {
            What::Leaf { address, value } => self.nodes.get(address) == Some(&Some(value.json().clone())),
            What::Interior { address } => self.nodes.get(address) == Some(&None),
            What::Absent { address } => !self.nodes.contains_key(address),
            What::Observed { address, .. } => self.observed.contains(address) || !self.reports,
            What::Unobserved { address } => !self.observed.contains(address),
            _ => true,
        })
    }
}

pub(super) fn version(number: i64, text: &str) -> Arc<Version> {
    Arc::new(Version::new(number, Document::read(text, Form::Toml).unwrap()))
}

pub(super) fn wanted(applying: &[&Arc<Version>], leaving: &[&Arc<Version>]) -> Wanted {
    let all = |versions: &[&Arc<Version>]| versions.iter().map(|version| Arc::clone(version)).collect();
    Wanted::new(all(applying), all(leaving))
}

fn base(nodes: &str) -> Arc<Version> {
    version(1, &format!("name = \"base\"\nattempts = 2\nretry_after = \"1m\"\n{nodes}"))
}

fn leaf(address: &str, value: &str) -> String {
    format!("[[node]]\naddress = {address:?}\nvalue = {value:?}\n")
}

#[test]
fn only_the_difference_is_sent() {
    let base = base(&[leaf("./a", "1"), leaf("./b", "2"), leaf("./c", "3")].concat());
    let wanted = wanted(&[&base], &[]);
    let mut device = Model::new();
    device.put("./a", Some(json!("1")));
    device.put("./b", Some(json!("other")));
    device.nodes.insert("./c".into(), Some(json!("3")));
    let plan = device.converge(&wanted);
    assert!(device.is_as(&wanted));
    let set = |address: &str, value: &str| Action::Set {
        address: address.into(),
        value: LeafValue::new(json!(value), None).unwrap(),
    };
    assert_eq!(device.log, [set("./b", "2"), Action::Read { address: "./c".into() }]);
    let of = Versions::from([("base".to_owned(), 1)]);
    assert_eq!(plan.memo, Memo { of, ..Memo::default() }, "hardly anything is remembered");
    assert_eq!(plan.standings, [Standing { by: 0, state: ProfileState::Converged, reason: None }]);
}

#[test]
fn what_fails_is_tried_so_often_and_no_more_until_there_is_another_version() {
    let first = base(&leaf("./a", "1"));
    let one = wanted(&[&first], &[]);
    let mut device = Model::new();
    device.put("./a", Some(json!("0")));
    device.refuses.insert("./a".into());
    let plan = device.converge(&one);
    assert_eq!(plan.standings[0].state, ProfileState::Pending);
    assert!(plan.standings[0].reason.as_deref().unwrap().contains("attempt 1 of 2 failed"), "{plan:?}");
    assert_eq!(plan.memo.due, Some(device.now + 60_000_000));
    device.now += 60_000_000;
    let plan = device.converge(&one);
    assert_eq!(plan.standings[0].state, ProfileState::Failed);
    assert_eq!(plan.standings[0].reason.as_deref(), Some("./a: The device says no."));
    device.now += 1_000_000_000_000;
    device.converge(&one);
    assert_eq!((device.log.len(), plan.memo.due), (2, None));
    let second = version(2, &format!("name = \"base\"\n{}", leaf("./a", "1")));
    let again = device.look(&wanted(&[&second], &[]));
    assert_eq!(again.commands.len(), 1, "a new version begins anew");
}

#[test]
fn what_something_waits_for_is_done_before() {
    let base = base(
        "[[node]]\naddress = \"./a\"\nvalue = \"1\"\nafter = [\"last\"]\n\
         [[node]]\nid = \"last\"\naddress = \"./z\"\nvalue = \"2\"\nafter = [\"./old\"]\n\
         [[node]]\naddress = \"./old\"\nabsent = true\n[[node]]\naddress = \"./gone\"\nabsent = true\n",
    );
    let wanted = wanted(&[&base], &[]);
    let mut device = Model::new();
    for address in ["./a", "./z", "./old", "./gone"] {
        device.put(address, Some(json!("0")));
    }
    device.converge(&wanted);
    assert!(device.is_as(&wanted));
    let addresses: Vec<_> = device.log.iter().map(address_of).collect();
    assert_eq!(addresses, ["./gone", "./old", "./z", "./a"]);
    device.refuses.insert("./z".into());
    device.put("./z", Some(json!("0")));
    device.put("./a", Some(json!("0")));
    let plan = device.converge(&wanted);
    let place = wanted.wants.iter().position(|want| want.item.key == "node ./a").unwrap();
    assert_eq!(plan.stands[place].reason(), Some("It waits for ./z."));
}

fn address_of(action: &Action) -> String {
    match action {
        Action::Read { address }
        | Action::Set { address, .. }
        | Action::Make { address, .. }
        | Action::Delete { address }
        | Action::Observe { address }
        | Action::Unobserve { address } => address.clone(),
        Action::Install { package, .. } | Action::Remove { package } | Action::Update { package, .. } => {
            package.clone()
        }
    }
}

#[test]
fn a_device_that_changes_is_brought_back_or_only_reported() {
    for (drift, state, log) in [("repair", ProfileState::Converged, 1), ("report", ProfileState::Drifted, 0)]
    {
        let base = base(&format!("drift = \"{drift}\"\n{}", leaf("./a", "1")));
        let wanted = wanted(&[&base], &[]);
        let mut device = Model::new();
        device.put("./a", Some(json!("1")));
        device.converge(&wanted);
        device.put("./a", Some(json!("2")));
        let seen = device.look(&wanted);
        let found: Vec<_> =
            seen.drifts.iter().map(|drift| (drift.name.as_str(), drift.seen.as_str())).collect();
        assert_eq!(found, [("./a", "there is \"2\"")]);
        device.work();
        let plan = device.converge(&wanted);
        assert_eq!((plan.standings[0].state, device.log.len()), (state, log), "{drift}");
        assert_eq!(plan.drifts, [], "it is told once");
        device.put("./a", Some(json!("1")));
        assert_eq!(device.converge(&wanted).standings[0].state, ProfileState::Converged);
    }
}

#[test]
fn what_a_version_has_brought_goes_with_it_if_it_says_so() {
    let text = |dropped: &str, nodes: &str| format!("name = \"base\"\ndropped = \"{dropped}\"\n{nodes}");
    let observe = "[[observe]]\naddress = \"./o\"\nevery = \"1h\"\n";
    for (dropped, left) in [("leave", true), ("delete", false)] {
        let older = version(1, &text(dropped, &leaf("./a", "1")));
        let newer = version(2, &text(dropped, &[&leaf("./a", "2"), &leaf("./b", "2"), observe].concat()));
        let mut device = Model::new();
        device.put("./a", Some(json!("0")));
        device.put("./o", Some(json!("0")));
        device.converge(&wanted(&[&newer], &[]));
        assert!(device.nodes.contains_key("./b") && device.observed.contains("./o"));
        let rolled_back = wanted(&[&older], &[&newer]);
        let plan = device.converge(&rolled_back);
        assert_eq!(device.nodes.get("./a"), Some(&Some(json!("1"))));
        assert_eq!(device.nodes.contains_key("./b"), left, "{dropped}");
        assert!(!device.observed.contains("./o"), "what is not wanted is not observed");
        assert_eq!(plan.memo.leaving, BTreeSet::new());
    }
}

#[test]
fn a_newer_version_takes_the_place_of_what_is_under_way() {
    let older = base(&leaf("./a", "1"));
    let newer = version(2, &format!("name = \"base\"\n{}", leaf("./a", "2")));
    let mut device = Model::new();
    device.put("./a", Some(json!("0")));
    let plan = device.look(&wanted(&[&older], &[]));
    let first = plan.commands[0].id;
    let again = device.look(&wanted(&[&older], &[]));
    assert!(again.commands.is_empty(), "it is under way");
    let plan = device.look(&wanted(&[&newer], &[&older]));
    assert_eq!(plan.superseded.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [first]);
    device.work();
    device.converge(&wanted(&[&newer], &[]));
    assert_eq!(device.nodes.get("./a"), Some(&Some(json!("2"))));
    assert_eq!(device.log.len(), 1);
}

#[test]
fn the_higher_priority_counts() {
    let text =
        |name: &str, priority: u16, nodes: &str| format!("name = {name:?}\npriority = {priority}\n{nodes}");
    let low = version(
        1,
        &text("low", 1, &[leaf("./a", "low"), leaf("./b/c", "low"), leaf("./d", "same")].concat()),
    );
    let nodes =
        [leaf("./a", "high"), leaf("./d", "same"), "[[node]]\naddress = \"./b\"\nabsent = true\n".into()];
    let high = version(1, &text("high", 2, &nodes.concat()));
    for versions in [[&low, &high], [&high, &low]] {
        let wanted = wanted(&versions, &[]);
        let found: Vec<_> =
            wanted.overruled.iter().map(|one| (one.by, one.name.as_str(), one.winner)).collect();
        assert_eq!(found, [(1, "./a", 0), (1, "./b/c", 0)]);
        let mut device = Model::new();
        for address in ["./a", "./d"] {
            device.put(address, Some(json!("0")));
        }
        device.converge(&wanted);
        assert!(device.is_as(&wanted));
        assert_eq!(device.nodes.get("./a"), Some(&Some(json!("high"))));
    }
}

#[test]
fn nodes_are_read_again_in_time() {
    let base =
        version(1, &format!("name = \"base\"\ncheck = \"1h\"\n{}{}", leaf("./a", "1"), leaf("./b", "1")));
    let wanted = wanted(&[&base], &[]);
    let mut device = Model::new();
    device.put("./a", Some(json!("1")));
    device.put("./b", Some(json!("1")));
    let plan = device.converge(&wanted);
    let due = plan.memo.due.unwrap();
    assert_eq!(due, 1_000_000 + 3_600_000_000);
    assert!(!plan.memo.is_due(Time(due - 1)) && plan.memo.is_due(Time(due)));
    device.now = due;
    device.see("./b", Some(json!("1")));
    device.nodes.insert("./a".into(), Some(json!("2")));
    device.converge(&wanted);
    assert_eq!(
        device.log.first(),
        Some(&Action::Read { address: "./a".into() }),
        "what was seen lately is not read"
    );
    assert!(device.is_as(&wanted), "{:?}", device.log);
}

#[test]
fn what_cannot_report_is_read_as_often_as_is_wanted() {
    let base = version(1, "name = \"base\"\n[[observe]]\naddress = \"./o\"\nevery = \"1h\"\n");
    let wanted = wanted(&[&base], &[]);
    let mut device = Model { reports: false, ..Model::new() };
    device.nodes.insert("./o".into(), Some(json!("1")));
    device.converge(&wanted);
    assert_eq!(device.log, [Action::Read { address: "./o".into() }]);
    device.now += 3_600_000_000;
    device.converge(&wanted);
    assert_eq!(device.log.len(), 2);
}

/// Any profile of a few nodes, which may wait for each other.
fn documents() -> impl Strategy<Value = Document> {
    let node = (0_usize..6, 0_usize..3, 0_usize..4, any::<bool>(), 0_usize..4, prop::option::of(0_usize..8));
    prop::collection::vec(node, 1..8).prop_map(|raw| {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut nodes: Vec<Node> = Vec::new();
        for (top, middle, value, deep, kind, after) in raw {
            let above = format!("./{}", names[top]);
            let address = if deep { format!("{above}/{}", names[middle]) } else { above.clone() };
            let node = Node {
                address: address.clone(),
                value: (kind < 2).then(|| json!(value)),
                interior: kind == 2,
                absent: kind == 3,
                after: after
                    .and_then(|after| nodes.get(after))
                    .map(|node| node.address.clone())
                    .into_iter()
                    .collect(),
                ..Node::default()
            };
            let spot = |node: &Node| Spot::of(&node.address).unwrap();
            // Below what is made something may be, below all else not; what is below a wanted node needs it to be made.
            let fits = nodes.iter().all(|other| {
                let (mine, others) = (spot(&node), spot(other));
                mine != others
                    && (!others.holds(&mine) || other.interior)
                    && (!mine.holds(&others) || node.interior && other.after.is_empty())
            });
            if fits && (!deep || nodes.iter().any(|other| other.interior && other.address == above)) {
                nodes.push(node);
            }
        }
        let observe = vec![Observe { address: "./a".into(), every: omadm_config::Span::secs(3600) }];
        Document { nodes, observe, ..Document::read("name = \"base\"", Form::Toml).unwrap() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_device_that_does_what_it_is_told_converges(
        document in documents(),
        there in prop::collection::btree_map(0_usize..6, (prop::option::of(0_usize..4), any::<bool>()), 0..6),
    ) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut device = Model::new();
        for (name, (value, is_known)) in there {
            let address = format!("./{}", names[name]);
            device.nodes.insert(address.clone(), value.map(|value| json!(value)));
            if is_known {
                device.see(&address, value.map(|value| json!(value)));
            }
        }
        // A leaf in the place of an interior node has to be taken away by hand; so does the other way around.
        for node in &document.nodes {
            let is_leaf = device.nodes.get(&node.address).map(Option::is_some);
            if is_leaf == Some(node.interior) {
                device.nodes.remove(&node.address);
                device.known.remove(&node.address);
            }
        }
        let version = Arc::new(Version::new(1, document));
        let wanted = Wanted::new(vec![version.clone()], vec![]);
        let plan = device.converge(&wanted);
        prop_assert!(device.is_as(&wanted), "{:?}\n{:?}", device.nodes, device.log);
        prop_assert_eq!(plan.standings[0].state, ProfileState::Converged);
        // Everything that something waits for was done before it.
        let place = |address: &str| device.log.iter().rposition(|action| {
            let is_write = !matches!(action, Action::Read { .. } | Action::Observe { .. });
            let below = match action { Action::Make { below, .. } => below.as_slice(), _ => &[] };
            is_write && (address_of(action) == address || below.iter().any(|(at, _)| at == address))
        });
        for node in &version.document.nodes {
            for after in &node.after {
                if let (Some(first), Some(second)) = (place(after), place(&node.address)) {
                    prop_assert!(first <= second, "{} before {}: {:?}", after, node.address, device.log);
                }
            }
        }
        // And then there is nothing to do.
        let memo = device.memo.clone();
        let again = device.look(&wanted);
        prop_assert_eq!((again.commands.len(), again.superseded.len(), again.drifts.len()), (0, 0, 0));
        prop_assert_eq!(again.memo, memo);
    }
}
