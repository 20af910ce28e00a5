//! DM 1.x: SyncML messages and what they are made of.

mod messages;
mod tokens;
