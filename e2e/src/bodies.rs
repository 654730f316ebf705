//! A folder of this host in which workers log each task's body that they begin, so that none is begun twice unseen.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::workload::Start;

const THERE: &str = "/bodies";

/// The folder, which goes with its owner.
pub struct Bodies(TempDir);

impl Bodies {
    /// An empty one.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // Workers are other users.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
        Ok(Self(folder))
    }

    /// The pod of workers with this container, which see it.
    pub fn pod(&self, mut container: Value) -> Value {
        container["name"] = json!("worker");
        container["volumeMounts"] = json!([{"name": "bodies", "mountPath": THERE}]);
        let volumes = json!([{"name": "bodies", "hostPath": {"path": self.0.path(), "type": "Directory"}}]);
        json!({"containers": [container], "volumes": volumes})
    }

    /// A workload that has it read, and does all that follows from a seed.
    pub fn workload(&self, name: &str, scheduler: &str, seed: u64) -> Start {
        Start::new(name, scheduler)
            .with("SEED", &seed.to_string())
            .with("BODIES", &self.0.path().to_string_lossy())
            .with("BODIES_THERE", THERE)
    }
}
