//! Why a condition has its status: every reason, once, with what is behind it and what to do about it.

#[macro_use]
mod definition;
#[macro_use]
mod running;
#[macro_use]
mod starting;
#[macro_use]
mod fine;
mod named;

use crate::conditions::ConditionType;

/// What helps with a reason that is trouble; `docs/troubleshooting.md` is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What ends it.
    pub cure: &'static str,
    /// The command that shows more.
    pub look: &'static str,
}

fine! {}
