//! What nobody can beat: workers that are there when they are of use, and at no other time.

use serde::Serialize;

use super::policy::{MAXIMUM, thousandths};
use super::recording::Recording;
use super::world::{START, THREADS, World};

/// The clairvoyant's figures for one load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Bound {
    /// Every thread is busy as long as its worker is there, but for one start of each worker.
    pub(super) paid: f64,
    /// All workers are there from the beginning.
    pub(super) unfinished: f64,
}

#[expect(clippy::cast_precision_loss, reason = "there are few workers")]
pub(super) fn bound(recording: &Recording) -> Bound {
    let mut world = World::new(recording);
    world.now = -START;
    world.make(MAXIMUM);
    let step = 10.0;
    while !world.scheduler.is_done() {
        world.advance(world.now + step);
    }
    let paid = recording.busy() / THREADS as f64 + world.widest as f64 * START;
    Bound { paid: thousandths(paid), unfinished: thousandths(world.unfinished) }
}
