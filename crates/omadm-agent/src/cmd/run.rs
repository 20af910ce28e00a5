//! `omadm-agent run`

use std::process::ExitCode;
use std::time::Duration;

use omadm_client::{Client, ClientError, Ignored, Outcome, PersistError, Received, SessionReport, Trigger};
use omadm_mo::ServerId;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::{answer, dm1, read_bootstrap, runtime, session, upkeep};
use crate::bearer::Networks;
use crate::bootstrap_listener::BootstrapListener;
use crate::calls::{Call, Calls};
use crate::cards::Cards;
use crate::cloud::Registrations;
use crate::consent::Asking;
use crate::controls::Controls;
use crate::dm1_bootstraps::Dm1Bootstraps;
use crate::error::AgentError;
use crate::links::Links;
use crate::local::{self, Door};
use crate::provisioning::Provisioning;
use crate::pushes::Pushes;
use crate::setup::Setup;

/// Seconds beyond which failures do not stretch the poll interval.
const LONGEST_BACK_OFF: u32 = 3_600;
/// By which part of it, at most, a device comes later than a server has said that sent it away.
const LATER: f64 = 0.1;
/// Shortest pause between two looks at what is to be reported.
const BREATH: Duration = Duration::from_millis(200);
/// The same after one that failed, as on a full disk.
const REST: Duration = Duration::from_secs(10);

/// Runs until a signal ends it.
pub fn run(setup: &Setup) -> Result<ExitCode, AgentError> {
    runtime()?.block_on(async {
        // First of all, so that a signal during the start is not lost and does not end it half-way.
        let mut signals = Signals::listen()?;
        let mut client = setup.client(setup.open()?)?;
        dm1::install_configured(setup, &mut client);
        factory_bootstrap(setup, &mut client);
        tokio::select! {
            () = Signals::end(&mut signals.terminate, &mut signals.interrupt) => {}
            ended = serve(&mut client, setup, &mut signals.hang_up, &mut signals.user) => ended?,
        }
        tracing::info!("ended by a signal; the tree is safe on disk");
        Ok(ExitCode::SUCCESS)
    })
}

/// A damaged file is told and the device goes on without it: somebody may bootstrap it in another way.
fn factory_bootstrap(setup: &Setup, client: &mut Client) {
    let Some(file) = &setup.config.bootstrap.file else {
        let bootstrap = &setup.config.bootstrap;
        let dm1 = &setup.config.dm1.bootstrap;
        let is_fetched = [&bootstrap.url, &dm1.url, &dm1.operator_url].iter().any(|url| url.is_some());
        let is_carded = dm1.smartcard_file.is_some() || setup.config.smartcard.enabled;
        let comes = is_fetched || is_carded || bootstrap.listen.is_some();
        if !comes && dm1::servers(client).is_empty() && client.device().tree().accounts().next().is_none() {
            tracing::warn!(
                "there is no account yet; run `omadm-agent bootstrap`, or set bootstrap.file, bootstrap.url, bootstrap.listen, dm1.bootstrap.url or smartcard.enabled"
            );
        }
        return;
    };
    let installed = read_bootstrap(file)
        .and_then(|body| client.device_mut().install_factory_bootstrap(&body).map_err(AgentError::from));
    match installed {
        Ok(Some(servers)) => {
            let servers: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
            tracing::info!(file = %file.display(), servers = servers.join(", "), "factory bootstrap installed");
        }
        Ok(None) => {}
        Err(error) => {
            tracing::error!(file = %file.display(), "the factory bootstrap is not installed: {error}")
        }
    }
}

