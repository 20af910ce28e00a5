//! `[campaigns]`

use omadm_config::{Fault, Size, Span};
use serde::{Deserialize, Serialize};

use super::validate::first_fault;

/// A year, the longest of all times.
const YEAR: u64 = 366 * 86_400;

/// `[campaigns]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CampaignsSection {
    /// Most devices that begin, and commands that are counted, in one batch, 1 to 5,000: it shares the store with devices, so it has to be
    /// short.
    pub batch: u32,
    /// Most stages of a campaign, 1 to 1,000.
    pub max_stages: usize,
    /// Most attempts on a device, 1 to 100.
    pub max_attempts: u32,
    /// Largest content of a command in a campaign, of which there is a copy for each device: 1 KiB to 2 MiB.
    pub max_content: Size,
    /// Longest hold, wait and expiry that a campaign can name, 1 s to 366 d.
    pub max_time: Span,
    /// Longest time until another attempt, however often it has doubled, 1 s to 366 d; a first wait that is longer counts.
    pub longest_wait: Span,
    /// How long a device waits for another campaign that is at the same thing, and for room in its queue, 1 s to 1 d.
    pub rival_wait: Span,
    /// Pause between two searches for devices that came late, and for open devices whose commands are gone, 1 s to 1 d.
    pub search: Span,
}

impl Default for CampaignsSection {
    fn default() -> Self {
        Self {
            batch: 250,
            max_stages: 100,
            max_attempts: 10,
            max_content: Size(64 << 10),
            max_time: Span::secs(YEAR),
            longest_wait: Span::secs(7 * 86_400),
            rival_wait: Span::secs(300),
            search: Span::secs(600),
        }
    }
}

/// Finds the first fault.
pub(super) fn check(section: &CampaignsSection) -> Result<(), Fault> {
    let CampaignsSection { batch, max_stages, max_attempts, max_content, .. } = section;
    let numbers = [
        ("campaigns.batch", "has to be 1 to 5000", (1..=5_000).contains(batch)),
        ("campaigns.max_stages", "has to be 1 to 1000", (1..=1_000).contains(max_stages)),
        ("campaigns.max_attempts", "has to be 1 to 100", (1..=100).contains(max_attempts)),
        ("campaigns.max_content", "has to be 1 KiB to 2 MiB", (1 << 10..=2 << 20).contains(&max_content.0)),
    ];
    let times = [
        ("campaigns.max_time", "has to be 1 s to 366 d", section.max_time, YEAR),
        ("campaigns.longest_wait", "has to be 1 s to 366 d", section.longest_wait, YEAR),
        ("campaigns.rival_wait", "has to be 1 s to 1 d", section.rival_wait, 86_400),
        ("campaigns.search", "has to be 1 s to 1 d", section.search, 86_400),
    ];
    let times = times.map(|(key, what, span, most)| {
        let range = std::time::Duration::from_secs(1)..=std::time::Duration::from_secs(most);
        (key, what, range.contains(&span.0))
    });
    first_fault(numbers.into_iter().chain(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_ranges() {
        let fault = |change: fn(&mut CampaignsSection)| {
            let mut section = CampaignsSection::default();
            change(&mut section);
            check(&section).err().map(|fault| fault.key)
        };
        for well in [
            (|_| ()) as fn(&mut CampaignsSection),
            |section| section.batch = 5_000,
            |section| section.max_stages = 1,
            |section| section.max_content = Size(2 << 20),
            |section| section.max_time = Span::secs(1),
            |section| section.rival_wait = Span::secs(86_400),
        ] {
            assert_eq!(fault(well), None);
        }
        for (change, key) in [
            ((|section| section.batch = 5_001) as fn(&mut CampaignsSection), "campaigns.batch"),
            (|section| section.batch = 0, "campaigns.batch"),
            (|section| section.max_stages = 0, "campaigns.max_stages"),
            (|section| section.max_attempts = 101, "campaigns.max_attempts"),
            (|section| section.max_content = Size((2 << 20) + 1), "campaigns.max_content"),
            (|section| section.max_time = Span::secs(YEAR + 1), "campaigns.max_time"),
            (|section| section.longest_wait = Span::secs(0), "campaigns.longest_wait"),
            (|section| section.rival_wait = Span::secs(86_401), "campaigns.rival_wait"),
            (|section| section.search = Span::secs(0), "campaigns.search"),
        ] {
            assert_eq!(fault(change), Some(key));
        }
    }
}
