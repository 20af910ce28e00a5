//! Filters on the command line: what the server says against one is shown at its character.

use crate::api::ApiError;
use crate::failure::Failure;

/// A refusal with the filter it is about, and a caret under the character at which the filter goes wrong.
pub fn pointed(error: ApiError, filter: Option<&str>) -> Failure {
    let (ApiError::Refused { at: Some(at), .. }, Some(filter)) = (&error, filter) else {
        return error.into();
    };
    let line: String = filter.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    Failure::Failed(format!("{error}\n  {line}\n  {:>1$}", '^', at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_character() {
        let refused = |at| ApiError::Refused { status: 400, detail: "no".to_owned(), at };
        let shown = pointed(refused(Some(9)), Some("model =\n\"é")).to_string();
        assert_eq!(shown, "no (HTTP 400)\n  model = \"é\n           ^");
        assert_eq!(pointed(refused(None), Some("x")).to_string(), "no (HTTP 400)");
    }
}
