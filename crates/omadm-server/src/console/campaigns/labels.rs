//! What the fields of a campaign are called.

/// The fields, by name.
const LABELS: [(&str, &str); 27] = [
    ("name", "Name"),
    ("package", "Package"),
    ("profile", "Profile"),
    ("version", "Version"),
    ("verb", "What to do"),
    ("address", "Address"),
    ("value", "Value"),
    ("format", "The value is a"),
    ("group", "Group"),
    ("filter", "Filter"),
    ("failures/percent", "It fails when so many devices fail (%)"),
    ("failures/sample", "But not before so many devices have come to an end"),
    ("retry/attempts", "Attempts on a device"),
    ("retry/wait", "Time until the second attempt"),
    ("window/from", "From"),
    ("window/to", "To"),
    ("window/zone", "Time zone"),
    ("window/zone_label", "Label with the time zone"),
    ("start", "Begins not before"),
    ("stop", "Stops by itself at"),
    ("rate", "Most devices that begin in a minute"),
    ("expires_in", "How long a device is waited for"),
    ("late", "Devices that are enrolled later"),
    ("rivals", "Where another campaign is at the same thing"),
    ("percent", "Percent"),
    ("hold/settled", "Devices that have to be through"),
    ("hold/seconds", "Time to wait then"),
];

/// What a field is called; one of a stage, within its stage.
pub fn of(name: &str) -> &'static str {
    let member = name.strip_prefix("stages/").and_then(|rest| rest.split_once('/')).map(|(_, member)| member);
    match member {
        Some("filter") => "Or devices by a filter",
        Some("hold") => "The next stage begins",
        member => {
            let name = member.unwrap_or(name);
            LABELS.iter().find(|(field, _)| *field == name).map_or("Field", |(_, label)| label)
        }
    }
}

/// What a field is called by itself.
pub fn whole(name: &str) -> String {
    let place = name.strip_prefix("stages/").and_then(|rest| rest.split_once('/')?.0.parse::<usize>().ok());
    match place {
        Some(place) => format!("Stage {}: {}", place.saturating_add(1), of(name)),
        None => of(name).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_stages_are_told_apart() {
        assert_eq!((of("filter"), of("stages/3/filter")), ("Filter", "Or devices by a filter"));
        assert_eq!(whole("stages/1/hold/seconds"), "Stage 2: Time to wait then");
        assert_eq!(whole("rate"), "Most devices that begin in a minute");
        assert_eq!(whole("stages/99999999999999999999/percent"), "Percent");
    }
}
