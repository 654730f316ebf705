//! Where the embedded cluster keeps its files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache;

/// The state folder. Only containerd's images outlive a cluster, so that they need not be imported again.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

/// What belongs to one run; the rest is `images`, and the logs, which are kept to be read until the next start.
const OF_ONE_RUN: [&str; 7] = ["etcd", "kubelet", "pod-logs", "containerd", "cni", "configuration", "pids"];

impl Layout {
    pub fn new() -> Result<Self> {
        Ok(Self { root: cache::folder()?.join("cluster") })
    }

    /// The folders of a new run, empty.
    pub fn create(&self) -> Result<()> {
        cache::remove(&self.logs())?;
        for name in OF_ONE_RUN.into_iter().chain(["logs", "images"]) {
            let folder = self.root.join(name);
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::create_dir_all(self.cni_configuration())?;
        // Below are private keys.
        Ok(fs::set_permissions(&self.root, std::os::unix::fs::PermissionsExt::from_mode(0o700))?)
    }

    pub fn remove_run(&self) -> Result<()> {
        OF_ONE_RUN.into_iter().try_for_each(|name| cache::remove(&self.root.join(name)))
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn etcd(&self) -> PathBuf {
        self.root.join("etcd")
    }

    pub fn kubelet(&self) -> PathBuf {
        self.root.join("kubelet")
    }

    pub fn pod_logs(&self) -> PathBuf {
        self.root.join("pod-logs")
    }

    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    pub fn containerd(&self) -> PathBuf {
        self.root.join("containerd")
    }

    pub fn containerd_socket(&self) -> PathBuf {
        self.containerd().join("containerd.sock")
    }

    pub fn cni_configuration(&self) -> PathBuf {
        self.root.join("cni/configuration")
    }

    pub fn cni_addresses(&self) -> PathBuf {
        self.root.join("cni/addresses")
    }

    pub fn configuration(&self, file: &str) -> PathBuf {
        self.root.join("configuration").join(file)
    }

    /// A user's way in; `user` is one of those of [`crate::pki`].
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.configuration(&format!("{user}.kubeconfig"))
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub fn log(&self, process: &str) -> PathBuf {
        self.logs().join(format!("{process}.log"))
    }

    /// What the apiserver was asked, by whom: one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    pub fn pids(&self) -> PathBuf {
        self.root.join("pids")
    }

    /// A file among the configuration; its path, ready to be named in a flag.
    pub fn configure(&self, file: &str, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.configuration(file);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
