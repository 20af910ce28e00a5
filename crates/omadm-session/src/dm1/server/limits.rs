//! What a device says of its own bounds in `./DevDetail` (`DM 1.3 STDOBJ §5.3.3`), and commands that are beyond them.

use omadm_mo::dm1::{Dm1Uri, UriLimits};

use super::compile::{about, name};
use super::state::Stage;
use super::task::Task;
use super::{Capabilities, Node, NodeContent};
use crate::dm1::explain::sentence;
use crate::dm1::status::code;

impl Capabilities {
    /// How long its addresses may be, as far as it told.
    #[must_use]
    pub fn uri_limits(&self) -> UriLimits {
        UriLimits {
            max_depth: self.uri_depth.unwrap_or_default(),
            max_total: self.uri_length.unwrap_or_default(),
            max_segment: self.uri_segment.unwrap_or_default(),
        }
    }

    /// Takes what nodes tell of the device's bounds.
    pub(super) fn learn(&mut self, nodes: &[Node]) {
        for node in nodes {
            let NodeContent::Value(value) = &node.content else { continue };
            let path = node.uri.strip_prefix("./").unwrap_or(&node.uri);
            let Some(leaf) = path.strip_prefix("DevDetail/") else { continue };
            let text = value.to_text();
            let number = || text.trim().parse().ok();
            match leaf {
                "URI/MaxDepth" => self.uri_depth = number().or(self.uri_depth),
                "URI/MaxTotLen" => self.uri_length = number().or(self.uri_length),
                "URI/MaxSegLen" => self.uri_segment = number().or(self.uri_segment),
                "LrgObj" => self.large_objects = text.trim().parse().ok().or(self.large_objects),
                _ => {}
            }
        }
    }
}

/// Why a task is not sent: the device takes no address that is so long. One sentence.
pub(super) fn too_long(capabilities: &Capabilities, task: &Task) -> Option<String> {
    let limits = capabilities.uri_limits();
    if limits == UriLimits::default() {
        return None;
    }
    // What else may be wrong with an address is for the device to say.
    let fault = |uri: &str| {
        Dm1Uri::parse(uri, &limits, false).err().filter(|fault| fault.status() == code::URI_TOO_LONG)
    };
    let fault = addresses(task).into_iter().find_map(fault)?;
    let told = sentence(name(task, Stage::First), &about(task), code::URI_TOO_LONG);
    Some(format!("{told} It was not sent: {fault}."))
}

/// The addresses that a task names. Containers hold no containers, so this ends.
fn addresses(task: &Task) -> Vec<&str> {
    match task {
        Task::Get { uris } => uris.iter().map(String::as_str).collect(),
        Task::List { uri, .. } | Task::Set { uri, .. } | Task::Delete { uri } | Task::Exec { uri, .. } => {
            vec![uri]
        }
        Task::Copy { source, target } => vec![source, target],
        Task::Ask(_) => Vec::new(),
        Task::Atomic(tasks) | Task::Sequence(tasks) => tasks.iter().flat_map(addresses).collect(),
        Task::Raw { items, .. } => {
            items.iter().flat_map(|item| [&item.target, &item.source]).flatten().map(String::as_str).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use omadm_mo::{Format, Value};

    use super::*;

    fn told(uri: &str, value: &str) -> Node {
        let content = NodeContent::Value(Value::Text(value.into()));
        Node { uri: uri.into(), format: Format::Chr, media_type: None, content }
    }

    #[test]
    fn bounds_are_learnt_from_dev_detail_and_nowhere_else() {
        let mut capabilities = Capabilities::default();
        capabilities.learn(&[
            told("./DevDetail/URI/MaxDepth", "3"),
            told("DevDetail/URI/MaxTotLen", " 20 "),
            told("./DevDetail/URI/MaxSegLen", "many"),
            told("./Ext/DevDetail/URI/MaxSegLen", "1"),
            told("./DevDetail/LrgObj", "false"),
        ]);
        let limits = UriLimits { max_depth: 3, max_total: 20, max_segment: 0 };
        assert_eq!((capabilities.uri_limits(), capabilities.large_objects), (limits, Some(false)));
    }

    #[test]
    fn addresses_are_held_to_the_bounds_at_their_edges() {
        let capabilities = Capabilities {
            uri_depth: Some(3),
            uri_length: Some(20),
            uri_segment: Some(6),
            ..Capabilities::default()
        };
        let delete = |uri: &str| Task::Delete { uri: uri.into() };
        for (task, fits) in [
            (delete("./a/b/c"), true),
            (delete("./a/b/c/d"), false),
            (delete("./a/bbbbbb"), true),
            (delete("./a/bbbbbbb"), false),
            (delete("./aaaaaa/bbbbbb/cccc"), true),
            (delete("./aaaaaa/bbbbbb/ccccc"), false),
            (Task::Atomic(vec![delete("./a"), delete("./a/b/c/d")]), false),
            (Task::Copy { source: "./a/b/c/d".into(), target: "./a".into() }, false),
            (Task::List { uri: ".".into(), how: super::super::Listing::Tnds }, true),
        ] {
            let sentence = too_long(&capabilities, &task);
            assert_eq!(sentence.is_none(), fits, "{task:?} {sentence:?}");
            assert!(sentence.is_none_or(|sentence| sentence.contains("It was not sent")));
        }
        assert_eq!(too_long(&Capabilities::default(), &delete("./a/b/c/d/e/f/g/h")), None);
    }
}
