//! DM 1.x in the commands: accounts from files, sessions.

use std::path::Path;

use omadm_client::dm1::{
    AccountSettings, Accounts as _, Answered, AuthType, Cause, CredentialSettings, Dm1Wake, Encoding, Note,
    Outcome, ServedLink, SessionReport, Start,
};
use omadm_client::{
    BootstrapRequest, Client, ClientError, Consent as _, Origin, PersistError, RequestedAccount,
};
use omadm_mo::{DeviceId, ServerId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{compact_if_asked, prepare, read_bootstrap};
use crate::calls::Calls;
use crate::consent::Asking;
use crate::controls::Controls;
use crate::error::AgentError;
use crate::links::Delivery;
use crate::setup::Setup;

/// A file with a DM 1.x account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    dm1: AccountSettings,
}

/// What `omadm serve` answers who enrols a device (`POST /api/v1/devices`), which can stand in the file as it is.
#[derive(Deserialize)]
struct Enrolled {
    device: EnrolledDevice,
    user: String,
    secret: String,
    dm1: Vec<Dm1Server>,
}

#[derive(Deserialize)]
struct EnrolledDevice {
    id: String,
}

#[derive(Deserialize)]
struct Dm1Server {
    server_id: String,
    server_uri: String,
    server_secret: String,
    #[serde(default)]
    notification_secret: Option<String>,
}

impl Enrolled {
    /// The account of its first server, by the strongest scheme of DM 1.3.
    fn account(self, device_id: Option<&str>) -> Result<AccountSettings, String> {
        if device_id.is_some_and(|id| id != self.device.id) {
            return Err(format!("it is for the device {}, which is another one", self.device.id));
        }
        let server = self.dm1.into_iter().next().ok_or("its server does not speak DM 1.x")?;
        let credentials = |user: String, password: String| CredentialSettings {
            auth_type: AuthType::HmacSha256,
            user,
            password,
            nonce: String::new(),
        };
        Ok(AccountSettings {
            name: String::new(),
            addresses: vec![server.server_uri],
            preferred: None,
            client: Some(credentials(self.user, self.secret)),
            notification: server.notification_secret.map(|secret| CredentialSettings {
                auth_type: AuthType::Sha256,
                ..credentials(server.server_id.clone(), secret)
            }),
            server: Some(credentials(server.server_id.clone(), server.server_secret)),
            http: None,
            obex: None,
            version: None,
            encoding: Encoding::default(),
            server_id: server.server_id,
        })
    }
}

/// Whether a bootstrap file holds a DM 1.x account: an object, where that of DM 2.0 is an array.
pub fn is_account(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

/// Installs the DM 1.x account in a bootstrap file, if it is wanted; the answer is its server.
pub async fn install(setup: &Setup, client: &mut Client, body: &[u8]) -> Result<ServerId, AgentError> {
    let settings = read(client, body)?;
    let request = request(client, &settings)?;
    let mut consent = Asking::new(&setup.config.bootstrap);
    consent.decide(&request).await.map_err(ClientError::BootstrapRejected)?;
    Ok(client.device_mut().install_dm1_account(&settings)?)
}

/// Installs the accounts of the configuration that were not installed before. What is wrong with one is told, and the device goes on.
pub fn install_configured(setup: &Setup, client: &mut Client) {
    for path in &setup.config.dm1.accounts {
        match install_once(client, path) {
            Ok(Some(server)) => tracing::info!(file = %path.display(), %server, "DM 1.x account installed"),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(file = %path.display(), "the DM 1.x account is not installed: {error}")
            }
        }
    }
}

fn install_once(client: &mut Client, path: &Path) -> Result<Option<ServerId>, AgentError> {
    let body = read_bootstrap(path)?;
    let settings = read(client, &body)?;
    Ok(client.device_mut().install_dm1_account_once(&settings, &body)?)
}

fn read(client: &Client, body: &[u8]) -> Result<AccountSettings, AgentError> {
    let device_id = client.device().dm1_device_id();
    parse(body, device_id.as_ref().map(DeviceId::as_str)).map_err(AgentError::Refused)
}

fn parse(body: &[u8], device_id: Option<&str>) -> Result<AccountSettings, String> {
    if let Ok(enrolled) = serde_json::from_slice::<Enrolled>(body) {
        return enrolled.account(device_id);
    }
    let file: Result<AccountFile, _> = serde_json::from_slice(body);
    file.map(|file| file.dm1).map_err(|error| format!("it is no DM 1.x account: {error}"))
}

