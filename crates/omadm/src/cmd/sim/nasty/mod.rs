//! `omadm sim --nasty`: devices that send what no server likes, and how it answers.

mod chance;
mod dm2;
mod transport;
mod trick;

use std::collections::BTreeMap;
use std::time::Duration;

use omadm_client::{Client, HttpRequest, HttpsTransport, dm1};
use omadm_mo::ServerId;
use serde_json::{Value, json};

use super::device::{Account, Model, Speech, session};
use super::enrolment::Enrolled;
use super::load::queue;
use super::progress;
use crate::api::Api;
use crate::failure::Failure;
use crate::screen::{self, Format};
use transport::{Heard, Nasty};

/// Most faults that are printed.
const MAX_FAULTS: usize = 20;

/// A trick of either protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    Dm1(trick::Trick),
    Dm2(dm2::Trick),
}

/// A trick that the network plays, whatever the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfNetwork {
    Repeated,
    ReplyLost,
    Late,
}

impl Trick {
    /// All tricks of a device, in the order in which they are played.
    fn all(speech: Speech) -> Vec<Self> {
        match speech {
            Speech::Dm1 { .. } => trick::Trick::ALL.map(Self::Dm1).to_vec(),
            Speech::Dm2 => dm2::Trick::ALL.map(Self::Dm2).to_vec(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Dm1(trick) => trick.name(),
            Self::Dm2(trick) => trick.name(),
        }
    }

    fn of_network(self) -> Option<OfNetwork> {
        match self {
            Self::Dm1(trick::Trick::Repeated) | Self::Dm2(dm2::Trick::Repeated) => Some(OfNetwork::Repeated),
            Self::Dm1(trick::Trick::ReplyLost) | Self::Dm2(dm2::Trick::ReplyLost) => {
                Some(OfNetwork::ReplyLost)
            }
            Self::Dm1(trick::Trick::Late) | Self::Dm2(dm2::Trick::Late) => Some(OfNetwork::Late),
            Self::Dm1(_) | Self::Dm2(_) => None,
        }
    }

    fn play(self, good: &HttpRequest, most: Option<u64>, chance: u64) -> Option<HttpRequest> {
        match self {
            Self::Dm1(trick) => trick.play(good, most, chance),
            Self::Dm2(trick) => trick.play(good, chance),
        }
    }
}

/// Who is nasty to whom.
pub struct Torture<'t> {
    pub api: &'t Api,
    pub account: &'t Account,
    pub model: &'t Model,
    pub speech: Speech,
    /// What is asked for in each session.
    pub gets: &'t [String],
    /// How often each device plays all tricks.
    pub rounds: u32,
    /// Of what is left to chance.
    pub seed: u64,
}

/// How the server bore it.
#[derive(Default)]
pub struct Report {
    sessions: u64,
    heard: Heard,
    ends: BTreeMap<String, u64>,
}

impl Torture<'_> {
    /// Plays all tricks with each device, one session a trick, and ends with a session without any, which has to go well.
    pub async fn run(&self, enrolled: &[Enrolled], transport: &HttpsTransport) -> Result<Report, Failure> {
        let tricks = Trick::all(self.speech);
        let sessions = (enrolled.len() as u64 * u64::from(self.rounds)).saturating_mul(tricks.len() as u64);
        let bar = progress("tricks", sessions);
        let mut report = Report::default();
        for (seed, device) in (self.seed..).zip(enrolled) {
            let nasty = Nasty::new(transport.clone(), seed);
            // What got no answer is sent again at once.
            let sessions = dm1::SessionConfig { longest_pause: Duration::ZERO, ..Default::default() };
            let mut client = self.model.client(device, self.account, nasty.clone(), sessions)?;
            for _ in 0..self.rounds {
                for trick in &tricks {
                    nasty.play(Some(*trick));
                    let end = self.session(&mut client, device).await?;
                    report.end(end);
                    bar.inc(1);
                }
            }
            nasty.play(None);
            if let Some(reason) = self.session(&mut client, device).await? {
                report.heard.faults.push(format!("a session without tricks fails afterwards: {reason}"));
            }
            report.hear(nasty.heard());
        }
        bar.finish_and_clear();
        Ok(report)
    }

    /// A session; why it did not end well, if it did not.
    async fn session(
        &self,
        client: &mut Client<Nasty>,
        device: &Enrolled,
    ) -> Result<Option<String>, Failure> {
        queue(self.api, &device.id, self.gets).await?;
        let server: &ServerId = &self.account.server;
        Ok(match session(client, server, self.speech).await {
            Ok(ended) => ended.trouble.map(|trouble| trouble.to_string()),
            Err(error) => Some(error.to_string()),
        })
    }
}

impl Report {
    fn end(&mut self, error: Option<String>) {
        self.sessions = self.sessions.saturating_add(1);
        let end = error.map_or_else(|| "ended well".to_owned(), |reason| format!("broken off: {reason}"));
        let count = self.ends.entry(end).or_default();
        *count = count.saturating_add(1);
    }

    fn hear(&mut self, heard: Heard) {
        for (answer, count) in heard.answers {
            let sum = self.heard.answers.entry(answer).or_default();
            *sum = sum.saturating_add(count);
        }
        self.heard.faults.extend(heard.faults);
    }

    /// Prints how the server answered.
    pub fn print(&self, output: Format) -> Result<(), Failure> {
        if output == Format::Json {
            return screen::json(&self.to_json());
        }
        let rows = self.heard.answers.iter().map(|((trick, answer), count)| {
            vec![trick.name().to_owned(), count.to_string(), screen::clean(answer)]
        });
        screen::table(&["TRICK", "TIMES", "ANSWER"], rows.collect(), "No trick was played.")?;
        screen::line(&format!("{} sessions:", self.sessions))?;
        for (end, count) in &self.ends {
            screen::line(&format!("{count:>6} {}", screen::clean(end)))?;
        }
        for fault in self.heard.faults.iter().take(MAX_FAULTS) {
            screen::line(&format!("fault: {}", screen::clean(fault)))?;
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let answer = |((trick, answer), count): (&(Trick, String), &u64)| json!({ "trick": trick.name(), "answer": answer, "times": count });
        json!({
            "sessions": self.sessions,
            "answers": self.heard.answers.iter().map(answer).collect::<Vec<_>>(),
            "ends": self.ends,
            "faults": self.heard.faults,
        })
    }

    /// Whether the server did nothing that it must not do.
    pub fn verdict(&self) -> Result<(), Failure> {
        match self.heard.faults.len() {
            0 => Ok(()),
            faults => Err(Failure::Failed(format!("the server did {faults} things that it must not do"))),
        }
    }
}