/// Sessions, one after the other, for ever.
async fn serve(
    client: &mut Client,
    setup: &Setup,
    hang_up: &mut Signal,
    user: &mut Signal,
) -> Result<(), AgentError> {
    let controls = &setup.controls;
    let door = Door::open(&setup.data_dir);
    if let Some(device_id) = client.device().tree().device_id() {
        tracing::info!(%device_id, poll_interval = controls.poll_interval(), "running");
    }
    let pending = client.device().bootstraps_pending();
    sessions(client, controls, pending, &Trigger::Bootstrap).await?;
    let pending = client.device().dm1_bootstraps_pending();
    dm1::sessions(client, controls, pending).await?;
    // Machines that start together must not all call together.
    let mut poll = due(spread(controls.poll_interval(), 0.0, 1.0));
    let networks = Networks::new(setup.machine.clone(), &setup.config.network);
    let mut calls = Calls::start(&setup.config.notification, networks).await;
    // When the next session that a server asks for, or waits for because an execution has ended, may be.
    let mut extra = Instant::now();
    let mut failures = 0;
    let mut provisioning = Provisioning::new(setup, client);
    let mut dm1_bootstraps = Dm1Bootstraps::new(&setup.config, client);
    let mut bootstraps = BootstrapListener::start(&setup.config).await;
    let mut links = Links::start(&setup.config).await;
    let mut cards = Cards::start(&setup.config)?;
    let device_id = client.device().tree().device_id().map(|id| id.to_string());
    let mut pushes = Pushes::start(&setup.config, device_id.as_deref()).await;
    let mut registrations = Registrations::new(&setup.config.notification.cloud_command);
    loop {
        follow(client, setup, &mut calls, &pushes, &mut dm1_bootstraps).await?;
        if let Some(wait) = controls.take_sent_away() {
            poll = due(Some(again(wait)));
        }
        registrations.complete(client).await;
        let rest = if upkeep::report(client).await? { BREATH } else { REST };
        let report = due(client.next_report().map(|wait| wait.max(rest)));
        let end = due(client.next_session()).map(|end| end.max(extra));
        let called = calls.due();
        tokio::select! {
            () = at(poll) => {}
            () = at(report) => continue,
            () = at(end) => {
                if upkeep::due_sessions(client, controls).await? > 0 {
                    extra = Instant::now() + setup.config.session.extra_interval.0;
                }
                continue;
            }
            () = at(client.device().next_dm1_report()) => {
                client.send_dm1_reports().await?;
                continue;
            }
            application = door.knock() => {
                if let Some(application) = application {
                    local::serve(client, &mut calls, application).await;
                }
                continue;
            }
            datagram = calls.datagram() => {
                // Why it was ignored is told already.
                let _ignored = calls.push(client, &datagram);
                continue;
            }
            content = pushes.content() => {
                // Why it was ignored is told already.
                let _ignored = calls.content(client, content);
                continue;
            }
            () = at(called) => {
                for ready in calls.ready() {
                    if !call(client, controls, ready.call()).await? {
                        calls.again(ready);
                    }
                }
                continue;
            }
            () = at(provisioning.due()) => {
                let servers = provisioning.attempt(client).await?;
                sessions(client, controls, servers, &Trigger::Bootstrap).await?;
                continue;
            }
            event = dm1_bootstraps.event() => {
                let servers = dm1_bootstraps.carry_out(event, client).await?;
                dm1::sessions(client, controls, servers).await?;
                continue;
            }
            event = cards.event() => {
                let begun = cards.carry_out(event, client).await?;
                sessions(client, controls, begun.dm2, &Trigger::Bootstrap).await?;
                dm1::sessions(client, controls, begun.dm1).await?;
                continue;
            }
            delivery = links.delivery() => {
                dm1::delivered(client, controls, &mut calls, delivery).await?;
                continue;
            }
            delivery = bootstraps.delivery() => {
                let servers = delivery.install(client, &setup.config).await?;
                sessions(client, controls, servers, &Trigger::Bootstrap).await?;
                continue;
            }
            () = at(Some(extra)), if controls.is_session_asked_for() => {
                // Only with those who asked, so that none of them drives the device against the others.
                let has_account = |server: &ServerId| client.device().tree().account(server).is_some();
                let (servers, others) = controls.take_sessions().into_iter().partition(has_account);
                sessions(client, controls, servers, &Trigger::Client).await?;
                let others: Vec<ServerId> = others;
                dm1::sessions(client, controls, others).await?;
                extra = Instant::now() + setup.config.session.extra_interval.0;
                continue;
            }
            () = controls.all_asked_for() => tracing::info!("session asked for by the machine itself"),
            _ = hang_up.recv() => tracing::info!("session asked for by SIGHUP"),
            _ = user.recv() => tracing::info!("session asked for by SIGUSR1"),
            () = controls.woken() => continue,
            () = controls.changed() => {
                poll = due(next(controls, failures));
                continue;
            }
        }
        let servers = client.device().tree().accounts().map(|(server, _)| server).collect();
        let mut ended = sessions(client, controls, servers, &Trigger::Client).await?;
        let servers = dm1::servers(client);
        ended &= dm1::sessions(client, controls, servers).await?;
        failures = if ended { 0 } else { failures.saturating_add(1) };
        poll = due(next(controls, failures));
    }
}

/// Follows what pushes have brought, one after the other. Sessions through a WAP gateway, also those that follow here, bring pushes too.
async fn follow(
    client: &mut Client,
    setup: &Setup,
    calls: &mut Calls,
    pushes: &Pushes,
    dm1_bootstraps: &mut Dm1Bootstraps<'_>,
) -> Result<(), AgentError> {
    let controls = &setup.controls;
    loop {
        if let Some(request) = calls.contact() {
            pushes.contact(&request);
        }
        if let Some(received) = calls.provisioning() {
            let servers = dm1_bootstraps.take(received, client).await?;
            dm1::sessions(client, controls, servers).await?;
        }
        if let Some(received) = calls.bootstrap() {
            let servers = pushed_bootstrap(client, setup, calls, received).await?;
            sessions(client, controls, servers, &Trigger::Bootstrap).await?;
        }
        let Some(push) = client.take_push() else { return Ok(()) };
        // Why it was ignored is told already.
        let _ignored = calls.content(client, push);
    }
}

