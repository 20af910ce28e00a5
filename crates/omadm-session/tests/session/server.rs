//! The server's step: verdicts, order, and what goes into the next package.

use omadm_codec::dm2::{
    Alert, Command, CommandEntry, Initiation, Request, Response, StatusCode, StatusEntry,
};
use omadm_codec::multipart::{Part, PartHead};
use omadm_codec::{Leniency, Limits};
use omadm_mo::{ClientUri, ServerUri};
use omadm_session::dm2::server::{
    CommandResult, Config, Data, Incoming, Kind, Pending, State, Step, Verdict, decode, step,
};

const NODE: &str = "urn:x-test:mo:box:1.0/one/Setting";

fn get(path: &str) -> Command {
    Command::Get(ClientUri::parse(&format!("urn:x-test:mo:box:1.0/one/{path}")).unwrap())
}

fn exec(path: &str) -> Command {
    Command::Exec {
        client: ClientUri::parse(&format!("urn:x-test:mo:box:1.0/one/{path}")).unwrap(),
        server: None,
    }
}

fn delete(path: &str) -> Command {
    Command::Delete(ClientUri::parse(&format!("urn:x-test:mo:box:1.0/one/{path}")).unwrap())
}

fn queued(seq: i64, command: Command) -> Pending {
    Pending { seq, command: Ok(command), attempts: 0, sent: false, accepted: false }
}

fn sent(seq: i64, command: Command) -> Pending {
    Pending { attempts: 1, sent: true, ..queued(seq, command) }
}

fn begin() -> Incoming {
    Incoming::Initiation(Initiation::default())
}

fn statuses(codes: &[u16]) -> Incoming {
    let statuses =
        codes.iter().map(|code| StatusEntry { code: StatusCode(*code), uris: Vec::new() }).collect();
    Incoming::Response { response: Response { statuses, alerts: Vec::new() }, parts: Vec::new() }
}

fn with_parts(codes: &[u16], parts: &[(&str, &str, &str)]) -> Incoming {
    let Incoming::Response { response, .. } = statuses(codes) else { unreachable!() };
    let parts = parts.iter().map(|(name, content_type, body)| Part {
        head: PartHead { name: Some((*name).into()), content_type: Some((*content_type).into()) },
        body: body.as_bytes().to_vec(),
    });
    Incoming::Response { response, parts: parts.collect() }
}

fn open(seqs: &[i64]) -> State {
    State { sent: seqs.to_vec(), rounds: 1, recent: vec![seqs.len()], ..State::default() }
}

fn commands(step: &Step) -> Vec<Command> {
    let request =
        Request::decode(&step.reply, &Limits::default(), &mut Leniency::strict(), &|_| false).unwrap();
    let valid = request.entries.into_iter().map(|entry| match entry {
        CommandEntry::Valid(command) => command,
        other => panic!("{other:?}"),
    });
    valid.collect()
}

fn verdict_of(command: Command, incoming: Incoming) -> CommandResult {
    let step = step(&Config::default(), Some(&open(&[1])), incoming, &[sent(1, command)]).unwrap();
    assert_eq!(step.results.len(), 1);
    step.results.into_iter().next().unwrap()
}

#[test]
fn a_session_without_work_ends_at_once() {
    let step = step(&Config::default(), None, begin(), &[]).unwrap();
    assert!(step.began && step.state.ended);
    assert_eq!(step.reply, b"{\"CMD\":[[\"END\"]]}");
    assert!(step.sends.is_empty());
}

#[test]
fn commands_go_out_in_the_order_of_their_sequence() {
    let config = Config { max_commands: 2, ..Config::default() };
    let queue = [queued(7, get("C")), queued(3, get("A")), queued(5, get("B"))];
    let first = step(&config, None, begin(), &queue).unwrap();
    assert_eq!(first.sends, [3, 5]);
    assert_eq!(commands(&first), [get("A"), get("B")]);
    assert_eq!((first.state.sent.as_slice(), first.state.rounds, first.state.ended), (&[3, 5][..], 1, false));
}

