//! How the processes of a worker's pod are made, or its scheduler.

use serde_json::{Value, json};

use super::Way;
use crate::manifests::WITH_NANNY;

const SHELL: &str = "dask worker --name $DASK_WORKER_NAME --nthreads 1; echo it has ended";
const PRELOAD: &str = "def dask_setup(worker):\n    worker.of_the_users = True";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    Nanny,
    WithoutNanny,
    TwoProcesses,
    ShellAsProcessOne,
    PreloadOfTheUsers,
    /// With a nanny, under a scheduler that the operator can ask by Dask's own protocol alone.
    StockScheduler,
}

impl Shape {
    pub const ALL: [Self; 6] = [
        Self::Nanny,
        Self::WithoutNanny,
        Self::TwoProcesses,
        Self::ShellAsProcessOne,
        Self::PreloadOfTheUsers,
        Self::StockScheduler,
    ];

    /// Those of these ways to leave on which nothing is to be lost: a stock scheduler is asked by the operator alone.
    pub fn asked(self, ways: &'static [Way]) -> &'static [Way] {
        if self == Self::StockScheduler { &[Way::ScaleDown] } else { ways }
    }

    /// Whether it is the same thing under any operator.
    pub fn is_for_any(self) -> bool {
        self != Self::StockScheduler
    }

    pub(super) fn processes(self) -> u32 {
        if self == Self::TwoProcesses { 2 } else { 1 }
    }

    /// A container that is completed by the operator, and by `threads` and `processes` beside it.
    pub(super) fn container(self) -> Value {
        match self {
            Self::Nanny | Self::TwoProcesses | Self::StockScheduler => json!({}),
            Self::WithoutNanny | Self::PreloadOfTheUsers => json!({"args": self.arguments()}),
            Self::ShellAsProcessOne => json!({"command": ["sh", "-c", SHELL]}),
        }
    }

    /// The same with nothing left to complete but the image.
    pub(super) fn written_out(self) -> Value {
        if self == Self::ShellAsProcessOne {
            return self.container();
        }
        let args = [&self.arguments()[..], &["--nthreads", "1"]].concat();
        json!({"args": args})
    }

    fn arguments(self) -> Vec<&'static str> {
        let more: &[&str] = match self {
            Self::Nanny | Self::ShellAsProcessOne | Self::StockScheduler => &[],
            Self::WithoutNanny => &["--no-nanny"],
            Self::TwoProcesses => &["--nworkers", "2"],
            Self::PreloadOfTheUsers => &["--preload", PRELOAD],
        };
        [&WITH_NANNY[..], more].concat()
    }
}
