//! Commands that belong together: the delivery of a package.

use omadm_store::CommandId;
use serde::{Deserialize, Serialize};

use super::request::Args;

/// That a command is one of several that bring a package to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The last command of the delivery, which has the device get the package.
    pub of: CommandId,
    /// Commands that have to be done before this one is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<CommandId>,
}

impl Part {
    /// As stored arguments of a command tell; nothing of a command that is no part of a delivery, or cannot be read.
    pub fn of_args(args: &str) -> Option<Self> {
        // Hardly any command is one, and this is asked of each with every message.
        if !args.contains("\"part\"") {
            return None;
        }
        serde_json::from_str::<Args>(args).ok()?.part
    }

    /// Adds it to the arguments of a command; those that cannot be read stay as they are.
    pub fn add_to(self, args: &mut String) {
        if let Ok(read) = serde_json::from_str::<Args>(args) {
            *args = serde_json::json!(Args { part: Some(self), ..read }).to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::{Operation, Setting};
    use super::*;
    use crate::leaf::LeafValue;

    #[test]
    fn a_part_is_kept_with_the_arguments() {
        let value = LeafValue::new(json!("\"part\""), None).unwrap();
        let set = Operation::Set { address: "./A".to_owned(), value: Setting::Value(value) };
        let mut args = set.args();
        assert_eq!(Part::of_args(&args), None, "a value may say what it wants");
        let part = Part { of: Uuid::from_u128(1), needs: vec![Uuid::from_u128(2)] };
        part.clone().add_to(&mut args);
        assert_eq!(Part::of_args(&args), Some(part));
        assert!(args.contains("value"), "{args}");
    }
}
