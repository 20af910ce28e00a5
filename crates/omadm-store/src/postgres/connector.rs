//! Making connections, and making them anew.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::ssl::{SslConnector, SslMethod};
use postgres::config::{Host, SslMode, TargetSessionAttrs};
use postgres::types::Type;
use postgres::{Client, Config, SimpleQueryMessage};
use postgres_openssl::MakeTlsConnector;

use super::numbers::Numbers;
use super::session::{Session, explain};
use crate::sql::Connection;
use crate::{StoreError, StoredSecret};

/// How long nothing is tried after a connection could not be made: at first, and at most.
const BACK_OFF: Duration = Duration::from_millis(100);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(2);

/// How long after its last use a connection is taken to be alive without asking.
const FRESH: Duration = Duration::from_secs(1);

/// Settings of PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// `postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?sslmode=…]`, without a password. With several hosts, the one that takes writes is
    /// used. Without `sslmode`, hosts other than this machine need TLS. Whoever is reached by TLS is verified.
    pub url: String,
    /// The password, if the server asks for one.
    pub password: Option<StoredSecret>,
    /// Authorities that the server's certificate may come from (PEM); otherwise those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether a pooler in transaction mode may be in between: nothing is kept on the server from one transaction to the next.
    pub pooled: bool,
    /// Connections that write, at least 1. Default 4.
    pub writers: usize,
    /// Connections that read, at least 1. Default 8.
    pub readers: usize,
    /// Most requests in one commit, at least 1. Default 64.
    pub group: usize,
    /// Longest time to make a connection. Default 5 s.
    pub connect_timeout: Duration,
    /// Longest time of a statement, and of waiting for a peer that has gone silent; behind a pooler, of one that writes. Default 30 s.
    pub statement_timeout: Duration,
    /// How old an event is before it is shown in the log, so that none which is committed later has a lower cursor. Default 1 s;
    /// with 0 they are shown at once, and a reader can miss some.
    pub event_delay: Duration,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            password: None,
            ca_file: None,
            pooled: false,
            writers: 4,
            readers: 8,
            group: 64,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            event_delay: Duration::from_secs(1),
        }
    }
}

/// Makes connections.
pub(super) struct Connector {
    config: Config,
    tls: MakeTlsConnector,
    named: bool,
    begin: String,
    /// What a connection that reads is told first: a statement that waits for a lock, or goes through too much, must not keep its reader for
    /// ever. Behind a pooler nothing can be said that lasts.
    pub(super) read_limit: Option<String>,
    pub(super) numbers: Arc<Numbers>,
    pub(super) event_delay: Duration,
}

impl Connector {
    /// # Errors
    /// One sentence on what is wrong with the settings.
    pub(super) fn new(settings: &PostgresConfig) -> Result<Self, StoreError> {
        let refused = |why: String| StoreError::Engine(format!("the URL of the store cannot be used: {why}"));
        let mut config = Config::from_str(&settings.url).map_err(|error| refused(error.to_string()))?;
        if config.get_password().is_some() {
            return Err(refused("it has a password in it; put that in a file of its own".to_owned()));
        }
        if config.get_hosts().is_empty() {
            return Err(refused("it names no host".to_owned()));
        }
        if !settings.url.contains("sslmode=") {
            let all_here = config.get_hosts().iter().all(is_this_machine);
            config.ssl_mode(if all_here { SslMode::Disable } else { SslMode::Require });
        }
        if let Some(password) = &settings.password {
            config.password(password.expose());
        }
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config
            .connect_timeout(settings.connect_timeout)
            .tcp_user_timeout(settings.statement_timeout)
            .keepalives_idle(settings.statement_timeout)
            .application_name("omadm");
        let limit = settings.statement_timeout.as_millis();
        Ok(Self {
            config,
            tls: tls(settings.ca_file.as_deref())?,
            named: !settings.pooled,
            // A node that hangs must not hold the rows of devices for ever.
            begin: format!(
                "BEGIN; SET LOCAL statement_timeout = {limit}; SET LOCAL idle_in_transaction_session_timeout = {limit}"
            ),
            read_limit: (!settings.pooled).then(|| format!("SET statement_timeout = {limit}")),
            numbers: Arc::new(Numbers::new()),
            event_delay: settings.event_delay,
        })
    }

