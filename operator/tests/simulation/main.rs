//! The whole operator in simulated time, against an API server within the process where anything may go wrong.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::print_stdout,
    reason = "it is a test"
)]

mod chance;
mod crashes;
mod dask;
mod end;
mod history;
mod invariants;
mod people;
mod play;
mod scenarios;
mod script;
mod vanished;
mod within_namespaces;

use std::sync::atomic::{AtomicU64, Ordering};

use dask_operator_testkit::conformance;
use dask_operator_testkit::server::{ApiServer, Faults, Life, NoFaults};
use history::History;
use scenarios::Scenario;
use script::Script;

/// How many histories a plain run plays.
const HISTORIES: u64 = 1000;
/// Of them, most that a bug on purpose may take to be found.
#[cfg(feature = "sabotage")]
const TO_FIND_A_BUG: &str = "1000";
/// Each scenario is played with so many different waits.
const SCENARIO_SEEDS: u64 = 3;
/// So many histories are played by an operator that watches by a pattern.
const PATTERN_SEEDS: u64 = 20;
/// Histories that once went wrong.
const KEPT: [u64; 25] = [
    14, 24, 25, 31, 33, 36, 134, 138, 243, 295, 392, 702, 743, 1681, 1885, 3646, 5394, 7608, 7928, 21020,
    33427, 45433, 60208, 65889, 91953,
];

/// Plays a history without and with disturbances; both must end alike, and break no invariant on the way.
fn check(history: &History, faults: impl Faults + 'static) -> Result<(), String> {
    let calm = play::play(history, None)?;
    let disturbed = play::play(history, Some(Box::new(faults)))?;
    end::same(&calm, &disturbed).map_err(|difference| format!("the ends differ:\n{difference}"))
}

fn check_seed(seed: u64) -> Result<(), String> {
    check(&History::generate(seed), Script::new(seed))
}

fn check_all(seeds: std::ops::Range<u64>) -> Vec<(u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || is_enough(&failures.lock().unwrap()) {
                        return;
                    }
                    // Of many it is long until the last.
                    if seed > seeds.start && (seed - seeds.start).is_multiple_of(HISTORIES) {
                        println!(
                            "{} histories begun, {} failed",
                            seed - seeds.start,
                            failures.lock().unwrap().len()
                        );
                    }
                    if let Err(why) = check_seed(seed) {
                        println!("history {seed}: {why}\n");
                        failures.lock().unwrap().push((seed, why));
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

/// With a bug on purpose the first failure is enough.
fn is_enough(failures: &[(u64, String)]) -> bool {
    !failures.is_empty() && is_spoiled()
}

/// Whether there is a bug on purpose.
fn is_spoiled() -> bool {
    std::env::var_os("SABOTAGE").is_some()
}

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn histories_keep_every_invariant_and_end_as_if_nothing_had_gone_wrong() {
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    }
    let first = number("SIMULATION_SEED").unwrap_or(0);
    let count = number("SIMULATION_HISTORIES").unwrap_or(HISTORIES);
    let failures = check_all(first..first + count);
    let told: Vec<_> = failures.iter().take(3).map(|(seed, why)| format!("history {seed}: {why}")).collect();
    assert!(failures.is_empty(), "{} of {count} histories failed\n{}", failures.len(), told.join("\n\n"));
}

/// One that means a single namespace, in the way of kopf; in the other one nothing may be done.
#[test]
fn what_a_pattern_does_not_mean_is_left_alone() {
    for seed in 0..PATTERN_SEEDS {
        let history = History { watched: vec!["*,!o?her".to_owned()], ..History::generate(seed) };
        check(&history, Script::new(seed)).unwrap_or_else(|why| panic!("history {seed}: {why}"));
    }
}

#[test]
fn scenarios_keep_every_invariant_and_end_as_if_nothing_had_gone_wrong() {
    // What one wait does not show, histories do.
    let seeds = if is_spoiled() { 1 } else { SCENARIO_SEEDS };
    for scenario in Scenario::all() {
        for seed in 0..seeds {
            check(&scenario.history(seed), scenario.faults())
                .unwrap_or_else(|why| panic!("{} (seed {seed}): {why}", scenario.name));
        }
        assert!(scenario.is_met(), "{}: that never happened", scenario.name);
    }
}

/// Each in a process of its own: which bug is there is decided once.
#[cfg(feature = "sabotage")]
#[test]
fn every_bug_on_purpose_is_found() {
    let passes = |bug: &dask_operator_plan::sabotage::Bug, test: &str| {
        let mut process = std::process::Command::new(std::env::current_exe().unwrap());
        let process = process.args([test, "--nocapture"]).env("SABOTAGE", format!("{bug:?}"));
        let output = process.env("SIMULATION_HISTORIES", TO_FIND_A_BUG).output().unwrap();
        output.status.success()
    };
    let survived = dask_operator_plan::sabotage::Bug::ALL
        .iter()
        .filter(|bug| passes(bug, "scenarios_keep") && passes(bug, "histories_keep"));
    assert_eq!(survived.collect::<Vec<_>>(), Vec::<&dask_operator_plan::sabotage::Bug>::new());
}

#[test]
fn histories_that_once_went_wrong_go_right() {
    for seed in KEPT {
        check_seed(seed).unwrap_or_else(|why| panic!("history {seed}: {why}"));
    }
}

/// As the real one does, in e2e.
#[tokio::test(start_paused = true)]
async fn the_server_within_the_process_conforms() {
    let server = ApiServer::new(Box::new(NoFaults));
    tokio::spawn(Life::new(&server, 0).run());
    let found = conformance::check(server.client("somebody"), "team").await;
    assert_eq!(found.broken, Vec::<String>::new());
    assert!(found.checked > 0);
}