#[test]
fn statuses_are_read_by_their_class() {
    for (code, verdict) in [
        (200, Verdict::Done(200)),
        (204, Verdict::Done(204)),
        (299, Verdict::Done(299)),
        (304, Verdict::Done(304)),
        (1234, Verdict::Done(1234)),
        (202, Verdict::Done(202)),
        (305, Verdict::Failed(305)),
        (404, Verdict::Failed(404)),
        (777, Verdict::Failed(777)),
        (1304, Verdict::Failed(1304)),
        (1401, Verdict::Failed(1401)),
        (1503, Verdict::Failed(1503)),
        (500, Verdict::Failed(500)),
    ] {
        let result = verdict_of(delete("Items/1"), statuses(&[code]));
        assert_eq!(result.verdict, verdict, "{code}");
        assert_eq!(result.sentence.is_none(), matches!(verdict, Verdict::Done(_)), "{code}");
    }
    assert_eq!(verdict_of(exec("Run"), statuses(&[202])).verdict, Verdict::Accepted);
    let failed = verdict_of(delete("Items/1"), statuses(&[405])).sentence.unwrap();
    assert!(
        failed.starts_with("DELETE urn:x-test:mo:box:1.0/one/Items/1 failed with 405 Command Not Allowed: ")
    );
}

#[test]
fn a_busy_device_is_asked_again_in_its_next_session() {
    let queue = [sent(1, delete("Items/1")), sent(2, delete("Items/2")), queued(3, get("Setting"))];
    let busy = step(&Config::default(), Some(&open(&[1, 2])), statuses(&[503, 200]), &queue).unwrap();
    assert!(matches!(busy.results[0].verdict, Verdict::Again(_)));
    assert_eq!(busy.results[1].verdict, Verdict::Done(200));
    assert!(busy.state.ended && busy.sends.is_empty(), "3 does not overtake 1");
    let queue = [Pending { sent: false, ..queue[0].clone() }, queue[2].clone()];
    let next = step(&Config::default(), Some(&busy.state), begin(), &queue).unwrap();
    assert_eq!(next.sends, [1, 3]);
    let third = Pending { attempts: 3, ..sent(1, delete("Items/1")) };
    let given_up = step(&Config::default(), Some(&open(&[1])), statuses(&[503]), &[third]).unwrap();
    assert!(matches!(given_up.results[0].verdict, Verdict::Quarantined(_)));
}

#[test]
fn unanswered_commands_are_sent_again_first_until_they_are_given_up() {
    let lost = Pending { attempts: 2, ..sent(1, get("A")) };
    let dead = Pending { attempts: 3, ..sent(2, get("B")) };
    let queue = [lost, dead, queued(3, get("C")), queued(4, get("D"))];
    let step = step(&Config::default(), Some(&open(&[1, 2])), begin(), &queue).unwrap();
    assert!(step.began);
    assert!(matches!(step.results[0], CommandResult { seq: 1, verdict: Verdict::Again(_), .. }));
    assert!(matches!(step.results[1], CommandResult { seq: 2, verdict: Verdict::Quarantined(_), .. }));
    assert_eq!(step.results.len(), 2);
    assert_eq!(step.sends, [1], "the last attempt is made alone");
}

#[test]
fn a_command_that_brings_the_device_down_takes_no_other_with_it() {
    let config = Config::default();
    let mut queue: Vec<Pending> = (1..=4).map(|seq| queued(seq, delete(&format!("N{seq}")))).collect();
    let (mut state, mut given_up, mut done): (Option<State>, Vec<i64>, Vec<i64>) = (None, vec![], vec![]);
    for _ in 0..20 {
        let mut incoming = begin();
        // The device never answers a package with command 2 in it.
        loop {
            let step = step(&config, state.as_ref(), incoming, &queue).unwrap();
            for result in &step.results {
                match result.verdict {
                    Verdict::Done(_) => done.push(result.seq),
                    Verdict::Quarantined(_) => given_up.push(result.seq),
                    _ => {}
                }
            }
            queue.retain(|pending| !done.contains(&pending.seq) && !given_up.contains(&pending.seq));
            for pending in &mut queue {
                pending.sent = step.sends.contains(&pending.seq);
                pending.attempts += u32::from(pending.sent);
            }
            state = Some(step.state.clone());
            if step.state.ended || step.sends.contains(&2) {
                break;
            }
            incoming = statuses(&vec![204; commands(&step).len()]);
        }
    }
    assert_eq!((given_up, done), (vec![2], vec![1, 3, 4]));
}

