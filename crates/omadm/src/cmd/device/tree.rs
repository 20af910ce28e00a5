//! The last known tree as indented text.

use omadm_mo::client_uri::{MoInst, Segment};
use omadm_mo::{ClientUri, well_known};

use crate::api::types::TreeNode;
use crate::screen;

/// Widest column of names and values before the age; longer lines push their own age to the right only.
const AGE_COLUMN: usize = 64;

/// One line a node: MOID, instance, then names, two spaces deeper a level. Nodes come in address order, so a parent that
/// was never seen itself (only nodes below it were read) gets its line from the first child.
pub fn lines(nodes: &[TreeNode], now: jiff::Timestamp) -> Vec<String> {
    let mut out = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for node in nodes {
        let labels = labels(&node.address);
        let shared = labels.iter().zip(&open).take_while(|(new, old)| new == old).count();
        let last = labels.len().saturating_sub(1);
        for (depth, label) in labels.iter().enumerate().skip(shared.min(last)) {
            let indent = "  ".repeat(depth);
            let line = if depth == last {
                described(&format!("{indent}{}", screen::clean(label)), node, now)
            } else {
                format!("{indent}{}", screen::clean(label))
            };
            out.push(line);
        }
        open = labels;
    }
    out
}

/// Names from the MOID down; an address that does not parse stays whole.
fn labels(address: &str) -> Vec<String> {
    let Ok(uri) = ClientUri::parse_with(address, &is_well_known) else { return vec![address.to_owned()] };
    let instance = match &uri.inst {
        MoInst::Miid(miid) => miid.to_string(),
        MoInst::Only => "(only instance)".to_owned(),
        MoInst::All => "*".to_owned(),
        MoInst::XName(_) => "(by condition)".to_owned(),
    };
    let names = uri.path.iter().map(|segment| match segment {
        Segment::Name(name) => name.to_string(),
        Segment::Wildcard => "*".to_owned(),
        Segment::XName(_) => "(by condition)".to_owned(),
    });
    [uri.moid.to_string(), instance].into_iter().chain(names).collect()
}

fn is_well_known(moid: &str) -> bool {
    [well_known::DEVINFO, well_known::DMACC, well_known::DACMO, well_known::SESSION_INFO].contains(&moid)
}

fn described(name: &str, node: &TreeNode, now: jiff::Timestamp) -> String {
    let text = match &node.value {
        _ if node.interior => name.to_owned(),
        None => format!("{name} (no value)"),
        Some(serde_json::Value::String(text)) => format!("{name} = {}", screen::clean(text)),
        Some(value) => format!("{name} = {value}"),
    };
    let line = format!("{text:<AGE_COLUMN$}  {}", screen::age(&node.seen, now));
    match &node.title {
        Some(title) => format!("{line}  \u{2014} {}", screen::clean(title)),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(address: &str, value: Option<serde_json::Value>) -> TreeNode {
        let interior = value.is_none();
        let seen = "2026-01-01T00:00:00Z".into();
        TreeNode { address: address.into(), value, interior, seen, title: None }
    }

    #[test]
    fn parents_that_were_not_read_get_a_line_once() {
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        let nodes = [
            node("urn:oma:mo:oma-dm-devinfo:1.2/a/DevID", Some("UUID:1".into())),
            node("urn:oma:mo:oma-dm-devinfo:1.2/a/Ext", None),
            node("urn:oma:mo:oma-dm-devinfo:1.2/a/Ext/Level", Some(3.into())),
            node("urn:oma:mo:oma-dm-devinfo:1.2/b/DevID", Some("UUID:\u{1b}2".into())),
        ];
        let full = lines(&nodes, now);
        assert_eq!(full.len(), 7, "{full:#?}");
        assert_eq!(full[0], "urn:oma:mo:oma-dm-devinfo:1.2");
        assert!(full[2].starts_with("    DevID = UUID:1 ") && full[2].ends_with("5 min ago"), "{}", full[2]);
        assert!(full[4].starts_with("      Level = 3 "), "{}", full[4]);
        assert_eq!(full[5], "  b");
        assert!(full[6].contains("UUID:\\u{1b}2"), "{}", full[6]);
        let titled = [TreeNode {
            title: Some("Level of the \u{7}tank".into()),
            ..node("urn:x:1.0/a/L", Some(3.into()))
        }];
        assert!(
            lines(&titled, now)[2].ends_with("5 min ago  \u{2014} Level of the \\u{7}tank"),
            "{titled:?}"
        );
    }
}
