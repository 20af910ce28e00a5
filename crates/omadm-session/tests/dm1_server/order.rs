//! Messages that are lost, repeated, skipped or late (`DM 1.3 PROTO`, and our choices where it is silent).

use omadm_session::dm1::server::{End, Outcome, Task, Verdict};

use super::device::{Device, Host, delete, exec, get, set, told};

/// What happened to a message before it was answered.
fn outcome(device: &mut Device, host: &mut Host, body: &[u8]) -> Outcome {
    device.post(host, body).unwrap()
}

#[test]
fn a_repeated_message_gets_the_same_answer_and_has_no_second_effect() {
    let (mut host, mut device) = (Host::new(vec![delete("./A"), get("./B")]), Device::new());
    let package = device.package1();
    let mut body = device.write(package, true);
    for _ in 0..3 {
        let Outcome::Taken(step) = outcome(&mut device, &mut host, &body) else { panic!() };
        let (reply, heard, queue) = (step.reply, device.heard.clone(), host.queue.clone());
        for _ in 0..2 {
            let Outcome::TurnedAway(away) = outcome(&mut device, &mut host, &body) else { panic!() };
            assert_eq!(away.reply, reply);
            assert_eq!((&device.heard, &host.queue), (&heard, &queue));
        }
        if step.ended.is_some() {
            break;
        }
        let said = device.done(&[("Get", 404), ("./B", 404)]);
        body = device.write(said, true);
    }
    assert_eq!((host.verdict(1), host.verdict(2)), (&Verdict::Done(200), &Verdict::Failed(404)));
}

#[test]
fn the_same_first_message_is_another_session_after_a_while() {
    let (mut host, mut device) = (Host::new(vec![]), Device::new());
    let package = device.package1();
    let body = device.write(package, true);
    outcome(&mut device, &mut host, &body);
    host.queue.push(super::device::pending(1, get("./A")));
    host.now += 119_000_000;
    assert!(matches!(outcome(&mut device, &mut host, &body), Outcome::TurnedAway(_)));
    host.now += 1_000_000;
    let Outcome::Taken(step) = outcome(&mut device, &mut host, &body) else { panic!() };
    assert!(step.began.is_some());
    assert_eq!(step.sends, [1]);
}

#[test]
fn two_messages_with_one_number_end_the_session() {
    let (mut host, mut device) = (Host::new(vec![delete("./A"), delete("./B")]), Device::new());
    host.config.max_commands = 1;
    device.begin(&mut host);
    let said = device.done(&[]);
    device.say(&mut host, said);
    device.number -= 1;
    let said = device.done(&[("Delete", 500)]);
    let step = device.say(&mut host, said);
    assert!(matches!(step.ended, Some(End::ByServer(reason)) if reason.contains("MsgID")));
    assert_eq!(told(&device.asked()), ["Alert 1223"]);
    assert_eq!(host.verdict(1), &Verdict::Done(200));
    assert!(matches!(host.verdict(2), Verdict::Again(_)), "what it said is not heard");
}

#[test]
fn a_late_message_changes_nothing() {
    let (mut host, mut device) =
        (Host::new(vec![delete("./A"), delete("./B"), delete("./C")]), Device::new());
    host.config.max_commands = 1;
    device.begin(&mut host);
    let late = device.done(&[]);
    device.say(&mut host, late.clone());
    let said = device.done(&[]);
    device.say(&mut host, said);
    let before = (host.state.clone(), host.queue.clone());
    device.number = 1;
    device.turned_away(&mut host, late);
    assert_eq!(told(&device.asked()), ["Alert 1223"]);
    assert_eq!((host.state.clone(), host.queue.clone()), before);
}

#[test]
fn numbers_that_are_left_out_are_noted() {
    let (mut host, mut device) = (Host::new(vec![delete("./A")]), Device::new());
    device.begin(&mut host);
    device.number += 3;
    let said = device.done(&[]);
    let step = device.say(&mut host, said);
    assert_eq!(step.tolerated.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["skipped-msg-id"]);
    assert_eq!(device.heard.unwrap().header.message_id, "2", "our own count goes on");
    assert_eq!(host.verdict(1), &Verdict::Done(200));

    let (mut host, mut device) = (Host::new(vec![delete("./A")]), Device::new());
    host.config.strict = true;
    device.begin(&mut host);
    device.number += 1;
    let said = device.done(&[]);
    let step = device.say(&mut host, said);
    assert!(matches!(step.ended, Some(End::ByServer(reason)) if reason.contains("missing")));
}

#[test]
fn a_message_of_no_session_is_told_that_there_is_none() {
    let (mut host, mut device) = (Host::new(vec![get("./A")]), Device::new());
    device.begin(&mut host);
    let said = device.done(&[]);
    for change in ["session", "idle"] {
        let mut other = Device::new();
        other.number = 1;
        match change {
            "session" => other.session = "2B".into(),
            _ => host.now += 30 * 60 * 1_000_000,
        }
        let away = other.turned_away(&mut host, said.clone());
        assert!(away.reason.contains("no open session"), "{change}");
        assert_eq!(told(&other.asked()), ["Alert 1223"]);
    }
}

