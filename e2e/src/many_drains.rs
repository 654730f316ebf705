//! Many workers leave at random, over all shapes of their processes and releases of Dask: what was lost, as a table.

use anyhow::{Result, ensure};
use e2e::cluster::Cluster;
use e2e::dask::Dask;
use e2e::drains::{Drains, LOSSES, Shape, Way, losses};
use e2e::images::{self, Kind};
use e2e::progress::{Progress, say};
use e2e::python_operator::PythonOperator;
use e2e::{operator, up};
use serde_json::{Value, json};

use crate::args::{DrainOptions, Operator};
use crate::players;

/// A run's workload ends by itself after ten minutes.
const AT_ONCE: u32 = 10;
/// More of them would wait for the processors of two.
const PLAYERS: usize = 2;
/// What is counted, the losses behind all else.
const COLUMNS: [&str; 5] = ["drains", "tasks", "bodies", "shuffles", "shuffle_restarts"];

/// Plays them, and fails after a loss unless nobody was asked.
pub(crate) fn run(options: &DrainOptions, progress: &mut Progress) -> Result<()> {
    let cluster = up::up(progress)?;
    operator::install(&cluster, progress)?;
    let releases = releases(options);
    for dask in &releases {
        dask.client(progress)?;
    }
    if releases.contains(&Dask::Oldest) {
        images::import(&cluster, &[Kind::OldestDask], progress)?;
    }
    let columns: Vec<_> = COLUMNS.into_iter().chain(LOSSES).collect();
    say(&format!("| operator | workers | Dask | seed | {} |", columns.join(" | ").replace('_', " ")));
    say(&format!("| --- | --- | --- |{}", " --: |".repeat(columns.len() + 1)));
    let (mut rows, mut lost) = (Vec::new(), 0);
    if options.operator != Operator::Python {
        let ours = ours(options, &columns)?;
        rows.push(total("ours", &columns, &ours));
        lost = ours.iter().map(losses).sum();
    }
    if options.operator != Operator::Ours {
        let theirs = theirs(options, &columns, &cluster, progress)?;
        ensure!(!theirs.is_empty(), "nothing was counted under the Python operator");
        rows.push(total("Python", &columns, &theirs));
    }
    for row in rows {
        say(&row);
    }
    ensure!(options.unasked || lost == 0, "{lost} losses");
    Ok(())
}

fn ours(options: &DrainOptions, columns: &[&str]) -> Result<Vec<Value>> {
    let play = |run: Drains| {
        let mut counted = players::alone(run.run());
        match &mut counted {
            Ok(counted) => {
                counted["drains"] = json!(run.count);
                let examples =
                    if losses(counted) > 0 { counted["examples"].to_string() } else { String::new() };
                say(&format!("{} {examples}", row("ours", &run, columns, counted)));
            }
            Err(error) => say(&format!("{run}: not counted: {error:#}")),
        }
        counted
    };
    players::play(PLAYERS, runs(options), play).into_iter().collect()
}

/// Of an operator that we cannot mend, a run that gets stuck is told as well, and the others are played all the same.
fn theirs(
    options: &DrainOptions,
    columns: &[&str],
    cluster: &Cluster,
    progress: &mut Progress,
) -> Result<Vec<Value>> {
    let _operator = PythonOperator::new(cluster, progress)?;
    let mut all = Vec::new();
    for run in runs(options) {
        match players::alone(run.run_as_far_as_it_goes()) {
            Ok(counted) => {
                let stuck = counted["stuck"].as_str().unwrap_or_default();
                say(&format!("{} {stuck}", row("Python", &run, columns, &counted)));
                all.push(counted);
            }
            Err(error) => say(&format!("{run}: not counted: {error:#}")),
        }
    }
    Ok(all)
}

/// The Python operator speaks to schedulers as Dask's own parts do, which are all of one release.
fn releases(options: &DrainOptions) -> Vec<Dask> {
    match options.dask {
        Some(dask) => vec![dask],
        None if options.operator == Operator::Ours => Dask::ALL.to_vec(),
        None => vec![Dask::Newest],
    }
}

