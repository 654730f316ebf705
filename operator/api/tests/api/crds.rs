//! The committed CRDs are those that the types make, and fit into what `kubectl apply` can send.

use std::fs;
use std::path::PathBuf;

use dask_operator_api::crds::{crds, yaml};

/// The longest annotation that the API server takes; client-side apply stores the whole object in one.
const ANNOTATION_LIMIT: usize = 262_144;

#[test]
fn the_committed_crds_are_current() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    for (name, text) in yaml().unwrap() {
        let path = folder.join(&name);
        if std::env::var_os("UPDATE_CRDS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "crds/{name} is stale; refresh it with: UPDATE_CRDS=1 cargo units");
    }
}

/// As in those of dask-kubernetes 2026.3.0 (`operator/customresources`); ours may have more columns behind them.
#[test]
fn names_scale_paths_and_columns_are_those_that_people_know() {
    let workers = ".spec.worker.replicas";
    let known = [
        ("daskclusters", &["daskcluster", "dsk"][..], Some(workers), &[workers, ".status.phase"][..]),
        ("daskworkergroups", &["daskworkers"], Some(workers), &[workers]),
        ("daskjobs", &["djb"], None, &[".status.jobStatus", ".spec.cluster.spec.worker.replicas"]),
        ("daskautoscalers", &[], None, &[".spec.cluster", ".spec.minimum", ".spec.maximum"]),
    ];
    for (plural, short_names, scales, columns) in known {
        let crd = crds().into_iter().find(|crd| crd.spec.names.plural == plural).unwrap();
        assert_eq!(crd.spec.names.short_names.unwrap_or_default(), short_names, "{plural}");
        let version = &crd.spec.versions[0];
        let scale = version.subresources.as_ref().and_then(|subresources| subresources.scale.as_ref());
        assert_eq!(scale.map(|scale| scale.spec_replicas_path.as_str()), scales, "{plural}");
        let shown =
            version.additional_printer_columns.iter().flatten().map(|column| column.json_path.as_str());
        let shown: Vec<_> = shown.take(columns.len()).collect();
        assert_eq!(shown, columns, "{plural}");
    }
}

#[test]
fn every_crd_fits_into_the_annotation_of_client_side_apply() {
    for crd in crds() {
        let name = &crd.spec.names.plural;
        let length = serde_json::to_string(&crd).unwrap().len();
        println!("{name}: {length} bytes");
        assert!(length < ANNOTATION_LIMIT, "{name} has {length} bytes");
    }
}
