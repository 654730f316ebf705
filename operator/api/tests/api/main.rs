//! The types as the API server and its users see them. One binary: each more would be linked and optimised for itself.

mod crds;
mod narrowing;
mod readme;
mod rules;
mod schemas;
mod stored;
mod troubleshooting;
