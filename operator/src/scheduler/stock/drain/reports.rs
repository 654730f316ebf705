//! What a worker reports of itself since it was paused.

use super::Told;

/// A report may have been under way while its worker was paused; with the next one, a task that has ended since may
/// be. So many reports in a row, the first of which comes after another one, have to say that nothing is executed.
const QUIET: u32 = 2;

/// The reports of one worker.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reports {
    last: f64,
    count: u32,
    quiet: u32,
}

impl Reports {
    /// Takes what its scheduler knows of it now. Whatever came before it was paused says nothing.
    pub(super) fn hear(&mut self, told: &Told, is_paused: bool) {
        if !is_paused {
            *self = Self { last: told.seen, ..Self::default() };
        } else if told.seen > self.last {
            let is_quiet = self.count > 0 && told.executing == Some(0);
            let quiet = if is_quiet { self.quiet.saturating_add(1) } else { 0 };
            *self = Self { last: told.seen, count: self.count.saturating_add(1), quiet };
        }
    }

    pub(super) fn say_nothing_is_executed(&self) -> bool {
        self.quiet >= QUIET
    }
}
