//! Objects as the API server stores them read into our types, odd ones too.

#[cfg(test)]
mod tests {
    use dask_operator_api::{DaskAutoscaler, DaskCluster, DaskJob, DaskWorkerGroup};
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    fn stored<K: DeserializeOwned>(body: &Value) -> K {
        let mut object = json!({"apiVersion": "kubernetes.dask.org/v1", "metadata": {"name": "demo"}});
        object.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        serde_json::from_str(&object.to_string()).unwrap()
    }

    #[test]
    fn an_object_without_a_spec_reads_as_one_that_says_nothing() {
        let group: DaskWorkerGroup = stored(&json!({"kind": "DaskWorkerGroup", "status": {}}));
        assert_eq!((group.spec.cluster.as_str(), group.spec.worker.replicas), ("", 1));
        let job: DaskJob = stored(&json!({"kind": "DaskJob"}));
        assert_eq!(job.spec.job.spec, None);
        let autoscaler: DaskAutoscaler = stored(&json!({"kind": "DaskAutoscaler", "status": {}}));
        assert_eq!(autoscaler.spec.cluster, "");
    }

    #[test]
    fn a_template_keeps_every_field_as_it_was_written() {
        let pod = json!({"containers": [{"name": "worker", "image": "", "later": {"deep": [1.50, null]}}]});
        let spec = json!({"worker": {"replicas": 2, "spec": pod}, "config": {"distributed": {"x": null}}});
        let cluster: DaskCluster = stored(&json!({"kind": "DaskCluster", "spec": spec}));
        assert_eq!(cluster.spec.worker.spec.as_ref().unwrap().value(), pod);
        assert_eq!(cluster.spec.config.as_ref().unwrap().text(), r#"{"distributed":{"x":null}}"#);
        assert_eq!(serde_json::to_value(&cluster).unwrap()["spec"]["worker"], spec["worker"]);
    }

    #[test]
    fn a_jobs_cluster_reads_whatever_its_template_says_of_status_and_replicas() {
        let template =
            json!({"status": {"phase": "Odd"}, "spec": {"worker": {"replicas": 9_000_000_000_u64}}});
        let job: DaskJob = stored(&json!({"kind": "DaskJob", "spec": {"job": {}, "cluster": template}}));
        assert_eq!(job.spec.cluster.spec.worker.replicas, i32::MAX);
    }

    #[test]
    fn a_jobs_status_writes_its_phase_even_when_it_has_none() {
        let job: DaskJob =
            stored(&json!({"kind": "DaskJob", "status": {"jobStatus": null, "clusterName": "demo"}}));
        let written = serde_json::to_value(job.status.unwrap()).unwrap();
        assert_eq!(written, json!({"jobStatus": null, "clusterName": "demo"}));
    }
}
