//! How much is kept, counted range by range along the indexes by time.

use omadm_mo::Time;

use super::{Connection, Row, SqlStore, execute, params, query, query_optional, retention};
use crate::{Kept, KeptRange, KeptSize, KeptStore, StoreError};

/// Before all that there is.
const BEGIN: Time = Time(i64::MIN);

#[async_trait::async_trait]
impl KeptStore for SqlStore {
    async fn count_kept(&self, kept: Kept, until: Time, most: i64) -> Result<bool, StoreError> {
        // What may be much is only read here; what is written is a few rows, and none where nothing has come.
        let counted = self.read(move |conn| count(&*conn.snapshot()?, kept, until, most)).await?;
        let Some(counted) = counted else { return Ok(false) };
        let has_more = counted.has_more;
        self.write(move |conn| counted.keep(conn, kept, until)).await?;
        Ok(has_more)
    }

    async fn kept_size(&self, kept: Kept) -> Result<KeptSize, StoreError> {
        let sql = "SELECT CAST(COALESCE(SUM(entries), 0) AS BIGINT), CAST(COALESCE(SUM(octets), 0) AS BIGINT)
                   FROM kept WHERE what = ?1";
        let found = self.read(move |conn| query_optional(conn, sql, params![kept], size)).await?;
        Ok(found.unwrap_or_default())
    }

    async fn kept_range(&self, kept: Kept, after: Time) -> Result<Option<KeptRange>, StoreError> {
        let sql = "SELECT entries, octets, since, until FROM kept WHERE what = ?1 AND until > ?2
                   ORDER BY until LIMIT 1";
        self.read(move |conn| query_optional(conn, sql, params![kept, after.0], range)).await
    }

    async fn recount_kept(&self, kept: Kept, range: KeptRange) -> Result<KeptSize, StoreError> {
        let size = self.read(move |conn| sum(conn, kept, range.since, range.until)).await?;
        if size != range.size {
            let sql = "UPDATE kept SET entries = ?3, octets = ?4 WHERE what = ?1 AND until = ?2";
            let values = (range.until.0, size.entries, size.octets);
            let write = move |conn: &Connection| {
                execute(conn, sql, params![kept, values.0, values.1, values.2]).map(drop)
            };
            self.write(write).await?;
        }
        Ok(size)
    }

    async fn forget_kept(&self, kept: Kept, until: Time) -> Result<(), StoreError> {
        let sql = "DELETE FROM kept WHERE what = ?1 AND until = ?2";
        self.write(move |conn| execute(conn, sql, params![kept, until.0]).map(drop)).await
    }

    async fn prune_kept(&self, kept: Kept, before: Time, limit: u32) -> Result<u32, StoreError> {
        self.write(move |conn| retention::prune_kept(conn, kept, before, limit)).await
    }
}

fn size(row: &Row<'_>) -> Result<KeptSize, StoreError> {
    Ok(KeptSize { entries: row.get(0)?, octets: row.get(1)? })
}

fn range(row: &Row<'_>) -> Result<KeptRange, StoreError> {
    Ok(KeptRange { size: size(row)?, since: Time(row.get(2)?), until: Time(row.get(3)?) })
}

/// The times of all that came after `?1` until `?2`, in their order, each with its octets. Each reads along an index.
pub(crate) fn entries(kept: Kept) -> &'static str {
    match kept {
        Kept::Results => {
            "SELECT finished AS at, LENGTH(args) + LENGTH(COALESCE(result, '')) + COALESCE((SELECT LENGTH(p.body)
               FROM payload p WHERE p.device = c.device AND p.generation = c.generation AND p.id = c.payload), 0) AS octets
             FROM command c WHERE finished IS NOT NULL AND finished > ?1 AND finished <= ?2 ORDER BY finished"
        }
        Kept::Traces => {
            "SELECT started AS at, octets + 128 * messages AS octets FROM session_log
             WHERE started > ?1 AND started <= ?2 ORDER BY started"
        }
        Kept::Uploads => {
            "SELECT stored AS at, LENGTH(body) AS octets FROM payload
             WHERE command_seq IS NULL AND stored > ?1 AND stored <= ?2 ORDER BY stored"
        }
        Kept::Events => {
            "SELECT at, LENGTH(body) AS octets FROM event WHERE at > ?1 AND at <= ?2 ORDER BY at"
        }
        Kept::Audit => {
            "SELECT at, LENGTH(entry) AS octets FROM audit WHERE at > ?1 AND at <= ?2 ORDER BY at"
        }
    }
}

/// All in a range.
fn sum(conn: &Connection, kept: Kept, since: Time, until: Time) -> Result<KeptSize, StoreError> {
    let sql = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(octets), 0) AS BIGINT) FROM ({}) AS counted",
        entries(kept)
    );
    let found = query_optional(conn, &sql, params![since.0, until.0], size)?.unwrap_or_default();
    Ok(KeptSize {
        octets: found.octets.saturating_add(found.entries.saturating_mul(KeptSize::ENTRY)),
        ..found
    })
}

/// What was counted at one time, to be kept if nobody else has counted meanwhile.
#[derive(Clone)]
struct Counted {
    /// The last range that there was; the first of the new ones takes its place if that begins with it.
    last: Option<KeptRange>,
    ranges: Vec<KeptRange>,
    has_more: bool,
}

