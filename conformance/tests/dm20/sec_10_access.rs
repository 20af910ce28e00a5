//! Access control on the device (`DM 2.0 §10`).
