//! What scheduler and worker pods have in common.

use dask_operator_api::RawJson;
use serde_json::{Map, Value, json};

use crate::container::{self, Container};
use crate::problem::Problem;

/// Where the cluster's configuration is mounted; `/etc/dask` loses against files of the image itself.
const CONFIG_DIRECTORY: &str = "/etc/dask-operator";
/// Where it goes when the user's own `DASK_CONFIG` stands.
const CONFIG_FALLBACK: &str = "/etc/dask/operator.yaml";
/// The one key of the ConfigMap, and so the name of the file.
pub(crate) const CONFIG_FILE: &str = "operator.yaml";
const CONFIG_VOLUME: &str = "dask-operator-config";
const CONFIG_VARIABLE: &str = "DASK_CONFIG";

/// A pod spec known to have at least one container, each a JSON object.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSpec {
    fields: Map<String, Value>,
    containers: Vec<Container>,
    main: usize,
}

impl PodSpec {
    /// Checks a template. Absent or without containers, it has one container called `main`, ours to complete.
    pub(crate) fn check(raw: Option<&RawJson>, main: &str) -> Result<Self, Problem> {
        let mut fields = match raw.map_or(Value::Null, RawJson::value) {
            Value::Null => Map::new(),
            Value::Object(fields) => fields,
            _ => return Err(Problem::template(format!("the pod spec of the {main} is not an object"))),
        };
        let list = fields.remove("containers").unwrap_or(Value::Null);
        let containers = containers(list, main)?;
        let named = containers.iter().position(|container| container::text(container, "name") == main);
        Ok(Self { fields, containers, main: named.unwrap_or(0) })
    }

    /// The container that runs Dask: the one named after the component, else the first.
    pub(crate) fn main(&self) -> &Container {
        &self.containers[self.main]
    }

    /// The same, to overlay.
    pub(crate) fn main_mut(&mut self) -> &mut Container {
        &mut self.containers[self.main]
    }

    /// Every container, to overlay; init containers are never touched.
    pub(crate) fn containers_mut(&mut self) -> impl Iterator<Item = &mut Container> {
        self.containers.iter_mut()
    }

    /// Sets a field of the pod that the user left out.
    pub(crate) fn set_absent(&mut self, field: &str, value: Value) {
        container::set_absent(&mut self.fields, field, value);
    }

    /// Whether the pod's address is its node's.
    pub(crate) fn is_on_host_network(&self) -> bool {
        self.fields.get("hostNetwork") == Some(&Value::Bool(true))
    }

    /// How long the pod may take to end, in seconds, if that is said.
    pub(crate) fn grace_seconds(&self) -> Option<u32> {
        self.fields.get("terminationGracePeriodSeconds")?.as_u64()?.try_into().ok()
    }

    /// Adds a volume.
    pub(crate) fn add_volume(&mut self, volume: Value) {
        container::append(&mut self.fields, "volumes", volume);
    }

    /// Whether a container is left without an image.
    pub(crate) fn lacks_image(&self) -> bool {
        self.containers.iter().any(container::is_ours_to_complete)
    }

    /// Gives every container without an image this one.
    pub(crate) fn complete_images(&mut self, image: &str) {
        for container in &mut self.containers {
            container::set_absent(container, "image", json!(image));
        }
    }

    /// What every pod of ours says: no variables for each Service of the namespace (one named `dask` would
    /// become Dask configuration), and the last words of a container that failed in its status.
    pub(crate) fn set_common(&mut self) {
        self.set_absent("enableServiceLinks", json!(false));
        for container in &mut self.containers {
            container::set_absent(container, "terminationMessagePolicy", json!("FallbackToLogsOnError"));
        }
    }

    /// Whether a container has a `DASK_CONFIG` of the user's own.
    pub(crate) fn has_own_config(&self) -> bool {
        self.containers.iter().any(|container| container::has_env(container, CONFIG_VARIABLE))
    }

    /// Mounts the cluster's configuration in every container and names it by `DASK_CONFIG`.
    pub(crate) fn mount_config(&mut self, config_map: &str) {
        self.add_volume(json!({"name": CONFIG_VOLUME, "configMap": {"name": config_map}}));
        for container in &mut self.containers {
            let mount = if container::has_env(container, CONFIG_VARIABLE) {
                json!({"name": CONFIG_VOLUME, "mountPath": CONFIG_FALLBACK, "subPath": CONFIG_FILE, "readOnly": true})
            } else {
                json!({"name": CONFIG_VOLUME, "mountPath": CONFIG_DIRECTORY, "readOnly": true})
            };
            container::append(container, "volumeMounts", mount);
            container::append_env(container, CONFIG_VARIABLE, CONFIG_DIRECTORY);
        }
    }

    /// The spec as JSON.
    pub(crate) fn into_value(self) -> Value {
        let mut fields = self.fields;
        let containers = self.containers.into_iter().map(Value::Object).collect();
        fields.insert("containers".to_owned(), Value::Array(containers));
        Value::Object(fields)
    }
}

fn containers(list: Value, main: &str) -> Result<Vec<Container>, Problem> {
    let items = match list {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        _ => return Err(Problem::template(format!("the containers of the {main}'s pod are not a list"))),
    };
    if items.is_empty() {
        return Ok(vec![Map::from_iter([("name".to_owned(), json!(main))])]);
    }
    let container = |item| match item {
        Value::Object(container) => Ok(container),
        _ => Err(Problem::template(format!("a container of the {main}'s pod is not an object"))),
    };
    items.into_iter().map(container).collect()
}