impl Counted {
    fn keep(&self, conn: &Connection, kept: Kept, until: Time) -> Result<(), StoreError> {
        let ahead = "DELETE FROM kept WHERE what = ?1 AND until > ?2";
        execute(conn, ahead, params![kept, until.0])?;
        if newest(conn, kept, until)? != self.last {
            return Ok(());
        }
        if let Some(last) = self.last {
            execute(conn, "DELETE FROM kept WHERE what = ?1 AND until = ?2", params![kept, last.until.0])?;
        }
        for KeptRange { since, until, size } in &self.ranges {
            execute(
                conn,
                "INSERT INTO kept (what, until, since, entries, octets) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![kept, until.0, since.0, size.entries, size.octets],
            )?;
        }
        Ok(())
    }
}

fn newest(conn: &Connection, kept: Kept, until: Time) -> Result<Option<KeptRange>, StoreError> {
    let sql = "SELECT entries, octets, since, until FROM kept WHERE what = ?1 AND until <= ?2
               ORDER BY until DESC LIMIT 1";
    query_optional(conn, sql, params![kept, until.0], range)
}

/// Counts on from the newest range, a page at most; `None` if there is nothing new, and no range from a clock that was ahead.
fn count(conn: &Connection, kept: Kept, until: Time, most: i64) -> Result<Option<Counted>, StoreError> {
    let last = newest(conn, kept, until)?;
    let since = last.map_or(BEGIN, |last| last.until);
    let sql = format!("{} LIMIT ?3", entries(kept));
    let mut page: Vec<(i64, i64)> =
        query(conn, &sql, params![since.0, until.0, KeptSize::PAGE], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if page.is_empty() && !is_ahead(conn, kept, until)? {
        return Ok(None);
    }
    let has_more = super::count(page.len()) >= i64::from(KeptSize::PAGE);
    let mut ranges = Ranges { most, done: Vec::new(), open: last };
    let mut end = until;
    if has_more && let Some((at, _)) = page.last().copied() {
        // Of the last instant of a page there may be more on the next.
        page.retain(|(time, _)| *time < at);
        end = Time(if page.is_empty() { at } else { at - 1 });
        if page.is_empty() {
            ranges.add(since, Time(at), sum(conn, kept, Time(at - 1), Time(at))?);
        }
    }
    for (at, octets) in page {
        let size = KeptSize { entries: 1, octets: octets.saturating_add(KeptSize::ENTRY) };
        ranges.add(since, Time(at), size);
    }
    Ok(Some(Counted { last, ranges: ranges.end(since, end), has_more }))
}

/// Whether a range ends after a time.
fn is_ahead(conn: &Connection, kept: Kept, until: Time) -> Result<bool, StoreError> {
    let sql = "SELECT until FROM kept WHERE what = ?1 AND until > ?2 ORDER BY until LIMIT 1";
    let found = query_optional(conn, sql, params![kept, until.0], |row| row.get::<i64>(0))?;
    Ok(found.is_some())
}

/// Ranges that are being filled, in the order of time.
struct Ranges {
    most: i64,
    done: Vec<KeptRange>,
    open: Option<KeptRange>,
}

impl Ranges {
    /// Adds what is of one time. `since` is where the first range begins, if there is none.
    fn add(&mut self, since: Time, at: Time, size: KeptSize) {
        let is_full = |range: &KeptRange| {
            range.size.octets >= self.most || range.size.entries >= i64::from(KeptSize::PAGE)
        };
        let open = match self.open.take() {
            // One time is in one range.
            Some(full) if is_full(&full) && full.until < at => {
                self.done.push(full);
                KeptRange { since: full.until, until: at, size: KeptSize::default() }
            }
            Some(open) => open,
            None => KeptRange { since, until: at, size: KeptSize::default() },
        };
        self.open = Some(KeptRange {
            until: at,
            size: KeptSize {
                entries: open.size.entries.saturating_add(size.entries),
                octets: open.size.octets.saturating_add(size.octets),
            },
            ..open
        });
    }

    /// All of them, the last of which goes to `end`.
    fn end(mut self, since: Time, end: Time) -> Vec<KeptRange> {
        let open = self.open.unwrap_or(KeptRange { since, until: end, size: KeptSize::default() });
        self.done.push(KeptRange { until: end, ..open });
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(most: i64, open: Option<KeptRange>, of: &[(i64, i64)]) -> Vec<(i64, i64, i64, i64)> {
        let mut ranges = Ranges { most, done: Vec::new(), open };
        for (at, octets) in of {
            ranges.add(Time(0), Time(*at), KeptSize { entries: 1, octets: *octets });
        }
        let ranges = ranges.end(Time(0), Time(100));
        let plain = |range: &KeptRange| (range.since.0, range.until.0, range.size.entries, range.size.octets);
        ranges.iter().map(plain).collect()
    }

    #[test]
    fn ranges_follow_each_other_without_a_gap() {
        assert_eq!(filled(10, None, &[]), [(0, 100, 0, 0)]);
        assert_eq!(filled(10, None, &[(1, 4), (2, 6), (5, 1)]), [(0, 2, 2, 10), (2, 100, 1, 1)]);
        let same_time = [(1, 4), (2, 6), (2, 50), (3, 1)];
        assert_eq!(filled(10, None, &same_time), [(0, 2, 3, 60), (2, 100, 1, 1)]);
        let open = KeptRange { since: Time(-5), until: Time(0), size: KeptSize { entries: 2, octets: 9 } };
        assert_eq!(filled(10, Some(open), &[(1, 1), (2, 1)]), [(-5, 1, 3, 10), (1, 100, 1, 1)]);
        let full = KeptRange { size: KeptSize { entries: 2, octets: 10 }, ..open };
        assert_eq!(filled(10, Some(full), &[(1, 1)]), [(-5, 0, 2, 10), (0, 100, 1, 1)]);
        assert_eq!(filled(10, Some(full), &[]), [(-5, 100, 2, 10)], "time without anything belongs to it");
    }
}
