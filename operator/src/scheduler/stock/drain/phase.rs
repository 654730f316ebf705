//! How far a pod has come that is to leave, or to go on.

use dask_operator_plan::DrainState;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Pausing,
    /// What it executes ends, and what comes of that is copied.
    Emptying {
        /// What is copied now is all that there will be.
        is_last: bool,
    },
    /// All is copied; what was not begun is given to others.
    Releasing,
    Ready,
    Refused(&'static str),
    Interrupted,
    Lost,
    Forgetting,
    Forgotten,
    Returning,
    /// There is nothing more to tell.
    Over,
}

impl Phase {
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Pausing | Self::Emptying { .. } | Self::Releasing)
    }

    /// It came to an end, of which somebody may want to know while the pod is there.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Refused(_) | Self::Interrupted | Self::Lost | Self::Forgotten)
    }

    /// As plans read it, and why.
    pub(super) fn state(self) -> (DrainState, &'static str) {
        match self {
            Self::Pausing | Self::Emptying { .. } | Self::Releasing => (DrainState::Waiting, ""),
            Self::Ready => (DrainState::Ready, ""),
            Self::Refused(why) => (DrainState::Refused, why),
            Self::Interrupted => (DrainState::Interrupted, ""),
            Self::Lost => (DrainState::Lost, ""),
            Self::Forgotten => (DrainState::Forgotten, ""),
            Self::Forgetting | Self::Returning | Self::Over => (DrainState::Other, ""),
        }
    }
}
