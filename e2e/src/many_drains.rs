//! Many workers leave at random, over all shapes of their processes: what was lost, as a table.

use anyhow::{Result, ensure};
use e2e::drains::{Drains, LOSSES, Shape, Way, losses};
use e2e::progress::{Progress, say};
use e2e::{operator, python, up};
use serde_json::Value;

use crate::args::DrainOptions;

/// A run's workload ends by itself after ten minutes.
const AT_ONCE: u32 = 10;
/// What stands beside the losses.
const BESIDE: [&str; 4] = ["tasks", "bodies", "shuffles", "shuffle_restarts"];

/// Plays them, and fails after a loss unless nobody was asked.
pub(crate) fn run(options: &DrainOptions, progress: &mut Progress) -> Result<()> {
    let cluster = up::up(progress)?;
    operator::install(&cluster, progress)?;
    python::client(progress)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let columns: Vec<_> = BESIDE.into_iter().chain(LOSSES).collect();
    say(&format!("| workers | seed | drains | {} |", columns.join(" | ").replace('_', " ")));
    say(&format!("| --- |{}", " --: |".repeat(columns.len() + 2)));
    let mut lost = 0;
    for run in runs(options) {
        let counted = runtime.block_on(run.run())?;
        lost += losses(&counted);
        say(&row(&run, &columns, &counted));
    }
    ensure!(options.unasked || lost == 0, "{lost} losses");
    Ok(())
}

/// As many for each shape as for any other, or one more.
fn runs(options: &DrainOptions) -> Vec<Drains> {
    let mut left = options.count;
    let mut runs = Vec::new();
    let shapes = u32::try_from(Shape::ALL.len()).unwrap_or(1);
    let each = options.count.div_ceil(shapes).min(AT_ONCE);
    for shape in Shape::ALL.into_iter().cycle() {
        let count = left.min(each);
        if count == 0 {
            break;
        }
        left -= count;
        let ways: &[Way] = if options.unasked { &[Way::Evict, Way::Delete] } else { &Way::ALL };
        let seed = options.seed + runs.len() as u64;
        let name = format!("drained-{seed}");
        runs.push(Drains { name, shape, ways, count, seed, protected: !options.unasked });
    }
    runs
}

fn row(run: &Drains, columns: &[&str], counted: &Value) -> String {
    let figures: Vec<_> = columns.iter().map(|name| counted[name].to_string()).collect();
    format!("| {:?} | {} | {} | {} |", run.shape, run.seed, run.count, figures.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_are_shared_among_all_shapes() {
        let of = |count| runs(&DrainOptions { count, seed: 7, unasked: false });
        let hundred = of(100);
        assert_eq!(hundred.iter().map(|run| run.count).sum::<u32>(), 100);
        let share = |shape| hundred.iter().filter(|run| run.shape == shape).map(|run| run.count).sum::<u32>();
        assert!(Shape::ALL.into_iter().all(|shape| share(shape) == 20));
        assert_eq!(
            of(3).iter().map(|run| (run.seed, run.count)).collect::<Vec<_>>(),
            [(7, 1), (8, 1), (9, 1)]
        );
    }
}
