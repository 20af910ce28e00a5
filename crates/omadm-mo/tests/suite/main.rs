//! The management tree from outside: addressing, access, writing, transactions.

mod access;
mod addresses;
mod delegation;
mod model;
mod records;
mod resolve;
mod store;
mod support;
mod tolerance;
mod transactions;
