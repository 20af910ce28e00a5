//! Alert types and the worked examples (`DM 2.0 Appendix D, I`).
