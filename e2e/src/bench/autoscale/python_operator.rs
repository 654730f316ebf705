//! The rule of the Python operator (dask-kubernetes 2026.3, `daskautoscaler_adapt`).

use anyhow::Result;

use super::adaptive::{first_to_close, target};
use super::policy::{MAXIMUM, Policy};
use super::world::World;

/// It does nothing for so long after a change.
const COOLDOWN: f64 = 15.0;

#[derive(Default)]
pub(super) struct PythonOperator {
    rests_until: f64,
}

impl Policy for PythonOperator {
    fn every(&self) -> f64 {
        5.0
    }

    /// As many as Dask's target says; but at most a quarter of them leaves at a time, and at least one.
    fn look(&mut self, world: &mut World<'_>) -> Result<()> {
        if world.now < self.rests_until {
            return Ok(());
        }
        let current = world.staying();
        let wanted = target(world).min(MAXIMUM).max(current.saturating_sub((current / 4).max(1)));
        if wanted == current {
            return Ok(());
        }
        self.rests_until = world.now + COOLDOWN;
        world.make(wanted.saturating_sub(current));
        let who = first_to_close(world).take(current.saturating_sub(wanted)).collect();
        world.part_with(&who);
        Ok(())
    }
}
