//! Nasty servers of DM 1.x: the real engine, and what a habit makes of its answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use omadm_client::dm1::{Outcome, Scheme};
use omadm_client::{Client, ClientConfig, Volatile};
use omadm_codec::dm1::{self as codec, Command, Encoding, Form, Message};
use omadm_codec::{Leniency, Limits};
use omadm_session::dm1::server::Verdict;
use serde_json::json;

use crate::chance::Chance;
use crate::support::device::{Hands, transport, value};
use crate::support::dm1::{self, Dm1, account, get, set};
use crate::support::server::{Answer, Seen, Server};
use crate::support::tls::Authority;

const VALUE: &str = "./Thing/Value";

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Has forgotten the nonce that it gave for the next session.
    StaleNonces,
    /// Takes another nonce in the middle of a session.
    NonceChanged,
    /// Asks for credentials at any time.
    ChallengesAtRandom,
    /// Forgets the session.
    Forgets,
    /// Sends the message before once more.
    Repeats,
    /// Ends the connection without an answer.
    HangsUp,
    /// Says of no message that it is the last of its package.
    LateFinal,
    /// Sends little at a time, and objects in chunks.
    Splits,
    /// One octet more than the device takes.
    OneTooMany,
    Truncated,
    Garbled,
    Empty,
    WrongType,
    NoTime,
    /// Another session, another message.
    OtherSession,
    OtherNumber,
    /// No status for anything.
    NoStatus,
    /// Statuses and results of what was never sent.
    StrangeAnswers,
    /// Commands with one number, and without.
    SameNumbers,
    /// Never ends a session.
    Endless,
    /// Elsewhere from now on.
    OtherPlace,
}

const HABITS: [Habit; 21] = [
    Habit::StaleNonces,
    Habit::NonceChanged,
    Habit::ChallengesAtRandom,
    Habit::Forgets,
    Habit::Repeats,
    Habit::HangsUp,
    Habit::LateFinal,
    Habit::Splits,
    Habit::OneTooMany,
    Habit::Truncated,
    Habit::Garbled,
    Habit::Empty,
    Habit::WrongType,
    Habit::NoTime,
    Habit::OtherSession,
    Habit::OtherNumber,
    Habit::NoStatus,
    Habit::StrangeAnswers,
    Habit::SameNumbers,
    Habit::Endless,
    Habit::OtherPlace,
];

/// Most messages of a session.
const ROUNDS: u32 = 30;
/// `MaxMsgSize` of the device; it takes up to twice as much.
const MOST: u32 = 8 << 10;
const SESSIONS: u64 = 3;

/// A server with a habit, or with none.
struct Nasty {
    habit: Option<Habit>,
    chance: Chance,
    dm1: Dm1,
    form: Form,
    last: Option<Answer>,
    /// How often the habit has shown.
    played: usize,
}

impl Nasty {
    fn answer(&mut self, seen: &Seen) -> Answer {
        let Some(habit) = self.habit else { return self.dm1.set(|desk| desk.answer(seen)) };
        if let Some(instead) = self.before(habit, seen) {
            self.played += 1;
            return instead;
        }
        let good = self.dm1.set(|desk| desk.answer(seen));
        let answer = self.spoil(habit, good.clone());
        self.played += usize::from(answer.body_octets() != good.body_octets());
        self.last = Some(answer.clone());
        answer
    }

    /// What is done before the engine hears of a message, or instead.
    fn before(&mut self, habit: Habit, seen: &Seen) -> Option<Answer> {
        match habit {
            Habit::StaleNonces | Habit::NonceChanged => {
                let is_first = self.read(&seen.body).is_some_and(|message| message.header.message_id == "1");
                if is_first == (habit == Habit::StaleNonces) {
                    self.played += 1;
                    let nonce = self.chance.next().to_be_bytes().repeat(2);
                    self.dm1.set(|desk| desk.account.client_nonce = nonce);
                }
            }
            Habit::HangsUp if self.chance.once_in(2) => return Some(Answer::HangUp),
            Habit::NoTime if self.chance.once_in(2) => {
                return Some(Answer::status(503).with("retry-after", "1"));
            }
            Habit::Repeats if self.chance.once_in(2) => {
                return Some(self.last.clone().unwrap_or_else(|| Answer::status(500)));
            }
            Habit::Forgets if self.chance.once_in(2) => {
                self.played += 1;
                self.dm1.set(dm1::Desk::forget);
            }
            Habit::Endless => {
                self.played += 1;
                self.dm1.queue([get(VALUE)]);
            }
            _ => {}
        }
        None
    }

