//! What a command comes from, other than an operator's own hand.

use uuid::Uuid;

/// What asked for a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A version of a profile, which the device did not meet.
    Profile {
        /// Name of the profile.
        name: String,
        /// Its version, from 1.
        version: i64,
    },
    /// A campaign.
    Campaign {
        /// Its identifier.
        id: Uuid,
    },
}

impl Origin {
    /// The inverse of its text, which is `profile:NAME@VERSION` or `campaign:UUID`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "profile" => {
                let (name, version) = rest.rsplit_once('@')?;
                Some(Self::Profile { name: name.to_owned(), version: version.parse().ok()? })
            }
            "campaign" => Some(Self::Campaign { id: Uuid::try_parse(rest).ok()? }),
            _ => None,
        }
    }

    /// Whether somebody waits for the end of a command that comes from there, and counts it.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self, Self::Campaign { .. })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Profile { name, version } => write!(f, "profile:{name}@{version}"),
            Self::Campaign { id } => write!(f, "campaign:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        let odd = Origin::Profile { name: "a@b:c".to_owned(), version: 3 };
        for origin in [odd, Origin::Campaign { id: Uuid::from_u128(7) }] {
            assert_eq!(Origin::parse(&origin.to_string()), Some(origin));
        }
        for text in ["", "profile:a", "profile:a@b", "campaign:1", "other:x"] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
