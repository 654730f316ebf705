//! The chart, installed by the Helm that the project builds.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::progress::Progress;
use crate::{binaries, commands};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/dask-kubernetes-operator");

/// A release of the chart.
pub struct Release<'a> {
    helm: PathBuf,
    cluster: &'a Cluster,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Release<'a> {
    /// One that is not there yet.
    pub fn new(cluster: &'a Cluster, namespace: &'a str, name: &'a str) -> Result<Self> {
        Ok(Self { helm: binaries::helm(&mut Progress::new())?, cluster, namespace, name })
    }

    /// Installs or upgrades it with values in the form `name=value`; returns when its pods are ready.
    pub fn apply(&self, values: &[&str]) -> Result<()> {
        let mut command = self.command("upgrade");
        command.args([CHART, "--install", "--wait", "--timeout", "90s"]);
        for value in values {
            command.args(["--set", value]);
        }
        commands::run(&mut command)
    }

    /// Removes it.
    pub fn uninstall(&self) -> Result<()> {
        commands::run(self.command("uninstall").args(["--wait", "--timeout", "90s"]))
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.helm);
        command.env("KUBECONFIG", &self.cluster.kubeconfig);
        command.args([verb, self.name, "--namespace", self.namespace]);
        command
    }
}
