//! A profile as JSON: where in the text a thing is that was refused.

use maud::{Markup, html};

use crate::console::text;
use crate::desired::{Document, Fault};

/// Lines before and after one that is shown.
const AROUND: usize = 1;
/// Characters of a line that are shown.
const WIDE: usize = 160;

/// A document as people read it.
pub fn text_of(document: &Document) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

/// The line in which a fault is, counted from 0.
pub fn line_of(source: &str, fault: &Fault) -> Option<usize> {
    if fault.pointer.is_empty() {
        let number = fault.at.strip_prefix("line ")?.split(',').next()?.parse::<usize>().ok()?;
        return number.checked_sub(1);
    }
    // A member that is not there is where that is which lacks it.
    let mut pointer = fault.pointer.as_str();
    loop {
        if let Some(line) = find(source, pointer) {
            return Some(line);
        }
        pointer = pointer.rsplit_once('/')?.0;
    }
}

/// The line at which a member begins, by its JSON Pointer.
fn find(source: &str, pointer: &str) -> Option<usize> {
    let mut walk = Walk::default();
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => walk.line += 1,
            '{' => walk.open(Level::Object(None), pointer),
            '[' => walk.open(Level::Array(0), pointer),
            '}' | ']' => drop(walk.levels.pop()),
            ',' => walk.next(),
            ':' => walk.is_key = false,
            '"' => {
                let text = string(&mut chars);
                if walk.is_key {
                    walk.name(text);
                }
                walk.begin(pointer);
            }
            c if c.is_whitespace() => {}
            _ => walk.begin(pointer),
        }
        if let Some(line) = walk.found {
            return Some(line);
        }
    }
    None
}

/// The rest of a string, as it is written.
fn string(chars: &mut std::str::Chars<'_>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(['\\'].into_iter().chain(chars.next())),
            c => text.push(c),
        }
    }
    text
}

/// An object with the member that is read, or an array with its number.
enum Level {
    Object(Option<String>),
    Array(usize),
}

/// Where in a text somebody is who walks through it.
#[derive(Default)]
struct Walk {
    levels: Vec<Level>,
    line: usize,
    /// Whether a string would be a name.
    is_key: bool,
    found: Option<usize>,
}

impl Walk {
    fn open(&mut self, level: Level, pointer: &str) {
        self.begin(pointer);
        self.is_key = matches!(level, Level::Object(_));
        self.levels.push(level);
    }

    fn next(&mut self) {
        match self.levels.last_mut() {
            Some(Level::Object(_)) => self.is_key = true,
            Some(Level::Array(number)) => *number += 1,
            None => {}
        }
    }

    fn name(&mut self, text: String) {
        if let Some(Level::Object(name)) = self.levels.last_mut() {
            *name = Some(text);
        }
    }

    /// Notes the line if what begins here is what is looked for.
    fn begin(&mut self, pointer: &str) {
        let mut rest = pointer;
        for level in &self.levels {
            match rest.strip_prefix('/').and_then(|rest| level.through(rest)) {
                Some(below) => rest = below,
                None => return,
            }
        }
        if rest.is_empty() {
            self.found.get_or_insert(self.line);
        }
    }
}

impl Level {
    /// The rest of a pointer that goes through its present member.
    fn through<'p>(&self, pointer: &'p str) -> Option<&'p str> {
        let (first, rest) = pointer.split_at(pointer.find('/').unwrap_or(pointer.len()));
        let is_met = match self {
            Self::Object(name) => name.as_deref() == Some(first),
            Self::Array(number) => first.parse() == Ok(*number),
        };
        is_met.then_some(rest)
    }
}

/// The lines around one, which is marked.
pub fn excerpt(source: &str, line: usize) -> Markup {
    let first = line.saturating_sub(AROUND);
    html! {
        pre.excerpt tabindex="0" {
            @for (number, said) in source.lines().enumerate().skip(first).take(line - first + AROUND + 1) {
                span.quiet { (number + 1) " " }
                @if number == line { mark { (text::plain(said, WIDE)) } } @else { (text::plain(said, WIDE)) }
                "\n"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"{
  "name": "a \"b\"",
  "node": [
    { "address": "./A",
      "value": "x: [1, {" },
    {
      "address": "./B", "value": 7
    }
  ],
  "check": null
}"#;

    fn line(pointer: &str) -> Option<usize> {
        line_of(SOURCE, &Fault { at: String::new(), pointer: pointer.into(), what: String::new() })
    }

    #[test]
    fn members_are_found_in_their_lines() {
        for (pointer, expected) in [
            ("/name", 1),
            ("/node", 2),
            ("/node/0", 3),
            ("/node/0/address", 3),
            ("/node/0/value", 4),
            ("/node/1", 5),
            ("/node/1/value", 6),
            ("/check", 9),
        ] {
            assert_eq!(line(pointer), Some(expected), "{pointer}");
        }
    }

    #[test]
    fn what_is_missing_is_at_what_lacks_it() {
        assert_eq!(line("/node/1/after"), Some(5));
        assert_eq!(line("/group"), Some(0));
        let fault = Fault { at: "line 3, column 7".into(), pointer: String::new(), what: String::new() };
        assert_eq!(line_of(SOURCE, &fault), Some(2));
    }

    #[test]
    fn nothing_is_too_odd_to_walk_through() {
        for source in ["", "\"", "\"\\", "]]}}", "{{{{", "[,,,,:::\"a", "{\"a\":[1,2"] {
            find(source, "/a/1");
        }
        assert_eq!(find("{\"a\":[1,\n2", "/a/1"), Some(1));
    }

    #[test]
    fn an_excerpt_marks_its_line() {
        let shown = excerpt("one\n<two>\nthree\nfour", 1).into_string();
        assert!(
            shown.contains("<mark>&lt;two&gt;</mark>") && shown.contains("three") && !shown.contains("four"),
            "{shown}"
        );
        assert!(!excerpt("one", 7).into_string().contains("<mark>"));
    }
}
