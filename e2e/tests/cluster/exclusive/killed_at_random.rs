//! The operator is killed again and again while clusters are made, scaled and deleted: what is there in the end is
//! what was asked for last. `E2E_KILLS` says how often, `E2E_SEED` repeats a run.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::bed::{Bed, Watched};
use e2e::chance::{self, Chance};
use e2e::operator::{self, Victim};
use e2e::progress::tell;
use e2e::{manifests, quiet};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);
const WORKERS: &str = "dask.org/component=worker";
/// On everything that a cluster has.
const CLUSTER: &str = "dask.org/cluster-name";
/// As many as an ordinary run can wait for; fifty are for `E2E_KILLS=50 cargo e2e test killed_at_random`.
const FEW: usize = 10;
const NAMES: [&str; 3] = ["one", "two", "three"];

/// What became of one life of the operator.
struct Life {
    /// Whether it had made or removed some of the workers that it was to, and not all.
    half_way: bool,
    story: String,
}

/// The clusters that are to be there, and how many workers each.
type Wanted = BTreeMap<&'static str, u32>;

/// What people do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Make,
    Scale,
    Delete,
}

/// In turn, so that however few lives there are, each has its share.
const ACTS: [Act; 3] = [Act::Make, Act::Scale, Act::Delete];

/// Makes, scales or deletes a cluster; where that is not possible, it makes it so first.
async fn act(bed: &Bed, act: Act, wanted: &mut Wanted, chance: &mut Chance) -> Result<String> {
    let clusters = bed.api::<DaskCluster>();
    let is_new = matches!(act, Act::Make);
    let fit: Vec<_> = NAMES.into_iter().filter(|name| wanted.contains_key(name) != is_new).collect();
    let name = chance.one_of(&fit).copied().unwrap_or(NAMES[0]);
    if fit.is_empty() && is_new {
        clusters.delete(name, &DeleteParams::default()).await?;
    } else if fit.is_empty() {
        clusters.create(&PostParams::default(), &a_cluster(name, 1)?).await?;
    }
    let workers = chance.below(30);
    match act {
        Act::Make => drop(clusters.create(&PostParams::default(), &a_cluster(name, workers)?).await?),
        Act::Scale => {
            let scale = json!({"spec": {"replicas": workers}});
            drop(clusters.patch_scale(name, &PatchParams::default(), &Patch::Merge(&scale)).await?);
        }
        Act::Delete => drop(clusters.delete(name, &DeleteParams::default()).await?),
    }
    match act {
        Act::Delete => wanted.remove(name),
        Act::Make | Act::Scale => wanted.insert(name, workers),
    };
    Ok(format!("{act:?} {name} {workers}"))
}

/// With every child that a cluster can have, and pods that find no node: they cost nothing, and go at once.
fn a_cluster(name: &str, workers: u32) -> Result<DaskCluster> {
    let nowhere = json!({"nodeSelector": {"node": "nowhere"}});
    let spec = json!({
        "scheduler": {"spec": nowhere},
        "worker": {"replicas": workers, "spec": nowhere},
        "config": {"distributed": {}},
        "disruptionProtection": "Always",
    });
    Ok(serde_json::from_str(&manifests::exact_cluster_of(name, &spec))?)
}

/// How long it takes until a cluster of many workers is made, when nobody disturbs.
async fn undisturbed(bed: &Bed, wanted: &mut Wanted) -> Result<Duration> {
    operator::wait_until_leading(&bed.cluster)?;
    let (name, workers) = (NAMES[0], 20);
    let began = Instant::now();
    bed.api::<DaskCluster>().create(&PostParams::default(), &a_cluster(name, workers)?).await?;
    wanted.insert(name, workers);
    until_workers(bed, wanted).await?;
    Ok(began.elapsed())
}

/// One life of the operator: some work, and its end at any moment of it.
async fn one_life(
    bed: &Bed,
    (first, most): (Act, Duration),
    wanted: &mut Wanted,
    chance: &mut Chance,
) -> Result<Life> {
    let leader = Victim::leading(&bed.cluster)?;
    let before = wanted.clone();
    let pause = most.mul_f64(f64::from(chance.below(100)) / 100.0);
    let acts = async {
        let mut done = vec![act(bed, first, wanted, chance).await?];
        for _ in 0..chance.below(2) {
            let next = chance.one_of(&ACTS).copied().unwrap_or(Act::Scale);
            done.push(act(bed, next, wanted, chance).await?);
        }
        anyhow::Ok(done.join(", "))
    };
    let end = async {
        tokio::time::sleep(pause).await;
        leader.kill()
    };
    let (done, killed) = tokio::join!(acts, end);
    let done = done?;
    killed?;
    let half_way = is_half_way(&workers(bed).await?, &before, wanted);
    leader.bury()?;
    let work = if half_way { "half-way" } else { "before or after it" };
    Ok(Life { half_way, story: format!("{done}, killed after {pause:?}, {work}") })
}

async fn workers(bed: &Bed) -> Result<Vec<Pod>> {
    Ok(bed.api::<Pod>().list(&ListParams::default().labels(WORKERS)).await?.items)
}

fn count(pods: &[Pod], name: &str) -> usize {
    pods.iter().filter(|pod| pod.labels().get(CLUSTER).is_some_and(|cluster| cluster == name)).count()
}

fn is_exact(pods: &[Pod], wanted: &Wanted) -> bool {
    NAMES.iter().all(|name| count(pods, name) == wanted.get(name).map_or(0, |all| *all as usize))
}