#[test]
fn what_cannot_be_read_is_quarantined_and_the_rest_flows_on() {
    let broken = Pending { command: Err("no ServerURI".into()), ..queued(1, Command::End) };
    let queue = [broken, queued(2, Command::End), queued(3, get("C"))];
    let step = step(&Config::default(), None, begin(), &queue).unwrap();
    assert_eq!(step.sends, [3]);
    let quarantined: Vec<_> = step.results.iter().map(|result| (result.seq, &result.verdict)).collect();
    assert!(matches!(quarantined[0], (1, Verdict::Quarantined(reason)) if reason.contains("no ServerURI")));
    assert!(matches!(quarantined[1], (2, Verdict::Quarantined(_))));
}

#[test]
fn one_exec_on_a_node_at_a_time() {
    let accepted = Pending { accepted: true, ..sent(1, exec("Run")) };
    let queue = [accepted.clone(), queued(2, get("A")), queued(3, exec("Run")), queued(4, get("B"))];
    let first = step(&Config::default(), None, begin(), &queue).unwrap();
    assert_eq!(first.sends, [2], "3 waits for the result of 1, and 4 for 3");
    assert!(first.results.is_empty(), "an accepted command is not unanswered");
    let twice = [queued(1, exec("Run")), queued(2, exec("Run")), queued(3, exec("Other"))];
    assert_eq!(step(&Config::default(), None, begin(), &twice).unwrap().sends, [1]);
    let queue = [sent(1, exec("Run")), queued(2, exec("Run"))];
    let next = step(&Config::default(), Some(&open(&[1])), statuses(&[202]), &queue).unwrap();
    assert!(next.state.ended, "2 waits for the alert");
    let next = step(&Config::default(), Some(&open(&[1])), statuses(&[200]), &queue).unwrap();
    assert_eq!(next.sends, [2]);
}

#[test]
fn a_package_3_needs_its_session_and_its_number_of_statuses() {
    let queue = [sent(1, get("A"))];
    let refused = |state: Option<&State>, codes: &[u16]| {
        step(&Config::default(), state, statuses(codes), &queue).unwrap_err().http_status
    };
    assert_eq!(refused(None, &[200]), 409);
    assert_eq!(refused(Some(&State { ended: true, ..open(&[1]) }), &[200]), 409);
    assert_eq!(refused(Some(&open(&[1])), &[]), 400);
    assert_eq!(refused(Some(&open(&[1])), &[200, 200]), 400);
}

#[test]
fn two_packages_in_a_row_never_ask_for_the_same_number_of_answers() {
    let config = Config { max_commands: 2, ..Config::default() };
    let mut queue: Vec<_> = (1..=9).map(|seq| queued(seq, delete("Items/1"))).collect();
    let mut state: Option<State> = None;
    let mut counts = Vec::new();
    let mut order = Vec::new();
    loop {
        let incoming = counts.last().map_or_else(begin, |count| statuses(&vec![200; *count]));
        let step = step(&config, state.as_ref(), incoming, &queue).unwrap();
        queue.retain(|pending| !step.results.iter().any(|result| result.seq == pending.seq));
        if step.state.ended {
            break;
        }
        counts.push(commands(&step).len());
        order.extend(step.sends);
        state = Some(step.state);
    }
    assert_eq!(order, (1..=9).collect::<Vec<_>>(), "each once, in order");
    assert!(queue.is_empty());
    assert!(counts.windows(3).all(|window| window[0] != window[1] && window[0] != window[2]), "{counts:?}");
}

