//! Indented lines.

use crate::failure::Failure;
use crate::screen;

/// Facts, one a line, each at a depth.
#[derive(Debug, Default)]
pub struct Outline {
    lines: Vec<(usize, String)>,
}

impl Outline {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line; control characters of `text` are spelled out.
    pub fn push(&mut self, depth: usize, text: &str) {
        self.lines.push((depth, screen::clean(text)));
    }

    /// Adds the lines of another outline, `depth` deeper.
    pub fn append(&mut self, depth: usize, other: Self) {
        self.lines.extend(other.lines.into_iter().map(|(own, text)| (own.saturating_add(depth), text)));
    }

    /// Prints it.
    pub fn print(&self) -> Result<(), Failure> {
        for (depth, text) in &self.lines {
            screen::line(&format!("{}{text}", "  ".repeat(*depth)))?;
        }
        Ok(())
    }
}
