//! Nasty servers of DM 2.0.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use omadm_client::{Client, ClientConfig, Outcome};
use omadm_codec::Limits;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::support::device::{Hands, THING, bootstrap, client, session, value};
use crate::support::server::{Answer, Seen, Server};
use crate::support::tls::Authority;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Asks for a digest at any time, with another nonce each time.
    ChallengesAtRandom,
    /// Says of every digest that its nonce is stale.
    StaleNonces,
    /// Sends the package before once more.
    Repeats,
    /// Ends the connection without an answer.
    HangsUp,
    /// Has no time, in the middle of a session.
    NoTime,
    /// Never ends a session.
    Endless,
    /// One octet more than the device takes.
    OneTooMany,
    Truncated,
    Garbled,
    Empty,
    WrongType,
    /// JSON within JSON within JSON.
    Deep,
    /// Commands that do not exist, with arguments of every kind.
    UnknownCommands,
    /// Commands on addresses that are none.
    StrangeAddresses,
    /// The same command a thousand times.
    Flood,
    /// END is not the only command.
    EndAndMore,
    /// Leads to another place, and from there to another.
    Redirects,
    /// The data that a command refers to is of the wrong type, too long, or not there.
    BadData,
}

const HABITS: [Habit; 18] = [
    Habit::ChallengesAtRandom,
    Habit::StaleNonces,
    Habit::Repeats,
    Habit::HangsUp,
    Habit::NoTime,
    Habit::Endless,
    Habit::OneTooMany,
    Habit::Truncated,
    Habit::Garbled,
    Habit::Empty,
    Habit::WrongType,
    Habit::Deep,
    Habit::UnknownCommands,
    Habit::StrangeAddresses,
    Habit::Flood,
    Habit::EndAndMore,
    Habit::Redirects,
    Habit::BadData,
];

/// Most octets of data that the device takes.
const MOST: usize = 64 << 10;
/// Most rounds of a session.
const ROUNDS: u32 = 20;
const SESSIONS: u64 = 4;

/// A server with a habit, or with none.
struct Nasty {
    habit: Option<Habit>,
    chance: Chance,
    address: String,
    /// What the device shall store next.
    data: String,
    /// Packages answered in this session.
    round: usize,
    last: Option<Answer>,
    /// How often the habit has shown.
    played: usize,
    /// Whether the last package has the device store its data.
    asked: bool,
    /// The status of the last HGET of a package, for each value that was to be stored.
    statuses: Vec<(String, u64)>,
}

impl Nasty {
    fn answer(&mut self, seen: &Seen) -> Answer {
        if seen.method == "GET" {
            return self.serve();
        }
        let package = first_json(&seen.body);
        if let Some(statuses) = package["Status"].as_array() {
            let of_set = statuses.first().and_then(|status| status["sc"].as_u64());
            self.statuses.extend(of_set.filter(|_| self.asked).map(|status| (self.data.clone(), status)));
        }
        let begins = package.get("Status").is_none();
        self.round = if begins { 0 } else { self.round };
        let good = match self.round {
            0 => Answer::commands(&json!([
                ["HGET", self.place(), format!("{THING}//Value")],
                ["GET", format!("{THING}//Value")]
            ])),
            _ => Answer::end(),
        };
        let answer = self.habit.map_or_else(|| good.clone(), |habit| self.spoil(habit, good.clone(), seen));
        let is_good = answer.body_octets() == good.body_octets();
        self.played += usize::from(!is_good);
        if matches!(answer, Answer::Send { status: 200, .. }) {
            self.asked = self.round == 0 && is_good;
            self.round += 1;
        }
        self.last = Some(answer.clone());
        answer
    }

    /// Has the habit no more, and this for the device to store.
    fn behave(&mut self, data: &str) {
        (self.habit, self.data) = (None, data.to_owned());
    }

    fn place(&self) -> String {
        format!("{}/data", self.address)
    }

    /// The data of HGET.
    fn serve(&mut self) -> Answer {
        let good = Answer::status(200).with("content-type", "text/plain").body(self.data.clone());
        if self.habit != Some(Habit::BadData) {
            return good;
        }
        self.played += 1;
        match self.chance.below(5) {
            0 => Answer::status(404),
            1 => Answer::status(200).with("content-type", "application/x-nothing").body(self.data.clone()),
            2 => Answer::status(200).with("content-type", "text/plain").body(vec![b'x'; MOST * 2]),
            3 => Answer::HangUp,
            _ => good,
        }
    }

