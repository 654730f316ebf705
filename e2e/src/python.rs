//! A Python on the host with the versions of the image, for clients outside the cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache::{self, Key};
use crate::progress::Progress;
use crate::{commands, packages};

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The distribution's own, whose minor version is that of the image.
const SYSTEM: &str = "/usr/bin/python3";

/// The interpreter of an environment that has these requirements files installed, a later one in spite of those before.
pub fn environment(what: &str, requirements: &[&str], progress: &mut Progress) -> Result<PathBuf> {
    if commands::run(Command::new(SYSTEM).args(["-c", "import ensurepip"])).is_err() {
        packages::install(&[("python3-venv", "no program tells")], progress)?;
    }
    let version = commands::output(Command::new(SYSTEM).args(["-c", "import sys; print(sys.version)"]))?;
    let mut key = Key::new().with(version);
    let files: Vec<PathBuf> = requirements.iter().map(|file| Path::new(WORKSPACE).join(file)).collect();
    for file in &files {
        key = key.with(fs::read(file)?);
    }
    // Requirements may include those of the image.
    key = key.with_folder(&Path::new(WORKSPACE).join("worker-image"))?;
    let folder = cache::artefact(what, key, progress, |folder, progress| {
        let mut task = progress.task(format!("Python environment {what}"), 2);
        task.step("venv");
        commands::run(Command::new(SYSTEM).args(["-m", "venv"]).arg(folder))?;
        task.step("packages");
        for file in &files {
            let pip = ["-m", "pip", "install", "--quiet", "--requirement"];
            commands::run(Command::new(folder.join("bin/python")).args(pip).arg(file))?;
        }
        task.done();
        Ok(())
    })?;
    Ok(folder.join("bin/python"))
}

/// The one with the Python client of dask-kubernetes.
pub fn kube_cluster(progress: &mut Progress) -> Result<PathBuf> {
    environment("kube-cluster-python", &["e2e/workloads/kube_cluster.txt"], progress)
}

/// The one for clients of Dask.
pub fn client(progress: &mut Progress) -> Result<PathBuf> {
    environment("client-python", &["e2e/workloads/requirements.txt"], progress)
}

/// The one for clients of the oldest release of Dask that is supported.
pub fn oldest_client(progress: &mut Progress) -> Result<PathBuf> {
    let requirements = ["worker-image/requirements.txt", "operator/preload/tests/oldest.txt"];
    environment("oldest-client-python", &requirements, progress)
}
