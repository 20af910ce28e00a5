//! What of a device can be compared, and how.

/// What of a device a comparison is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the language")]
pub enum Field {
    Id,
    Name,
    Note,
    Model,
    Manufacturer,
    Firmware,
    Software,
    Hardware,
    Protocol,
    State,
    Reach,
    Bearer,
    Way,
    Seen,
    Enrolled,
    Queued,
    /// The label of this key.
    Label(String),
}

/// How values of a field compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Equal or not, or like a pattern.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The scheme of an address.
    Scheme,
    Version,
    Age,
    Number,
}

/// An order between a device's value and another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Compare {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Compare {
    /// Whether a value that stands so to the other one is meant.
    #[must_use]
    pub fn takes(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::AtLeast => order.is_ge(),
            Self::More => order.is_gt(),
        }
    }

    /// The operator, in the language as in SQL.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::More => ">",
        }
    }

    /// The same with both sides exchanged.
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::Equal => Self::Equal,
            Self::AtLeast => Self::AtMost,
            Self::More => Self::Less,
        }
    }
}

/// Values of `state`.
pub(super) const STATES: &[&str] = &["active", "revoked"];
/// Values of `reach`.
pub(super) const REACHES: &[&str] = &["none", "known", "unanswered"];

/// All fields that stand alone, by their names.
const FIELDS: [(&str, Field); 16] = [
    ("id", Field::Id),
    ("name", Field::Name),
    ("note", Field::Note),
    ("model", Field::Model),
    ("manufacturer", Field::Manufacturer),
    ("fw", Field::Firmware),
    ("sw", Field::Software),
    ("hw", Field::Hardware),
    ("protocol", Field::Protocol),
    ("state", Field::State),
    ("reach", Field::Reach),
    ("bearer", Field::Bearer),
    ("way", Field::Way),
    ("seen", Field::Seen),
    ("enrolled", Field::Enrolled),
    ("queued", Field::Queued),
];

impl Field {
    /// The field of a name, if it is one that stands alone.
    pub(super) fn named(name: &str) -> Option<Self> {
        FIELDS.into_iter().find_map(|(known, field)| (known == name).then_some(field))
    }

    /// The names of all fields, for those who wrote another.
    pub(super) fn names() -> String {
        let names: Vec<_> = Self::all_names().collect();
        format!("{}, label:KEY and group:\"NAME\"", names.join(", "))
    }

    /// The names of the fields that stand alone.
    pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
        FIELDS.into_iter().map(|(name, _)| name)
    }

    /// How its values compare.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Id
            | Self::Name
            | Self::Note
            | Self::Model
            | Self::Manufacturer
            | Self::Protocol
            | Self::Bearer
            | Self::Label(_) => Kind::Text,
            Self::State => Kind::Word(STATES),
            Self::Reach => Kind::Word(REACHES),
            Self::Way => Kind::Scheme,
            Self::Firmware | Self::Software | Self::Hardware => Kind::Version,
            Self::Seen | Self::Enrolled => Kind::Age,
            Self::Queued => Kind::Number,
        }
    }
}
