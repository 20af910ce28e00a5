//! Campaigns over a store that fails.
