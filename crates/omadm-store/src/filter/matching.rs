//! A filter about one device.

use omadm_mo::Time;

use super::field::Field;
use super::{Filter, Node, Term, Test, version_key};
use crate::FleetDevice;

impl Filter {
    /// Whether a device is meant. Of a group that is left in it no device is a member: see [`super::GroupFilters::expand`].
    #[must_use]
    pub fn matches(&self, device: &FleetDevice, now: Time) -> bool {
        self.0.matches(device, now)
    }
}

impl Node {
    fn matches(&self, device: &FleetDevice, now: Time) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(device, now)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(device, now)),
            Self::Not(node) => !node.matches(device, now),
            Self::Term(term) => term.matches(device, now),
            Self::Group(..) => false,
        }
    }
}

impl Term {
    fn matches(&self, of: &FleetDevice, now: Time) -> bool {
        let device = &of.device;
        match &self.field {
            Field::Id => self.test.text(device.id.as_str()),
            Field::Name => self.test.text(&device.label),
            Field::Note => self.test.text(&of.note),
            Field::Model => self.test.text(&of.facts.model),
            Field::Manufacturer => self.test.text(&of.facts.manufacturer),
            Field::Firmware => self.test.version(&of.facts.firmware),
            Field::Software => self.test.version(&of.facts.software),
            Field::Hardware => self.test.version(&of.facts.hardware),
            Field::Protocol => self.test.text(device.protocol.as_deref().unwrap_or_default()),
            Field::State => self.test.text(of.state()),
            Field::Reach => self.test.text(of.reach.as_str()),
            Field::Bearer => self.test.text(device.bearer.as_deref().unwrap_or_default()),
            Field::Way => of.ways.iter().any(|way| self.test.text(way)),
            Field::Seen => self.test.time(device.last_contact, now),
            Field::Enrolled => self.test.time(Some(device.enrolled), now),
            Field::Queued => self.test.number(device.open_commands),
            Field::Label(key) => of.labels.get(key).is_some_and(|value| self.test.text(value)),
        }
    }
}

impl Test {
    fn text(&self, value: &str) -> bool {
        match self {
            Self::Is(values) => values.iter().any(|one| one == value),
            Self::Like(pattern) => like(pattern, value),
            Self::Present => true,
            Self::Version(..) | Self::Age(..) | Self::Never | Self::Number(..) => false,
        }
    }

    fn version(&self, value: &str) -> bool {
        match self {
            Self::Is(keys) => keys.contains(&version_key(value)),
            // What is not known is neither before nor after anything.
            Self::Version(compare, key) => {
                let own = version_key(value);
                !own.is_empty() && compare.takes(own.as_str().cmp(key))
            }
            _ => self.text(value),
        }
    }

    fn time(&self, time: Option<Time>, now: Time) -> bool {
        match (self, time) {
            (Self::Never, time) => time.is_none(),
            // Longer ago than any age.
            (Self::Age(compare, _), None) => compare.takes(std::cmp::Ordering::Greater),
            (Self::Age(compare, age), Some(time)) => compare.takes(now.0.saturating_sub(time.0).cmp(age)),
            _ => false,
        }
    }

    fn number(&self, value: i64) -> bool {
        matches!(self, Self::Number(compare, number) if compare.takes(value.cmp(number)))
    }
}

/// Whether a text is of a pattern, in which `*` stands for any characters and `?` for one. The case of the letters A to Z makes no
/// difference.
fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().map(|next| next.to_ascii_lowercase()).collect();
    let text: Vec<char> = text.chars().map(|next| next.to_ascii_lowercase()).collect();
    let (mut at, mut in_pattern) = (0, 0);
    // Where to go on after a mismatch: behind the last star, which takes one character more.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(next) = text.get(at) {
        match pattern.get(in_pattern) {
            Some('*') => {
                in_pattern += 1;
                retry = Some((at, in_pattern));
            }
            Some(wanted) if *wanted == '?' || wanted == next => {
                at += 1;
                in_pattern += 1;
            }
            _ => match &mut retry {
                Some((from, behind)) => {
                    *from += 1;
                    (at, in_pattern) = (*from, *behind);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(in_pattern).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text) in
            [("*", ""), ("T?-*", "t1-x"), ("a*b*c", "aXbYbc"), ("**a", "a"), ("", ""), ("é?", "éö")]
        {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("?", ""), ("T?", "T"), ("a*b", "abc"), ("", "a"), ("a*c*b", "abc"), ("É", "é")]
        {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_product() {
        let pattern = "*a".repeat(128);
        assert!(!like(&pattern, &"a".repeat(127)));
        assert!(like(&pattern, &"a".repeat(256)));
    }
}
