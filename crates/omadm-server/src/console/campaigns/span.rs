//! Lengths of time as people write them.

/// The units, with their seconds, the longest first; the first name of each is that which is shown.
const UNITS: [(u64, &[&str]); 4] = [
    (86_400, &["d", "day", "days"]),
    (3_600, &["h", "hour", "hours"]),
    (60, &["min", "m", "minute", "minutes"]),
    (1, &["s", "sec", "second", "seconds", ""]),
];

/// The seconds of a length of time such as `90`, `30 min`, `24 h`, `7 days` or `1 h 30 min`; `None` for what is no such thing.
pub fn seconds(text: &str) -> Option<u64> {
    let (mut rest, mut total) = (text.trim(), 0_u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = unit.to_ascii_lowercase();
        let (size, _) = UNITS.iter().find(|(_, names)| names.contains(&unit.as_str()))?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*size)?)?;
        rest = after.trim_start();
    }
    Some(total)
}

/// A length of time for people, exactly: `7 days`, `1 h 30 min`, `0 s`.
pub fn said(seconds: u64) -> String {
    let (mut rest, mut parts) = (seconds, Vec::new());
    for (size, names) in &UNITS {
        let number = rest / size;
        rest %= size;
        if number > 0 {
            let unit = match (size, number) {
                (86_400, 1) => "day",
                (86_400, _) => "days",
                _ => names.first().copied().unwrap_or_default(),
            };
            parts.push(format!("{number} {unit}"));
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        for (text, expected) in [
            ("90", Some(90)),
            (" 30 min ", Some(1_800)),
            ("24h", Some(86_400)),
            ("7 Days", Some(604_800)),
            ("1 h 30 min", Some(5_400)),
            ("0", Some(0)),
            ("", None),
            ("soon", None),
            ("1 fortnight", None),
            ("-1", None),
            ("1.5 h", None),
            ("99999999999999999999", None),
            ("99999999999999999 d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_means_the_same() {
        for (length, expected) in
            [(0, "0 s"), (90, "1 min 30 s"), (3_600, "1 h"), (86_400, "1 day"), (1_296_060, "15 days 1 min")]
        {
            assert_eq!((said(length).as_str(), seconds(&said(length))), (expected, Some(length)));
        }
    }
}
