//! A PostgreSQL server for the tests of one process, and a fresh database for each test. Needs the package `postgresql`.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What runs as long as its standard input is open: when the tests are over or killed, the server goes with its files.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses="$4" -c max_connections=300 -c fsync="$3" >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT $server 2>/dev/null
wait $server
rm -rf "$2"
"#;

/// A running server.
pub struct Postgres {
    dir: PathBuf,
    keeper: Child,
}

/// The server that the tests of this process share. It does not wait for the disk.
pub fn shared() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start("off"))
}

impl Postgres {
    /// Starts a server in a directory of its own; `fsync` is `on` or `off`.
    pub fn start(fsync: &str) -> Self {
        Self::run(made(), fsync, "")
    }

    /// Starts a server that is reached at these addresses (of this machine, separated by commas) by TLS, too, and shows this certificate
    /// (PEM).
    pub fn start_with_tls(addresses: &str, certificate: &[u8], key: &[u8]) -> Self {
        let dir = made();
        let data = dir.join("data");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                done(Command::new("chown").arg("postgres").arg(&path));
            }
        }
        let append = |name: &str, text: &str| {
            let mut file = std::fs::OpenOptions::new().append(true).open(data.join(name)).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        append("postgresql.conf", "ssl = on\n");
        append("pg_hba.conf", "hostssl all all 127.0.0.0/8 trust\n");
        Self::run(dir, "off", addresses)
    }

    /// Starts a synchronous standby: from now on what this server acknowledges is on the disks of both.
    pub fn standby(&self) -> Self {
        let dir = directory();
        let mut copy = tool("pg_basebackup");
        copy.args(["-U", "omadm", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-h"]);
        done(copy.arg(&self.dir).arg("-D").arg(dir.join("data")));
        let standby = Self::run(dir, "on", "");
        // Not before it is there, as nothing could be committed until then; and not in the copy, which has no standby of its own.
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        let in_step = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        for _ in 0..3_000 {
            if self.sql("postgres", in_step) == "1" {
                return standby;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the standby does not follow its primary");
    }

    /// Kills every process of the server at once.
    pub fn kill(&self) {
        let file = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap();
        let main = file.lines().next().unwrap();
        let others = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap();
        // One of the others may have ended by itself.
        let _killed = Command::new("kill").args(["-KILL", main]).args(others.split_whitespace()).status();
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        self.control(&["promote", "-w"]);
    }

    /// Where its socket is.
    pub fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    fn run(dir: PathBuf, fsync: &str, addresses: &str) -> Self {
        let keeper = as_server("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([&bin(), &dir])
            .args([fsync, addresses])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let server = Self { dir, keeper };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&self) {
        for _ in 0..3_000 {
            let ready = tool("pg_isready").arg("-h").arg(&self.dir).args(["-U", "omadm"]).output().unwrap();
            if ready.status.success() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut log = String::new();
        let _ = std::fs::File::open(self.dir.join("log")).and_then(|mut file| file.read_to_string(&mut log));
        panic!("PostgreSQL does not start: {log}");
    }

    /// Makes an empty database and gives its URL.
    pub fn database(&self) -> String {
        self.create("template1")
    }

    /// Makes a database like that of a URL, to which nobody may be connected, and gives its URL.
    pub fn copy_of(&self, url: &str) -> String {
        self.create(name_of(url))
    }

    fn create(&self, template: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        format!("postgres://omadm@/{name}?host={}", self.dir.display())
    }

    /// Runs statements in a database and gives what `psql` prints of their rows.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = tool("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "omadm", "-d", database, "-h"]);
        let output = done(psql.arg(&self.dir).args(["-c", sql]));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Begins statements in a database, which may take long.
    pub fn begin(&self, database: &str, sql: &str) -> Child {
        let mut psql = tool("psql");
        psql.args(["-X", "-q", "-U", "omadm", "-d", database, "-h"]).arg(&self.dir).args(["-c", sql]);
        psql.stdout(Stdio::null()).spawn().unwrap()
    }

    /// Ends the server at once, as a crash does; what it has acknowledged is kept.
    pub fn crash(&self) {
        self.control(&["stop", "-m", "immediate"]);
    }

    /// Starts it again.
    pub fn restart(&self) {
        let log = self.dir.join("log");
        let options = format!("-k {} -c listen_addresses= -c max_connections=300", self.dir.display());
        self.control(&["start", "-w", "-o", &options, "-l", log.to_str().unwrap()]);
    }

    fn control(&self, what: &[&str]) {
        done(tool("pg_ctl").args(what).arg("-D").arg(self.dir.join("data")).stdout(Stdio::null()));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // One that was restarted is not the keeper's child any more.
        let _stopped =
            tool("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(self.dir.join("data")).output();
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}

/// The name of the database in a URL of [`Postgres::database`].
pub fn name_of(url: &str) -> &str {
    url.split(['/', '?']).nth(3).unwrap()
}

/// A directory with an empty cluster.
fn made() -> PathBuf {
    let dir = directory();
    let init = ["-U", "omadm", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
    done(tool("initdb").args(init).arg(dir.join("data")));
    dir
}

/// A directory of the server's user.
pub fn directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("omadm-pg-{}-{number}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    if is_root() {
        done(Command::new("chown").arg("postgres").arg(&dir));
    }
    dir
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Where the programs of the newest PostgreSQL are.
pub fn bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let found = versions.into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    found.max().expect("PostgreSQL is needed for these tests: apt-get install postgresql")
}

/// A program that runs as the user of the server, which must not be root.
pub fn as_server(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    // It becomes the program, so that who kills it kills that.
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"])
        .arg(program)
        .current_dir("/");
    command
}

fn tool(name: &str) -> Command {
    as_server(bin().join(name))
}

fn done(command: &mut Command) -> Output {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
