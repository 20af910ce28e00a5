//! What the server counts and measures, in the words of Prometheus. Every name stands here, and nowhere else.
//!
//! A server has its own figures. Nothing of a device can get into them: labels are closed sets ([`labels`]), and values are numbers.

mod endpoint;
mod gather;
mod labels;
mod series;

pub use endpoint::{PATH, show};
pub use gather::run;
pub use labels::{Campaign, Class, Command, Delivery, Listener, Notification, Outcome, Protocol, Session};
use series::{Counter, Gauge, Histogram, Metric, NUMBERS, SECONDS};

use std::time::{Duration, Instant};

use omadm_store::{CommitWatch, Kept, Transition};

macro_rules! metrics {
    ($($field:ident: $kind:ident<$labels:ty> $(in $buckets:ident)? = $name:literal, $help:literal;)+) => {
        /// The figures of a server.
        pub struct Metrics { $(#[doc = $help] pub $field: $kind<$labels>,)+ }

        impl Default for Metrics {
            fn default() -> Self {
                Self { $($field: $kind::new($name, $help $(, $buckets)?),)+ }
            }
        }

        impl Metrics {
            fn all(&self) -> Vec<&dyn Metric> {
                vec![$(&self.$field,)+]
            }
        }
    };
}

metrics! {
    requests: Counter<(Listener, Class)> = "omadm_requests_total",
        "Requests that were answered, by listener and class of HTTP status.";
    request_seconds: Histogram<Listener> in SECONDS = "omadm_request_seconds",
        "Time from a request's head to its answer, in seconds.";
    connections: Gauge<Listener> = "omadm_connections",
        "Connections that are open.";
    handshakes: Counter<(Listener, Outcome)> = "omadm_tls_handshakes_total",
        "TLS handshakes.";
    sessions: Counter<(Protocol, Session)> = "omadm_sessions_total",
        "Sessions that devices began: accepted, refused for want of capacity, ended.";
    sessions_open: Gauge<()> = "omadm_sessions_open",
        "Sessions that were accepted here and go on.";
    sessions_starting: Gauge<()> = "omadm_sessions_starting",
        "First messages of sessions that are in work.";
    retry_after: Gauge<()> = "omadm_retry_after_seconds",
        "Longest time after which devices that are refused now are told to come again, in seconds.";
    commands: Counter<Command> = "omadm_commands_total",
        "Steps of commands: sent to devices, answered, over.";
    commands_open: Gauge<()> = "omadm_commands_open",
        "Commands that are queued or sent, in the whole store.";
    oldest_command: Gauge<()> = "omadm_oldest_command_age_seconds",
        "Age of the oldest command that is queued or sent, in seconds; 0 if there is none.";
    devices: Gauge<()> = "omadm_devices",
        "Devices that are enrolled, in the whole store.";
    store_waiting: Gauge<()> = "omadm_store_requests_waiting",
        "Writes of this node that wait for a commit.";
    store_reads: Counter<()> = "omadm_store_reads_total",
        "Reads of the store by this node.";
    commit_requests: Histogram<()> in NUMBERS = "omadm_store_commit_requests",
        "Writes in one commit.";
    commit_seconds: Histogram<()> in SECONDS = "omadm_store_commit_seconds",
        "Time of one commit, in seconds.";
    kept: Gauge<Kept> = "omadm_kept_bytes",
        "What is kept for a while, as far as it was counted to keep it within its size, in the whole store.";
    notifications: Counter<Notification> = "omadm_notifications_total",
        "Notifications of devices: handed over, taken by no way, given up because the device does not come.";
    campaigns: Gauge<Campaign> = "omadm_campaigns",
        "Campaigns, the newest 1000 of the whole store.";
    profiles: Gauge<()> = "omadm_profiles",
        "Profiles in the whole store, 1000 at most.";
    webhooks: Counter<Delivery> = "omadm_webhook_deliveries_total",
        "Deliveries of events to webhooks: taken, failed and to be repeated, given up as dead letters.";
    dead_letters: Gauge<()> = "omadm_webhook_dead_letters",
        "Deliveries to webhooks that were given up and are kept, in the whole store.";
    resident: Gauge<()> = "omadm_resident_memory_bytes",
        "Memory of the process, in bytes.";
    started: Gauge<()> = "omadm_start_time_seconds",
        "When the server started, in seconds since 1970.";
    figures_read: Gauge<()> = "omadm_figures_time_seconds",
        "When the figures of the whole store were read last, in seconds since 1970; 0 if they have not been.";
}

impl Metrics {
    /// All of it as text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for metric in self.all() {
            series::write(metric, &mut out);
        }
        out
    }

    /// A request that was answered.
    pub fn answered(&self, listener: Listener, status: u16, began: Instant) {
        self.requests.count((listener, Class::of(status)));
        self.request_seconds.time(listener, began.elapsed());
    }

    /// Steps of commands that are durable now.
    pub fn took(&self, steps: Steps) {
        for (step, number) in Command::ALL.iter().zip(steps.0).filter(|(_, number)| *number > 0) {
            self.commands.add(*step, number);
        }
    }
}

