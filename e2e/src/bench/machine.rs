//! What it was measured on.

use std::fs;

use anyhow::{Context, Result};
use e2e::cluster::Cluster;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Figures of two that differ do not belong into one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) cpus: usize,
    pub(super) model: String,
    pub(super) memory_gib: u64,
    pub(super) linux: String,
    pub(super) kubernetes: String,
}

impl Machine {
    /// This one, and the Kubernetes that runs on it.
    pub(super) fn this(cluster: &Cluster) -> Result<Self> {
        let versions: Value = serde_json::from_str(&cluster.kubectl(&["version", "--output", "json"])?)?;
        let of_kubernetes = versions["serverVersion"]["gitVersion"].as_str().unwrap_or_default();
        let kib: u64 = field(&read("/proc/meminfo")?, "MemTotal")?.trim_end_matches(" kB").parse()?;
        Ok(Self {
            cpus: std::thread::available_parallelism()?.get(),
            model: field(&read("/proc/cpuinfo")?, "model name")?,
            memory_gib: (kib + (1 << 19)) >> 20,
            linux: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            kubernetes: of_kubernetes.to_owned(),
        })
    }
}

/// How many processes wanted a CPU in the last minute.
pub(super) fn load() -> Result<f64> {
    let text = read("/proc/loadavg")?;
    text.split(' ').next().unwrap_or_default().parse().context("no load average")
}

/// The value of the first line `NAME: VALUE`, as files of `/proc` have them.
pub(super) fn field(text: &str, name: &str) -> Result<String> {
    let values = text.lines().filter_map(|line| line.split_once(':'));
    let found = values.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).next();
    found.with_context(|| format!("no field {name:?}"))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "VmRSSx:\t1 kB\nVmRSS:\t  14620 kB\n";
        assert_eq!(field(text, "VmRSS").unwrap(), "14620 kB");
        assert!(field(text, "Vm").is_err());
    }
}
