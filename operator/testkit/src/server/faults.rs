//! What goes wrong: a script that is asked about every call and every change that a watch is to show.

use std::time::Duration;

use super::call::Call;

/// What befalls one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// How long it takes to arrive.
    pub way: Duration,
    /// What comes of it.
    pub end: End,
    /// How long the answer takes.
    pub way_back: Duration,
}

/// What comes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It is answered.
    #[default]
    Answered,
    /// It does what it says, and the connection breaks before the answer.
    AnswerLost,
    /// It does what it says, and the answer is that nobody waited for that: 504.
    GivenUp,
    /// It does what it says, and is never answered.
    NeverAnswered,
    /// It does nothing: the connection breaks.
    Lost,
    /// It does nothing, and this code is the answer.
    Refused(u16),
    /// Who made it dies before it arrives.
    CrashBefore,
    /// It does what it says, and who made it dies.
    CrashAfter,
}

/// The script. Nothing has a default, so that whoever passes one script on to another cannot leave something out.
pub trait Faults: Send {
    /// What befalls a call.
    fn fate(&mut self, call: &Call) -> Fate;
    /// How long a watch of this kind takes to show a change.
    fn lag(&mut self, plural: &str) -> Duration;
    /// Whether a watch breaks after it has shown something; with `true`, so late that it has to list anew.
    fn cut(&mut self, plural: &str) -> Option<bool>;
}

/// Nothing ever goes wrong, and takes no time.
pub struct NoFaults;

impl Faults for NoFaults {
    fn fate(&mut self, _: &Call) -> Fate {
        Fate::default()
    }

    fn lag(&mut self, _: &str) -> Duration {
        Duration::ZERO
    }

    fn cut(&mut self, _: &str) -> Option<bool> {
        None
    }
}