#[test]
fn a_late_answer_to_a_broken_session_cannot_pass_for_one_of_the_next() {
    let queue = [sent(1, delete("Items/1")), queued(2, delete("Items/2"))];
    let broken = open(&[1]);
    let again =
        step(&Config { max_commands: 1, ..Config::default() }, Some(&broken), begin(), &queue).unwrap();
    assert_eq!(again.sends, [1]);
    assert_eq!(again.state.padding, 1);
    let late = step(&Config::default(), Some(&again.state), statuses(&[200]), &queue).unwrap_err();
    assert_eq!(late.http_status, 400);
    let answered = step(&Config::default(), Some(&again.state), statuses(&[200, 403]), &queue).unwrap();
    assert_eq!((answered.results.len(), answered.notes.len()), (1, 0), "padding has no result");
    let ended = State { ended: true, ..open(&[1]) };
    assert_eq!(step(&Config::default(), Some(&ended), begin(), &queue[1..]).unwrap().state.padding, 0);
}

#[test]
fn data_finds_its_command_by_the_index_in_its_name() {
    let queue = [sent(1, delete("Items/1")), sent(2, get("Setting")), sent(3, get("Blob"))];
    let item = format!("[{{\"ClientURI\":\"{NODE}\",\"CV\":\"7\",\"MOData\":{{\"Setting\":\"v\"}}}}]");
    let incoming = with_parts(
        &[200, 200, 200],
        &[
            ("2", "image/png", "png"),
            ("1", "application/dmmo+json", &item),
            ("1", "text/plain", "second"),
            ("0", "text/plain", "not asked for"),
            ("9", "text/plain", "of nothing"),
            ("x", "text/plain", "of nothing"),
        ],
    );
    let step = step(&Config::default(), Some(&open(&[1, 2, 3])), incoming, &queue).unwrap();
    assert_eq!(step.results[0].data, None);
    let Some(Data::Items(items)) = &step.results[1].data else { panic!("{:?}", step.results[1]) };
    assert_eq!((items[0].client_uri.as_str(), items[0].cv.as_deref()), (NODE, Some("7")));
    assert_eq!(
        step.results[2].data,
        Some(Data::Leaf { content_type: "image/png".into(), body: b"png".to_vec() })
    );
    assert_eq!(step.notes.len(), 4, "{:?}", step.notes);
}

#[test]
fn missing_or_broken_data_fails_the_command() {
    for parts in [&[][..], &[("0", "application/dmmo+json", "[{")], &[("1", "text/plain", "x")]] {
        let result = verdict_of(get("Setting"), with_parts(&[200], parts));
        assert_eq!(result.verdict, Verdict::Failed(200), "{parts:?}");
        assert!(result.sentence.unwrap().starts_with("GET "));
    }
    let bare = format!("{{\"ClientURI\":\"{NODE}\",\"MOData\":{{\"Setting\":\"v\"}}}}");
    let parts = [("0", "application/dmmo+json", &*bare)];
    assert_eq!(verdict_of(get("Setting"), with_parts(&[200], &parts)).verdict, Verdict::Done(200));
    let strict = Config { strict: true, ..Config::default() };
    let queue = [sent(1, get("Setting"))];
    let step = step(&strict, Some(&open(&[1])), with_parts(&[200], &parts), &queue).unwrap();
    assert_eq!(step.results[0].verdict, Verdict::Failed(200));
}

/// MO data of one instance with so many leaves: four members and items for the instance, its root, and one a leaf.
fn instance_of(leaves: usize) -> String {
    let leaves: Vec<String> = (0..leaves).map(|n| format!("\"{n}\":1")).collect();
    format!("[{{\"ClientURI\":\"{NODE}\",\"MOData\":{{\"Setting\":{{{}}}}}}}]", leaves.join(","))
}

#[test]
fn so_many_items_are_taken_from_one_message() {
    let config = Config { max_items: 104, ..Config::default() };
    let answered = |queue: &[Pending], leaves: &[usize]| {
        let bodies: Vec<String> = leaves.iter().map(|leaves| instance_of(*leaves)).collect();
        let names: Vec<String> = (0..bodies.len()).map(|index| index.to_string()).collect();
        let parts = names.iter().zip(&bodies);
        let parts: Vec<_> = parts.map(|(name, body)| (&**name, "application/dmmo+json", &**body)).collect();
        let sent: Vec<i64> = queue.iter().map(|pending| pending.seq).collect();
        let step =
            step(&config, Some(&open(&sent)), with_parts(&vec![200; leaves.len()], &parts), queue).unwrap();
        step.results
    };
    let one = [sent(1, get("A"))];
    assert_eq!(answered(&one, &[100])[0].verdict, Verdict::Done(200));
    let beyond = answered(&one, &[101]).remove(0);
    assert_eq!(beyond.verdict, Verdict::Failed(200), "it would be no less the next time");
    assert!(beyond.sentence.unwrap().contains("104"));

    let two = [sent(1, get("A")), sent(2, get("B"))];
    let results = answered(&two, &[48, 48]);
    assert!(results.iter().all(|result| result.verdict == Verdict::Done(200)), "{results:?}");
    let results = answered(&two, &[48, 49]);
    assert_eq!(results[0].verdict, Verdict::Done(200));
    assert!(matches!(results[1].verdict, Verdict::Again(_)), "by itself there is room for it: {results:?}");
    assert_eq!(results[1].data, None);
}

