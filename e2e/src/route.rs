//! The way from this host to a scheduler: its Service's address where the host can reach it, else a forwarded port.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context, Result};

use crate::cluster::Cluster;

/// Ends the forwarding when dropped.
pub struct Route {
    scheduler: String,
    dashboard: String,
    forwarding: Option<Child>,
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

    fn forwarded(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self> {
        let service = format!("service/{name}-scheduler");
        let mut command = cluster.kubectl_command();
        command.args(["port-forward", "--namespace", namespace, &service, ":8786", ":8787"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot forward ports")?;
        let lines = BufReader::new(child.stdout.take().context("no output of kubectl")?).lines();
        let mut route = Self { scheduler: String::new(), dashboard: String::new(), forwarding: Some(child) };
        for line in lines {
            let line = line?;
            match forwarding(&line) {
                Some((local, "8786")) => local.clone_into(&mut route.scheduler),
                Some((local, "8787")) => local.clone_into(&mut route.dashboard),
                _ => {}
            }
            if !route.scheduler.is_empty() && !route.dashboard.is_empty() {
                return Ok(route);
            }
        }
        anyhow::bail!("kubectl forwards no ports to {service}")
    }
}

/// `Forwarding from 127.0.0.1:40123 -> 8786`; the same line for IPv6 is left out.
fn forwarding(line: &str) -> Option<(&str, &str)> {
    let (local, port) = line.strip_prefix("Forwarding from ")?.split_once(" -> ")?;
    local.starts_with("127.").then_some((local, port))
}

impl Drop for Route {
    fn drop(&mut self) {
        if let Some(child) = &mut self.forwarding {
            let _ = child.kill();
            let _ = child.wait();
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
