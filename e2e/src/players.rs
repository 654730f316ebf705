//! Several that play at once, each one run after the other: runs wait most of the time.

use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use tokio::runtime::Builder;

/// Plays all runs, so many at once; what came of each, in no order.
pub(crate) fn play<Run: Send, Played: Send>(
    at_once: usize,
    runs: impl IntoIterator<Item = Run, IntoIter: Send>,
    play: impl Fn(Run) -> Played + Sync,
) -> Vec<Played> {
    let runs = Mutex::new(runs.into_iter());
    let next = || runs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let all = || std::iter::from_fn(next).map(&play).collect::<Vec<_>>();
    thread::scope(|scope| {
        let players: Vec<_> = (0..at_once).map(|_| scope.spawn(all)).collect();
        players.into_iter().flat_map(|player| player.join().unwrap_or_default()).collect()
    })
}

/// Plays one, on this thread.
pub(crate) fn alone<T>(run: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new_current_thread().enable_all().build()?.block_on(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_played_once() {
        let mut played = play(3, 0..10, |run| run);
        played.sort_unstable();
        assert_eq!(played, (0..10).collect::<Vec<_>>());
    }
}
