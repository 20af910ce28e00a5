//! Whether something is as it should be, by what is known.

use omadm_mo::{Time, Value};
use serde_json::Value as Json;

use crate::desired::wanted::What;
use crate::leaf::{LeafValue, natural};

/// What is known about something that is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// What was seen of it.
    pub seen: Seen,
    /// Where it is read, if it can be.
    pub read: Option<String>,
    /// Why nothing can be done about it with this device, if so.
    pub never: Option<String>,
}

/// What was seen last.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Seen {
    /// Nothing that would say anything.
    #[default]
    Nothing,
    /// It has turned out not to be there.
    Gone,
    /// A leaf with this value, at this time.
    Leaf(Json, Time),
    /// An interior node, at this time.
    Interior(Time),
    /// It is as it should be.
    Met,
    /// It is not: what there is instead.
    Unmet(String),
}

/// Whether it is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Nothing is known.
    Unknown,
}

impl Seen {
    /// When it was seen.
    pub fn at(&self) -> Option<Time> {
        match self {
            Self::Leaf(_, at) | Self::Interior(at) => Some(*at),
            Self::Nothing | Self::Gone | Self::Met | Self::Unmet(_) => None,
        }
    }

    /// What there is, for people.
    pub fn say(&self) -> String {
        match self {
            Self::Nothing => "nothing is known".to_owned(),
            Self::Gone => "there is nothing".to_owned(),
            Self::Leaf(value, _) => format!("there is {}", shown(value)),
            Self::Interior(_) => "there is an interior node".to_owned(),
            Self::Met => "it is there".to_owned(),
            Self::Unmet(instead) => instead.clone(),
        }
    }
}

/// Longest value that is shown whole, in characters.
const SHOWN: usize = 80;

/// A value for people.
pub fn shown(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

/// Whether what is wanted is so. What devices go on doing is not seen.
pub fn hold(what: &What, seen: &Seen) -> Hold {
    match (what, seen) {
        (_, Seen::Met) => Hold::Yes,
        (_, Seen::Unmet(_)) => Hold::No,
        (What::Leaf { value, .. }, Seen::Leaf(seen, _)) if is_same(value, seen) => Hold::Yes,
        (What::Interior { .. }, Seen::Interior(_)) => Hold::Yes,
        (What::Absent { .. }, Seen::Gone) => Hold::Yes,
        (_, Seen::Nothing) => Hold::Unknown,
        (
            What::Leaf { .. } | What::Interior { .. } | What::Absent { .. },
            Seen::Leaf(..) | Seen::Interior(_) | Seen::Gone,
        ) => Hold::No,
        (_, Seen::Leaf(..) | Seen::Interior(_) | Seen::Gone) => Hold::Unknown,
    }
}

/// Whether a leaf that was seen has the value that is wanted: in the format of the DDF where that is known, else as devices and operators
/// may write the same thing, such as 5 and `"5"`.
pub fn is_same(wanted: &LeafValue, seen: &Json) -> bool {
    let seen = match seen {
        Json::Null => Some(Value::Null),
        other => natural(other),
    };
    let Some(seen) = seen else { return false };
    if let Some(model) = wanted.model() {
        let read = |text: &str| Value::from_text(model.format, text).ok();
        let both = read(wanted.text()).zip(read(&seen.to_text()));
        return both.is_some_and(|(wanted, seen)| wanted == seen);
    }
    match (wanted.json(), natural(wanted.json())) {
        (Json::Bool(_) | Json::Number(_), Some(value)) => value.equals_text(&seen.to_text()),
        _ => seen.equals_text(wanted.text()),
    }
}

#[cfg(test)]
mod tests {
    use omadm_mo::Format;
    use serde_json::json;

    use super::*;
    use crate::leaf::Model;

    #[test]
    fn the_same_value_may_be_written_in_several_ways() {
        let value = |value: Json| LeafValue::new(value, None).unwrap();
        for (wanted, seen) in [
            (json!(5), json!("5")),
            (json!("5"), json!(5)),
            (json!(5), json!("05")),
            (json!(1.5), json!("1.50")),
            (json!(true), json!("true")),
            (json!("true"), json!(true)),
            (json!(true), json!("1")),
            (json!(""), json!(null)),
            (json!("de"), json!("de")),
        ] {
            assert!(is_same(&value(wanted.clone()), &seen), "{wanted} {seen}");
        }
        for (wanted, seen) in [
            (json!("5"), json!("05")),
            (json!("de"), json!("DE")),
            (json!(5), json!("five")),
            (json!(5), json!(6)),
            (json!(5), json!([5])),
            (json!(false), json!("")),
        ] {
            assert!(!is_same(&value(wanted.clone()), &seen), "{wanted} {seen}");
        }
    }

    #[test]
    fn the_format_of_the_ddf_counts() {
        let value =
            |text: &str, format| LeafValue::new(json!(text), Some(Model { format, mime: None })).unwrap();
        assert!(is_same(&value("5", Format::Int), &json!("05")));
        assert!(is_same(&value("eHl6", Format::Bin), &json!("eHl6")));
        assert!(is_same(&value("eHk", Format::Bin), &json!("eHk=")), "padding may be missing");
        assert!(!is_same(&value("5", Format::Int), &json!("five")));
    }
}
