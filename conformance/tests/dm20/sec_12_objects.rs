//! The standard management objects (`DM 2.0 §12`), both sides.