    fn read(&self, body: &[u8]) -> Option<Message<'static>> {
        let limits = Limits { bytes: body.len(), ..Limits::default() };
        let encoding = Encoding::sniff(body)?;
        let decoded = codec::decode(body, encoding, &limits, &mut Leniency::lenient()).ok()?;
        Some(decoded.message.into_owned())
    }

    fn spoil(&mut self, habit: Habit, good: Answer) -> Answer {
        let Answer::Send { status, headers, body } = good else { return good };
        let send = |body: Vec<u8>| Answer::Send { status, headers: headers.clone(), body };
        let Some(mut message) = self.read(&body) else { return send(body) };
        let chance = self.chance.next();
        match habit {
            Habit::OneTooMany => {
                let mut longer = body;
                longer.resize(2 * MOST as usize + 1, b' ');
                return send(longer);
            }
            Habit::Truncated => return send(body[..body.len() / 2].to_vec()),
            Habit::Garbled => {
                let mut garbled = body;
                self.chance.garble(&mut garbled, 16);
                return send(garbled);
            }
            Habit::Empty => return send(Vec::new()),
            Habit::WrongType => {
                return Answer::status(200).with("content-type", "text/html").body("<html>Log in</html>");
            }
            Habit::ChallengesAtRandom if chance.is_multiple_of(2) => challenge(&mut message, chance),
            Habit::LateFinal => message.is_final = chance.is_multiple_of(3),
            Habit::OtherSession if chance.is_multiple_of(2) => message.header.session_id = "4711".into(),
            Habit::OtherNumber => message.header.message_id = (chance % 9).to_string().into(),
            Habit::NoStatus => message.commands.retain(|command| !matches!(command, Command::Status(_))),
            Habit::StrangeAnswers => {
                let mut strange: Vec<_> =
                    message.commands.iter().filter(|it| matches!(it, Command::Status(_))).cloned().collect();
                for command in &mut strange {
                    if let Command::Status(status) = command {
                        (status.id, status.msg_ref, status.cmd_ref) =
                            ("900".into(), "4711".into(), (chance % 99).to_string().into());
                        status.code = "99999".into();
                    }
                }
                message.commands.extend(strange);
            }
            Habit::SameNumbers => message
                .commands
                .iter_mut()
                .for_each(|command| number(command, if chance.is_multiple_of(2) { "1" } else { "" })),
            Habit::OtherPlace => message.header.resp_uri = Some("https://localhost:1/elsewhere".into()),
            _ => {}
        }
        send(codec::encode(&message, self.form))
    }
}

/// Makes a message one that asks for credentials with a new nonce.
fn challenge(message: &mut Message<'static>, nonce: u64) {
    for command in &mut message.commands {
        if let Command::Status(status) = command
            && status.cmd_ref == "0"
        {
            status.code = "401".into();
            let meta = codec::Meta {
                format: Some("b64".into()),
                media_type: Some("syncml:auth-sha256".into()),
                next_nonce: Some(nonce.to_be_bytes().to_vec().into()),
                ..codec::Meta::default()
            };
            status.challenge = Some(Box::new(meta));
        }
    }
}

fn number(command: &mut Command<'static>, number: &'static str) {
    match command {
        Command::Status(status) => status.id = number.into(),
        Command::Alert(alert) => alert.id = number.into(),
        Command::Operation(operation) => operation.id = number.into(),
        Command::Container(container) => container.id = number.into(),
        Command::Results(_) | Command::Unknown(_) => {}
    }
}

