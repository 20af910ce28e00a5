//! The headers of HTTP authentication: challenges, credentials and parameters (`RFC 9110 §11`), read from anybody.

use std::fmt;

/// Longest value in octets that is looked into.
pub const MAX_HEADER: usize = 4096;
/// Most challenges in one value, and most parameters of one of them.
const MAX_ITEMS: usize = 32;

/// A scheme with its parameters: one challenge of `WWW-Authenticate`, or the credentials of `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    parameters: Parameters,
}

impl Challenge {
    /// Reads all challenges of a value. `None` when it is malformed, has a parameter twice, or is longer than [`MAX_HEADER`].
    #[must_use]
    pub fn read_all(value: &str) -> Option<Vec<Self>> {
        let mut found: Vec<Self> = Vec::new();
        let mut rest = elements(bounded(value)?);
        while !rest.is_empty() {
            if let Some(last) = found.last_mut()
                && let Some((name, text, after)) = parameter(rest)
            {
                last.parameters.add(name, text)?;
                rest = end_of_element(after)?;
                continue;
            }
            let (scheme, after) = token(rest)?;
            if found.len() == MAX_ITEMS {
                return None;
            }
            found.push(Self { scheme: scheme.to_owned(), parameters: Parameters::default() });
            let after = blanks(after);
            rest = if after.is_empty() || after.starts_with(',') {
                end_of_element(after)?
            } else if parameter(after).is_some() {
                after
            } else {
                end_of_element(token68(after)?)?
            };
        }
        Some(found)
    }

    /// Whether this is the scheme, in any letter case.
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// A parameter by its name in lower case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        for (at, (name, text)) in self.parameters.0.iter().enumerate() {
            let mut quoted = String::new();
            quote(text, &mut quoted);
            write!(f, "{} {name}={quoted}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Names with values, such as `Authentication-Info` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a list of parameters. `None` as in [`Challenge::read_all`].
    #[must_use]
    pub fn read(value: &str) -> Option<Self> {
        let mut found = Self::default();
        let mut rest = elements(bounded(value)?);
        while !rest.is_empty() {
            let (name, text, after) = parameter(rest)?;
            found.add(name, text)?;
            rest = end_of_element(after)?;
        }
        Some(found)
    }

    /// A parameter by its name in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// `None` if it is there already, or there are too many.
    fn add(&mut self, name: &str, text: String) -> Option<()> {
        let name = name.to_ascii_lowercase();
        if self.0.len() == MAX_ITEMS || self.get(&name).is_some() {
            return None;
        }
        self.0.push((name, text));
        Some(())
    }
}

/// Writes a quoted string. Characters that no header can hold are left out; callers refuse them before.
pub(crate) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars().filter(|c| !c.is_control() || *c == '\t') {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

fn bounded(value: &str) -> Option<&str> {
    (value.len() <= MAX_HEADER).then_some(value)
}

fn blanks(input: &str) -> &str {
    input.trim_start_matches([' ', '\t'])
}

/// Skips to the next element of a list, whose elements may be empty.
fn elements(input: &str) -> &str {
    input.trim_start_matches([' ', '\t', ','])
}

/// What follows an element: the end, or a comma and the next one.
fn end_of_element(input: &str) -> Option<&str> {
    let input = blanks(input);
    (input.is_empty() || input.starts_with(',')).then(|| elements(input))
}

fn split_while(input: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    input.split_at(input.find(|c| !wanted(c)).unwrap_or(input.len()))
}

fn token(input: &str) -> Option<(&str, &str)> {
    let (token, rest) = split_while(input, |c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
    (!token.is_empty()).then_some((token, rest))
}

/// Skips the one value that a scheme may have in place of parameters.
fn token68(input: &str) -> Option<&str> {
    let (value, rest) = split_while(input, |c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
    (!value.is_empty()).then(|| rest.trim_start_matches('='))
}

fn parameter(input: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = token(input)?;
    let rest = blanks(blanks(rest).strip_prefix('=')?);
    if let Some(quoted) = rest.strip_prefix('"') {
        let (text, rest) = unquote(quoted)?;
        return Some((name, text, rest));
    }
    let (text, rest) = token(rest)?;
    Some((name, text.to_owned(), rest))
}

/// Reads a quoted string after its first quotation mark.
pub(crate) fn unquote(input: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut escaped = false;
    for (at, c) in input.char_indices() {
        match c {
            c if c.is_control() && c != '\t' => return None,
            c if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((text, input.split_at(at + 1).1)),
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemes(value: &str) -> Option<Vec<String>> {
        Challenge::read_all(value).map(|all| all.into_iter().map(|one| one.scheme).collect())
    }

    #[test]
    fn several_challenges_share_a_value() {
        // RFC 9110 §11.6.1.
        let value = r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#;
        let all = Challenge::read_all(value).unwrap();
        assert!(all[0].is("basic") && all[1].is("NEWAUTH") && all.len() == 2);
        assert_eq!(all[0].parameter("realm"), Some("simple"));
        assert_eq!(all[1].parameter("type"), Some("1"));
        assert_eq!(all[1].parameter("title"), Some(r#"Login to "apps""#));
        assert_eq!(
            schemes(", ,Negotiate , Basic realm = \"a, b\",,"),
            Some(vec!["Negotiate".into(), "Basic".into()])
        );
        assert_eq!(schemes("Bearer abc-._~+/==, Digest a=b"), Some(vec!["Bearer".into(), "Digest".into()]));
        assert_eq!(schemes(""), Some(vec![]));
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        let many = "a, ".repeat(MAX_ITEMS + 1);
        let crowded =
            format!("A {}", (0..=MAX_ITEMS).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join(","));
        let long = format!("A p=\"{}\"", "x".repeat(MAX_HEADER));
        for value in [
            "A p=\"open",
            "A p=\"a\\\"",
            "A p=1 q=2",
            "A p=1, P=2",
            "A =1",
            "=1",
            "\"A\"",
            "A p=\"\u{1}\"",
            "Ä p=1",
            &many,
            &crowded,
            &long,
        ] {
            assert_eq!(Challenge::read_all(value), None, "{value}");
        }
        assert_eq!(Parameters::read("Digest a=b"), None);
        assert_eq!(Parameters::read("a=1, a=2"), None);
    }

    #[test]
    fn what_is_quoted_is_read_as_it_was() {
        for text in ["", "plain", "with \"quotes\" and \\", "ünï, code", "a\ttab"] {
            let mut value = "a=".to_owned();
            quote(text, &mut value);
            assert_eq!(Parameters::read(&value).unwrap().get("a"), Some(text));
        }
    }
}
