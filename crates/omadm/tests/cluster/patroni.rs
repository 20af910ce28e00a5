//! Patroni and etcd, which replace a primary that is gone, and HAProxy, which knows from Patroni who is the primary.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::nodes::{Cluster, Process, done, free, needed, until};
use crate::postgres::{as_server, bin, directory};
use crate::survival::survive;

/// A PostgreSQL that Patroni looks after.
struct Member {
    dir: PathBuf,
    port: u16,
    /// Where Patroni says whether it is the primary.
    health: u16,
    patroni: Process,
}

impl Member {
    fn start(name: &str, etcd: u16) -> Self {
        let (dir, port, health) = (directory(), free(), free());
        let text = format!(
            "scope: omadm\nname: {name}\n\
             restapi: {{listen: '127.0.0.1:{health}', connect_address: '127.0.0.1:{health}'}}\n\
             etcd3: {{host: '127.0.0.1:{etcd}'}}\n\
             bootstrap:\n  dcs: {{ttl: 20, loop_wait: 2, retry_timeout: 4, synchronous_mode: true}}\n  \
             initdb: [{{encoding: UTF8}}, {{locale: C.UTF-8}}]\n\
             postgresql:\n  listen: '127.0.0.1:{port}'\n  connect_address: '127.0.0.1:{port}'\n  bin_dir: '{bin}'\n  \
             data_dir: '{dir}/data'\n  pgpass: '{dir}/pgpass'\n  \
             pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']\n  \
             authentication: {{superuser: {{username: omadm}}, replication: {{username: omadm}}}}\n  \
             parameters: {{unix_socket_directories: '{dir}', max_connections: 100}}\n",
            bin = bin().display(),
            dir = dir.display(),
        );
        let settings = dir.join("patroni.yml");
        std::fs::write(&settings, text).unwrap();
        let mut patroni = as_server(needed("patroni", "patroni"));
        patroni.arg(&settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let patroni = Process(patroni.spawn().unwrap());
        Self { dir, port, health, patroni }
    }

    /// Loses the machine: Patroni, and PostgreSQL with it.
    fn die(&mut self) {
        let _ended = self.patroni.0.kill();
        let Ok(file) = std::fs::read_to_string(self.dir.join("data/postmaster.pid")) else { return };
        let main = file.lines().next().unwrap();
        let others = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children"));
        let others = others.unwrap_or_default();
        let _killed = Command::new("kill").args(["-KILL", main]).args(others.split_whitespace()).status();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.die();
        let _removed = std::fs::remove_dir_all(&self.dir);
    }
}

/// HAProxy before the members: what it is given goes to the primary.
fn to_primary(dir: &Path, members: &[&Member]) -> (Process, u16) {
    let port = free();
    let line = |member: &&Member| {
        let Member { port, health, .. } = member;
        format!(" server pg-{port} 127.0.0.1:{port} check port {health}\n")
    };
    let text = format!(
        "defaults\n mode tcp\n timeout connect 2s\n timeout client 10m\n timeout server 10m\n\
         listen primary\n bind 127.0.0.1:{port}\n option httpchk OPTIONS /primary\n http-check expect status 200\n \
         default-server inter 500ms fall 1 rise 1 on-marked-down shutdown-sessions\n{}",
        members.iter().map(line).collect::<String>(),
    );
    let file = dir.join("primary.cfg");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(needed("haproxy", "haproxy"));
    command.arg("-q").arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stderr(Stdio::null());
    (Process(command.spawn().unwrap()), port)
}

fn psql(port: u16, query: &str) -> Command {
    let mut psql = Command::new(bin().join("psql"));
    psql.args(["-X", "-q", "-A", "-t", "-U", "omadm", "-d", "postgres", "-h", "127.0.0.1", "-p"]);
    psql.arg(port.to_string()).args(["-c", query]);
    psql
}

fn says(port: u16, query: &str, answer: &str) -> bool {
    String::from_utf8_lossy(&psql(port, query).output().unwrap().stdout).trim() == answer
}

#[test]
#[ignore = "takes minutes: cargo xtask cluster --failover"]
fn patroni_replaces_a_primary_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let [client, peer] = [free(), free()].map(|port| (port, format!("http://127.0.0.1:{port}")));
    let mut etcd = Command::new(needed("etcd", "etcd-server"));
    etcd.arg("--data-dir")
        .arg(dir.path().join("etcd"))
        .args(["--initial-cluster", &format!("default={}", peer.1)]);
    for (name, url) in [("client", &client.1), ("peer", &peer.1)] {
        etcd.arg(format!("--listen-{name}-urls={url}"));
        let advertised =
            if name == "peer" { "--initial-advertise-peer-urls" } else { "--advertise-client-urls" };
        etcd.arg(format!("{advertised}={url}"));
    }
    let _etcd =
        Process(etcd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("etcd listens", || std::net::TcpStream::connect(("127.0.0.1", client.0)).is_ok());
    let mut first = Member::start("one", client.0);
    until("the first PostgreSQL is the primary", || says(first.port, "SELECT pg_is_in_recovery()", "f"));
    let second = Member::start("two", client.0);
    let in_step = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    until("the second follows it", || says(first.port, in_step, "1"));
    let (_balancer, port) = to_primary(dir.path(), &[&first, &second]);
    // At first HAProxy takes both for the primary, and goes to one after the other.
    let serves = || (0..4).all(|_| says(port, "SELECT pg_is_in_recovery()", "f"));
    until("HAProxy leads to the primary", serves);
    let mut cluster =
        Cluster::start(2, &format!("postgres://omadm@127.0.0.1:{port}/postgres"), "connect_timeout = 1");
    let fail_over = || {
        first.die();
        until("Patroni makes the second the primary", serves);
    };
    survive(&mut cluster, fail_over, |query| {
        String::from_utf8(done(&mut psql(port, query)).stdout).unwrap().trim().to_owned()
    });
    assert!(says(second.port, "SELECT pg_is_in_recovery()", "f"));
}