    fn spoil(&mut self, habit: Habit, good: Answer, seen: &Seen) -> Answer {
        let commands = |commands: Value| Answer::commands(&commands);
        let digest = |nonce: u64, more: &str| {
            let asks =
                format!("Digest realm=\"r\", qop=\"auth\", algorithm=SHA-256, nonce=\"{nonce:x}\"{more}");
            Answer::status(401).with("www-authenticate", &asks)
        };
        match habit {
            Habit::ChallengesAtRandom if self.chance.once_in(2) => digest(self.chance.next(), ""),
            Habit::StaleNonces if seen.header("authorization").is_none_or(|it| it.starts_with("Basic")) => {
                digest(self.chance.next(), "")
            }
            Habit::StaleNonces => digest(self.chance.next(), ", stale=true"),
            Habit::Repeats if self.chance.once_in(2) => self.last.clone().unwrap_or(good),
            Habit::HangsUp if self.chance.once_in(2) => Answer::HangUp,
            Habit::NoTime if self.round > 0 => Answer::status(503).with("retry-after", "1"),
            Habit::Endless => commands(json!([["GET", format!("{THING}//Value")]])),
            Habit::OneTooMany => padded(good, Limits::default().bytes + 1),
            Habit::Truncated => cut(good, |body| body.truncate(body.len() / 2)),
            Habit::Garbled => cut(good, |body| self.chance.garble(body, 8)),
            Habit::Empty => cut(good, Vec::clear),
            Habit::WrongType => {
                Answer::status(200).with("content-type", "text/html").body("<html>Log in</html>")
            }
            Habit::Deep => {
                cut(good, |body| *body = "{\"CMD\":".bytes().chain("[".repeat(20_000).bytes()).collect())
            }
            Habit::UnknownCommands if self.round == 0 => commands(json!([
                ["REBOOT", "now"],
                ["GET"],
                ["GET", "a", "b", "c", "d"],
                ["", ""],
                ["hget", "x"]
            ])),
            Habit::StrangeAddresses if self.round == 0 => {
                let endless = "/x".repeat(5_000);
                commands(json!([
                    ["GET", ""],
                    ["GET", "no:such:mo"],
                    ["GET", format!("{THING}//../../x")],
                    ["DELETE", format!("{THING}/*/%zz")],
                    ["GET", format!("{THING}/{endless}")]
                ]))
            }
            Habit::Flood if self.round == 0 => {
                let gets: Vec<_> = (0..800).map(|_| json!(["GET", format!("{THING}//Value")])).collect();
                commands(Value::from(gets))
            }
            Habit::EndAndMore => commands(json!([["END"], ["GET", format!("{THING}//Value")]])),
            Habit::Redirects => Answer::redirect(307, &format!("{}/{}", self.address, self.chance.next())),
            _ => good,
        }
    }
}

fn cut(answer: Answer, change: impl FnOnce(&mut Vec<u8>)) -> Answer {
    let Answer::Send { status, headers, mut body } = answer else { return answer };
    change(&mut body);
    Answer::Send { status, headers, body }
}

fn padded(answer: Answer, length: usize) -> Answer {
    cut(answer, |body| body.resize(length, b' '))
}

/// The JSON of a package, which is the first of its parts where it has several.
fn first_json(body: &[u8]) -> Value {
    let start = body.iter().position(|octet| *octet == b'{').unwrap();
    serde_json::Deserializer::from_slice(&body[start..]).into_iter().next().unwrap().unwrap()
}

/// A device and a server with a habit.
async fn pair(authority: &Authority, habit: Habit, seed: u64) -> (Arc<Mutex<Nasty>>, Server, Client, Hands) {
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let nasty = Arc::new(Mutex::new(Nasty {
        habit: Some(habit),
        chance: Chance::new(seed),
        address: server.at(""),
        data: String::new(),
        round: 0,
        last: None,
        played: 0,
        asked: false,
        statuses: Vec::new(),
    }));
    let thinking = nasty.clone();
    server.think(move |seen| thinking.lock().unwrap().answer(seen));
    let config = ClientConfig { max_rounds: ROUNDS, fetch_limit: MOST, ..ClientConfig::default() };
    let (mut client, hands) = client(authority, config);
    client.device_mut().install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    (nasty, server, client, hands)
}

#[tokio::test]
async fn a_device_survives_every_habit() {
    let authority = Authority::new();
    for (habit, seed) in HABITS.into_iter().flat_map(|habit| (1..=SESSIONS).map(move |seed| (habit, seed))) {
        let (nasty, server, mut client, hands) = pair(&authority, habit, seed).await;
        for number in 0..3 {
            nasty.lock().unwrap().data = format!("{habit:?} {number}");
            let ends = tokio::time::timeout(Duration::from_secs(60), session(&mut client)).await;
            let report = ends.unwrap_or_else(|_| panic!("{habit:?}, seed {seed}: it does not end"));
            assert!(report.packages <= ROUNDS + 1, "{habit:?}, seed {seed}: {report:?}");
            if let Outcome::Aborted { reason, .. } = &report.outcome {
                assert!(!reason.is_empty(), "{habit:?}, seed {seed}");
            }
        }
        let played = nasty.lock().unwrap().played;
        assert!(played > 0, "{habit:?}, seed {seed}: nothing was done");
        let heard = server.seen();
        assert!(heard.len() < 200, "{habit:?}, seed {seed}: {} requests", heard.len());
        let statuses = std::mem::take(&mut nasty.lock().unwrap().statuses);
        for (data, _) in statuses.iter().filter(|(_, status)| *status == 200) {
            let applied = hands.lock().unwrap().applied.contains(data);
            assert!(applied, "{habit:?}, seed {seed}: {data} was said to be stored");
        }
        nasty.lock().unwrap().behave("good");
        let report = session(&mut client).await;
        assert!(matches!(report.outcome, Outcome::Ended { .. }), "{habit:?}, seed {seed}: {report:?}");
        assert_eq!(value(client.device()), "good", "{habit:?}, seed {seed}");
        assert!(client.device().bootstraps_pending().is_empty(), "{habit:?}, seed {seed}");
    }
}

#[tokio::test]
async fn the_largest_package_is_taken_and_one_octet_more_is_not() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let (mut client, _) = client(&authority, ClientConfig::default());
    client.device_mut().install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    let most = Limits::default().bytes;
    for (length, ends) in [(most, true), (most + 1, false)] {
        server.script([padded(Answer::end(), length)]);
        let report = session(&mut client).await;
        assert_eq!(matches!(report.outcome, Outcome::Ended { .. }), ends, "{length}: {:?}", report.outcome);
    }
}
