//! Bugs on purpose: with the feature of this name, the one that `SABOTAGE` names is there, and the simulation has to
//! find it. Without the feature there is none.

macro_rules! bugs {
    ($($(#[doc = $what:literal])+ $bug:ident,)+) => {
        /// One bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[doc = $what])+ $bug,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];
        }
    };
}

bugs! {
    /// One worker too many is kept.
    OneTooMany,
    /// A phase follows the Service, and goes back without it.
    PhaseGoesBack,
    /// A cluster's replicas never reach its group.
    NothingPushed,
    /// A default group of somebody else is changed.
    ForeignChanged,
    /// A default group of somebody else becomes ours.
    ForeignAdopted,
    /// The end of a wait after a crash wakes nobody.
    NoWake,
    /// A status is of the generation before.
    OldGeneration,
    /// A look does not wait until it sees its own writes.
    NoLedger,
    /// A create without an answer counts as one that failed.
    LostCreateForgotten,
    /// A delete without an answer counts as one that failed.
    LostDeleteForgotten,
    /// A change without an answer counts as one that failed.
    LostChangeForgotten,
    /// A write that is never seen is waited for without end.
    NeverAsked,
    /// An object of the right name is ours, whoever owns it.
    NameIsEnough,
    /// After a failure nothing is tried again.
    NoRetry,
    /// A lease is judged by comparing the clocks of two machines.
    ClocksCompared,
    /// What a new list does not show stays known.
    GhostsStay,
    /// Only the first of several namespaces is watched.
    FirstNamespaceOnly,
    /// Every namespace is watched, whatever was asked for.
    EveryNamespace,
    /// A list may take for ever.
    NoDeadline,
    /// A worker that is to leave is not waited for.
    NotWaitedFor,
    /// A worker that is wanted again stays paused.
    StaysPaused,
    /// A worker that leaves by Dask's own protocol is not waited for.
    StockNotWaitedFor,
    /// One that is wanted again stays paused.
    StockStaysPaused,
    /// All workers of an earlier template leave at once.
    RollsAtOnce,
    /// Workers of a cluster that is suspended stay.
    SuspendedGoOn,
    /// A scheduler that is on its way out is still asked.
    LeavingAsked,
    /// What an object needs is made again and again, although the object has gone.
    MadeForTheGone,
    /// What a change rests on is not asked for.
    PremisesUnasked,
    /// What a conflict was about counts as gone.
    ConflictIsTheEnd,
    /// How long a worker has been leaving is judged by the clock of whoever told it to.
    MarkOfAnotherClock,
}

/// Whether this bug is there.
#[cfg(feature = "sabotage")]
pub fn is(bug: Bug) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("SABOTAGE").ok());
    chosen.as_deref().is_some_and(|name| name == format!("{bug:?}"))
}

/// It is not.
#[cfg(not(feature = "sabotage"))]
pub const fn is(_: Bug) -> bool {
    false
}
