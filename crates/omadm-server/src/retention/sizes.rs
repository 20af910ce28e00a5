//! How much is kept: of what is too much the oldest goes, whatever its age.
//!
//! What there is is known from ranges of time that were counted when they were over, so that nothing is counted all at once. What was
//! removed with its device meanwhile is found by counting a range again, one after the other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use omadm_mo::Time;
use omadm_store::{Kept, KeptRange, Store, StoreError};

use super::{BATCH, Walked, in_steps};
use crate::audit::Audit;
use crate::config::RetentionSection;

/// What came in this time before now is not counted yet, as some of it may still be on its way. In microseconds.
const SETTLING: i64 = 60_000_000;
/// A range has about such a part of what may be kept.
const PARTS: i64 = 64;
/// Pause between two sweeps: nothing new is counted sooner.
const PAUSE: Duration = Duration::from_secs(60);
/// Most ranges that go in one sweep.
const RANGES: usize = 64;

/// Keeps no more of everything than it may.
#[derive(Default)]
pub struct Sizes {
    /// The end of the range that was counted again last.
    recounted: HashMap<Kept, Time>,
    /// When a sweep began last.
    began: Option<Instant>,
}

impl Sizes {
    /// Whether it is time for a sweep, which begins then.
    pub fn begins(&mut self, now: Instant) -> bool {
        let is_time = self.began.is_none_or(|began| now.saturating_duration_since(began) >= PAUSE);
        if is_time {
            self.began = Some(now);
        }
        is_time
    }

