//! omadm-client
