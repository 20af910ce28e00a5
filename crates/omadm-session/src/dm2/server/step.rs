//! The step itself: verdicts on what was sent, then the next package.

use omadm_codec::dm2::{Alert, Command, Request, Response, SupportedMo};
use omadm_codec::multipart::Part;

use super::{CommandResult, Config, Incoming, Pending, Refusal, State, Step, Verdict, batch, later, results};

/// What a message says, besides leading to the next package.
struct Heard {
    began: bool,
    results: Vec<CommandResult>,
    inventory: Option<Vec<SupportedMo>>,
    alerts: Vec<Alert>,
    notes: Vec<String>,
}

/// Takes a message.
///
/// Package#1 begins a session: commands sent before and never answered count as unanswered ([`Verdict::Again`] or quarantine) and are sent
/// again first. Package#3 needs an open session (409), and as many statuses as commands were sent (400, nothing assigned).
///
/// A command answered with 503 waits for the next session, and everything behind it waits with it: the session ends. The host
/// applies `results` first and `sends` after them; a command may be in both.
///
/// # Errors
/// The HTTP answer; nothing is to be stored but the trace.
pub fn step(
    config: &Config,
    state: Option<&State>,
    incoming: Incoming,
    queue: &[Pending],
) -> Result<Step, Refusal> {
    let start = State { recent: broken_off(state), ..State::default() };
    let (heard, previous) = match incoming {
        Incoming::Initiation(initiation) => {
            let heard = Heard {
                began: true,
                results: results::unanswered(config, queue),
                inventory: initiation.mos,
                alerts: initiation.alerts,
                notes: Vec::new(),
            };
            (heard, &start)
        }
        Incoming::Response { response, parts } => {
            let open = state.filter(|state| !state.ended).ok_or_else(no_session)?;
            (answered(config, open, response, parts, queue)?, open)
        }
    };
    Ok(reply(config, heard, previous, queue))
}

/// What the new session must not repeat: an answer to one that broke off may still be on its way.
fn broken_off(state: Option<&State>) -> Vec<usize> {
    state.filter(|state| !state.ended).map(|state| state.recent.clone()).unwrap_or_default()
}

fn no_session() -> Refusal {
    Refusal::new(409, "a Package#3 without an open session; a session begins with a Package#1")
}

/// Takes the statuses of the commands sent last.
fn answered(
    config: &Config,
    open: &State,
    response: Response,
    parts: Vec<Part>,
    queue: &[Pending],
) -> Result<Heard, Refusal> {
    let expected = open.sent.len().saturating_add(open.padding);
    let given = response.statuses.len();
    if given != expected {
        let reason = format!(
            "Package#3 has {given} statuses for the {expected} commands of the last Package#2; none was assigned"
        );
        return Err(Refusal::new(400, reason));
    }
    let (results, notes) = results::settle(config, open, &response.statuses, parts, queue);
    Ok(Heard { began: false, results, inventory: None, alerts: response.alerts, notes })
}

fn reply(config: &Config, heard: Heard, previous: &State, queue: &[Pending]) -> Step {
    let Heard { began, mut results, inventory, alerts, notes } = heard;
    later::settle(&alerts, queue, began, &mut results);
    // A device that was too busy for a command just now shall have time until its next session.
    let busy = !began && results.iter().any(|result| matches!(result.verdict, Verdict::Again(_)));
    let mut next =
        if busy { batch::Batch::default() } else { batch::next(config, queue, &results, &previous.recent) };
    results.append(&mut next.quarantined);
    let state = batch::state_after(&next, previous);
    let mut package = Vec::new();
    if state.ended {
        Request::encode(&[Command::End], &mut package);
    } else {
        Request::encode(&next.commands, &mut package);
    }
    Step { reply: package, sends: next.sends, state, began, results, inventory, alerts, notes }
}
