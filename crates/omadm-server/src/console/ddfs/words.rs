//! What a DDF file says of a node, in plain words.

/// What a node holds (`DFFormat`).
pub fn format(format: &str) -> &str {
    match format {
        "node" => "further nodes",
        "chr" => "a text",
        "int" => "a whole number",
        "float" => "a number",
        "bool" => "true or false",
        "bin" | "b64" => "octets",
        "date" => "a day",
        "time" => "a time of day",
        "xml" => "XML",
        "null" => "nothing",
        other => other,
    }
}

/// What may be done with a node (`AccessType`).
pub fn access(access: &[String]) -> String {
    let word = |access: &String| match access.as_str() {
        "Get" => "read".to_owned(),
        "Replace" => "change".to_owned(),
        "Add" => "add".to_owned(),
        "Delete" => "remove".to_owned(),
        "Exec" => "execute".to_owned(),
        "Copy" => "copy".to_owned(),
        other => other.to_owned(),
    };
    match access.is_empty() {
        true => "nothing is said".to_owned(),
        false => access.iter().map(word).collect::<Vec<_>>().join(", "),
    }
}

/// How often a node is there (`Occurrence`).
pub fn occurrence(occurrence: &str) -> String {
    match occurrence.split_once(' ') {
        Some(("ZeroOrN", most)) => format!("at most {most}"),
        Some(("OneOrN", most)) => format!("1 to {most}"),
        _ => match occurrence {
            "One" => "always one",
            "ZeroOrOne" => "one or none",
            "ZeroOrMore" => "any number",
            "OneOrMore" => "one or more",
            other => other,
        }
        .to_owned(),
    }
}

/// Whether a node comes and goes (`Scope`).
pub fn scope(scope: &str) -> &str {
    match scope {
        "Permanent" => "stays",
        "Dynamic" => "comes and goes",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_said_in_words() {
        assert_eq!(occurrence("ZeroOrN 4"), "at most 4");
        assert_eq!(occurrence("ZeroOrOne"), "one or none");
        assert_eq!(access(&["Get".into(), "Exec".into()]), "read, execute");
        assert_eq!((format("chr"), format("odd"), scope("Dynamic")), ("a text", "odd", "comes and goes"));
    }
}
