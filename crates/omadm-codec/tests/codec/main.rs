//! Tests of the codecs through their public interface: vectors, properties, limits.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod common;
mod corpus;
mod ddf;
mod dm1;
mod limits;
mod multipart;
mod notification;
mod package0;
mod push;
mod schemas;
mod sip;
mod smartcard;
mod tnds;
mod vectors;
mod wsp_session;
