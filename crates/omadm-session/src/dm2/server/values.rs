//! Values for the host: MO data as a list of nodes, places in the Data Repository.

use omadm_mo::{AddressError, ClientUri, Content, Query, Segment, ServerUri, Value};

/// The nodes of MO data as `(concrete address, value)`, interior nodes with `None`; for the last known tree.
#[must_use]
pub fn flatten(address: &ClientUri, content: &Content) -> Vec<(ClientUri, Option<Value>)> {
    let mut nodes = Vec::new();
    let root = ClientUri { query: Query::default(), ..address.clone() };
    let mut open = vec![(root, content)];
    while let Some((at, content)) = open.pop() {
        match content {
            Content::Leaf(value) => nodes.push((at, Some(value.clone()))),
            Content::Interior(children) => {
                for (name, child) in children.iter().rev() {
                    let mut below = at.clone();
                    below.path.push(Segment::Name(name.clone()));
                    open.push((below, child));
                }
                nodes.push((at, None));
            }
        }
    }
    nodes
}

/// The ServerURI of a place in the Data Repository.
///
/// # Errors
/// When base and path do not make a URI.
pub fn repository_uri(base: &str, path: &str) -> Result<ServerUri, AddressError> {
    ServerUri::parse(&format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use omadm_mo::NodeName;

    use super::*;

    fn name(text: &str) -> NodeName {
        NodeName::parse(text).unwrap()
    }

    #[test]
    fn parents_come_before_children_in_order() {
        let leaf = |text: &str| Content::Leaf(Value::Text(text.into()));
        let content = Content::Interior(vec![
            (name("A"), Content::Interior(vec![(name("B"), leaf("b"))])),
            (name("C"), leaf("c")),
        ]);
        let root = ClientUri::parse("urn:x:mo:1.0/one/?lv=2").unwrap();
        let nodes: Vec<_> =
            flatten(&root, &content).into_iter().map(|(at, value)| (at.to_string(), value)).collect();
        assert_eq!(
            nodes,
            [
                ("urn:x:mo:1.0/one/".to_owned(), None),
                ("urn:x:mo:1.0/one/A".to_owned(), None),
                ("urn:x:mo:1.0/one/A/B".to_owned(), Some(Value::Text("b".into()))),
                ("urn:x:mo:1.0/one/C".to_owned(), Some(Value::Text("c".into()))),
            ]
        );
    }

    #[test]
    fn places_in_the_repository_join_with_one_slash() {
        for (base, path) in [("https://h/data/", "/x/1"), ("https://h/data", "x/1")] {
            assert_eq!(repository_uri(base, path).unwrap().as_str(), "https://h/data/x/1");
        }
        assert!(repository_uri("no uri", "x").is_err());
    }
}