    /// One sweep; gives how many ranges went.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(
        &mut self,
        store: &dyn Store,
        settings: &RetentionSection,
        audit: &Audit,
        now: Time,
    ) -> Result<usize, StoreError> {
        let mut gone = 0;
        for kept in Kept::ALL {
            let Some(most) = settings.most(kept) else { continue };
            let until = now.plus_micros(-SETTLING);
            let part = (most / PARTS).max(1);
            in_steps(|| async move { store.count_kept(kept, until, part).await.map(Walked::some) }).await?;
            self.recount_next(store, kept).await?;
            for _ in 0..RANGES {
                let Some(oldest) = too_much(store, kept, most).await? else { break };
                let is_whole = remove(store, kept, oldest, audit, now).await?;
                if !is_whole {
                    break;
                }
                store.forget_kept(kept, oldest.until).await?;
                tracing::debug!(
                    what = kept.as_str(),
                    octets = oldest.size.octets,
                    "removed to keep no more than may be"
                );
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// Counts the next range again, after the last one the first.
    async fn recount_next(&mut self, store: &dyn Store, kept: Kept) -> Result<(), StoreError> {
        let after = self.recounted.get(&kept).copied().unwrap_or(Time(i64::MIN));
        let Some(range) = store.kept_range(kept, after).await? else {
            self.recounted.remove(&kept);
            return Ok(());
        };
        store.recount_kept(kept, range).await?;
        self.recounted.insert(kept, range.until);
        Ok(())
    }
}

/// The oldest range, if there is more than may be kept when what is in that range now is counted.
async fn too_much(store: &dyn Store, kept: Kept, most: i64) -> Result<Option<KeptRange>, StoreError> {
    if store.kept_size(kept).await?.octets <= most {
        return Ok(None);
    }
    let Some(oldest) = store.kept_range(kept, Time(i64::MIN)).await? else { return Ok(None) };
    let size = store.recount_kept(kept, oldest).await?;
    let is_too_much = store.kept_size(kept).await?.octets > most;
    Ok(Some(KeptRange { size, ..oldest }).filter(|_| is_too_much))
}

/// Removes all in a range; gives whether nothing more of it may go.
async fn remove(
    store: &dyn Store,
    kept: Kept,
    range: KeptRange,
    audit: &Audit,
    now: Time,
) -> Result<bool, StoreError> {
    let before = range.until.plus_micros(1);
    let walked = in_steps(|| async move {
        match kept {
            Kept::Audit => audit.cut(store, before, now).await.map(Walked::some),
            Kept::Results | Kept::Traces | Kept::Uploads | Kept::Events => {
                store.prune_kept(kept, before, BATCH).await.map(Walked::batch)
            }
        }
    });
    Ok(!walked.await?.has_more)
}

#[cfg(test)]
mod tests {
    use omadm_auth::Secret;
    use omadm_config::Size;
    use omadm_store::sqlite::SqliteConfig;
    use omadm_store::{AuditQuery, ChainCheck, KeptStore as _, NewEvent, PeopleStore as _, SqlStore};

    use super::*;

    const MINUTE: i64 = 60_000_000;

    struct Scene {
        store: SqlStore,
        audit: Audit,
        sizes: Sizes,
        _dir: tempfile::TempDir,
    }

    impl Scene {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = SqlStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
            let audit = Audit::open("n".to_owned(), &Secret::new(b"k".to_vec()), &store).await.unwrap();
            Self { store, audit, sizes: Sizes::default(), _dir: dir }
        }

        /// An event of so many octets with all that counts, in a minute.
        async fn event(&self, minute: i64, octets: usize) {
            let body = "x".repeat(octets - 128);
            let event = NewEvent { device: None, kind: "device".to_owned(), body };
            self.store.add_events(vec![event], Time(minute * MINUTE)).await.unwrap();
        }

        async fn sweep(&mut self, minute: i64, settings: &RetentionSection) -> usize {
            self.sizes.sweep(&self.store, settings, &self.audit, Time(minute * MINUTE)).await.unwrap()
        }

        async fn events(&self) -> Vec<i64> {
            let events = self.store.events(None, 0, 1_000).await.unwrap();
            events.iter().map(|event| event.at.0 / MINUTE).collect()
        }
    }

    fn events_to(most: usize) -> RetentionSection {
        RetentionSection { max_events: Size(most), ..RetentionSection::default() }
    }

    #[tokio::test]
    async fn what_is_too_much_goes_the_oldest_first() {
        let mut scene = Scene::new().await;
        for minute in 1..=10 {
            scene.event(minute, 1_000).await;
        }
        let bound = events_to(5_000);
        assert_eq!(scene.sweep(5, &bound).await, 0, "what is young is not counted yet");
        assert_eq!(scene.store.kept_size(Kept::Events).await.unwrap().octets, 4_000);
        assert_eq!(scene.sweep(11, &events_to(10_000)).await, 0, "so much may be kept, and no octet more");
        assert_eq!(scene.sweep(11, &events_to(9_999)).await, 1);
        assert_eq!(scene.events().await, (2..=10).collect::<Vec<_>>());
        assert!(scene.sweep(11, &bound).await > 0);
        assert_eq!(scene.events().await, [6, 7, 8, 9, 10]);
        assert_eq!(scene.sweep(11, &bound).await, 0);
    }

    #[test]
    fn a_sweep_begins_once_a_minute() {
        let (mut sizes, now) = (Sizes::default(), Instant::now());
        assert!(sizes.begins(now) && !sizes.begins(now + PAUSE - Duration::from_nanos(1)));
        assert!(sizes.begins(now + PAUSE) && !sizes.begins(now + PAUSE));
    }

    #[tokio::test]
    async fn without_a_bound_nothing_is_counted() {
        let mut scene = Scene::new().await;
        scene.event(1, 1_000).await;
        assert_eq!(scene.sweep(10, &events_to(0)).await, 0);
        assert_eq!(scene.store.kept_range(Kept::Events, Time(i64::MIN)).await.unwrap(), None);
        assert_eq!(scene.events().await, [1]);
    }

    #[tokio::test]
    async fn what_went_another_way_makes_room() {
        let mut scene = Scene::new().await;
        for minute in 1..=10 {
            scene.event(minute, 1_000).await;
        }
        let bound = events_to(6_000);
        assert_eq!(scene.sweep(11, &events_to(10_000)).await, 0);
        scene.store.prune(Time(5 * MINUTE), 1_000).await.unwrap();
        scene.sweep(11, &bound).await;
        assert_eq!(scene.events().await, [5, 6, 7, 8, 9, 10], "so much may be kept");
    }

    #[tokio::test]
    async fn a_clock_that_jumps_costs_nothing() {
        let mut scene = Scene::new().await;
        scene.event(1, 1_000).await;
        let bound = events_to(3_000);
        assert_eq!(scene.sweep(1_000_000_000, &bound).await, 0);
        assert_eq!(scene.sweep(10, &bound).await, 0);
        for minute in 11..=13 {
            scene.event(minute, 1_000).await;
        }
        assert_eq!(
            scene.sweep(20, &bound).await,
            1,
            "the clock was set right, and what came since is counted"
        );
        assert_eq!(scene.events().await, [11, 12, 13]);
    }

    #[tokio::test]
    async fn a_cut_audit_log_can_be_verified() {
        let mut scene = Scene::new().await;
        let entry = format!("{{\"x\":\"{}\"}}", "x".repeat(1_000));
        for minute in 1..=20 {
            scene.store.add_audit("n", vec![entry.clone()], Time(minute * MINUTE)).await.unwrap();
            scene.store.add_audit("other", vec![entry.clone()], Time(minute * MINUTE)).await.unwrap();
        }
        let bound = RetentionSection { max_audit: Size(10_000), ..RetentionSection::default() };
        assert!(scene.sweep(30, &bound).await > 0);
        let mut check = ChainCheck::default();
        let mut left = 0;
        for chain in ["n", "other"] {
            let all = AuditQuery::Chain { chain: chain.to_owned(), after: 0 };
            let entries = scene.store.audit(all, 1_000).await.unwrap();
            assert!(entries[0].seq > 10, "{chain} begins with {}", entries[0].seq);
            left += entries.iter().filter(|kept| kept.entry == entry).count();
            entries.iter().for_each(|entry| check.next(entry).unwrap());
        }
        assert!((4..=10).contains(&left), "{left}");
        check.end().unwrap();
    }
}
