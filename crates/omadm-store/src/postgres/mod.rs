//! PostgreSQL, and engines that speak as it does.

mod session;

pub(crate) use self::session::{Session, cell};