    /// Makes a connection to the server that takes writes. Only for threads outside of any runtime.
    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        let mut client = self.config.connect(self.tls.clone()).map_err(|error| {
            StoreError::Unavailable(match explain(&error) {
                StoreError::Unavailable(why) | StoreError::Engine(why) => why,
                other => other.to_string(),
            })
        })?;
        let micros = clock(&mut client).map_err(|error| explain(&error))?;
        self.numbers.set(micros);
        let session =
            Session::new(client, self.named, self.begin.clone(), Arc::clone(&self.numbers), self.event_delay);
        Ok(Connection::Postgres(Box::new(session)))
    }

    /// Refuses a server that acknowledges what it can lose.
    pub(super) fn check_durability(&self) -> Result<(), StoreError> {
        let mut client = self.config.connect(self.tls.clone()).map_err(|error| explain(&error))?;
        let shown = client.simple_query("SHOW synchronous_commit").map_err(|error| explain(&error))?;
        let is_off = shown.iter().any(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0) == Some("off"),
            _ => false,
        });
        if is_off {
            return Err(StoreError::Engine(
                "synchronous_commit is off for this user of PostgreSQL, so that it loses what it has acknowledged; \
                 run ALTER ROLE … SET synchronous_commit = on"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

/// What the database's clock shows, in microseconds since 1970.
fn clock(client: &mut Client) -> Result<i64, postgres::Error> {
    let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let none: [(&(dyn postgres::types::ToSql + Sync), Type); 0] = [];
    let rows = client.query_typed(sql, &none)?;
    rows.first().map_or(Ok(0), |row| row.try_get(0))
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
    }
}

fn tls(ca_file: Option<&Path>) -> Result<MakeTlsConnector, StoreError> {
    let failed = |error: &dyn std::error::Error| {
        StoreError::Engine(format!("TLS to the store cannot be set up: {error}"))
    };
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|error| failed(&error))?;
    if let Some(path) = ca_file {
        builder.set_ca_file(path).map_err(|error| {
            StoreError::Engine(format!("{} cannot be used as authorities: {error}", path.display()))
        })?;
    }
    Ok(MakeTlsConnector::new(builder.build()))
}

/// A connection that is made anew when it is lost, but not more often than is good for the server.
pub(super) struct Link {
    connector: Arc<Connector>,
    /// What a new connection is told first.
    first: Option<String>,
    conn: Option<Connection>,
    /// When it was last asked for.
    used: Instant,
    pause: Duration,
    paused: Option<(Instant, StoreError)>,
}

impl Link {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, first: None, conn: None, used: Instant::now(), pause: BACK_OFF, paused: None }
    }

    /// One whose statements read.
    pub(super) fn to_read(connector: Arc<Connector>) -> Self {
        let first = connector.read_limit.clone();
        Self { first, ..Self::new(connector) }
    }

    /// The connection.
    pub(super) fn get(&mut self) -> Result<(&Connection, &Session), StoreError> {
        // To ask the server takes a round trip, so only who has not heard of it for a while does.
        let is_fresh = self.used.elapsed() < FRESH;
        self.used = Instant::now();
        let is_open = matches!(&self.conn, Some(Connection::Postgres(session)) if session.is_open(is_fresh));
        if !is_open {
            self.conn = Some(self.connect()?);
        }
        match &self.conn {
            Some(conn @ Connection::Postgres(session)) => Ok((conn, session)),
            _ => Err(StoreError::Closed),
        }
    }

    /// Gives the connection up.
    pub(super) fn lose(&mut self) {
        self.conn = None;
    }

    /// Tells a new connection what it has to know first.
    fn begin(&self, conn: Connection) -> Result<Connection, StoreError> {
        if let (Some(first), Connection::Postgres(session)) = (&self.first, &conn) {
            session.run(first)?;
        }
        Ok(conn)
    }

    fn connect(&mut self) -> Result<Connection, StoreError> {
        if let Some((until, error)) = &self.paused
            && Instant::now() < *until
        {
            return Err(error.again());
        }
        match self.connector.connect().and_then(|conn| self.begin(conn)) {
            Ok(conn) => {
                (self.paused, self.pause) = (None, BACK_OFF);
                Ok(conn)
            }
            Err(error) => {
                tracing::warn!(%error, "no connection to the store");
                self.paused = Some((Instant::now() + self.pause, error.again()));
                self.pause = (self.pause * 2).min(LONGEST_BACK_OFF);
                Err(error)
            }
        }
    }
}
