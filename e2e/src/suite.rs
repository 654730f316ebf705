//! Every test of the project, cheapest first.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use e2e::bed::KUBECONFIG_VARIABLE;
use e2e::cluster::Cluster;
use e2e::progress::{Progress, say};
use e2e::{binaries, commands, operator, python};

use crate::args::TestOptions;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Tests that read the audit log, which only the embedded cluster lets us.
const AUDITED: &str = "audited";
/// Tests that count what is lost, in a folder that the embedded cluster shares with this machine.
const DRAINS: &str = "drains";
/// Tests that stop the operator, which all others need, or that compare times.
const EXCLUSIVE: &str = "exclusive";
const SHARED: &str = "shared";
const SUITES: [&str; 4] = [SHARED, DRAINS, EXCLUSIVE, AUDITED];
/// Those for which only the embedded cluster will do.
const EMBEDDED_ONLY: [&str; 2] = [DRAINS, AUDITED];

/// One kind of test.
struct Stage {
    name: &'static str,
    run: fn(&mut Progress) -> Result<()>,
}

const STAGES: [Stage; 6] = [
    Stage { name: "sizes of rooms", run: |_| crate::sizes::check(Path::new(WORKSPACE)) },
    Stage { name: "format", run: |_| cargo(&["fmt", "--all", "--check"]) },
    Stage { name: "lints", run: |_| lints() },
    Stage { name: "units and properties", run: |_| units() },
    Stage { name: "histories in simulated time, and Python loaded into Dask", run: simulation_and_preloads },
    Stage { name: "chart and manifest", run: chart },
];

/// Runs everything, or the cluster's tests that the filter names.
pub(crate) fn run(options: &TestOptions, progress: &mut Progress) -> Result<()> {
    let mut done = Vec::new();
    if options.filter.is_none() {
        for stage in STAGES {
            done.push(timed(stage.name, || (stage.run)(progress))?);
        }
    }
    let cluster = crate::chosen(options.kubeconfig.as_deref(), progress)?;
    operator::install(&cluster, progress)?;
    python::client(progress)?;
    let filter = options.filter.as_deref().unwrap_or_default();
    ensure!(
        SUITES.iter().any(|suite| has_test(suite, filter)),
        "no test on a cluster has \"{filter}\" in its name"
    );
    for suite in SUITES {
        if cluster.is_embedded() || !EMBEDDED_ONLY.contains(&suite) {
            done.push(timed(&format!("tests on a cluster, {suite}"), || {
                on_cluster(&cluster, suite, filter)
            })?);
        } else {
            say(&format!("NOT RUN: the {suite} tests, for which only the embedded cluster will do"));
        }
    }
    say(&format!("\n{}\nAll passed.", done.join("\n")));
    Ok(())
}

/// Plays so many histories of the simulation, from this seed on.
pub(crate) fn simulate(histories: u64, seed: u64) -> Result<()> {
    let mut command = simulation_test("histories_keep");
    command.env("SIMULATION_HISTORIES", histories.to_string()).env("SIMULATION_SEED", seed.to_string());
    timed(&format!("{histories} histories"), || succeed(&mut command)).map(|done| say(&done))
}

/// Both at once: histories need nothing but processors, and Dask's processes, which mostly wait, come first.
fn simulation_and_preloads(progress: &mut Progress) -> Result<()> {
    say("1000 histories from seed 0; `cargo e2e simulate` plays 100000");
    let mut command = behind(&simulation_test(""));
    let mut simulation = command.spawn().with_context(|| format!("running {command:?}"))?;
    let preloaded = preloads(progress);
    let simulated = simulation.wait().context("waiting for the simulation")?;
    ensure!(simulated.success(), "{command:?}: {simulated}");
    preloaded
}

/// The same, with the time that others leave.
fn behind(command: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        nice.current_dir(folder);
    }
    nice
}

fn simulation_test(filter: &str) -> Command {
    let mut command = cargo_command();
    command.args(["test", "--release", "--quiet", "--package", "dask-operator", "--features", "sabotage"]);
    command.args(["--test", "simulation", "--", filter]);
    command
}

fn timed(name: &str, stage: impl FnOnce() -> Result<()>) -> Result<String> {
    say(&format!("=== {name}"));
    let began = Instant::now();
    stage().with_context(|| format!("{name}: failed"))?;
    Ok(format!("{name}: {:.0} s", began.elapsed().as_secs_f64()))
}

/// Everything but the simulation, which is a stage of its own.
fn units() -> Result<()> {
    let test = ["test", "--release", "--quiet"];
    cargo(
        &[&test[..], &["--package", "dask-operator", "--features", "sabotage", "--lib", "--bins"]].concat(),
    )?;
    cargo(&[&test[..], &["--workspace", "--exclude", "dask-operator", "--tests"]].concat())
}

fn lints() -> Result<()> {
    let features = ["--features", "e2e/cluster,dask-operator/sabotage"];
    let arguments = ["clippy", "--workspace", "--all-targets", "--release", "--quiet"];
    cargo(&[&arguments[..], &features[..], &["--", "--deny", "warnings"]].concat())
}

/// The waiting text against real Dask processes, of the newest version and of the oldest that is supported.
fn preloads(progress: &mut Progress) -> Result<()> {
    let newest = python::environment("preload-newest", &["operator/preload/tests/newest.txt"], progress)?;
    let oldest = python::environment("preload-oldest", &["operator/preload/tests/oldest.txt"], progress)?;
    let both = format!("{}:{}", newest.display(), oldest.display());
    // They wait most of the time, so several run at once; then a start takes longer than on a quiet machine.
    let environment =
        [("DASK_VENVS", both.as_str()), ("PATIENCE", "5"), ("PYTEST_ADDOPTS", "--numprocesses=4")];
    pytest(&newest, "operator/preload", &environment)
}

fn chart(progress: &mut Progress) -> Result<()> {
    let helm = binaries::helm(progress)?;
    let python = python::environment("chart-python", &["charts/tests/requirements.txt"], progress)?;
    pytest(&python, "charts/tests", &[("HELM", &helm.to_string_lossy())])
}

fn has_test(suite: &str, filter: &str) -> bool {
    let listed = commands::output(cluster_test(suite).args(["--", filter, "--list"]));
    listed.is_ok_and(|tests| tests.contains(": test"))
}

fn on_cluster(cluster: &Cluster, suite: &str, filter: &str) -> Result<()> {
    let mut command = cluster_test(suite);
    // Two at once keep two cores busy; more would time each other out.
    let threads = if [SHARED, DRAINS].contains(&suite) { "2" } else { "1" };
    command.args(["--", filter, "--test-threads", threads]);
    // An error of a test says what was awaited; where in a library it arose helps nobody.
    command.env("RUST_BACKTRACE", "0");
    if !cluster.is_embedded() {
        command.env(KUBECONFIG_VARIABLE, &cluster.kubeconfig);
    }
    succeed(&mut command)
}

fn cluster_test(suite: &str) -> Command {
    let mut command = cargo_command();
    let of_cluster =
        ["test", "--release", "--quiet", "--package", "e2e", "--features", "cluster", "--test", suite];
    command.args(of_cluster);
    command
}

fn pytest(python: &Path, folder: &str, environment: &[(&str, &str)]) -> Result<()> {
    let mut command = Command::new(python);
    command.current_dir(Path::new(WORKSPACE).join(folder)).args(["-m", "pytest", "--quiet"]);
    succeed(command.envs(environment.iter().copied()))
}

fn cargo(arguments: &[&str]) -> Result<()> {
    succeed(cargo_command().args(arguments))
}

fn cargo_command() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(WORKSPACE);
    command
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
