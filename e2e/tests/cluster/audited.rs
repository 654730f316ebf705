//! Tests for which only the embedded cluster will do: they read its audit log, a folder that its pods share with us, or an
//! image that only it has.

mod alone;
mod settled;
mod together;
