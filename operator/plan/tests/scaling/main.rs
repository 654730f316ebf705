//! How a cluster scales with its work, what keeps it from that, and what is said of it.
#![expect(clippy::expect_used, reason = "a test may fail")]

mod decisions;
mod paces;
mod properties;
mod stock;
mod troubles;
mod world;
