//! How a cluster scales with its work, what keeps it from that, and what is said of it.
#![expect(clippy::expect_used, reason = "a test may fail")]

mod decisions;
mod large;
mod looks;
mod paces;
mod promptness;
mod properties;
mod stock;
mod troubles;
mod world;
