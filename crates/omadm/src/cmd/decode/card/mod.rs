//! What is said to smartcards, and the files in them that lead to a bootstrap.

mod files;
mod objects;
mod trace;
mod words;

pub use files::{directory, pkcs15};
pub use trace::{begins_like_a_trace, trace};
