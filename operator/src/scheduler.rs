//! The link to schedulers: what they tell, kept up to date while it is needed, and what they are asked to do.
//!
//! A scheduler belongs to a tenant and may be slow, broken or hostile. Nothing here is on the way of a look, which
//! reads what is known; every answer has a deadline and a size; and what is wrong with one harms its cluster alone.

mod ask;
mod http;
mod links;
mod polls;
mod session;

pub use ask::{Answer, AskError, Request, Schedulers};
pub use http::Http;
pub(crate) use links::{Known, Links, Place};