/// What whoever has to agree is told.
fn request(client: &Client, settings: &AccountSettings) -> Result<BootstrapRequest, AgentError> {
    let server = ServerId::parse(&settings.server_id)
        .map_err(|error| AgentError::Refused(format!("{}: {error}", settings.server_id)))?;
    let account = RequestedAccount {
        name: settings.name.clone(),
        uri: settings.addresses.join(", "),
        moids: vec!["*".to_owned()],
        replaces: client.device().tree().dm1_account(&server).is_some(),
        server,
    };
    Ok(BootstrapRequest { origin: Origin::Local, accounts: vec![account], objects: Vec::new() })
}

/// Servers with a DM 1.x account.
pub fn servers(client: &Client) -> Vec<ServerId> {
    client.device().tree().dm1_accounts().map(|(server, _)| server).collect()
}

/// Runs a session and logs how it went.
pub async fn session(
    client: &mut Client,
    controls: &Controls,
    server: &ServerId,
) -> Result<SessionReport, AgentError> {
    begin(client, controls, server).await;
    let report = client.run_dm1_session(server, Start::Client).await;
    finish(client, controls, report)
}

/// Takes what came over a local link. A server that waits there has its session there, if what it has put is a notification that counts.
pub async fn delivered(
    client: &mut Client,
    controls: &Controls,
    calls: &mut Calls,
    delivery: Delivery,
) -> Result<(), AgentError> {
    let Delivery { content, link } = delivery;
    let Some(link) = link else {
        // Why it was ignored is told already.
        let _ignored = calls.content(client, content);
        return Ok(());
    };
    match calls.called_over(client, content) {
        Some(wake) => {
            survive(&wake.server, answer(client, controls, &wake, Some(link)).await)?;
        }
        None => link.refuse(),
    }
    Ok(())
}

/// Runs the session that a notification asks for, over the `link` that it came by if that waits, and logs how it went; `None` if the
/// user does not want it.
async fn answer(
    client: &mut Client,
    controls: &Controls,
    wake: &Dm1Wake,
    link: Option<ServedLink>,
) -> Result<Option<SessionReport>, AgentError> {
    begin(client, controls, &wake.server).await;
    let answered = match link {
        Some(link) => client.answer_dm1_over(wake, link).await,
        None => client.answer_dm1(wake).await,
    };
    match answered {
        Ok(Answered::Session(report)) => finish(client, controls, Ok(report)).map(Some),
        Ok(Answered::Refused) => {
            end(controls);
            tracing::info!(server = %wake.server, "the user does not want the session that the server asks for");
            Ok(None)
        }
        Err(error) => finish(client, controls, Err(error)).map(Some),
    }
}

/// Says with whom a session is under way.
async fn begin(client: &Client, controls: &Controls, server: &ServerId) {
    let account = client.device().dm1_status().into_iter().find(|account| account.server == *server);
    prepare(controls, server, account.map(|account| account.uri)).await;
}

fn end(controls: &Controls) {
    controls.set_serving(None);
    controls.set_peer(None);
}

fn finish(
    client: &mut Client,
    controls: &Controls,
    report: Result<SessionReport, ClientError>,
) -> Result<SessionReport, AgentError> {
    end(controls);
    let report = report?;
    controls.sent_away(report.retry_after);
    let server = &report.server;
    match &report.outcome {
        Outcome::Ended { commands, .. } => {
            controls.ended_well();
            tracing::info!(%server, commands, "DM 1.x session ended");
        }
        Outcome::Aborted { reason, .. } => tracing::warn!(%server, "DM 1.x session aborted: {reason}"),
    }
    compact_if_asked(client, controls)?;
    Ok(report)
}

/// Lets an interrupt (Ctrl-C) tell the server that the session is over; another one ends the process as it is.
pub fn abort_on_interrupt(client: &Client) {
    let abort = client.dm1_abort();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            abort.ask();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            // 128 and the number of SIGINT, as shells have it.
            std::process::exit(130);
        }
    });
}

/// A session with each of these servers; whether all of them ended well. Trouble with one, or a disk that is full for the moment, is
/// told; state that cannot be trusted any more ends the agent.
pub async fn sessions(
    client: &mut Client,
    controls: &Controls,
    servers: impl IntoIterator<Item = ServerId>,
) -> Result<bool, AgentError> {
    let mut well = true;
    for server in servers {
        let report = session(client, controls, &server).await;
        well &= survive(&server, report)?.is_some_and(|report| report.has_ended());
    }
    Ok(well)
}

