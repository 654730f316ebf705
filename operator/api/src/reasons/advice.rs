//! What helps with a reason that is trouble.

/// What helps with a reason that is trouble; `docs/troubleshooting.md` is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What ends it.
    pub cure: &'static str,
    /// The command that shows more.
    pub look: &'static str,
}
