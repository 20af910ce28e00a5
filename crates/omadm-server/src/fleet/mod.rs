//! The inventory as people write it: what may be said of devices, tables of devices, and imports.

pub mod cells;

use std::collections::BTreeMap;

use omadm_store::Annotation;

/// Longest key of a label in octets.
const MAX_KEY: usize = 64;
/// Longest value of a label, and name of a device, in characters.
const MAX_VALUE: usize = 200;
/// Longest note in characters.
const MAX_NOTE: usize = 4_096;
/// Longest name of a group in characters.
const MAX_GROUP: usize = 64;
/// Longest description of a group in characters.
const MAX_DESCRIPTION: usize = 1_000;

/// Checks what is said about a device.
///
/// # Errors
/// One sentence on what is wrong with it.
pub fn checked(annotation: Annotation) -> Result<Annotation, String> {
    if let Some(name) = &annotation.name {
        line("a label", name, MAX_VALUE)?;
    }
    if let Some(note) = &annotation.note {
        let unprintable = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
        if note.chars().count() > MAX_NOTE || note.contains(unprintable) {
            return Err(format!(
                "a note has at most {MAX_NOTE} characters, and no control characters but line ends"
            ));
        }
    }
    labels(&annotation.labels)?;
    Ok(annotation)
}

fn labels(labels: &BTreeMap<String, Option<String>>) -> Result<(), String> {
    for (key, value) in labels {
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
        if !(1..=MAX_KEY).contains(&key.len()) || !key.bytes().all(legal) {
            return Err(format!(
                "{key:?} is no key of a label: it has to be 1 to {MAX_KEY} letters (A to Z), digits, '.', '_' or '-'"
            ));
        }
        if let Some(value) = value {
            line(&format!("the value of label {key}"), value, MAX_VALUE)?;
        }
    }
    Ok(())
}

/// Checks the name of a group and its description.
///
/// # Errors
/// One sentence on what is wrong with them.
pub fn check_group(name: &str, description: &str) -> Result<(), String> {
    line("the name of a group", name, MAX_GROUP)?;
    if name.is_empty() || name.trim() != name {
        return Err("the name of a group has 1 or more characters, and neither begins nor ends with a space"
            .to_owned());
    }
    line("a description", description, MAX_DESCRIPTION)
}

fn line(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(format!("{what} has at most {most} characters and no control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_has_limits() {
        let note = |length| Annotation { note: Some("x".repeat(length)), ..Annotation::default() };
        assert!(checked(note(MAX_NOTE)).is_ok() && checked(note(MAX_NOTE + 1)).is_err());
        let label = |key: &str, value: &str| {
            let labels = BTreeMap::from([(key.to_owned(), Some(value.to_owned()))]);
            checked(Annotation { labels, ..Annotation::default() })
        };
        assert!(label(&"k".repeat(MAX_KEY), &"é".repeat(MAX_VALUE)).is_ok());
        for (key, value) in [("", "x"), ("a b", "x"), ("é", "x"), ("a", "x\ny")] {
            assert!(label(key, value).is_err(), "{key:?} {value:?}");
        }
        assert!(label(&"k".repeat(MAX_KEY + 1), "").is_err());
        assert!(label("k", &"v".repeat(MAX_VALUE + 1)).is_err());
    }

    #[test]
    fn groups_have_names() {
        assert!(check_group("Site A", "").is_ok() && check_group(&"g".repeat(MAX_GROUP), "").is_ok());
        for name in ["", " a", "a ", "a\tb", &"g".repeat(MAX_GROUP + 1)] {
            assert!(check_group(name, "").is_err(), "{name:?}");
        }
    }
}