#[test]
fn a_command_that_is_gone_is_only_remarked() {
    let step = step(&Config::default(), Some(&open(&[1])), statuses(&[200]), &[]).unwrap();
    assert!(step.results.is_empty() && step.notes[0].contains("command 1"));
}

#[test]
fn locations_alerts_and_inventory_are_handed_on() {
    let server = ServerUri::parse("https://data.example/x").unwrap();
    let uris = vec!["urn:x-test:mo:box:1.0/usb/".to_owned()];
    let response = Response {
        statuses: vec![StatusEntry { code: StatusCode::OK, uris: uris.clone() }],
        alerts: vec![Alert::new("urn:x:y")],
    };
    let incoming = Incoming::Response { response, parts: Vec::new() };
    let queue = [sent(1, Command::HGet { server, client: None })];
    let step = step(&Config::default(), Some(&open(&[1])), incoming, &queue).unwrap();
    assert_eq!(step.results[0].uris, uris);
    assert_eq!(step.alerts, [Alert::new("urn:x:y")]);
    assert!(!step.began && step.inventory.is_none());
}

#[test]
fn the_example_of_appendix_f_is_understood() {
    let body = include_bytes!("../data/appendix_f.multipart");
    let kind = Kind::ResponseWithData { boundary: "simple_boundary".into() };
    let (incoming, used) = decode(&Config::default(), &kind, body).unwrap();
    assert!(!used.is_empty());
    let hput = Command::HPut {
        server: ServerUri::parse("http://www.data.com/MOData").unwrap(),
        clients: vec![ClientUri::parse("urn:oma:mo:oma-moid:1.0//").unwrap()],
    };
    let hget = Command::HGet { server: ServerUri::parse("http://www.dms1.com/").unwrap(), client: None };
    let read = |address: &str| Command::Get(ClientUri::parse(address).unwrap());
    let queue = [
        sent(1, read("urn:oma:mo:oma-dm-devinfo:1.2//DevID")),
        sent(2, read("urn:oma:mo:oma-dm-devinfo:1.2//DevID")),
        sent(3, read("urn:oma:mo:oma-sessioninfomo:1.0//")),
        sent(4, hput),
        sent(5, read("urn:oma:mo:invalid-moid:1.0//")),
        sent(6, hget),
    ];
    let step = step(&Config::default(), Some(&open(&[1, 2, 3, 4, 5, 6])), incoming, &queue).unwrap();
    let verdicts: Vec<_> = step.results.iter().map(|result| result.verdict.clone()).collect();
    let done = Verdict::Done(200);
    assert_eq!(
        verdicts,
        [done.clone(), done.clone(), done.clone(), done.clone(), Verdict::Failed(404), done]
    );
    assert!(
        matches!(&step.results[0].data, Some(Data::Leaf { body, .. }) if body == b"IMEI:493005100592800")
    );
    assert!(matches!(&step.results[1].data, Some(Data::Items(items)) if items.len() == 1));
    assert!(matches!(&step.results[2].data, Some(Data::Items(items)) if items[0].label == "SessionInfoMO"));
}

#[test]
fn the_state_survives_being_stored() {
    let state = State { padding: 1, recent: vec![2, 1], ..open(&[4, 5]) };
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    let older: State = serde_json::from_str("{\"sent\":[1],\"rounds\":1,\"ended\":false}").unwrap();
    assert_eq!((older.padding, older.recent.len()), (0, 0));
}
