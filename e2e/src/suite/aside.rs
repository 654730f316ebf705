//! What takes minutes and no cluster, while tests run on one that wait most of the time.

use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use e2e::progress::{Progress, complain, say};

use super::leftover::Leftover;
use super::{preloads, simulation_test, succeed};

/// As many as fit.
const HISTORIES: u32 = 500;
/// What waits for others most of the time is not to wait for what computes without end.
const COMPUTES: &str = "19";
const WAITS: &str = "0";

/// Runs the tests, and beside them what needs no cluster; what was run, and how long it took.
pub(super) fn beside(
    tests: impl FnOnce() -> Result<Option<String>>,
    scripts: &Command,
    progress: &mut Progress,
) -> Result<Vec<String>> {
    // Whoever compiles keeps all others from it.
    succeed(&mut super::tests(&["--no-run"]))?;
    let leftover = Leftover::new();
    let mut simulation = leftover.run(COMPUTES, &simulation_test(""));
    simulation.env("SIMULATION_HISTORIES", HISTORIES.to_string());
    let [python, rust] = preloads::tests(progress)?.map(|command| leftover.run(WAITS, &command));
    say(&format!("{HISTORIES} histories from seed 0; `cargo e2e simulate` plays 100000"));
    let chart = leftover.run(WAITS, &super::chart(progress)?);
    let all = [
        ("chart and manifest", chart),
        ("histories in simulated time", simulation),
        ("Python loaded into Dask", python),
        ("what speaks to Dask", rust),
        ("workloads without a cluster", leftover.run(COMPUTES, scripts)),
    ];
    thread::scope(|scope| {
        let others = all.map(|(name, command)| scope.spawn(move || quietly(name, command)));
        let tested = tests();
        if let Err(error) = &tested {
            complain(error);
            say("What runs beside the tests ends first.");
        }
        let others = others.map(|one| one.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked"))));
        let all = tested.transpose().into_iter().chain(others);
        let (done, failed): (Vec<_>, Vec<_>) = all.partition(Result::is_ok);
        let failed: Vec<_> =
            failed.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
        if failed.is_empty() { done.into_iter().collect() } else { bail!(failed.join("\n")) }
    })
}

/// Shows what it prints when it is over.
fn quietly(name: &str, mut command: Command) -> Result<String> {
    let began = Instant::now();
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let [printed, complaints] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let how = if output.status.success() { "passed" } else { "failed" };
    say(&format!("=== {name}, beside the tests: {how}\n{printed}{complaints}"));
    if !output.status.success() {
        bail!("{name}: failed: {command:?}: {}", output.status);
    }
    Ok(format!("{name}, beside the tests: {:.0} s", began.elapsed().as_secs_f64()))
}
