//! One full session between both engines, without I/O: what the protocol itself costs.

use bytes::Bytes;
use omadm_codec::dm2::Command;
use omadm_codec::{Limits, media_type};
use omadm_mo::{ClientUri, DeviceId, ParameterValues, ServerId, Time, Tree};
use omadm_session::dm2::client::{
    self, EffectResult, HttpReply, Input, Outcome, Output, Session, Start, Trigger,
};
use omadm_session::dm2::server::{self, CommandResult, Pending, RequestHead, State, Step, Verdict};

use crate::figure::Figure;
use crate::measure::Effort;
use crate::{Result, trees};

const SCENARIO: &str = "session";
/// DevID of the device.
pub const DEVICE: &str = "SIM:bench";
/// What the server asks for.
const GETS: [&str; 2] = ["urn:oma:mo:oma-dm-devinfo:1.2//DevID", "urn:oma:mo:oma-dm-devinfo:1.2//"];

/// A session with no command, and one with two GET commands.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let mut tree = trees::managed(&[100; 100])?;
    let mut figures = Vec::new();
    for (name, gets) in [("nothing to do", &GETS[..0]), ("one GET", &GETS[..1]), ("two GETs", &GETS[..])] {
        let queue = gets.iter().zip(1..).map(|(get, seq)| pending(get, seq)).collect::<Result<Vec<_>>>()?;
        // The first one shows that it works; a session that fails is fast.
        session(&mut tree, &queue, |_, _| ())?;
        let value = effort.nanoseconds(|| session(&mut tree, &queue, |_, _| ()).is_ok());
        figures.push(Figure::new(SCENARIO, format!("both engines, {name}"), value / 1_000.0, "µs"));
    }
    Ok(figures)
}

/// A message of the device, and the answer to it.
pub struct Exchange {
    /// Media type of the message.
    pub content_type: String,
    /// What the device accepts.
    pub accept: &'static str,
    /// The message.
    pub body: Bytes,
    /// The answer, of type `application/vnd.oma.dm.request+json`.
    pub reply: Bytes,
}

/// The exchanges of a session with one GET.
pub fn exchanges() -> Result<Vec<Exchange>> {
    let mut exchanges = Vec::new();
    session(&mut trees::managed(&[1])?, &[pending(GETS[0], 1)?], |output, reply| {
        if let Output::Post { content_type, accept, body, .. } = output {
            let body = Bytes::copy_from_slice(body);
            let reply = Bytes::copy_from_slice(reply);
            exchanges.push(Exchange { content_type: content_type.to_string(), accept, body, reply });
        }
    })?;
    Ok(exchanges)
}

/// A queued GET.
pub fn pending(get: &str, seq: i64) -> Result<Pending> {
    Ok(Pending {
        seq,
        command: Ok(Command::Get(ClientUri::parse(get)?)),
        attempts: 0,
        sent: false,
        accepted: false,
    })
}

/// Runs a session to its END and gives what came of the commands; every one of the queue has to be done then. `seen` is told of each
/// message and its answer.
pub fn session(
    tree: &mut Tree,
    queue: &[Pending],
    mut seen: impl FnMut(&Output, &[u8]),
) -> Result<Vec<CommandResult>> {
    let mut server =
        Server { config: server::Config::default(), state: None, queue: queue.to_vec(), results: Vec::new() };
    let mut device = Session::start(client_config()?, start()?, tree);
    loop {
        let output = device.poll_output().ok_or("the client engine stopped without an end")?;
        let input = match &output {
            Output::Post { content_type, accept, device_id, body, .. } => {
                let head = RequestHead {
                    method: "POST",
                    device_ids: &[device_id.as_str()],
                    content_type: Some(content_type),
                    accept: Some(accept),
                };
                let reply = server.answer(&head, body)?;
                seen(&output, &reply.body);
                Input::Reply(reply)
            }
            Output::Effect { id, .. } => Input::EffectDone { id: *id, result: EffectResult::Done },
            Output::Note(_) => continue,
            Output::Finished(Outcome::Ended { .. }) if server.queue.is_empty() => return Ok(server.results),
            Output::Finished(outcome) => return Err(format!("the session ended early: {outcome:?}").into()),
        };
        device.handle(tree, Time::default(), input);
    }
}

fn client_config() -> Result<client::Config> {
    Ok(client::Config {
        device_id: DeviceId::parse(DEVICE)?,
        parameters: ParameterValues::default(),
        limits: Limits::default(),
        strict: true,
        allow_plain_http: false,
        max_rounds: 10,
        full_addressing: true,
    })
}

fn start() -> Result<Start> {
    Ok(Start {
        server: ServerId::parse(trees::SERVER)?,
        uri: "https://dm.example.org:8443/dm/2.0".to_owned(),
        trigger: Trigger::Client,
        send_mos: false,
        alerts: Vec::new(),
    })
}

/// The server engine with its queue in memory.
struct Server {
    config: server::Config,
    state: Option<State>,
    queue: Vec<Pending>,
    results: Vec<CommandResult>,
}

impl Server {
    fn answer(&mut self, head: &RequestHead<'_>, body: &[u8]) -> Result<HttpReply> {
        let (_, kind) = server::admit(head)?;
        let (incoming, _) = server::decode(&self.config, &kind, body)?;
        let step = server::step(&self.config, self.state.as_ref(), incoming, &self.queue)?;
        self.settle(&step)?;
        self.results.extend(step.results);
        self.state = Some(step.state);
        Ok(HttpReply {
            status: 200,
            content_type: Some(media_type::REQUEST_JSON.to_owned()),
            omadm_accept: None,
            body: step.reply.into(),
        })
    }

    fn settle(&mut self, step: &Step) -> Result<()> {
        for result in &step.results {
            match result.verdict {
                Verdict::Done(_) => self.queue.retain(|pending| pending.seq != result.seq),
                ref other => return Err(format!("command {} came out as {other:?}", result.seq).into()),
            }
        }
        for pending in self.queue.iter_mut().filter(|pending| step.sends.contains(&pending.seq)) {
            pending.sent = true;
            pending.attempts = pending.attempts.saturating_add(1);
        }
        Ok(())
    }
}
