//! The way from this host to a scheduler: its Service's address where the host can reach it, else a forwarded port.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cluster::Cluster;

/// Ends the forwarding when dropped.
pub struct Route {
    scheduler: String,
    dashboard: String,
    forwarding: Option<Forwarding>,
}

struct Forwarding {
    kubectl: Child,
    /// It writes on, a line for each connection, and would end if nobody could read.
    _output: BufReader<ChildStdout>,
}

impl Route {
    /// To the scheduler of a cluster of Dask.
    pub fn to(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self> {
        if cluster.is_embedded() {
            Self::direct(cluster, namespace, name)
        } else {
            Self::forwarded(cluster, namespace, name)
        }
    }

    /// What clients connect to.
    pub fn address(&self) -> String {
        format!("tcp://{}", self.scheduler)
    }

    /// What browsers open.
    pub fn dashboard(&self) -> String {
        format!("http://{}/status", self.dashboard)
    }

    fn direct(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self> {
        let service = format!("service/{name}-scheduler");
        let arguments = ["get", &service, "--namespace", namespace, "--output", "jsonpath={.spec.clusterIP}"];
        let host = cluster.kubectl(&arguments)?;
        Ok(Self { scheduler: format!("{host}:8786"), dashboard: format!("{host}:8787"), forwarding: None })
    }

    /// By a forwarded port, as from a laptop.
    pub fn forwarded(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self> {
        let service = format!("service/{name}-scheduler");
        let mut command = cluster.kubectl_command();
        command.args(["port-forward", "--namespace", namespace, &service, ":8786", ":8787"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut kubectl = command.spawn().context("cannot forward ports")?;
        let mut output = BufReader::new(kubectl.stdout.take().context("no output of kubectl")?);
        let ends = local_ends(&mut output);
        let forwarding = Some(Forwarding { kubectl, _output: output });
        let mut route = Self { scheduler: String::new(), dashboard: String::new(), forwarding };
        (route.scheduler, route.dashboard) =
            ends.with_context(|| format!("kubectl forwards no ports to {service}"))?;
        Ok(route)
    }
}

/// Reads until kubectl has told both.
fn local_ends(output: &mut impl BufRead) -> Result<(String, String)> {
    let (mut scheduler, mut dashboard) = (String::new(), String::new());
    while scheduler.is_empty() || dashboard.is_empty() {
        let mut line = String::new();
        ensure!(output.read_line(&mut line)? > 0, "it ended");
        match forwarding(line.trim_end()) {
            Some((local, "8786")) => local.clone_into(&mut scheduler),
            Some((local, "8787")) => local.clone_into(&mut dashboard),
            _ => {}
        }
    }
    Ok((scheduler, dashboard))
}

/// `Forwarding from 127.0.0.1:40123 -> 8786`; the same line for IPv6 is left out.
fn forwarding(line: &str) -> Option<(&str, &str)> {
    let (local, port) = line.strip_prefix("Forwarding from ")?.split_once(" -> ")?;
    local.starts_with("127.").then_some((local, port))
}

impl Drop for Route {
    fn drop(&mut self) {
        if let Some(Forwarding { kubectl, .. }) = &mut self.forwarding {
            let _ = kubectl.kill();
            let _ = kubectl.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_end_is_what_kubectl_says() {
        assert_eq!(forwarding("Forwarding from 127.0.0.1:40123 -> 8786"), Some(("127.0.0.1:40123", "8786")));
        assert_eq!(forwarding("Forwarding from [::1]:40123 -> 8786"), None);
        assert_eq!(forwarding("Handling connection for 40123"), None);
    }
}
