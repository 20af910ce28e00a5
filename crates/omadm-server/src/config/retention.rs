//! `[retention]`

use omadm_config::{Fault, Size};
use omadm_store::Kept;
use serde::{Deserialize, Serialize};

/// Smallest bound: what one busy minute brings is to be kept.
const LEAST: usize = 1 << 20;

/// `[retention]`: how much is kept, whatever its age; of more the oldest goes. About so many octets: those of bodies and texts, and 128 for
/// each entry. Each 1 MiB or more, or 0 for as much as its age allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSection {
    /// Most of finished commands, with their results and payloads.
    pub max_results: Size,
    /// Most of traces.
    pub max_traces: Size,
    /// Most of what devices have uploaded and reported.
    pub max_uploads: Size,
    /// Most of events.
    pub max_events: Size,
    /// Most of the audit log.
    pub max_audit: Size,
}

impl Default for RetentionSection {
    fn default() -> Self {
        Self {
            max_results: Size(16 << 30),
            max_traces: Size(32 << 30),
            max_uploads: Size(16 << 30),
            max_events: Size(8 << 30),
            max_audit: Size(16 << 30),
        }
    }
}

impl RetentionSection {
    /// How much may be kept, in octets; `None`: any.
    pub(crate) fn most(&self, kept: Kept) -> Option<i64> {
        let Size(most) = match kept {
            Kept::Results => self.max_results,
            Kept::Traces => self.max_traces,
            Kept::Uploads => self.max_uploads,
            Kept::Events => self.max_events,
            Kept::Audit => self.max_audit,
        };
        (most > 0).then(|| i64::try_from(most).unwrap_or(i64::MAX))
    }
}

/// Finds the first fault.
pub(super) fn check(section: &RetentionSection) -> Result<(), Fault> {
    let RetentionSection { max_results, max_traces, max_uploads, max_events, max_audit } = section;
    let sizes = [
        ("retention.max_results", max_results),
        ("retention.max_traces", max_traces),
        ("retention.max_uploads", max_uploads),
        ("retention.max_events", max_events),
        ("retention.max_audit", max_audit),
    ];
    let settings =
        sizes.map(|(key, size)| (key, "has to be 1 MiB or more, or 0", size.0 == 0 || size.0 >= LEAST));
    super::validate::first_fault(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_a_least() {
        let fault = |change: fn(&mut RetentionSection)| {
            let mut section = RetentionSection::default();
            change(&mut section);
            check(&section).err().map(|fault| fault.key)
        };
        assert_eq!(fault(|_| {}), None);
        assert_eq!(fault(|it| it.max_audit = Size(0)), None);
        assert_eq!(fault(|it| it.max_traces = Size(LEAST)), None);
        assert_eq!(fault(|it| it.max_results = Size(LEAST - 1)), Some("retention.max_results"));
        assert_eq!(fault(|it| it.max_traces = Size(LEAST - 1)), Some("retention.max_traces"));
        assert_eq!(fault(|it| it.max_uploads = Size(LEAST - 1)), Some("retention.max_uploads"));
        assert_eq!(fault(|it| it.max_events = Size(LEAST - 1)), Some("retention.max_events"));
        assert_eq!(fault(|it| it.max_audit = Size(1)), Some("retention.max_audit"));
        assert_eq!(
            RetentionSection { max_events: Size(0), ..RetentionSection::default() }.most(Kept::Events),
            None
        );
        assert_eq!(RetentionSection::default().most(Kept::Events), Some(8 << 30));
    }
}
