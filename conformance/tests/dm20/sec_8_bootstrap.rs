//! Bootstrap of the device (`DM 2.0 §8`).
