//! QR codes as pictures in a page.

use maud::{Markup, html};
use qrcode::{Color, QrCode};

/// Modules of quiet ground around a code (`ISO/IEC 18004 §6.3.8`).
const QUIET: usize = 4;

/// The picture of a code: dark on light, whatever the colours of the page.
pub fn of(code: &QrCode, label: &str) -> Markup {
    let side = code.width() + 2 * QUIET;
    html! {
        svg.code role="img" aria-label=(label) viewBox={ "0 0 " (side) " " (side) } shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#ffffff" {}
            path stroke="#000000" d=(lines(code)) {}
        }
    }
}

/// The dark modules as horizontal lines, a row after the other.
fn lines(code: &QrCode) -> String {
    let mut lines = String::new();
    for (row, colours) in code.to_colors().chunks(code.width()).enumerate() {
        let mut at = 0;
        for run in colours.chunk_by(|one, other| one == other) {
            if run.first() == Some(&Color::Dark) {
                let (x, y) = (at + QUIET, row + QUIET);
                lines.push_str(&format!("M{x} {y}.5h{}", run.len()));
            }
            at += run.len();
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_in_a_line() {
        let code = QrCode::new(b"omadm").unwrap();
        let dark = code.to_colors().iter().filter(|colour| **colour == Color::Dark).count();
        let lines = lines(&code);
        let drawn: usize = lines
            .split('M')
            .skip(1)
            .map(|line| line.split_once('h').unwrap().1.parse::<usize>().unwrap())
            .sum();
        assert_eq!(drawn, dark);
        assert!(lines.starts_with("M4 4.5h7"), "the corner that readers look for: {lines}");
        assert!(of(&code, "<x>").into_string().contains("aria-label=\"&lt;x&gt;\""));
    }
}
