//! Where a `Location` leads: reference resolution (`RFC 9110 §10.2.2`, `RFC 3986 §5.2`).

/// The text of the address that a reference means at `scheme`, `authority` and the path and query of the page it came with.
pub(super) fn resolve(scheme: &str, authority: &str, path_and_query: &str, reference: &str) -> String {
    if has_scheme(reference) {
        return reference.to_owned();
    }
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}");
    }
    let end = reference.find(['?', '#']).unwrap_or(reference.len());
    let (path, rest) = reference.split_at(end);
    let base = path_and_query.split_once('?').map_or(path_and_query, |(path, _)| path);
    let target = match path {
        "" if rest.starts_with('?') => format!("{base}{rest}"),
        "" => format!("{path_and_query}{rest}"),
        _ if path.starts_with('/') => without_dots(path) + rest,
        _ => {
            let directory = base.rfind('/').and_then(|end| base.get(..=end)).unwrap_or("/");
            without_dots(&format!("{directory}{path}")) + rest
        }
    };
    format!("{scheme}://{authority}{target}")
}

/// Whether the reference is a whole URI (`RFC 3986 §3.1`).
fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// An absolute path without `.` and `..` (`RFC 3986 §5.2.4`); none leads above the root.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let dots = matches!(segment, "." | "..");
        if segment == ".." {
            kept.pop();
        } else if !dots {
            kept.push(segment);
        }
        if dots && segments.peek().is_none() {
            // What the dots stand for is a directory.
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3986() {
        // §5.4.1 and §5.4.2, at http://a/b/c/d;p?q
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/../x", "http://a/b/c/g#s/../x"),
        ] {
            assert_eq!(resolve("http", "a", "/b/c/d;p?q", reference), expected, "{reference:?}");
        }
    }

    #[test]
    fn a_colon_makes_a_scheme_only_where_one_can_stand() {
        assert_eq!(resolve("https", "h:1", "/", "a/b:c"), "https://h:1/a/b:c");
        assert_eq!(resolve("https", "h:1", "", "x"), "https://h:1/x");
        assert_eq!(resolve("https", "h", "/", "1:2"), "https://h/1:2");
    }
}