/// How many commands take which step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps([u64; Command::ALL.len()]);

impl Steps {
    /// Those of a message.
    pub fn of(transitions: &[Transition]) -> Self {
        let mut steps = Self::default();
        for place in transitions.iter().map(|transition| Command::of(transition.to) as usize) {
            if let Some(number) = steps.0.get_mut(place) {
                *number += 1;
            }
        }
        steps
    }

    /// Those of commands whose time is over.
    pub fn expired(number: u32) -> Self {
        let mut steps = Self::default();
        if let Some(expired) = steps.0.get_mut(Command::Expired as usize) {
            *expired = u64::from(number);
        }
        steps
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl CommitWatch for Metrics {
    fn committed(&self, requests: usize, took: Duration) {
        self.commit_requests.number((), requests as u64);
        self.commit_seconds.time((), took);
    }

    fn read(&self) {
        self.store_reads.count(());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The page for operators.
    const PAGE: &str = include_str!("../../../../docs/src/observability.md");
    /// The dashboard for Grafana.
    const DASHBOARD: &str = include_str!("../../../../packaging/grafana/omadm.json");

    /// The metric of a series: a histogram has three kinds of them.
    fn of_series(name: &str) -> &str {
        let endings = ["_bucket", "_sum", "_count"];
        endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
    }

    /// All words of a text that are names of ours.
    fn names(text: &str) -> BTreeSet<&str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.split(|c| !is_part(c)).filter(|word| word.starts_with("omadm_")).map(of_series).collect()
    }

    #[test]
    fn every_metric_stands_in_the_documentation_as_it_is() {
        for metric in Metrics::default().all() {
            let series::Description { name, kind, help, labels } = metric.describe();
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            let row = format!("| `{name}` | {kind} | {} | {help} |", labels.join(", "));
            assert!(PAGE.lines().any(|line| line == row), "docs/src/observability.md lacks\n{row}");
        }
    }

    #[test]
    fn every_name_in_the_documentation_and_the_dashboard_is_a_metric() {
        let metrics = Metrics::default();
        let known: BTreeSet<&str> = metrics.all().iter().map(|metric| metric.describe().name).collect();
        let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let queries: Vec<&str> = panels
            .iter()
            .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
            .map(|target| target["expr"].as_str().unwrap())
            .collect();
        assert!(queries.len() >= 10, "{queries:?}");
        for query in queries {
            let named = names(query);
            assert!(!named.is_empty() && named.is_subset(&known), "{query}");
        }
        let rows = PAGE.lines().filter(|line| line.starts_with("| `omadm_"));
        assert_eq!(rows.clone().count(), known.len());
        assert!(rows.flat_map(names).all(|name| known.contains(name)));
    }

    #[test]
    fn names_have_units_and_are_unique() {
        let metrics = Metrics::default();
        let mut seen = BTreeSet::new();
        for metric in metrics.all() {
            let described = metric.describe();
            assert!(seen.insert(described.name), "{} twice", described.name);
            assert_eq!(described.kind == "counter", described.name.ends_with("_total"), "{}", described.name);
            assert!(!described.help.contains(['\n', '\\', '|']), "{}", described.help);
        }
    }
}
