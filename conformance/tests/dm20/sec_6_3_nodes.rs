//! Management objects and their nodes on the device (`DM 2.0 §6.3`).
