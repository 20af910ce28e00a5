//! omadm-session
