//! Device description files (`DM 2.0 §6.4`), both sides.
