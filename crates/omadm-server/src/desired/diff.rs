//! What is different between two documents.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use utoipa::ToSchema;

use super::document::Document;
use super::wanted::canonical;

/// A difference.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ProfileDifference)]
pub struct Difference {
    /// What is different: a member such as `priority`, or `node ADDRESS`, `software PACKAGE`, `observe ADDRESS`.
    pub what: String,
    /// As it was; absent if it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// As it is; absent if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
}

/// All differences, members of the profile itself first.
pub fn differences(before: &Document, after: &Document) -> Vec<Difference> {
    let (mut before, mut after) = (parts(before), parts(after));
    let names: Vec<(bool, String)> = {
        let mut names: Vec<_> = before.keys().chain(after.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names
    };
    let different = names.into_iter().filter_map(|key| {
        let (before, after) = (before.remove(&key), after.remove(&key));
        (before != after).then_some(Difference { what: key.1, before, after })
    });
    different.collect()
}

/// The parts of a document by their names; those of the profile itself come first.
fn parts(document: &Document) -> BTreeMap<(bool, String), Json> {
    let whole = json!(document);
    let members = whole.as_object().cloned().unwrap_or_else(Map::new);
    let head =
        members.into_iter().filter(|(name, _)| !matches!(name.as_str(), "node" | "software" | "observe"));
    let mut parts: BTreeMap<(bool, String), Json> =
        head.map(|(name, value)| ((false, name), value)).collect();
    for node in &document.nodes {
        parts.insert((true, format!("node {}", canonical(&node.address))), json!(node));
    }
    for software in &document.software {
        parts.insert((true, format!("software {}", software.package)), json!(software));
    }
    for observe in &document.observe {
        parts.insert((true, format!("observe {}", canonical(&observe.address))), json!(observe));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::document::Form;

    #[test]
    fn what_is_different_is_named() {
        let read = |text: &str| Document::read(text, Form::Toml).unwrap();
        let node = |address: &str, value: u8| format!("[[node]]\naddress = {address:?}\nvalue = {value}\n");
        let older = read(&format!("name = \"a\"\n{}{}", node("./a", 1), node("./b", 1)));
        let newer = read(&format!("name = \"a\"\npriority = 7\n{}{}", node("./c", 1), node("./a", 2)));
        let found: Vec<_> = differences(&older, &newer)
            .into_iter()
            .map(|one| (one.what, one.before.is_some(), one.after.is_some()))
            .collect();
        let expected = [
            ("priority", true, true),
            ("node ./a", true, true),
            ("node ./b", true, false),
            ("node ./c", false, true),
        ];
        assert_eq!(found, expected.map(|(what, before, after)| (what.to_owned(), before, after)));
        assert_eq!(differences(&older, &older), []);
    }
}
