//! Sessions in which all kinds of things go wrong.

use omadm_mo::Value;
use omadm_session::dm1::server::{Task, Verdict};
use proptest::prelude::*;

use crate::host::{delete, exec, get, set};
use crate::scene::{Fault, Manner, Scene, fault, manner};
use crate::support::alert;

/// What the operator asks for.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Set,
    SetLarge,
    Read,
    Remove,
    Execute,
    ExecuteLater,
    Together,
    Impossible,
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        4 => Just(Wish::Set),
        1 => Just(Wish::SetLarge),
        3 => Just(Wish::Read),
        1 => Just(Wish::Remove),
        1 => Just(Wish::Execute),
        1 => Just(Wish::ExecuteLater),
        2 => Just(Wish::Together),
        1 => Just(Wish::Impossible),
    ]
}

/// What a set gives: no two are alike.
fn value(wish: Wish, seq: i64) -> String {
    match wish {
        Wish::SetLarge => format!("{seq}{}", "x".repeat(9_000)),
        _ => seq.to_string(),
    }
}

fn task(wish: Wish, seq: i64) -> Task {
    let setting = "./box/one/Setting";
    match wish {
        Wish::Set | Wish::SetLarge => set(setting, &value(wish, seq)),
        Wish::Read => get(setting),
        Wish::Remove => delete("./box/one/Items/1"),
        Wish::Execute => exec("./box/one/Run", None),
        Wish::ExecuteLater => exec("./box/one/Run", Some(&format!("job-{seq}"))),
        Wish::Together => {
            Task::Atomic(vec![set(setting, &value(wish, seq)), set("./box/one/Items/1/Value", "x")])
        }
        Wish::Impossible => delete("./box/one/Fixed"),
    }
}

fn run(wishes: &[Wish], faults: Vec<Fault>, manner: Manner) -> Scene {
    let tasks = wishes.iter().zip(1..).map(|(wish, seq)| task(*wish, seq)).collect();
    let alerts = (1..=3).map(|id| alert(id, &format!("urn:x:{id}"), "x")).collect();
    Scene::new(tasks, alerts, faults, manner).run()
}

fn check(scene: &Scene, wishes: &[Wish]) {
    let tree = scene.disk.boot();
    let at = |path: &[&str]| {
        path.iter()
            .try_fold(tree.root(), |node, name| node.child(name))
            .and_then(|node| node.value().cloned())
    };
    let mut allowed = vec!["first".to_owned()];
    let (mut removed, mut perhaps_removed) = (false, false);
    for (wish, seq) in wishes.iter().zip(1..) {
        let verdict = scene.verdict(seq);
        match (wish, verdict) {
            (_, Verdict::Quarantined(_)) => {
                // It may have been done, although nobody heard of it.
                allowed.push(value(*wish, seq));
                perhaps_removed |= matches!(wish, Wish::Remove);
            }
            (Wish::Set | Wish::SetLarge, Verdict::Done(200)) => allowed = vec![value(*wish, seq)],
            (Wish::Together, Verdict::Done(200)) => allowed = vec![value(*wish, seq)],
            (Wish::Together, Verdict::Failed(507)) => {
                assert!(removed || perhaps_removed, "{seq} failed without reason")
            }
            (Wish::Read, Verdict::Done(200)) | (Wish::Impossible, Verdict::Failed(405)) => {}
            // A repetition finds the node gone.
            (Wish::Remove, Verdict::Done(200) | Verdict::Failed(404)) => removed = true,
            (Wish::Execute, Verdict::Done(200)) => assert!(scene.disk.executed.contains(&None)),
            (Wish::ExecuteLater, Verdict::Done(200)) => {
                assert!(scene.disk.executed.contains(&Some(format!("job-{seq}"))));
            }
            (wish, verdict) => panic!("{seq} {wish:?} came out as {verdict:?}"),
        }
    }
    assert!(!removed || at(&["box", "one", "Items", "1", "ID"]).is_none());
    let Some(Value::Text(value)) = &at(&["box", "one", "Setting"]) else { panic!("no text") };
    assert!(allowed.contains(value), "{value:.20} is none of {allowed:?}");
    for id in 1..=3 {
        assert!(scene.alerts.contains(&format!("urn:x:{id}")), "alert {id} got lost");
    }
}

/// Every fault at every step, one at a time.
#[test]
fn one_fault_anywhere_costs_nothing() {
    let wishes = [Wish::Set, Wish::Remove, Wish::SetLarge, Wish::Read, Wish::Together, Wish::ExecuteLater];
    let scheme = Some(omadm_auth::dm1::Scheme::MacSha256);
    let manner =
        Manner { client: scheme, server: scheme, device_max: 4_000, wbxml: true, ..Manner::default() };
    for step in 0..40 {
        for fault in Fault::ALL {
            let mut faults = vec![fault];
            faults.extend(vec![Fault::None; step]);
            let scene = run(&wishes, faults, manner.clone());
            check(&scene, &wishes);
            let quarantined =
                scene.host.results.iter().filter(|result| matches!(result.verdict, Verdict::Quarantined(_)));
            assert_eq!(quarantined.count(), 0, "{fault:?} at step {step}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_every_command_comes_to_one_end(
        wishes in prop::collection::vec(wish(), 1..10),
        faults in prop::collection::vec(fault(), 0..60),
        manner in manner(),
    ) {
        let scene = run(&wishes, faults, manner);
        check(&scene, &wishes);
    }
}
