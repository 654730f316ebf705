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

#[test]
fn every_crd_fits_into_the_annotation_of_client_side_apply() {
    for crd in crds() {
        let name = &crd.spec.names.plural;
        let length = serde_json::to_string(&crd).unwrap().len();
        println!("{name}: {length} bytes");
        assert!(length < ANNOTATION_LIMIT, "{name} has {length} bytes");
    }
}
