//! Tests that count or time requests in the audit log of the embedded cluster, one after the other.
#![cfg(feature = "cluster")]
