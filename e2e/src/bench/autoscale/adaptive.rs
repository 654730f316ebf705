//! Dask's own rule: `adaptive_target` of a scheduler, and `Adaptive`, which follows it.
//!
//! Numbers of lines are those of distributed 2026.8.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::policy::{MAXIMUM, Policy};
use super::world::{THREADS, World};

/// `distributed.adaptive.target-duration`.
const TARGET_SECONDS: f64 = 5.0;
/// `distributed.adaptive.wait-count`.
const WAIT_COUNT: u32 = 3;
/// The target looks at so many tasks of the queue, and takes the others to be like them.
const SAMPLE: usize = 100;

/// `AdaptiveCore` (`deploy/adaptive_core.py:161`).
#[derive(Default)]
pub(super) struct Adaptive {
    /// How often each worker has been found to be too many, one time after the other.
    close_counts: BTreeMap<usize, u32>,
}

impl Policy for Adaptive {
    /// `distributed.adaptive.interval`.
    fn every(&self) -> f64 {
        1.0
    }

    fn look(&mut self, world: &mut World<'_>) -> Result<()> {
        let (target, planned) = (target(world).min(MAXIMUM), world.staying());
        if target >= planned {
            self.close_counts.clear();
            world.make(target - planned);
            return Ok(());
        }
        let pending =
            world.workers.iter().filter(|(_, worker)| !worker.registered).map(|(number, _)| *number);
        let mut to_close: BTreeSet<_> = pending.take(planned - target).collect();
        if target < planned - to_close.len() {
            let registered = registered(world).count();
            to_close.extend(first_to_close(world).take(registered.saturating_sub(target)));
        }
        self.close_counts.retain(|number, _| to_close.contains(number));
        for number in to_close {
            *self.close_counts.entry(number).or_default() += 1;
        }
        let firm =
            self.close_counts.extract_if(.., |_, count| *count >= WAIT_COUNT).map(|(number, _)| number);
        world.part_with(&firm.collect());
        Ok(())
    }
}

/// `adaptive_target` (scheduler.py:8838), without its last part, which is about memory.
#[expect(clippy::cast_precision_loss, reason = "there are few tasks")]
pub(super) fn target(world: &World<'_>) -> usize {
    let (processing, occupancy) = world.scheduler.processing();
    let queued = world.scheduler.queued();
    let sampled = world.scheduler.queued_seconds(SAMPLE);
    let scale = if queued > SAMPLE { queued as f64 / SAMPLE as f64 } else { 1.0 };
    let mut wanted = ceil((occupancy + sampled * scale) / TARGET_SECONDS).min(queued + processing);
    let workers = registered(world).count();
    if workers > 0 {
        wanted = wanted.div_ceil(THREADS);
    } else if queued > 0 {
        wanted = wanted.max(1);
    }
    if wanted >= workers { wanted } else { workers - idle(world).count() }
}

/// `workers_to_close` (scheduler.py:7305) of so many: the idle ones first. Where that is all of them, none is busy.
pub(super) fn first_to_close(world: &World<'_>) -> impl Iterator<Item = usize> {
    let busy = registered(world).filter(|number| !world.workers[number].running.is_empty());
    idle(world).chain(busy)
}

fn idle(world: &World<'_>) -> impl Iterator<Item = usize> {
    registered(world).filter(|number| world.workers[number].running.is_empty())
}

fn registered(world: &World<'_>) -> impl Iterator<Item = usize> {
    world.workers.iter().filter(|(_, worker)| worker.registered && !worker.leaving).map(|(number, _)| *number)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "there are few seconds of work")]
fn ceil(number: f64) -> usize {
    number.ceil() as usize
}
