//! Every test of the project, cheapest first.

use std::env;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use e2e::bed::KUBECONFIG_VARIABLE;
use e2e::cluster::Cluster;
use e2e::dask::Dask;
use e2e::images::Kind;
use e2e::progress::{Progress, say};
use e2e::{binaries, commands, images, operator, python};

use crate::args::TestOptions;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// As many as fit beside the preloads.
const HISTORIES: u32 = 500;

/// Some of the tests on a cluster.
struct Suite {
    name: &'static str,
    /// The names of its tests begin so.
    module: &'static str,
    /// Two at once keep two cores busy; more would time each other out.
    threads: &'static str,
    embedded_only: bool,
}

const SUITES: [Suite; 4] = [
    Suite { name: "on any cluster", module: "shared::", threads: "2", embedded_only: false },
    Suite { name: "one by one", module: "exclusive::", threads: "1", embedded_only: false },
    Suite { name: "audited", module: "audited::together::", threads: "2", embedded_only: true },
    Suite { name: "audited, one by one", module: "audited::alone::", threads: "1", embedded_only: true },
];

/// One kind of test.
struct Stage {
    name: &'static str,
    run: fn(&mut Progress) -> Result<()>,
}

const STAGES: [Stage; 5] = [
    Stage { name: "sizes of rooms", run: |_| crate::sizes::check(Path::new(WORKSPACE)) },
    Stage { name: "format", run: |_| cargo(&["fmt", "--all", "--check"]) },
    Stage { name: "lints", run: |_| lints() },
    Stage {
        name: "units, histories in simulated time, and Python loaded into Dask",
        run: units_and_preloads,
    },
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
    if cluster.is_embedded() {
        images::import(&cluster, &[Kind::OldestDask], progress)?;
    }
    for dask in Dask::ALL {
        dask.client(progress)?;
    }
    python::kube_cluster(progress)?;
    let filter = options.filter.as_deref().unwrap_or_default();
    let listed = listed()?;
    let suites = SUITES.each_ref().map(|suite| (suite, suite.of(&listed, filter)));
    ensure!(
        suites.iter().any(|(_, tests)| !tests.is_empty()),
        "no test on a cluster has \"{filter}\" in its name"
    );
    for (suite, tests) in suites.iter().filter(|(_, tests)| !tests.is_empty()) {
        if suite.embedded_only && !cluster.is_embedded() {
            say(&format!(
                "NOT RUN: the tests \"{}\", for which only the embedded cluster will do",
                suite.name
            ));
        } else {
            let name = format!("{} tests on a cluster, {}", tests.len(), suite.name);
            done.push(timed(&name, || suite.run(&cluster, tests))?);
        }
    }
    ensure!(!done.is_empty(), "none of the tests can run on this cluster");
    say(&format!("\n{}\nAll passed.", done.join("\n")));
    Ok(())
}

/// Plays so many histories of the simulation, from this seed on.
pub(crate) fn simulate(histories: u64, seed: u64) -> Result<()> {
    let mut command = simulation_test("histories_keep");
    command.env("SIMULATION_HISTORIES", histories.to_string()).env("SIMULATION_SEED", seed.to_string());
    timed(&format!("{histories} histories"), || succeed(&mut command)).map(|done| say(&done))
}

/// Both at once: Dask's processes mostly wait and come first, what is compiled and computed takes the time they leave.
fn units_and_preloads(progress: &mut Progress) -> Result<()> {
    say(&format!("{HISTORIES} histories from seed 0; `cargo e2e simulate` plays 100000"));
    thread::scope(|scope| {
        let computed = scope.spawn(|| {
            succeed(&mut behind(cargo_command().args(["units", "--quiet", "--no-run"])))?;
            // Some of them measure.
            cargo(&["units", "--quiet"])?;
            succeed(behind(&simulation_test("")).env("SIMULATION_HISTORIES", HISTORIES.to_string()))
        });
        let preloaded = preloads(progress);
        computed.join().map_err(|_| anyhow!("the thread of the units ended"))?.and(preloaded)
    })
}

/// The same command, with the time that others leave.
fn behind(command: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        nice.current_dir(folder);
    }
    nice
}

fn simulation_test(filter: &str) -> Command {
    tests(&["--test", "simulation", "--", filter])
}

/// By the alias that everybody uses, so that everything is compiled once.
fn tests(arguments: &[&str]) -> Command {
    let mut command = cargo_command();
    command.args(["tests", "--quiet"]).args(arguments);
    command
}

fn timed(name: &str, stage: impl FnOnce() -> Result<()>) -> Result<String> {
    say(&format!("=== {name}"));
    let began = Instant::now();
    stage().with_context(|| format!("{name}: failed"))?;
    Ok(format!("{name}: {:.0} s", began.elapsed().as_secs_f64()))
}

fn lints() -> Result<()> {
    let features = ["--features", "e2e/cluster,dask-operator/sabotage"];
    let arguments = ["clippy", "--workspace", "--all-targets", "--release", "--quiet"];
    cargo(&[&arguments[..], &features[..], &["--", "--deny", "warnings"]].concat())
}

/// What speaks to Dask against real processes of it, of the newest version and of the oldest that is supported.
fn preloads(progress: &mut Progress) -> Result<()> {
    let newest = python::environment("preload-newest", &["operator/preload/tests/newest.txt"], progress)?;
    let oldest = python::environment("preload-oldest", &["operator/preload/tests/oldest.txt"], progress)?;
    let both = format!("{}:{}", newest.display(), oldest.display());
    // They wait most of the time, so several run at once; then a start takes longer than on a quiet machine.
    let environment =
        [("DASK_VENVS", both.as_str()), ("PATIENCE", "5"), ("PYTEST_ADDOPTS", "--numprocesses=4")];
    pytest(&newest, "operator/preload", &environment)?;
    succeed(tests(&["--lib", "--", "--ignored", "real_dask"]).env("DASK_VENVS", &both))
}

fn chart(progress: &mut Progress) -> Result<()> {
    let helm = binaries::helm(progress)?;
    let python = python::environment("chart-python", &["charts/tests/requirements.txt"], progress)?;
    pytest(&python, "charts/tests", &[("HELM", &helm.to_string_lossy())])
}

/// The names of all tests on a cluster; each is in a suite, or it would never run.
fn listed() -> Result<Vec<String>> {
    let listed = commands::output(&mut tests(&["--test", "cluster", "--", "--list"]))?;
    let names: Vec<_> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let stray = |name: &&&str| !SUITES.iter().any(|suite| name.starts_with(suite.module));
    let stray: Vec<_> = names.iter().filter(stray).collect();
    ensure!(stray.is_empty(), "these tests are in no suite: {stray:?}");
    Ok(names.into_iter().map(str::to_owned).collect())
}

impl Suite {
    /// Those of its tests that have this in their names.
    fn of(&self, listed: &[String], filter: &str) -> Vec<String> {
        let ours = |name: &&String| name.starts_with(self.module) && name.contains(filter);
        listed.iter().filter(ours).cloned().collect()
    }

    fn run(&self, cluster: &Cluster, names: &[String]) -> Result<()> {
        let mut command = tests(&["--test", "cluster", "--", "--test-threads", self.threads, "--exact"]);
        command.args(names);
        // An error of a test says what was awaited; where in a library it arose helps nobody.
        command.env("RUST_BACKTRACE", "0");
        if !cluster.is_embedded() {
            command.env(KUBECONFIG_VARIABLE, &cluster.kubeconfig);
        }
        succeed(&mut command)
    }
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
