//! How reasons are written down: the enum and all that is said of each, from one list.

/// Without a meaning, a condition, and for troubles a cure and a command, there is no reason.
macro_rules! reasons {
    (
        fine: $($(#[doc = $meaning:literal])+ $fine:ident in $of:ident,)+
        troubles: $($(#[doc = $cause:literal])+ $trouble:ident in $under:ident { cure: $cure:literal, look: $look:literal })+
    ) => {
        /// Why a condition has its status. The order is that in which one is told where several are true.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $meaning])+ $fine,)+
            $($(#[doc = $cause])+ $trouble,)+
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fine,)+ $(Self::$trouble,)+];

            /// The condition that it belongs to; `Ready` and `SchedulerReady` borrow those of others.
            pub fn condition(self) -> ConditionType {
                match self {
                    $(Self::$fine => ConditionType::$of,)+
                    $(Self::$trouble => ConditionType::$under,)+
                }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                let text = match self {
                    $(Self::$fine => concat!($($meaning),+),)+
                    $(Self::$trouble => concat!($($cause),+),)+
                };
                text.trim_start()
            }

            /// None for what is as it should be, or on its way there.
            pub fn advice(self) -> Option<Advice> {
                match self {
                    $(Self::$fine => None,)+
                    $(Self::$trouble => Some(Advice { cure: $cure, look: $look }),)+
                }
            }
        }
    };
}
