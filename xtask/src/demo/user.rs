//! The user of this machine, who is asked something: curl in the place of a browser, and an answer that stands here.

use super::Place;
use crate::workspace::Result;

/// What the user says.
pub(super) const ANSWER: &str = "on the desk beside the demo";

/// Name of the page, as the operator has it shown.
pub(super) const PAGE: &str = "question";

const QUESTION: &str = r#"{ "kind": "form", "title": "About this machine", "language": "en", "text": "Please tell us where it stands.",
  "fields": [ { "name": "place", "label": "Place", "type": "text", "required": true } ] }
"#;

impl Place {
    /// Writes the page that the operator puts, and gives its file.
    pub(super) fn question(&self) -> Result<String> {
        let file = self.path(&format!("{PAGE}.json"));
        std::fs::write(&file, QUESTION)?;
        Ok(file.display().to_string())
    }

    /// Writes what the agent starts to show a page, and gives it as a value of `show.command`. It does what a browser and its user do:
    /// gets the page, and sends the form.
    pub(super) fn browser(&self) -> Result<String> {
        let curl = "curl --silent --show-error --fail --cacert ca.pem";
        let script = format!(
            "set -e\ncd \"$(dirname \"$0\")\"\n{curl} --output page.html \"$1\"\n\
             {curl} --output answered.html --data-urlencode 'place={ANSWER}' \"$1\"\n"
        );
        let file = self.path("user.sh");
        std::fs::write(&file, script)?;
        Ok(format!("[\"sh\", {:?}]", file.display().to_string()))
    }
}
