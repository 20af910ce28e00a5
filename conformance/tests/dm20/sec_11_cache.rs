//! The cache of management objects on the device (`DM 2.0 §11`).
