//! `[fleet]`: the inventory, filters and imports.

use std::ops::RangeInclusive;

use omadm_config::Fault;
use omadm_store::filter::FilterLimits;
use serde::{Deserialize, Serialize};

use super::Size;

/// `[fleet]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetSection {
    /// Most characters of a filter. 1 to 65536.
    pub filter_max_length: usize,
    /// Most parentheses and `not` within each other in a filter. 1 to 64.
    pub filter_max_depth: usize,
    /// Most comparisons, and values in lists, of a filter. 1 to 4096.
    pub filter_max_terms: usize,
    /// Most labels of a device. 1 to 1000.
    pub max_labels: usize,
    /// Largest import. 1 KiB to 1 GiB.
    pub import_max_size: Size,
    /// Most rows of an import. 1 to 10,000,000.
    pub import_max_rows: usize,
    /// For how many days imports and their reports are kept. 1 to 3650.
    pub import_keep_days: usize,
}

impl Default for FleetSection {
    fn default() -> Self {
        let FilterLimits { length, depth, terms } = FilterLimits::default();
        Self {
            filter_max_length: length,
            filter_max_depth: depth,
            filter_max_terms: terms,
            max_labels: 64,
            import_max_size: Size(128 << 20),
            import_max_rows: 1_000_000,
            import_keep_days: 30,
        }
    }
}

impl FleetSection {
    /// How large filters may be.
    #[must_use]
    pub fn filter_limits(&self) -> FilterLimits {
        FilterLimits {
            length: self.filter_max_length,
            depth: self.filter_max_depth,
            terms: self.filter_max_terms,
        }
    }
}

/// Finds the first fault.
pub(super) fn check(section: &FleetSection) -> Result<(), Fault> {
    let counts: [(&'static str, usize, RangeInclusive<usize>); 7] = [
        ("fleet.filter_max_length", section.filter_max_length, 1..=65_536),
        ("fleet.filter_max_depth", section.filter_max_depth, 1..=64),
        ("fleet.filter_max_terms", section.filter_max_terms, 1..=4_096),
        ("fleet.max_labels", section.max_labels, 1..=1_000),
        ("fleet.import_max_size", section.import_max_size.0, 1_024..=1 << 30),
        ("fleet.import_max_rows", section.import_max_rows, 1..=10_000_000),
        ("fleet.import_keep_days", section.import_keep_days, 1..=3_650),
    ];
    for (key, value, range) in counts {
        if !range.contains(&value) {
            let problem = format!("is {value}, it has to be {} to {}", range.start(), range.end());
            return Err(Fault::new(key, problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_limits() {
        assert!(check(&FleetSection::default()).is_ok());
        let depth = |filter_max_depth| check(&FleetSection { filter_max_depth, ..FleetSection::default() });
        assert!(depth(1).is_ok() && depth(64).is_ok());
        assert!(depth(0).is_err() && depth(65).is_err());
        let size = |size| check(&FleetSection { import_max_size: Size(size), ..FleetSection::default() });
        assert!(size(1_024).is_ok() && size(1 << 30).is_ok());
        assert!(size(1_023).is_err() && size((1 << 30) + 1).is_err());
    }
}
