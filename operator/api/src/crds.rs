//! The `CustomResourceDefinition`s of the four kinds, as the API server gets them.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_saphyr::SerializeError;

use crate::{DaskAutoscaler, DaskCluster, DaskJob, DaskWorkerGroup};

/// The fields that were nullable in the Python operator's schema. A null in any other field is dropped, or
/// replaced by the field's default, before we see it.
const NULLABLE: [&str; 4] = ["endTime", "jobRunnerPodName", "jobStatus", "startTime"];

/// The four definitions, in the order in which their kinds build on one another.
pub fn crds() -> [CustomResourceDefinition; 4] {
    [
        finished(DaskCluster::crd(), plain),
        finished(DaskWorkerGroup::crd(), spec_may_be_absent),
        finished(DaskJob::crd(), spec_may_be_absent),
        finished(DaskAutoscaler::crd(), spec_may_be_absent),
    ]
}

/// The same as YAML, by file name.
pub fn yaml() -> Result<BTreeMap<String, String>, SerializeError> {
    crds().iter().map(|crd| Ok((format!("{}.yaml", crd.spec.names.plural), render(crd)?))).collect()
}

fn render(crd: &CustomResourceDefinition) -> Result<String, SerializeError> {
    Ok(format!("# Made from operator/api by UPDATE_CRDS=1 cargo units\n{}", serde_saphyr::to_string(crd)?))
}

fn finished(mut crd: CustomResourceDefinition, finish: fn(&mut JSONSchemaProps)) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            finish(root);
        }
    }
    crd
}

/// No field under `spec` is nullable or narrower than its JSON type, save by our own rules.
fn plain(root: &mut JSONSchemaProps) {
    root.title = None;
    each(root, "", &mut |name, schema| {
        schema.nullable = schema.nullable.filter(|_| NULLABLE.contains(&name));
        schema.description = schema.description.take().map(|lines| lines.replace('\n', " "));
    });
    let properties = root.properties.get_or_insert_default();
    if let Some(spec) = properties.get_mut("spec") {
        spec.default = None;
        each(spec, "spec", &mut |_, schema| schema.format = None);
    }
    if let Some(status) = properties.get_mut("status") {
        status.default = None;
    }
}

/// An object of any kind but a cluster has always been allowed to have no spec.
fn spec_may_be_absent(root: &mut JSONSchemaProps) {
    plain(root);
    root.required = None;
}

/// Visits `schema`, which is that of the field `name`, and all below it.
fn each(schema: &mut JSONSchemaProps, name: &str, visit: &mut dyn FnMut(&str, &mut JSONSchemaProps)) {
    visit(name, schema);
    for (name, child) in schema.properties.iter_mut().flatten() {
        each(child, name, visit);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(child)) = &mut schema.items {
        each(child, name, visit);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(child)) = &mut schema.additional_properties {
        each(child, name, visit);
    }
}
