//! How long an address may be (`DM 1.3 TND §7`, the leaves of `DevDetail/URI`).

/// The limits of a device for its URIs. `0` is no limit, and the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UriLimits {
    /// `MaxDepth`: segments of a URI; `.` is none.
    pub max_depth: u16,
    /// `MaxTotLen`: characters of a URI, in its escaped form and with `?prop=`.
    pub max_total: u16,
    /// `MaxSegLen`: characters of one segment.
    pub max_segment: u16,
}
