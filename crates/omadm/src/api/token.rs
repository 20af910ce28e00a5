//! Where the operator token comes from. It is never taken from the command line, where every user of the machine could read it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use http::header::HeaderValue;
use zeroize::Zeroizing;

use super::ApiError;

/// The variable that holds a token.
const VARIABLE: &str = "OMADM_TOKEN";

/// An operator token, ready as a header that does not print itself.
#[derive(Clone)]
pub struct Token {
    header: Option<HeaderValue>,
    from: Origin,
}

#[derive(Clone)]
enum Origin {
    Environment,
    File(PathBuf),
    /// The file is not there: a server may still allow what needs no token.
    Nowhere(PathBuf),
}

impl Token {
    /// Takes the token of the environment, else that of `file`.
    ///
    /// # Errors
    /// When the file cannot be read or its content cannot be a token.
    pub fn find(file: &Path) -> Result<Self, ApiError> {
        let bad =
            |from: &str, reason: &str| ApiError::Token { from: from.to_owned(), reason: reason.to_owned() };
        if let Some(text) = std::env::var_os(VARIABLE) {
            let text = Zeroizing::new(text.into_string().map_err(|_| bad(VARIABLE, "it is not UTF-8"))?);
            let header = header(&text).ok_or_else(|| bad(VARIABLE, "it is empty or no token"))?;
            return Ok(Self { header: Some(header), from: Origin::Environment });
        }
        let name = file.display().to_string();
        match std::fs::read_to_string(file).map(Zeroizing::new) {
            Ok(text) => {
                let header = header(&text).ok_or_else(|| bad(&name, "it is empty or holds no token"))?;
                Ok(Self { header: Some(header), from: Origin::File(file.to_owned()) })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Self { header: None, from: Origin::Nowhere(file.to_owned()) })
            }
            Err(error) => Err(bad(&name, &error.to_string())),
        }
    }

    /// Value of `Authorization`.
    pub fn header(&self) -> Option<HeaderValue> {
        self.header.clone()
    }

    /// Where the token came from, as the end of a sentence.
    pub fn origin(&self) -> String {
        match &self.from {
            Origin::Environment => format!("the token in {VARIABLE} is not one of its tokens"),
            Origin::File(file) => format!("the token in {} is not one of its tokens", file.display()),
            Origin::Nowhere(file) => {
                format!("there is no token: {VARIABLE} is not set and {} is not there", file.display())
            }
        }
    }
}

fn header(text: &str) -> Option<HeaderValue> {
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return None;
    }
    let bearer = Zeroizing::new(format!("Bearer {text}"));
    let mut header = HeaderValue::from_str(&bearer).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_does_not_print() {
        assert!(header("").is_none());
        assert!(header("two words").is_none());
        let header = header(" secret\n").unwrap();
        assert_eq!(header.as_bytes(), b"Bearer secret");
        assert!(!format!("{header:?}").contains("secret"));
    }
}
