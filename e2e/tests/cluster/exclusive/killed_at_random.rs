//! The operator is killed again and again while clusters are made, scaled and deleted: what is there in the end is
//! what was asked for last. `E2E_KILLS` says how often, `E2E_SEED` repeats a run.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::bed::Bed;
use e2e::chance::{self, Chance};
use e2e::progress::tell;
use e2e::{manifests, operator};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

const SOON: Duration = Duration::from_mins(4);
const WORKERS: &str = "dask.org/component=worker";
/// As many as an ordinary run can wait for; fifty are for `E2E_KILLS=50 cargo e2e test killed_at_random`.
const FEW: u64 = 10;
const NAMES: [&str; 3] = ["one", "two", "three"];

/// The clusters that are to be there, and how many workers each.
type Wanted = BTreeMap<&'static str, u32>;

/// Makes, scales or deletes a cluster.
fn act(bed: &Bed, wanted: &mut Wanted, chance: &mut Chance) -> Result<String> {
    let name = NAMES[chance.below(3) as usize];
    let workers = chance.below(30);
    let act = match (wanted.contains_key(name), chance.below(4)) {
        (true, 0) => {
            wanted.remove(name);
            bed.kubectl(&["delete", "dsk", name, "--wait=false"])?;
            return Ok(format!("delete {name}"));
        }
        (true, _) => {
            bed.kubectl(&["scale", &format!("dsk/{name}"), &format!("--replicas={workers}")])?;
            "scale"
        }
        (false, _) => {
            bed.apply(&manifests::without_a_node(name, workers))?;
            "make"
        }
    };
    wanted.insert(name, workers);
    Ok(format!("{act} {name} {workers}"))
}

/// One life of the operator: some work, and its end at any moment of it.
async fn one_life(bed: &Bed, wanted: &mut Wanted, chance: &mut Chance) -> Result<String> {
    let leader = operator::wait_until_leading(&bed.cluster)?;
    let mut done = Vec::new();
    for _ in 0..=chance.below(2) {
        done.push(act(bed, wanted, chance)?);
    }
    let pause = chance.below(400);
    tokio::time::sleep(Duration::from_millis(pause.into())).await;
    operator::kill(&bed.cluster, &leader)?;
    // It is dead: nobody need wait until its lease ends.
    operator::kubectl(&bed.cluster, &["delete", "lease", "dask-operator"])?;
    Ok(format!("{}, killed {pause} ms later", done.join(", ")))
}

async fn list<K>(bed: &Bed) -> Result<Vec<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = bed.api();
    Ok(api.list(&ListParams::default().labels("dask.org/cluster-name")).await?.items)
}

fn uids<K: Resource>(objects: &[K]) -> BTreeSet<String> {
    objects.iter().filter_map(ResourceExt::uid).collect()
}

fn owners<K: Resource>(objects: &[K]) -> BTreeSet<String> {
    objects.iter().flat_map(|one| one.owner_references().iter().map(|owner| owner.uid.clone())).collect()
}

/// Waits for exactly what is wanted, and looks for what belongs to nobody.
async fn assert_exact(bed: &Bed, wanted: &Wanted) -> Result<()> {
    let count = |pods: &[Arc<Pod>], cluster: &str| {
        let of =
            |pod: &&Arc<Pod>| pod.labels().get("dask.org/cluster-name").is_some_and(|name| name == cluster);
        pods.iter().filter(of).count()
    };
    let exact = |pods: &[Arc<Pod>]| {
        NAMES.iter().all(|name| count(pods, name) == wanted.get(name).map_or(0, |all| *all as usize))
    };
    bed.until(WORKERS, &format!("{wanted:?}"), SOON, exact).await?;
    let one_each = |objects: &[Arc<Deployment>]| objects.len() == wanted.len();
    bed.until("dask.org/component=scheduler", "a scheduler for each cluster", SOON, one_each).await?;
    let one_each = |objects: &[Arc<Service>]| objects.len() == wanted.len();
    bed.until("dask.org/component=scheduler", "a Service for each cluster", SOON, one_each).await?;

    let clusters = bed.api::<DaskCluster>().list(&ListParams::default()).await?.items;
    let groups: Vec<DaskWorkerGroup> = list(bed).await?;
    assert_eq!((clusters.len(), groups.len()), (wanted.len(), wanted.len()));
    let (deployments, services) = (list::<Deployment>(bed).await?, list::<Service>(bed).await?);
    for found in [owners(&deployments), owners(&services), owners(&groups)] {
        assert_eq!(found, uids(&clusters));
    }
    let pods = bed.api::<Pod>().list(&ListParams::default().labels(WORKERS)).await?.items;
    assert!(owners(&pods).is_subset(&uids(&groups)), "{:?} {:?}", owners(&pods), uids(&groups));
    Ok(())
}

#[tokio::test]
async fn killed_at_random_it_ends_with_exactly_what_was_asked_for() -> Result<()> {
    let kills = env::var("E2E_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(FEW);
    let seed = chance::seed();
    tell(&format!("{kills} kills; to repeat them: E2E_KILLS={kills} E2E_SEED={seed}"));
    let (bed, mut chance, mut wanted) = (Bed::new("random").await?, Chance::from_seed(seed), Wanted::new());
    let mut history = Vec::new();
    for _ in 0..kills {
        history.push(one_life(&bed, &mut wanted, &mut chance).await?);
    }
    operator::wait_until_leading(&bed.cluster)?;
    let story = || format!("E2E_SEED={seed}\n{}", history.join("\n"));
    assert_exact(&bed, &wanted).await.with_context(story)?;
    for name in wanted.keys() {
        bed.kubectl(&["delete", "dsk", name])?;
    }
    let gone = |pods: &[Arc<Pod>]| pods.is_empty();
    bed.until("", "no pod is left", SOON, gone).await.with_context(story)?;
    let kinds = "services,deployments,replicasets,daskworkergroups,poddisruptionbudgets";
    bed.kubectl(&["wait", kinds, "--all", "--for=delete", "--timeout=60s"]).with_context(story)?;
    Ok(())
}
