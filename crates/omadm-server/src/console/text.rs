//! How text of any origin is shown: bounded, visible, and without an effect on what stands around it.

use std::fmt::Write as _;

use maud::{Markup, html};

/// Characters of a name in a line or a cell.
pub const SHORT: usize = 120;
/// Characters of a value that is shown by itself.
pub const LONG: usize = 4_000;

/// A text as it may stand in an attribute or a title: one line of at most so many characters, in which nothing is hidden.
pub fn plain(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    let mut room = most;
    for c in text.chars() {
        let Some(left) = room.checked_sub(width(c)) else {
            shown.push('…');
            break;
        };
        room = left;
        show(c, &mut shown);
    }
    shown
}

/// A text in a line or a cell, isolated from the direction of what stands around it.
pub fn shown(text: &str) -> Markup {
    html! { bdi { (plain(text, SHORT)) } }
}

/// A sentence, which may be longer.
pub fn shown_long(text: &str) -> Markup {
    html! { bdi { (plain(text, LONG)) } }
}

/// A text by itself that may have several lines; says how much of it is left out.
pub fn block(text: &str) -> Markup {
    block_of(text, LONG)
}

/// The same, of at most so many characters.
pub fn block_of(text: &str, most: usize) -> Markup {
    let (shown, number) = lines(text, most);
    framed(&shown, text.chars().skip(number).count())
}

/// The beginning of a text by itself that has so many characters in all.
pub fn beginning(text: &str, length: usize) -> Markup {
    let (shown, number) = lines(text, LONG);
    framed(&shown, length.saturating_sub(number))
}

fn framed(shown: &str, left_out: usize) -> Markup {
    html! {
        pre.value tabindex="0" { bdi { (shown) } }
        @if left_out > 0 { p.quiet { "… and " (number(left_out)) " more characters." } }
    }
}

/// As much of a text as there is room for, in lines, and how many of its characters that are.
fn lines(text: &str, most: usize) -> (String, usize) {
    let mut shown = String::with_capacity(text.len().min(most));
    let (mut room, mut number) = (most, 0);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(left) = room.checked_sub(width(c)) else { break };
        (room, number) = (left, number + 1);
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\t' => shown.push(c),
            c => show(c, &mut shown),
        }
    }
    (shown, number)
}

/// How many characters stand for a character: so that what nobody would see does not make a page larger than it is to be.
fn width(c: char) -> usize {
    if c > '\u{7f}' && (c.is_control() || is_invisible(c)) { 8 } else { 1 }
}

/// Adds a character so that it is seen: controls by their pictures, and what changes direction or takes no room by its number.
fn show(c: char, out: &mut String) {
    match c {
        '\0'..='\u{1f}' => {
            out.push(char::from_u32(u32::from(c) + 0x2400).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        '\u{7f}' => out.push('\u{2421}'),
        c if c.is_control() || is_invisible(c) => drop(write!(out, "⟨U+{:04X}⟩", u32::from(c))),
        c => out.push(c),
    }
}

/// Whether a character is a format character that changes the direction of text, or is not seen at all.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A number with a space between thousands that does not break.
pub fn number(number: impl TryInto<i128>) -> String {
    let Ok(number) = number.try_into() else { return String::new() };
    let digits = number.unsigned_abs().to_string();
    let mut shown = if number < 0 { "−".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// A number of octets for people.
pub fn octets(number: i64) -> String {
    const UNITS: [(&str, i64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| number >= *size) {
        Some((unit, size)) => {
            let tenths = number.saturating_mul(10) / size;
            format!("{}.{}\u{a0}{unit}", tenths / 10, tenths % 10)
        }
        None => format!("{number}\u{a0}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_hidden_and_nothing_turns_around() {
        assert_eq!(plain("a\u{202e}b\u{0}\n", SHORT), "a⟨U+202E⟩b␀␊");
        assert_eq!(plain("\u{200b}\u{feff}\u{9b}", SHORT), "⟨U+200B⟩⟨U+FEFF⟩⟨U+009B⟩");
        assert_eq!(plain("grün 漢 שלום", SHORT), "grün 漢 שלום");
    }

    #[test]
    fn texts_are_bounded() {
        assert_eq!(plain("abcd", 3), "abc…");
        assert_eq!(plain("abc", 3), "abc");
        assert_eq!(plain("a\u{202e}b\u{202e}", 10), "a⟨U+202E⟩b…", "what stands for a character counts");
        let hidden = block(&"\u{202e}".repeat(LONG)).into_string();
        assert!(hidden.contains("3\u{202f}500 more") && hidden.len() < 4 * LONG, "{}", hidden.len());
        let long = block(&"x".repeat(LONG + 1_234)).into_string();
        assert!(long.contains("1\u{202f}234 more") && long.len() < LONG + 200, "{}", long.len());
    }

    #[test]
    fn markup_stays_text() {
        assert_eq!(shown("<script>").into_string(), "<bdi>&lt;script&gt;</bdi>");
        assert!(!block("<img src=x>\n").into_string().contains("<img"));
        assert!(block("a\r\nb\rc").into_string().contains("a\nb␍c"));
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((number(999), number(-1_000)), ("999".into(), "−1\u{202f}000".into()));
        assert_eq!(
            (octets(1023), octets(1536), octets(5 << 20)),
            ("1023\u{a0}B".into(), "1.5\u{a0}KiB".into(), "5.0\u{a0}MiB".into())
        );
    }
}
