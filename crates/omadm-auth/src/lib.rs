//! omadm-auth
