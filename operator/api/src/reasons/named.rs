//! Reasons by their names, and which of them are of a kind.

use std::fmt;

use super::Reason;

impl Reason {
    /// The reason of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.to_string() == name)
    }

    /// Whether it says that workers are being replaced, or are to be.
    pub fn is_of_a_roll(self) -> bool {
        matches!(self, Self::RollingUpdate | Self::UpdateStalled)
    }

    /// Whether it says that nothing is to be there any more, or for now.
    pub fn is_of_rest(self) -> bool {
        matches!(
            self,
            Self::Deleting | Self::SuspendedOnRequest | Self::SuspendedWhenIdle | Self::ClusterSuspended
        )
    }

    /// Whether somebody may want to do something about it.
    pub fn is_trouble(self) -> bool {
        self.advice().is_some()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::named(&reason.to_string()), Some(*reason));
        }
        assert_eq!(Reason::named("Else"), None);
    }
}
