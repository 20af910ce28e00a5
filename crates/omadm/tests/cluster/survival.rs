//! Load while something dies, and the judgement after it.

use std::process::Output;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::nodes::{Cluster, LEASE_SECONDS, Process, until};

/// Pause from the return of a node to the next death: enough to take a lease over.
const EVERY: Duration = Duration::from_secs(4);

/// For how many milliseconds a lease may be over: the node that would take it can be the next to die, on a machine that is busy starting
/// the one before.
const TAKEN: i64 = 10 * LEASE_SECONDS * 1_000;

/// For how many seconds the load goes on: `cargo xtask cluster` asks for more than `cargo xtask test`. What is no number counts as nothing.
pub fn seconds() -> u64 {
    let given = std::env::var("OMADM_CLUSTER_SECONDS").ok();
    given.and_then(|given| given.parse().ok()).unwrap_or(20)
}

/// Puts the load of virtual devices of DM 2.0 and DM 1.2 on a cluster, kills a node every few seconds, and starts it again. `halfway` is
/// done once. Then everything that was acknowledged has to be there, as `sql` on the database says, too.
pub fn survive(cluster: &mut Cluster, halfway: impl FnOnce(), sql: impl Fn(&str) -> String) {
    // One load at a time: they would take the machine from each other.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = seconds();
    let mut loads = [&["--protocol", "dm2.0"][..], &["--protocol", "dm1.2", "--wbxml"]].map(|protocol| {
        let lasts = seconds.to_string();
        let load = ["--devices", "6", "--concurrency", "3", "--endure", &lasts];
        Process(cluster.sim(&[protocol, &load].concat()).spawn().unwrap())
    });
    let began = Instant::now();
    let (mut turn, mut halfway, mut slowest) = (0, Some(halfway), 0);
    while !loads.iter_mut().all(|load| load.0.try_wait().unwrap().is_some()) {
        assert!(began.elapsed().as_secs() < seconds + 300, "the load does not end");
        if began.elapsed().as_secs() < seconds {
            let node = turn % cluster.nodes.len();
            cluster.nodes[node].kill();
            cluster.nodes[node].start();
            turn += 1;
        }
        if began.elapsed().as_secs() >= seconds / 2
            && let Some(halfway) = halfway.take()
        {
            halfway();
            let served = Instant::now();
            until("the lease is taken again", || unheld(&sql) == 0);
            eprintln!("a lease was taken again after {} ms", served.elapsed().as_millis());
        }
        let serves = Instant::now();
        while serves.elapsed() < EVERY {
            slowest = slowest.max(unheld(&sql));
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let mut acknowledged = 0;
    for load in &mut loads {
        let report = report(&mut load.0);
        eprintln!("{turn} nodes killed in {seconds} s: {report}");
        acknowledged += report["commands"].as_u64().unwrap();
    }
    eprintln!("the notifier had no node for {slowest} ms at most after its lease was over");
    assert!(acknowledged > 0, "nothing was done");
    judge(acknowledged, &sql);
    assert!(slowest <= TAKEN, "the notifier's lease was over for {slowest} ms and nobody took it");
}

/// For how many milliseconds the lease of the notifier has been over; it looks for work all the time.
fn unheld(sql: &impl Fn(&str) -> String) -> i64 {
    let now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    let query =
        format!("SELECT COALESCE(MAX(GREATEST({now} - expires / 1000, 0)), 0) FROM lease WHERE owner <> ''");
    sql(&query).parse().unwrap()
}

/// The report of a load that has to have ended well.
fn report(load: &mut std::process::Child) -> Value {
    use std::io::Read as _;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    load.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    load.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    good(&Output { status: load.wait().unwrap(), stdout, stderr })
}

/// What a program printed that has to have ended well.
pub fn good(output: &Output) -> Value {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}{stdout}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout:?}"))
}

/// Looks for what must not be in the database, past every node.
fn judge(acknowledged: u64, sql: &impl Fn(&str) -> String) {
    let count = |what: &str| sql(&format!("SELECT COUNT(*) FROM {what}")).parse::<u64>().unwrap();
    assert!(count("command") >= acknowledged, "acknowledged commands are missing");
    assert_eq!(count("command WHERE finished IS NULL"), 0, "a command is not final");
    assert_eq!(count("command WHERE state <> 'done'"), 0, "a command did not succeed");
    let disorder = "(SELECT finished < LAG(finished) OVER one OR sent < LAG(sent) OVER one AS early FROM command \
                    WINDOW one AS (PARTITION BY device, generation ORDER BY seq)) AS step WHERE early";
    assert_eq!(count(disorder), 0, "a command went before an older one of its device");
    // The end of a command is told in the log, in the same commit.
    assert_eq!(
        count("event WHERE kind = 'command'"),
        count("command"),
        "a result was recorded twice, or not at all"
    );
    let ends = "(SELECT DISTINCT CAST(body AS JSON) ->> 'id' FROM event WHERE kind = 'command') AS ended";
    assert_eq!(count(ends), count("command"), "a result was recorded twice");
    assert_eq!(count("device WHERE open_commands <> 0"), 0, "a result was counted twice, or not at all");
}