/// Whether a cluster that is wanted has more workers than the one number and fewer than the other. Those of one that is not
/// wanted any more are Kubernetes' to remove.
fn is_half_way(pods: &[Pod], before: &Wanted, wanted: &Wanted) -> bool {
    wanted.iter().any(|(name, now)| {
        let (there, was, now) =
            (count(pods, name), before.get(name).map_or(0, |was| *was as usize), *now as usize);
        was.min(now) < there && there < was.max(now)
    })
}

async fn list<K: Watched>(bed: &Bed) -> Result<Vec<K>> {
    let api: Api<K> = bed.api();
    Ok(api.list(&ListParams::default().labels(CLUSTER)).await?.items)
}

fn uids<K: Resource>(objects: &[K]) -> BTreeSet<String> {
    objects.iter().filter_map(ResourceExt::uid).collect()
}

fn owners<K: Resource>(object: &K) -> Vec<String> {
    object.owner_references().iter().map(|owner| owner.uid.clone()).collect()
}

/// Waits for exactly what is wanted, and nothing that belongs to nobody.
async fn until_exact(bed: &Bed, wanted: &Wanted) -> Result<()> {
    until_workers(bed, wanted).await?;
    until_one_each::<Deployment>(bed, wanted).await?;
    until_one_each::<Service>(bed, wanted).await?;
    until_one_each::<ConfigMap>(bed, wanted).await?;
    until_one_each::<PodDisruptionBudget>(bed, wanted).await?;
    until_one_each::<DaskWorkerGroup>(bed, wanted).await
}

async fn until_workers(bed: &Bed, wanted: &Wanted) -> Result<()> {
    let exact = |pods: &[Arc<Pod>]| {
        let pods: Vec<_> = pods.iter().map(|pod| Pod::clone(pod)).collect();
        is_exact(&pods, wanted)
    };
    bed.until(WORKERS, &format!("{wanted:?}"), SOON, exact).await.map(drop)
}

/// Waits for one child of this kind of each cluster, and no other.
async fn until_one_each<K: Watched>(bed: &Bed, wanted: &Wanted) -> Result<()> {
    let clusters = uids(&bed.api::<DaskCluster>().list(&ListParams::default()).await?.items);
    assert_eq!(clusters.len(), wanted.len());
    let one_each = |objects: &[Arc<K>]| {
        let owners: BTreeSet<_> = objects.iter().flat_map(|one| owners(&**one)).collect();
        objects.len() == clusters.len() && owners == clusters
    };
    bed.until(CLUSTER, &format!("a {} of each cluster", K::kind(&())), SOON, one_each).await.map(drop)
}

/// So it is now, without any waiting.
async fn assert_exact(bed: &Bed, wanted: &Wanted) -> Result<()> {
    let (pods, groups) = (workers(bed).await?, list::<DaskWorkerGroup>(bed).await?);
    assert!(is_exact(&pods, wanted), "{wanted:?}: {pods:#?}");
    let owned: BTreeSet<_> = pods.iter().flat_map(owners).collect();
    assert!(owned.is_subset(&uids(&groups)), "{owned:?} {:?}", uids(&groups));
    let children = [
        list::<Deployment>(bed).await?.len(),
        list::<Service>(bed).await?.len(),
        list::<ConfigMap>(bed).await?.len(),
        list::<PodDisruptionBudget>(bed).await?.len(),
        groups.len(),
    ];
    assert_eq!(children, [wanted.len(); 5]);
    Ok(())
}

#[tokio::test]
async fn killed_at_random_it_ends_with_exactly_what_was_asked_for() -> Result<()> {
    let kills = env::var("E2E_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(FEW);
    let seed = chance::seed();
    tell(&format!("{kills} kills; to repeat them: E2E_KILLS={kills} E2E_SEED={seed}"));
    let (bed, mut chance, mut wanted) = (Bed::new("random").await?, Chance::from_seed(seed), Wanted::new());
    let most = undisturbed(&bed, &mut wanted).await?;
    let mut history = Vec::new();
    for first in ACTS.into_iter().cycle().take(kills) {
        history.push(one_life(&bed, (first, most), &mut wanted, &mut chance).await?);
    }
    let half_way = history.iter().filter(|life| life.half_way).count();
    tell(&format!("{half_way} lives ended half-way; at most {most:?} of each were played"));
    operator::wait_until_leading(&bed.cluster)?;
    let stories: Vec<_> = history.into_iter().map(|life| life.story).collect();
    let story = || format!("E2E_SEED={seed}\n{}", stories.join("\n"));
    println!("{}", story());
    until_exact(&bed, &wanted).await.with_context(story)?;
    // And so it stays.
    quiet::until_told().await;
    assert_exact(&bed, &wanted).await.with_context(story)?;
    for name in wanted.keys() {
        bed.kubectl(&["delete", "dsk", name])?;
    }
    let gone = |pods: &[Arc<Pod>]| pods.is_empty();
    bed.until("", "no pod is left", SOON, gone).await.with_context(story)?;
    let kinds = "services,deployments,replicasets,daskworkergroups,poddisruptionbudgets,configmaps";
    let ours = ["--selector", CLUSTER, "--for=delete", "--timeout=60s"];
    bed.kubectl(&[&["wait", kinds], &ours[..]].concat()).with_context(story)?;
    Ok(())
}
