//! Every test of the project: first what is over soon, then what runs on a cluster, and what runs beside it.

mod aside;
mod leftover;
mod own_operators;
pub(crate) mod preloads;

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use e2e::bed::KUBECONFIG_VARIABLE;
use e2e::cluster::Cluster;
use e2e::dask::Dask;
use e2e::images::Kind;
use e2e::progress::{Progress, say};
use e2e::{binaries, commands, images, operator, python};

use crate::args::TestOptions;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Tests on a cluster that one process runs.
struct Suite {
    name: &'static str,
    /// The names of its tests begin so.
    modules: &'static [&'static str],
    threads: &'static str,
}

/// Any cluster will do for these.
const SHARED: Suite = Suite { name: "on any cluster", modules: &["shared::"], threads: "3" };
/// For these only the embedded one.
const EMBEDDED_ONLY: &str = "audited::";
/// Most of the time they wait.
const ONE_BY_ONE: Suite =
    Suite { name: "on a cluster, one by one", modules: &["audited::alone::", "exclusive::"], threads: "1" };
/// Three would leave two processors idle for a seventh of the time, and five take as long as four.
const AT_ONCE: Suite = Suite {
    name: "on a cluster, four at once",
    modules: &["audited::together::", "demo::", "shared::"],
    threads: "4",
};
/// Dask starts the workers itself.
const WITHOUT_ANY: Suite =
    Suite { name: "without a cluster", modules: &["workloads_without_cluster::"], threads: "1" };
const SUITES: [&Suite; 3] = [&WITHOUT_ANY, &ONE_BY_ONE, &AT_ONCE];

/// One kind of test.
struct Stage {
    name: &'static str,
    run: fn() -> Result<()>,
}

/// What is over soon.
const STAGES: [Stage; 4] = [
    Stage { name: "sizes of rooms", run: || crate::sizes::check(Path::new(WORKSPACE)) },
    Stage { name: "format", run: || cargo(&["fmt", "--all", "--check"]) },
    Stage { name: "lints", run: lints },
    Stage { name: "units", run: || cargo(&["units", "--quiet"]) },
];

/// Runs everything, or the cluster's tests that the filters name.
pub(crate) fn run(options: &TestOptions, progress: &mut Progress) -> Result<()> {
    let everything = options.filters.is_empty() && !options.namespaced;
    let mut done = Vec::new();
    for stage in STAGES.iter().filter(|_| everything) {
        done.push(timed(stage.name, stage.run)?);
    }
    let mut listed = listed()?;
    listed.retain(|name| !options.namespaced || SHARED.has(name));
    let chosen = named(listed, &options.filters)?;
    let cluster = prepared(options, progress)?;
    if options.namespaced {
        return own_operators::run(&SHARED, &cluster, &chosen);
    }
    let names = fit(&cluster, chosen);
    let first = || ONE_BY_ONE.run(&cluster, &names);
    if everything {
        done.extend(aside::beside(first, &WITHOUT_ANY.command(&cluster, &names), progress)?);
    } else {
        done.extend(WITHOUT_ANY.run(&cluster, &names)?);
        done.extend(first()?);
    }
    done.extend(AT_ONCE.run(&cluster, &names)?);
    ensure!(!done.is_empty(), "none of the tests can run on this cluster");
    say(&format!("\n{}\nAll passed.", done.join("\n")));
    Ok(())
}

/// Those that one of the filters names, or all if there is none.
fn named(listed: Vec<String>, filters: &[String]) -> Result<Vec<String>> {
    for filter in filters {
        let names_one = listed.iter().any(|name| name.contains(filter));
        ensure!(names_one, "no such test on a cluster has \"{filter}\" in its name");
    }
    let is_named = |name: &String| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    Ok(listed.into_iter().filter(is_named).collect())
}

/// Those that the cluster will do for.
fn fit(cluster: &Cluster, named: Vec<String>) -> Vec<String> {
    let fits = |name: &String| cluster.is_embedded() || !name.starts_with(EMBEDDED_ONLY);
    let (fit, others): (Vec<_>, Vec<_>) = named.into_iter().partition(fits);
    if !others.is_empty() {
        say(&format!("NOT RUN: {} tests for which only the embedded cluster will do", others.len()));
    }
    fit
}

