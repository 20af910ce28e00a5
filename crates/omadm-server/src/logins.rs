//! Holds up those who try passwords: by user and address together, by address, and, far later and shorter, by user alone, so that nobody
//! can lock a user out for good.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omadm_config::Span;
use omadm_mo::Time;
use omadm_store::Store;

use crate::config::AuthSection;
use crate::guard::Guard;

/// How many more failures a user has from all addresses than from one until everybody else has to wait.
const FROM_ALL: u32 = 10;
/// Longest wait of a user because of failures from elsewhere.
const LONGEST_FROM_ALL: Span = Span::secs(30);
/// Users and addresses of which a success is remembered.
const REMEMBERED: usize = 1_000;

/// Counts failed logins of people.
pub struct Logins {
    /// By user and address together, and by address.
    near: Guard,
    /// By user.
    all: Guard,
    /// Who has logged in from where: they do not wait for the failures of others.
    good: Mutex<VecDeque<(String, IpAddr)>>,
}

impl Logins {
    /// With the bounds of the configuration for devices.
    pub fn new(settings: &AuthSection, store: &Arc<dyn Store>) -> Self {
        let all = AuthSection {
            user_failures: settings.user_failures.saturating_mul(FROM_ALL),
            source_failures: u32::MAX,
            max_delay: settings.max_delay.min(LONGEST_FROM_ALL),
            ..settings.clone()
        };
        Self {
            near: Guard::new(settings, store.clone()),
            all: Guard::new(&all, store.clone()),
            good: Mutex::default(),
        }
    }

    /// How long a login has to wait, if it has to.
    pub fn wait(&self, user: &str, source: IpAddr, now: Time) -> Option<Duration> {
        let near = self.near.wait(Some(&pair(user, source)), source, now);
        let all = self.all.wait(Some(user), source, now).filter(|_| !self.is_good(user, source));
        near.max(all)
    }

    /// Counts a failed login.
    pub async fn note(&self, user: &str, source: IpAddr, now: Time) {
        self.near.note(Some(&pair(user, source)), source, now).await;
        self.all.note(Some(user), source, now).await;
    }

    /// Remembers a login that was good.
    pub fn succeeded(&self, user: &str, source: IpAddr) {
        self.near.succeeded(&pair(user, source));
        if self.is_good(user, source) {
            return;
        }
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= REMEMBERED {
            good.pop_front();
        }
        good.push_back((user.to_owned(), source));
    }

    fn is_good(&self, user: &str, source: IpAddr) -> bool {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.iter().any(|(known, from)| known == user && *from == source)
    }
}

/// A user at an address, as one name.
fn pair(user: &str, source: IpAddr) -> String {
    format!("{source} as {user}")
}

#[cfg(test)]
mod tests {
    use omadm_store::sqlite::{SqliteConfig, SqliteStore};

    use super::*;

    #[tokio::test]
    async fn others_hold_a_user_up_late_and_not_for_long() {
        let settings = AuthSection { user_failures: 3, source_failures: 100, ..AuthSection::default() };
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("omadm.db"), SqliteConfig::default()).unwrap();
        let logins = Logins::new(&settings, &(Arc::new(store) as Arc<dyn Store>));
        let (at, own) = (Time::from_secs(1_000), IpAddr::from([192, 0, 2, 1]));
        let other = |n: u8| IpAddr::from([198, 51, 100, n]);
        for _ in 0..3 {
            logins.note("ann", other(1), at).await;
        }
        assert_eq!(logins.wait("ann", other(1), at), Some(Duration::from_secs(1)));
        assert_eq!(logins.wait("ann", own, at), None, "failures elsewhere do not count yet");
        for n in 2..=60 {
            logins.note("ann", other(n), at).await;
        }
        assert_eq!(logins.wait("ann", own, at), Some(Duration::from_secs(30)));
        assert_eq!(logins.wait("bob", own, at), None);
        logins.succeeded("ann", own);
        assert_eq!(logins.wait("ann", own, at), None, "who was here before is let in");
        for n in 0..REMEMBERED {
            logins.succeeded(&n.to_string(), own);
        }
        assert_eq!(logins.good.lock().unwrap().len(), REMEMBERED);
    }
}
