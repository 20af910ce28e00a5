//! omadm-conformance