struct Pair {
    nasty: Arc<Mutex<Nasty>>,
    server: Server,
    dm1: Dm1,
    client: Client,
    hands: Hands,
}

async fn pair(authority: &Authority, habit: Habit, seed: u64) -> Pair {
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let dm1 = Dm1::on(&server);
    if habit == Habit::Splits {
        dm1.set(|desk| desk.config.max_reply = 1_024);
    }
    let (encoding, form) = match seed % 2 {
        0 => ("xml", Form::Xml),
        _ => ("wbxml", Form::for_version(Encoding::Wbxml, codec::Version::Dm13)),
    };
    let nasty = Nasty {
        habit: Some(habit),
        chance: Chance::new(seed),
        dm1: dm1.clone(),
        form,
        last: None,
        played: 0,
    };
    let nasty = Arc::new(Mutex::new(nasty));
    let thinking = nasty.clone();
    server.think(move |seen| thinking.lock().unwrap().answer(seen));
    let hands = Hands::default();
    let mut device = dm1::open(Volatile::new(), &hands);
    device.install_dm1_account(&account(&server.at("/dm"), json!({ "encoding": encoding }))).unwrap();
    let mut config = ClientConfig::default();
    config.dm1.schemes = Scheme::ALL.to_vec();
    config.dm1.longest_pause = Duration::ZERO;
    (config.dm1.max_rounds, config.dm1.max_message) = (ROUNDS, MOST);
    let client = Client::new(device, transport(authority, Duration::from_secs(30)), config);
    Pair { nasty, server, dm1, client, hands }
}

impl Pair {
    /// A session; whether it ended well.
    async fn session(&mut self, what: &str) -> bool {
        let ends = tokio::time::timeout(Duration::from_secs(60), dm1::session(&mut self.client)).await;
        let report = ends.unwrap_or_else(|_| panic!("{what}: it does not end"));
        // Each message is sent four times at most.
        assert!(report.messages <= 4 * (ROUNDS + 2), "{what}: {report:?}");
        if let Outcome::Aborted { reason, .. } = &report.outcome {
            assert!(!reason.is_empty(), "{what}");
        }
        report.has_ended()
    }
}

#[tokio::test]
async fn a_device_survives_every_habit() {
    let authority = Authority::new();
    for (habit, seed) in HABITS.into_iter().flat_map(|habit| (1..=SESSIONS).map(move |seed| (habit, seed))) {
        let what = format!("{habit:?}, seed {seed}");
        let mut pair = pair(&authority, habit, seed).await;
        let mut wanted = Vec::new();
        for number in 0..3 {
            let long = if habit == Habit::Splits { "x".repeat(5_000) } else { String::new() };
            wanted.push(format!("{habit:?} {number}{long}"));
            pair.dm1.queue([set(VALUE, wanted.last().unwrap()), get(VALUE)]);
            let well = pair.session(&what).await;
            assert!(
                well || !matches!(habit, Habit::StaleNonces | Habit::Splits),
                "{what}: that is no reason"
            );
        }
        let played = pair.nasty.lock().unwrap().played;
        assert!(played > 0 || habit == Habit::Splits, "{what}: nothing was done");
        let heard = pair.server.seen().len();
        assert!(heard < 500, "{what}: {heard} requests");
        let results = pair.dm1.results();
        for result in
            results.iter().filter(|result| result.data.is_none() && result.verdict == Verdict::Done(200))
        {
            let index = usize::try_from(result.seq - 1).unwrap() / 2;
            if habit != Habit::Endless {
                let applied = pair.hands.lock().unwrap().applied.contains(&wanted[index]);
                assert!(applied, "{what}: {} was said to be stored", wanted[index]);
            }
        }
        pair.nasty.lock().unwrap().habit = None;
        pair.dm1.set(dm1::Desk::empty);
        pair.dm1.queue([set(VALUE, "good")]);
        assert!(pair.session(&what).await, "{what}: a good session fails afterwards");
        assert_eq!(value(pair.client.device()), "good", "{what}");
    }
}
