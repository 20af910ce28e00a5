//! omadm-store
