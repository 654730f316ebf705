//! Every test of the project, cheapest first.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use e2e::bed::KUBECONFIG_VARIABLE;
use e2e::cluster::Cluster;
use e2e::progress::{Progress, say};
use e2e::{binaries, operator, python};

use crate::args::TestOptions;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Tests that read the audit log, which only the embedded cluster lets us.
const AUDITED: &str = "audited";
/// Tests that stop the operator, which all others need, or that compare times.
const EXCLUSIVE: &str = "exclusive";
const SHARED: &str = "shared";

/// One kind of test.
struct Stage {
    name: &'static str,
    run: fn(&mut Progress) -> Result<()>,
}

const STAGES: [Stage; 5] = [
    Stage { name: "format", run: |_| cargo(&["fmt", "--all", "--check"]) },
    Stage { name: "lints", run: |_| lints() },
    Stage { name: "units and properties", run: |_| cargo(&["test", "--workspace", "--release", "--quiet"]) },
    Stage { name: "Python loaded into Dask", run: preloads },
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
    done.push(timed("tests on a cluster", || on_cluster(&cluster, SHARED, filter))?);
    done.push(timed("tests that run alone", || on_cluster(&cluster, EXCLUSIVE, filter))?);
    if cluster.is_embedded() {
        done.push(timed("tests that read the audit log", || on_cluster(&cluster, AUDITED, filter))?);
    } else {
        say("NOT RUN: the tests that read the audit log, for which only the embedded cluster will do");
    }
    say(&format!("\n{}\nAll passed.", done.join("\n")));
    Ok(())
}

fn timed(name: &str, stage: impl FnOnce() -> Result<()>) -> Result<String> {
    say(&format!("=== {name}"));
    let began = Instant::now();
    stage().with_context(|| format!("{name}: failed"))?;
    Ok(format!("{name}: {:.0} s", began.elapsed().as_secs_f64()))
}

fn lints() -> Result<()> {
    let features = ["--features", "e2e/cluster"];
    let arguments = ["clippy", "--workspace", "--all-targets", "--release", "--quiet"];
    cargo(&[&arguments[..], &features[..], &["--", "--deny", "warnings"]].concat())
}

/// The waiting text against real Dask processes, of the newest version and of the oldest that is supported.
fn preloads(progress: &mut Progress) -> Result<()> {
    let newest = python::environment("preload-newest", &["operator/preload/tests/newest.txt"], progress)?;
    let oldest = python::environment("preload-oldest", &["operator/preload/tests/oldest.txt"], progress)?;
    let both = format!("{}:{}", newest.display(), oldest.display());
    pytest(&newest, "operator/preload", &[("DASK_VENVS", &both)])
}

fn chart(progress: &mut Progress) -> Result<()> {
    let helm = binaries::helm(progress)?;
    let python = python::environment("chart-python", &["charts/tests/requirements.txt"], progress)?;
    pytest(&python, "charts/tests", &[("HELM", &helm.to_string_lossy())])
}

fn on_cluster(cluster: &Cluster, suite: &str, filter: &str) -> Result<()> {
    let mut command = cargo_command();
    command.args([
        "test",
        "--release",
        "--quiet",
        "--package",
        "e2e",
        "--features",
        "cluster",
        "--test",
        suite,
    ]);
    // An error of a test says what was awaited; where in a library it arose helps nobody.
    command.env("RUST_BACKTRACE", "0").args(["--", filter]);
    // Two at once keep two cores busy; more would time each other out.
    let threads = if suite == SHARED { "2" } else { "1" };
    command.args(["--test-threads", threads]);
    if !cluster.is_embedded() {
        command.env(KUBECONFIG_VARIABLE, &cluster.kubeconfig);
    }
    succeed(&mut command)
}

fn pytest(python: &Path, folder: &str, environment: &[(&str, &str)]) -> Result<()> {
    let mut command = Command::new(python);
    command
        .current_dir(Path::new(WORKSPACE).join(folder))
        .args(["-m", "pytest", "--quiet", "-m", "not slow"]);
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