/// The session that a notification asks for; `false` if it may be tried again.
async fn call(client: &mut Client, controls: &Controls, call: &Call) -> Result<bool, AgentError> {
    match call {
        Call::Dm2(wake) => survive(&wake.server, answer(client, controls, wake).await).map(|_| true),
        Call::Dm1(wake) => dm1::call(client, controls, wake).await,
    }
}

/// Installs a bootstrap that came in a push, and gives its servers. One that is not good is told and no more.
async fn pushed_bootstrap(
    client: &mut Client,
    setup: &Setup,
    calls: &mut Calls,
    received: Received,
) -> Result<Vec<ServerId>, AgentError> {
    match client.install_received(received, &mut Asking::new(&setup.config.bootstrap)).await {
        Ok(servers) => {
            let names: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
            tracing::info!(servers = names.join(", "), "bootstrap of a push installed");
            Ok(servers)
        }
        Err(ClientError::Persist(error)) if !matches!(error, PersistError::Full { .. }) => Err(error.into()),
        Err(error) => {
            calls.tell(&Ignored::NotInstalled(Box::new(error)));
            Ok(Vec::new())
        }
    }
}

/// When a wait from now on ends; `None` is never.
fn due(wait: Option<Duration>) -> Option<Instant> {
    wait.and_then(|wait| Instant::now().checked_add(wait))
}

/// Waits until then; `None` is never.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// A session with each of these servers; whether all of them ended well. Trouble with one server, or a disk that is full for
/// the moment, does not end the agent; state that cannot be trusted any more does, and the next start reads it afresh.
async fn sessions(
    client: &mut Client,
    controls: &Controls,
    servers: Vec<ServerId>,
    trigger: &Trigger,
) -> Result<bool, AgentError> {
    let mut ended = true;
    for server in servers {
        ended &= survive(&server, session(client, controls, &server, trigger.clone(), None).await)?;
    }
    Ok(ended)
}

/// Whether a session ended well; an error that does not end the agent is told.
fn survive(server: &ServerId, outcome: Result<SessionReport, AgentError>) -> Result<bool, AgentError> {
    match outcome {
        Ok(report) => Ok(matches!(report.outcome, Outcome::Ended { .. })),
        Err(AgentError::Client(ClientError::Persist(error)))
            if !matches!(error, PersistError::Full { .. }) =>
        {
            Err(error.into())
        }
        Err(error) => {
            tracing::error!(%server, "session failed: {error}");
            Ok(false)
        }
    }
}

/// The time to the next session: the interval, twice as long for each failure in a row, a tenth more or less.
fn next(controls: &Controls, failures: u32) -> Option<Duration> {
    let interval = controls.poll_interval();
    let longest = interval.max(LONGEST_BACK_OFF);
    let factor = 2_u32.saturating_pow(failures);
    spread(interval.saturating_mul(factor).min(longest), 0.9, 0.2)
}

/// When to come again after a server has sent the device away: a little later than it said, each device at another time.
fn again(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + LATER * random())
}

/// A random number from 0 to 1.
fn random() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

/// A random time of `least` to `least + width` times the interval; `None` when there is no polling.
fn spread(seconds: u32, least: f64, width: f64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds.into()).mul_f64(least + width * random()))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
}

impl Signals {
    fn listen() -> Result<Self, AgentError> {
        let listen =
            |kind| signal(kind).map_err(|source| AgentError::System { action: "listen for signals", source });
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            user: listen(SignalKind::user_defined1())?,
        })
    }

    async fn end(terminate: &mut Signal, interrupt: &mut Signal) {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_stretch_the_interval_up_to_an_hour() {
        let controls = Controls::default();
        controls.set_poll_interval(60);
        for (failures, seconds) in [(0, 60), (1, 120), (3, 480), (6, 3_600), (u32::MAX, 3_600)] {
            let wait = next(&controls, failures).unwrap().as_secs_f64();
            assert!((0.9..=1.1).contains(&(wait / f64::from(seconds))), "{failures}: {wait}");
        }
        controls.set_poll_interval(86_400);
        assert!(
            next(&controls, 1).unwrap() >= Duration::from_secs(77_760),
            "never more often than asked for"
        );
    }

    #[test]
    fn nobody_comes_before_the_time_that_a_server_has_said() {
        for _ in 0..1_000 {
            let wait = again(Duration::from_secs(100));
            assert!((Duration::from_secs(100)..=Duration::from_secs(110)).contains(&wait), "{wait:?}");
        }
    }

    #[test]
    fn the_spread_stays_in_its_bounds() {
        assert_eq!(spread(0, 0.9, 0.2), None);
        for _ in 0..1_000 {
            let wait = spread(100, 0.9, 0.2).unwrap();
            assert!((Duration::from_secs(90)..=Duration::from_secs(110)).contains(&wait), "{wait:?}");
            assert!(spread(100, 0.0, 1.0).unwrap() <= Duration::from_secs(100));
        }
    }
}
