//! What one scrape gets: what was counted, and what there is just now by caches, courses and links.

use dask_operator_api::conditions;
use dask_operator_plan::worker_group::WorkerPod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{ClusterLabels, GroupLabels, Passing, TroubleLabels, Workers};
use crate::cache::{Cache, Guarded, Key, Objects};
use crate::context::Context;
use crate::reconcile::Reconcile;

/// All of it as text.
pub(crate) fn text(context: &Context) -> String {
    let (cache, metrics) = (&context.cache, &context.writer.caller.metrics);
    metrics.cached("DaskCluster", cache.clusters.len());
    metrics.cached("DaskWorkerGroup", cache.groups.len());
    metrics.cached("DaskAutoscaler", cache.autoscalers.len());
    metrics.cached("Pod", cache.workers.len() + cache.schedulers.len());
    let ages = context.links.ages().into_iter().map(|(key, age)| (of_cluster(key), age.as_secs_f64()));
    metrics.text(Passing { troubles: troubles(cache), groups: groups(context), ages: ages.collect() })
}

/// What autoscalers decided last, and what has come of it.
fn groups(context: &Context) -> Vec<(GroupLabels, Workers)> {
    let decisions = context.courses.decisions().into_iter();
    let told = decisions.map(|(group, (wanted, granted))| {
        let pods = context.cache.workers.of_parent(&group);
        let ready = pods.iter().map(|pod| pod.worker()).filter(WorkerPod::is_ready).count();
        let labels = GroupLabels { namespace: group.namespace, group: group.name };
        (labels, Workers { wanted, granted, ready })
    });
    told.collect()
}

fn of_cluster(key: Key) -> ClusterLabels {
    ClusterLabels { namespace: key.namespace, cluster: key.name }
}

/// What the statuses tell.
fn troubles(cache: &Cache) -> Vec<TroubleLabels> {
    let of_clusters = told(&cache.clusters, |cluster| Some(&cluster.status.as_ref()?.conditions));
    let of_groups = told(&cache.groups, |group| Some(&group.status.as_ref()?.conditions));
    let of_autoscalers = told(&cache.autoscalers, |one| Some(&one.status.as_ref()?.conditions));
    of_clusters.into_iter().chain(of_groups).chain(of_autoscalers).collect()
}

fn told<K>(objects: &Objects<K>, conditions: fn(&K) -> Option<&Vec<Condition>>) -> Vec<TroubleLabels>
where
    K: Reconcile,
{
    let all = objects.all();
    let good = all.iter().filter_map(|object| match &**object {
        Guarded::Good(object) => conditions(object),
        Guarded::Bad { .. } => None,
    });
    good.flat_map(|all| conditions::troubles(all)).map(|condition| labels(&K::kind(&()), condition)).collect()
}

fn labels(kind: &str, condition: &Condition) -> TroubleLabels {
    TroubleLabels {
        kind: kind.to_owned(),
        condition: condition.type_.clone(),
        reason: condition.reason.clone(),
    }
}