/// As many for each shape and release as for any other, or one more.
fn runs(options: &DrainOptions) -> Vec<Drains> {
    let releases = releases(options).into_iter();
    let shapes =
        Shape::ALL.into_iter().filter(|shape| shape.is_for_any() || options.operator == Operator::Ours);
    let shapes = shapes.filter(|shape| options.workers.is_none_or(|only| only == *shape));
    let kinds: Vec<_> = releases.flat_map(|dask| shapes.clone().map(move |shape| (dask, shape))).collect();
    let all = u32::try_from(kinds.len()).unwrap_or(1);
    let share = |at: u32| options.count / all + u32::from(at < options.count % all);
    let counted = kinds.into_iter().zip(0..).flat_map(|(kind, at)| {
        let whole = std::iter::repeat_n(AT_ONCE, (share(at) / AT_ONCE) as usize);
        whole.chain([share(at) % AT_ONCE]).filter(|count| *count > 0).map(move |count| (kind, count))
    });
    counted.zip(options.seed..).map(|((kind, count), seed)| one_of_many(options, kind, count, seed)).collect()
}

fn one_of_many(options: &DrainOptions, (dask, shape): (Dask, Shape), count: u32, seed: u64) -> Drains {
    let ways = if options.unasked { &[Way::Evict, Way::Delete] } else { shape.asked(&Way::ALL) };
    let (protected, written_out) = (!options.unasked, options.operator != Operator::Ours);
    Drains { name: format!("drained-{seed}"), dask, shape, ways, count, seed, protected, written_out }
}

fn row(operator: &str, run: &Drains, columns: &[&str], counted: &Value) -> String {
    let figures: Vec<_> = columns.iter().map(|name| counted[name].to_string()).collect();
    format!("| {operator} | {:?} | {:?} | {} | {} |", run.shape, run.dask, run.seed, figures.join(" | "))
}

/// All runs of an operator together.
fn total(operator: &str, columns: &[&str], counted: &[Value]) -> String {
    let sum = |name: &&str| counted.iter().filter_map(|one| one[*name].as_u64()).sum::<u64>();
    let figures: Vec<_> = columns.iter().map(|name| sum(name).to_string()).collect();
    format!("| {operator} | all | | | {} |", figures.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(count: u32, operator: Operator) -> DrainOptions {
        DrainOptions { count, seed: 7, unasked: false, workers: None, dask: None, operator }
    }

    #[test]
    fn a_hundred_are_shared_among_all_shapes_and_releases() {
        let hundred = runs(&options(100, Operator::Ours));
        assert_eq!(hundred.iter().map(|run| run.count).sum::<u32>(), 100);
        let share =
            |is: &dyn Fn(&&Drains) -> bool| hundred.iter().filter(is).map(|run| run.count).sum::<u32>();
        assert!(Shape::ALL.into_iter().all(|shape| (16..=18).contains(&share(&|run| run.shape == shape))));
        assert!(Dask::ALL.into_iter().all(|dask| (48..=52).contains(&share(&|run| run.dask == dask))));
        let three: Vec<_> =
            runs(&options(3, Operator::Ours)).iter().map(|run| (run.seed, run.count)).collect();
        assert_eq!(three, [(7, 1), (8, 1), (9, 1)]);
    }

    #[test]
    fn beside_the_python_operator_all_have_its_release_and_manifests_that_it_understands() {
        let ten = runs(&options(10, Operator::Both));
        assert_eq!(ten.iter().map(|run| run.count).sum::<u32>(), 10);
        assert!(ten.iter().all(|run| run.dask == Dask::Newest && run.written_out));
    }

    #[test]
    fn a_total_adds_what_all_runs_counted() {
        let counted = [json!({"drains": 2, "killed": 1}), json!({"drains": 1, "killed": 4})];
        assert_eq!(total("ours", &["drains", "killed"], &counted), "| ours | all | | | 3 | 5 |");
    }
}
