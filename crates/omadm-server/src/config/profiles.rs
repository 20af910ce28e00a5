//! `[profiles]`

use omadm_config::{Fault, Size, Span};
use serde::{Deserialize, Serialize};

use super::validate::first_fault;

/// `[profiles]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfilesSection {
    /// How often a server looks whether another one over the same store has changed an assignment or a group: 100 ms to 10 min.
    pub refresh: Span,
    /// Most nodes, packages and observed nodes of a profile, 1 to 10,000.
    pub max_items: usize,
    /// Largest document of a profile.
    pub max_document: Size,
    /// Most assignments, 1 to 10,000: they are kept in memory.
    pub max_assignments: usize,
    /// Most commands that are queued for a device at a time because of its profiles, 1 to 1,000; the others follow.
    pub max_commands: usize,
}

impl Default for ProfilesSection {
    fn default() -> Self {
        Self {
            refresh: Span::secs(2),
            max_items: 500,
            max_document: Size(256 << 10),
            max_assignments: 1_000,
            max_commands: 64,
        }
    }
}

/// Finds the first fault.
pub(super) fn check(section: &ProfilesSection) -> Result<(), Fault> {
    let ProfilesSection { refresh, max_items, max_document, max_assignments, max_commands } = section;
    let milliseconds = refresh.0.as_millis();
    let checks = [
        ("profiles.refresh", "has to be 100 ms to 10 min", (100..=600_000).contains(&milliseconds)),
        ("profiles.max_items", "has to be 1 to 10000", (1..=10_000).contains(max_items)),
        ("profiles.max_document", "has to be 1 KiB to 2 MiB", (1 << 10..=2 << 20).contains(&max_document.0)),
        ("profiles.max_assignments", "has to be 1 to 10000", (1..=10_000).contains(max_assignments)),
        ("profiles.max_commands", "has to be 1 to 1000", (1..=1_000).contains(max_commands)),
    ];
    first_fault(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_ranges() {
        let fault = |change: fn(&mut ProfilesSection)| {
            let mut section = ProfilesSection::default();
            change(&mut section);
            check(&section).err().map(|fault| fault.key)
        };
        assert_eq!(fault(|_| ()), None);
        assert_eq!(fault(|section| section.max_items = 10_000), None);
        for (change, key) in [
            ((|section| section.max_items = 10_001) as fn(&mut ProfilesSection), "profiles.max_items"),
            (|section| section.max_items = 0, "profiles.max_items"),
            (|section| section.refresh = Span::secs(601), "profiles.refresh"),
            (|section| section.max_document = Size(1023), "profiles.max_document"),
            (|section| section.max_assignments = 10_001, "profiles.max_assignments"),
            (|section| section.max_commands = 1_001, "profiles.max_commands"),
        ] {
            assert_eq!(fault(change), Some(key));
        }
    }
}
