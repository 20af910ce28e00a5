//! DM 1.x: SyncML messages and what they are made of.

mod bounds;
mod encoder;
mod generated;
mod messages;
mod plain_tags;
mod tokens;