/// The session that a notification asks for; `false` if nobody was reached, so that it may be tried again.
pub async fn call(client: &mut Client, controls: &Controls, wake: &Dm1Wake) -> Result<bool, AgentError> {
    let report = survive(&wake.server, answer(client, controls, wake, None).await)?.flatten();
    let unreached =
        |report: SessionReport| matches!(report.outcome, Outcome::Aborted { cause: Cause::NoReply, .. });
    Ok(!report.is_some_and(unreached))
}

/// What came of a session, if anything; trouble that does not end the agent is told.
fn survive<T>(server: &ServerId, outcome: Result<T, AgentError>) -> Result<Option<T>, AgentError> {
    match outcome {
        Ok(report) => Ok(Some(report)),
        Err(AgentError::Client(ClientError::Persist(error)))
            if !matches!(error, PersistError::Full { .. }) =>
        {
            Err(error.into())
        }
        Err(error) => {
            tracing::error!(%server, "DM 1.x session failed: {error}");
            Ok(None)
        }
    }
}

fn sentence(note: &Note) -> String {
    match note {
        Note::Answered { command, uri, status, reason } => {
            let uri = uri.as_ref().map_or_else(String::new, |uri| format!(" {uri}"));
            let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{command}{uri} answered {status}{reason}")
        }
        Note::Tolerated(tolerances) => {
            let names: Vec<_> = tolerances.iter().map(|tolerance| tolerance.as_str()).collect();
            format!("tolerated {}", names.join(", "))
        }
        Note::Continues { uri } => format!("goes on at {uri}"),
        Note::FallsBack { to } => {
            format!("the server does not know this version; again by {}", to.ver_proto())
        }
        Note::Challenged { status } => format!("the server wants credentials ({status}), which it gets"),
        other => format!("{other:?}"),
    }
}

/// Prints a report for people.
pub fn print(report: &SessionReport) {
    report.notes.iter().for_each(|note| println!("{}", sentence(note)));
    let SessionReport { server, outcome, messages, .. } = report;
    match outcome {
        Outcome::Ended { commands, version } => {
            let version = version.ver_proto();
            println!("session with {server} by {version} ended: {commands} commands, {messages} messages");
        }
        Outcome::Aborted { reason, .. } => {
            println!("session with {server} aborted after {messages} messages: {reason}");
        }
    }
}

/// A report for programs.
pub fn to_json(report: &SessionReport) -> Value {
    let outcome = match &report.outcome {
        Outcome::Ended { commands, version } => {
            json!({ "ended": { "commands": commands, "version": version.ver_proto() } })
        }
        Outcome::Aborted { reason, cause } => {
            json!({ "aborted": { "reason": reason, "cause": format!("{cause:?}") } })
        }
    };
    json!({
        "server": report.server.as_str(),
        "messages": report.messages,
        "outcome": outcome,
        "notes": report.notes.iter().map(sentence).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_told_apart_from_a_bootstrap_and_read() {
        let account =
            br#" {"dm1": {"server_id": "s", "addresses": ["https://s.example/dm"], "version": "1.2",
            "encoding": "xml", "client": {"type": "DIGEST", "user": "u", "password": "p"}}}"#;
        assert!(is_account(account) && !is_account(b"[]"));
        let settings = parse(account, None).unwrap();
        assert_eq!((settings.server_id.as_str(), settings.addresses.len()), ("s", 1));
        for (broken, reason) in [
            (&br#"{"dm1": {"server_id": "s"}}"#[..], "missing field `addresses`"),
            (br#"{"dm1": {"server_id": "s", "addresses": [], "version": "2.0"}}"#, "unknown variant `2.0`"),
            (br#"{"dm1": {"server_id": "s", "addresses": [], "user": "u"}}"#, "unknown field `user`"),
        ] {
            let error = parse(broken, None).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn the_answer_to_an_enrolment_is_an_account() {
        let enrolled =
            br#"{"device": {"id": "IMEI:1", "label": "x"}, "user": "u", "secret": "p", "server_id": "omadm",
            "dm1": [{"server_id": "omadm", "server_uri": "https://s.example/dm", "server_secret": "q"}]}"#;
        let settings = parse(enrolled, Some("IMEI:1")).unwrap();
        assert_eq!(
            (settings.server_id.as_str(), settings.addresses[0].as_str()),
            ("omadm", "https://s.example/dm")
        );
        let (client, server) = (settings.client.unwrap(), settings.server.unwrap());
        assert_eq!((client.user.as_str(), client.password.as_str()), ("u", "p"));
        assert_eq!((server.user.as_str(), server.password.as_str()), ("omadm", "q"));
        assert!(parse(enrolled, Some("IMEI:2")).unwrap_err().contains("another one"));
    }
}
