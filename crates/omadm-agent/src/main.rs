//! omadm-agent

fn main() {}
