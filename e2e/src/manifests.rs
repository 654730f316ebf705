//! The manifests that tests apply.

/// A small cluster that fits a small machine many times.
pub fn cluster(name: &str, workers: u32) -> String {
    format!(
        "apiVersion: kubernetes.dask.org/v1
kind: DaskCluster
metadata:
  name: {name}
spec:
  worker:
    replicas: {workers}
    threads: 1
    resources:
      requests: {{cpu: 20m, memory: 200Mi}}
"
    )
}

/// One more group of workers for that cluster.
pub fn group(cluster: &str, name: &str, workers: u32) -> String {
    format!(
        "apiVersion: kubernetes.dask.org/v1
kind: DaskWorkerGroup
metadata:
  name: {cluster}-{name}
spec:
  cluster: {cluster}
  worker:
    replicas: {workers}
    threads: 1
    resources:
      requests: {{cpu: 20m, memory: 200Mi}}
"
    )
}
