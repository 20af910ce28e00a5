//! Upper bounds that every decoder takes.

/// Bounds on one message; a decoder that meets one stops with an error that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the whole input. Default 1 MiB.
    pub bytes: usize,
    /// Nesting of elements or JSON values. Default 32.
    pub depth: usize,
    /// Elements, members, or parts in all. Default 100,000.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 20, depth: 32, items: 100_000 }
    }
}