#[test]
fn a_session_that_broke_off_gives_its_commands_back() {
    let (mut host, mut device) = (Host::new(vec![set("./A", "1"), exec("./B", None)]), Device::new());
    let first = device.begin(&mut host);
    assert_eq!(first.sends, [1, 2]);
    for session in ["2B", "0", "0"] {
        let mut device = Device::new();
        device.session = session.into();
        device.name = None;
        let step = device.begin(&mut host);
        assert!(step.began.is_some());
        assert!(matches!(host.verdict(1), Verdict::Again(_)));
        let _ = step.sends;
        host.now += 200_000_000;
        host.queue.iter_mut().for_each(|pending| pending.attempts = 1);
    }
}

#[test]
fn the_last_word_of_a_device_is_heard_after_the_end() {
    let (mut host, mut device) = (Host::new(vec![delete("./A")]), Device::new());
    device.begin(&mut host);
    let said = device.done(&[]);
    assert!(device.say(&mut host, said).ended.is_some());
    host.queue.push(super::device::pending(2, delete("./B")));
    let said = vec![device.header_status(212)];
    let step = device.say(&mut host, said);
    assert_eq!((step.sends, step.began), (vec![2], None), "what came meanwhile is done at once");
    assert_eq!(device.codes(), ["SyncHdr 212"]);
}

#[test]
fn what_was_cancelled_meanwhile_is_not_missed() {
    let (mut host, mut device) = (Host::new(vec![delete("./A"), delete("./B")]), Device::new());
    device.begin(&mut host);
    host.queue.remove(0);
    let said = device.done(&[]);
    let step = device.say(&mut host, said);
    assert_eq!(step.results.len(), 1);
    assert!(step.notes.iter().any(|note| note.contains("no longer queued")));
}

#[test]
fn a_command_that_cannot_be_read_is_quarantined_and_the_others_go_on() {
    let (mut host, mut device) = (Host::new(vec![delete("./A"), delete("./B")]), Device::new());
    host.queue[0].task = Err("it is of a newer version".into());
    device.begin(&mut host);
    assert!(matches!(host.verdict(1), Verdict::Quarantined(_)));
    assert_eq!(told(&device.asked()), ["Delete ./B"]);
}

#[test]
fn a_device_that_refuses_a_message_ends_the_session() {
    let (mut host, mut device) = (Host::new(vec![delete("./A")]), Device::new());
    device.begin(&mut host);
    let said = vec![device.header_status(503)];
    let step = device.say(&mut host, said);
    assert!(matches!(step.ended, Some(End::ByServer(reason)) if reason.contains("503")));
    assert!(matches!(host.verdict(1), Verdict::Again(_)));
}

#[test]
fn commands_are_carried_out_in_the_order_of_the_queue() {
    let tasks: Vec<Task> =
        (0..70).map(|n| if n % 3 == 0 { get("./G") } else { set(&format!("./N{n}"), "x") }).collect();
    let expected: Vec<String> =
        (0..70).map(|n| if n % 3 == 0 { "Get ./G".into() } else { format!("Replace ./N{n}") }).collect();
    for most in [1100, 2000, 1 << 20] {
        let (mut host, mut device) = (Host::new(tasks.clone()), Device::new());
        device.max_message = Some(most);
        device.begin(&mut host);
        let mut order = Vec::new();
        for _ in 0..200 {
            for command in device.asked() {
                match &command {
                    omadm_codec::dm1::Command::Container(container) => {
                        assert!(container.commands.len() <= 32);
                        order.extend(told(&container.commands));
                    }
                    _ => order.push(super::device::tell(&command)),
                }
            }
            if host.queue.is_empty() {
                break;
            }
            let is_final = device.is_final();
            let mut said = device.done(&[("./G", 404)]);
            if !is_final {
                said.push(device.alert(1222));
            }
            device.say_part(&mut host, said, is_final);
        }
        assert_eq!(order, expected, "{most}");
        assert_eq!(host.results.len(), 70);
    }
}

#[test]
fn a_session_that_is_to_end_ends_with_the_next_answer() {
    let (mut host, mut device) = (Host::new(vec![get("./A"), delete("./B")]), Device::new());
    host.config.max_commands = 1;
    device.begin(&mut host);
    host.state.as_mut().unwrap().stop("the operator wants it");
    let said = device.done(&[("Get", 404)]);
    let step = device.say(&mut host, said);
    assert_eq!(told(&device.asked()), ["Alert 1223"]);
    assert!(matches!(step.ended, Some(End::ByServer(ref reason)) if reason.contains("operator")), "{step:?}");
    assert_eq!(host.verdict(1), &Verdict::Failed(404), "what was answered counts");
    assert_eq!(host.queue.len(), 1, "the rest waits");
    device.session = "2B".into();
    device.number = 0;
    device.begin(&mut host);
    assert_eq!(told(&device.asked()), ["Delete ./B"], "another session is none of it");
}
