//! omadm-server
