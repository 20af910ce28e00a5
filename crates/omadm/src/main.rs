//! omadm

fn main() {}
