//! Versions in an order that people expect, as texts that compare by octets.

/// Parts that come before the version without them.
const BEFORE: [&str; 8] = ["alpha", "beta", "dev", "milestone", "pre", "preview", "rc", "snapshot"];

/// A text that compares, octet by octet, as the version does: numbers by their values, so that 2.9 comes before 2.10; a
/// part that is missing before one that is there, except zeros, which make no difference (2 is 2.0), and words such as `rc`, which
/// come before the version itself; words without case and before numbers. Empty for an empty version alone.
#[must_use]
pub fn version_key(version: &str) -> String {
    let parts = parts(version);
    let mut key = String::with_capacity(version.len() + 8);
    let mut zeros = 0;
    for part in &parts {
        match part {
            Part::Number("") => zeros += 1,
            Part::Number(digits) => {
                (0..zeros).for_each(|_| push_number(&mut key, ""));
                zeros = 0;
                push_number(&mut key, digits);
            }
            Part::Word(word) => {
                zeros = 0;
                key.push(if BEFORE.contains(&word.as_str()) { '!' } else { '=' });
                key.push_str(word);
                key.push(' ');
            }
        }
    }
    if !parts.is_empty() {
        key.push('#');
    }
    key
}

enum Part<'v> {
    /// Digits without leading zeros.
    Number(&'v str),
    /// In lower case.
    Word(String),
}

/// Longest number that is told from a longer one, in digits.
const MAX_DIGITS: usize = 99;

fn push_number(key: &mut String, digits: &str) {
    let digits = digits.get(..MAX_DIGITS).unwrap_or(digits);
    key.push_str(&format!("~{:02}{digits}", digits.len()));
}

fn parts(version: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        if !is_digit && !is_letter(first) {
            rest = rest.trim_start_matches(|other: char| !other.is_ascii_digit() && !is_letter(other));
            continue;
        }
        let other = |next: char| if is_digit { !next.is_ascii_digit() } else { !is_letter(next) };
        let (part, behind) = rest.split_at(rest.find(other).unwrap_or(rest.len()));
        rest = behind;
        parts.push(if is_digit {
            Part::Number(part.trim_start_matches('0'))
        } else {
            Part::Word(part.to_lowercase())
        });
    }
    parts
}

/// What is part of a word; all else but digits only separates.
fn is_letter(character: char) -> bool {
    character.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_in_the_order_people_expect() {
        let rising = [
            "",
            "a",
            "1.0-alpha",
            "1.0-rc1",
            "1.0-rc.2",
            "1.0",
            "1.0.0-p1",
            "1.0.1",
            "1.2b",
            "1.2.0.1",
            "1.9",
            "1.10-beta",
            "v1.10",
            "2.1",
            "2.1.0.0.3",
            "2.1.5",
            "10",
            "20261121",
            "99999999999999999999999",
        ];
        let rising: Vec<_> = rising.iter().filter(|version| !version.starts_with('v')).collect();
        for pair in rising.windows(2) {
            let [first, second] = pair else { continue };
            assert!(version_key(first) < version_key(second), "{first} should be before {second}");
        }
    }

    #[test]
    fn zeros_case_and_separators_make_no_difference() {
        for (one, other) in
            [("2", "2.0.0"), ("1.0-RC1", "1-rc.1"), ("01.02", "1.2"), ("1_2", "1.2"), ("1.0b", "1b")]
        {
            assert_eq!(version_key(one), version_key(other), "{one} and {other}");
        }
        assert_ne!(version_key("1.0.1"), version_key("1.1"));
    }

    #[test]
    fn only_nothing_has_no_key() {
        assert_eq!(version_key(""), "");
        assert_eq!(version_key("--"), "");
        assert!(!version_key("0").is_empty());
    }

    #[test]
    fn a_number_of_any_length_is_taken() {
        let long = "9".repeat(1_000);
        assert!(version_key("1") < version_key(&long));
    }
}
