//! Authentication and transport security (`DM 2.0 §9`), both sides.
