//! Texts in lines: what is kept of a device is one line of fields a record, so a field holds no blank and no control character.

/// Octets that stand for themselves in no field: blanks and control characters part fields, and `%` begins an escape.
fn is_escaped(octet: u8) -> bool {
    octet <= b' ' || octet == 0x7f || octet == b'%'
}

/// Gives the parts of `text` as a field to `put`, one after the other.
pub(crate) fn escape(text: &str, put: &mut impl FnMut(&str)) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_escaped) {
        // Escaped octets are ASCII, so both sides are whole characters.
        let (plain, tail) = rest.split_at(at);
        put(plain);
        let octet = tail.as_bytes().first().copied().unwrap_or_default();
        put(&format!("%{octet:02x}"));
        rest = tail.get(1..).unwrap_or_default();
    }
    put(rest);
}

/// Reads a field that [`escape`] wrote.
pub(crate) fn unescape(field: &str) -> Option<String> {
    let mut text = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((plain, tail)) = rest.split_once('%') {
        text.push_str(plain);
        let octet = u8::from_str_radix(tail.get(..2)?, 16).ok().filter(u8::is_ascii)?;
        text.push(char::from(octet));
        rest = tail.get(2..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// Fields in one line; `None` is not the same as an empty text.
pub(crate) fn join<'a>(fields: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let mut line = String::new();
    for field in fields {
        if !line.is_empty() {
            line.push(' ');
        }
        match field {
            None => line.push('-'),
            Some(text) => {
                line.push('+');
                escape(text, &mut |part| line.push_str(part));
            }
        }
    }
    line
}

/// Reads a line that [`join`] wrote.
#[cfg(any(feature = "dm1", test))]
pub(crate) fn split(line: &str) -> Option<Vec<Option<String>>> {
    line.split(' ')
        .map(|field| match field.strip_prefix('+') {
            Some(text) => unescape(text).map(Some),
            None => (field == "-").then_some(None),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_what_they_were() {
        let fields = [Some("a b"), None, Some(""), Some("50%\n\u{7f}ü"), Some("-"), Some("+")];
        let line = join(fields);
        assert_eq!(line, "+a%20b - + +50%25%0a%7fü +- ++");
        assert_eq!(split(&line), Some(fields.map(|field| field.map(str::to_owned)).to_vec()));
        for broken in ["x", "+%", "+%4", "+%zz", "+%ff", "+a  +b", ""] {
            assert_eq!(split(broken), None, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_field(text in any::<String>()) {
            let line = join([Some(text.as_str())]);
            prop_assert!(!line.contains([' ', '\t', '\n']));
            prop_assert_eq!(split(&line), Some(vec![Some(text)]));
        }
    }
}
