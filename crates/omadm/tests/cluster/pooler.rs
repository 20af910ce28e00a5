//! pgbouncer in transaction mode between a node and PostgreSQL.

use std::process::Stdio;

use crate::nodes::{Cluster, Process, free, needed, until};
use crate::postgres::{as_server, directory, name_of, shared};
use crate::survival::good;

#[test]
fn a_server_works_through_a_pooler_in_transaction_mode() {
    let url = shared().database();
    let name = name_of(&url);
    let (dir, port) = (directory(), free());
    let users = dir.join("users.txt");
    std::fs::write(&users, "\"omadm\" \"\"\n").unwrap();
    let text = format!(
        "[databases]\n{name} = host={} user=omadm\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\nlogfile =\n",
        shared().dir().display(),
        users.display(),
    );
    let settings = dir.join("pgbouncer.ini");
    std::fs::write(&settings, text).unwrap();
    let mut pooler = as_server(needed("pgbouncer", "pgbouncer"));
    pooler.arg("-q").arg(&settings).stdin(Stdio::null()).stderr(Stdio::null());
    let pooler = Process(pooler.spawn().unwrap());
    until("pgbouncer listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let cluster = Cluster::start(2, &format!("postgres://omadm@127.0.0.1:{port}/{name}"), "pooled = true");
    for protocol in ["dm2.0", "dm1.2"] {
        let load = ["--protocol", protocol, "--devices", "12", "--sessions", "3", "--concurrency", "6"];
        let report = good(&cluster.sim(&load).output().unwrap());
        assert_eq!((&report["sessions"], &report["failed"]), (&36.into(), &0.into()), "{report}");
    }
    let done = shared().sql(name, "SELECT COUNT(*) FROM command WHERE state = 'done'");
    assert_eq!(done, "72", "three commands of each of 24 devices");
    drop((cluster, pooler));
    std::fs::remove_dir_all(dir).unwrap();
}
