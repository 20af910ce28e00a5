//! Generic alerts and how the outcome of commands is reported (`DM 2.0 §5.4`), both sides.
