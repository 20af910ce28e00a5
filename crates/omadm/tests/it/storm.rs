//! Overload: many devices come at once to a server that takes few at a time.

use crate::server::Server;

/// Settings of a server with little room.
const NARROW: [(&str, &str); 3] = [
    ("OMADM_DEVICE__MAX_NEW_SESSIONS", "2"),
    ("OMADM_DEVICE__RETRY_AFTER", "1"),
    ("OMADM_DEVICE__LONGEST_RETRY", "20"),
];

#[test]
fn a_storm_is_served_without_a_broken_session_while_operators_read() {
    let server = Server::with(&NARROW);
    for protocol in ["dm2.0", "dm1.2"] {
        let ca = server.path("data/tls/ca.pem");
        let ca = ca.to_str().unwrap();
        let storm = ["sim", "--protocol", protocol, "--devices", "600", "--storm", "1", "--ca-file", ca];
        let report = server.json(&storm);
        assert_eq!(report["served"], 600, "{report}");
        assert_eq!(report["failed"], 0, "a session that was accepted broke: {report}");
        assert!(report["refused"].as_u64().unwrap() > 0, "nobody was turned away: {report}");
        assert_eq!(report["operator_reads_failed"], 0, "{report}");
        assert!(report["operator_reads"].as_u64().unwrap() > 0, "{report}");
        // Steady again: one after the other, nobody is turned away.
        let calm = ["sim", "--protocol", protocol, "--devices", "20", "--concurrency", "1", "--ca-file", ca];
        assert_eq!(server.json(&calm)["failed"], 0);
    }
}