/// The cluster, with the operator and what its tests run in.
fn prepared(options: &TestOptions, progress: &mut Progress) -> Result<Cluster> {
    let cluster = crate::chosen(options.kubeconfig.as_deref(), progress)?;
    operator::install(&cluster, progress)?;
    if cluster.is_embedded() {
        images::import(&cluster, &[Kind::OldestDask], progress)?;
    }
    for dask in Dask::ALL {
        dask.client(progress)?;
    }
    python::kube_cluster(progress)?;
    Ok(cluster)
}

/// Plays so many histories of the simulation, from this seed on.
pub(crate) fn simulate(histories: u64, seed: u64) -> Result<()> {
    let mut command = simulation_test("histories_keep");
    command.arg("--nocapture");
    command.env("SIMULATION_HISTORIES", histories.to_string()).env("SIMULATION_SEED", seed.to_string());
    timed(&format!("{histories} histories"), || succeed(&mut command)).map(|done| say(&done))
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

fn chart(progress: &mut Progress) -> Result<Command> {
    let helm = binaries::helm(progress)?;
    let python = python::environment("chart-python", &["charts/tests/requirements.txt"], progress)?;
    Ok(pytest(&python, "charts/tests", &[("HELM", &helm.to_string_lossy())]))
}

/// The names of all tests on a cluster; each is in a suite, or it would never run, and no suite is without one, or it would
/// run all.
fn listed() -> Result<Vec<String>> {
    let listed = commands::output(&mut tests(&["--test", "cluster", "--", "--list"]))?;
    let names: Vec<_> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let stray = |name: &&&str| SUITES.iter().all(|suite| !suite.has(name));
    let stray: Vec<_> = names.iter().filter(stray).collect();
    ensure!(stray.is_empty(), "these tests are in no suite: {stray:?}");
    let empty = SUITES.iter().find(|suite| !names.iter().any(|name| suite.has(name)));
    ensure!(empty.is_none(), "no test is {}", empty.map_or("", |suite| suite.name));
    Ok(names.into_iter().map(str::to_owned).collect())
}

impl Suite {
    fn has(&self, test: &str) -> bool {
        self.modules.iter().any(|module| test.starts_with(module))
    }

    /// Runs those that are its own, if there are any; what was run, and how long it took.
    fn run(&self, cluster: &Cluster, names: &[String]) -> Result<Option<String>> {
        let own = names.iter().filter(|name| self.has(name)).count();
        if own == 0 {
            return Ok(None);
        }
        let name = format!("{own} tests {}", self.name);
        timed(&name, || succeed(&mut self.command(cluster, names))).map(Some)
    }

    /// Runs those of the names that are its own.
    fn command(&self, cluster: &Cluster, names: &[String]) -> Command {
        let mut command = tests(&["--test", "cluster", "--", "--test-threads", self.threads, "--exact"]);
        command.args(names.iter().filter(|name| self.has(name)));
        // An error of a test says what was awaited; where in a library it arose helps nobody.
        command.env("RUST_BACKTRACE", "0");
        if !cluster.is_embedded() {
            command.env(KUBECONFIG_VARIABLE, &cluster.kubeconfig);
        }
        command
    }
}

fn pytest(python: &Path, folder: &str, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(python);
    command.current_dir(Path::new(WORKSPACE).join(folder)).args(["-m", "pytest", "--quiet"]);
    command.envs(environment.iter().copied());
    command
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

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: [&str; 3] = ["shared::idle::goes", "shared::scaling::grows", "shared::scaling::shrinks"];

    fn named(filters: &[&str]) -> Result<Vec<String>> {
        super::named(
            LISTED.map(str::to_owned).to_vec(),
            &filters.iter().map(|&one| one.into()).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn without_a_filter_all_are_named_and_by_several_those_of_each() {
        assert_eq!(named(&[]).unwrap(), LISTED);
        assert_eq!(named(&["idle", "shrinks"]).unwrap(), [LISTED[0], LISTED[2]]);
    }

    #[test]
    fn a_filter_that_names_nothing_is_refused_although_another_one_does() {
        let refused = named(&["idle", "swims"]).unwrap_err().to_string();
        assert!(refused.contains("\"swims\""), "{refused}");
    }
}
