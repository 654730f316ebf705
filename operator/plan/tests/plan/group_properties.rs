//! What must hold of a group's plan in every world.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;

use dask_operator_api::conditions::Reason;
use dask_operator_plan::worker_group::{self, Cluster, Ended, Observed, Stage, WorkerPod};
use dask_operator_plan::{Apply, Batch, Kind, Link, Plan, Settings, Suffixes, Trouble};
use dask_operator_testkit::a_group;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn settings(worker_batch: Option<Batch>) -> Settings {
    Settings { cluster_domain: "cluster.local".to_owned(), default_image: "dask".to_owned(), worker_batch }
}

fn a_trouble(reason: Reason) -> Trouble {
    Trouble { reason, words: String::new() }
}

fn stages() -> impl Strategy<Value = Stage> {
    let ended = (0i64..1000, any::<bool>()).prop_map(|(ago, failed)| {
        let at = now() - SignedDuration::from_secs(ago);
        Stage::Ended(Ended { at, failed, trouble: a_trouble(Reason::ContainerFailed) })
    });
    prop_oneof![Just(Stage::Unscheduled), Just(Stage::NotReady), Just(Stage::Ready), ended]
}

fn pods() -> impl Strategy<Value = Vec<WorkerPod>> {
    let pod = (stages(), 0i64..2000, prop::bool::weighted(0.2), 0u32..5);
    prop::collection::vec(pod, 0..12).prop_map(|pods| {
        let pod = |(number, (stage, age, terminating, crashes)): (usize, _)| WorkerPod {
            uid: format!("uid-{number}"),
            terminating,
            stage,
            crashes,
            ..WorkerPod::ready(&format!("pod-{number}"), now() - SignedDuration::from_secs(age))
        };
        pods.into_iter().enumerate().map(pod).collect()
    })
}

fn cluster() -> impl Strategy<Value = Option<Cluster>> {
    let some = (any::<bool>(), prop::bool::weighted(0.1)).prop_map(|(scheduler_ready, deleting)| {
        Some(Cluster { name: "demo".to_owned(), scheduler_ready, deleting, ..Cluster::default() })
    });
    prop_oneof![9 => some, 1 => Just(None)]
}

fn worlds() -> impl Strategy<Value = (i32, Observed)> {
    (0i32..8, cluster(), pods()).prop_map(|(wanted, cluster, pods)| {
        (wanted, Observed { cluster, pods, link: Link::Stock, ..Observed::default() })
    })
}

/// A group whose workers wait for their scheduler by themselves, or, where an odd number is wanted, one whose do not.
fn plan(wanted: i32, observed: &Observed, at: Timestamp) -> Plan {
    plan_in_batches(None, wanted, observed, at)
}

fn plan_in_batches(batch: Option<Batch>, wanted: i32, observed: &Observed, at: Timestamp) -> Plan {
    let script = json!({"containers": [{"name": "worker", "image": "x", "args": ["my-script"]}]});
    let group = a_group().replicas(wanted);
    let group = if wanted % 2 == 1 { group.pod(script) } else { group };
    let group = worker_group::check(&group.build()).unwrap();
    worker_group::plan(&group, observed, &settings(batch), Suffixes::from_seed(7), at)
}

/// The world after the plan: what was created appears, what was deleted is terminating.
fn applied(observed: &Observed, plan: &Plan, at: Timestamp) -> Observed {
    let mut after = observed.clone();
    for delete in &plan.delete {
        for pod in after.pods.iter_mut().filter(|pod| pod.uid == delete.uid) {
            pod.terminating = true;
        }
    }
    for apply in &plan.apply {
        let Apply::Create(create) = apply else { continue };
        after.pods.push(WorkerPod { stage: Stage::Unscheduled, ..WorkerPod::ready(&create.name, at) });
    }
    after
}

fn live(observed: &Observed) -> usize {
    observed.pods.iter().filter(|pod| pod.is_live()).count()
}

proptest! {
    #[test]
    fn an_applied_plan_leaves_nothing_to_write((wanted, observed) in worlds()) {
        let first = plan(wanted, &observed, now());
        let second = plan(wanted, &applied(&observed, &first, now()), now());
        prop_assert!(second.is_empty(), "{second:?}");
    }

    #[test]
    fn live_workers_are_never_more_than_wanted_after_a_plan((wanted, observed) in worlds()) {
        let after = applied(&observed, &plan(wanted, &observed, now()), now());
        let may_shrink = observed.cluster.as_ref().is_some_and(|cluster| !cluster.deleting);
        if may_shrink {
            prop_assert!(live(&after) <= usize::try_from(wanted).unwrap());
        }
    }

    #[test]
    fn a_plan_never_creates_and_gives_up_live_workers_at_once((wanted, observed) in worlds()) {
        let plan = plan(wanted, &observed, now());
        let given_up = plan.delete.iter().filter(|delete| {
            observed.pods.iter().any(|pod| pod.uid == delete.uid && pod.is_live())
        });
        prop_assert!(plan.apply.is_empty() || given_up.count() == 0);
    }

    #[test]
    fn the_count_is_exact_once_every_wait_is_over((wanted, observed) in worlds()) {
        prop_assume!(observed.cluster.as_ref().is_some_and(|cluster| !cluster.deleting));
        let mut world = observed;
        world.cluster = world.cluster.map(|cluster| Cluster { scheduler_ready: true, ..cluster });
        let mut at = now();
        for _ in 0..20 {
            let plan = plan(wanted, &world, at);
            world = applied(&world, &plan, at);
            let Some(wake) = plan.wake else { break };
            prop_assert!(wake > at, "a wake-up that is not in the future is a hot loop");
            at = wake;
        }
        prop_assert_eq!(live(&world), usize::try_from(wanted).unwrap());
    }

    #[test]
    fn the_order_in_which_pods_are_seen_does_not_matter(
        ((wanted, observed), shuffled) in worlds().prop_flat_map(|world| {
            let pods = Just(world.1.pods.clone()).prop_shuffle();
            (Just(world), pods)
        })
    ) {
        let other = Observed { pods: shuffled, ..observed.clone() };
        prop_assert_eq!(plan(wanted, &observed, now()), plan(wanted, &other, now()));
    }

    #[test]
    fn nothing_is_created_or_deleted_without_a_cluster_to_serve((wanted, mut observed) in worlds()) {
        observed.cluster = observed.cluster.map(|cluster| Cluster { deleting: true, ..cluster });
        prop_assert!(plan(wanted, &observed, now()).is_empty());
    }

    #[test]
    fn pods_go_in_the_order_pending_unready_youngest((wanted, observed) in worlds()) {
        let plan = plan(wanted, &observed, now());
        let is_victim = |pod: &WorkerPod| plan.delete.iter().any(|delete| delete.uid == pod.uid);
        let live = || observed.pods.iter().filter(|pod| pod.is_live());
        let worst_kept = live().filter(|pod| !is_victim(pod)).map(|pod| &pod.stage).min();
        let best_gone = live().filter(|pod| is_victim(pod)).map(|pod| &pod.stage).max();
        prop_assert!(best_gone.is_none() || worst_kept.is_none() || best_gone <= worst_kept);
    }

    #[test]
    fn every_pod_is_owned_by_its_group_and_has_a_name_of_its_own((wanted, observed) in worlds()) {
        let plan = plan(wanted, &observed, now());
        let mut names = BTreeSet::new();
        for apply in &plan.apply {
            let Apply::Create(create) = apply else { continue };
            prop_assert_eq!(create.kind, Kind::Pod);
            prop_assert_eq!(&create.object["metadata"]["ownerReferences"][0]["uid"], "group-uid");
            prop_assert_eq!(create.object["metadata"]["name"].as_str(), Some(create.name.as_str()));
            names.insert(create.name.clone());
        }
        prop_assert_eq!(names.len(), plan.apply.len());
    }

    #[test]
    fn in_batches_a_group_grows_to_the_exact_count_and_never_by_more_than_one_at_a_time(
        wanted in 0i32..30, size in 1usize..7, seconds in 1i64..9
    ) {
        let delay = SignedDuration::from_secs(seconds);
        let cluster = Cluster { name: "demo".to_owned(), scheduler_ready: true, ..Cluster::default() };
        let mut world = Observed { cluster: Some(cluster), ..Observed::default() };
        let mut at = now();
        for _ in 0..80 {
            let plan = plan_in_batches(Some(Batch { size, delay }), wanted, &world, at);
            world = applied(&world, &plan, at);
            let recent = world.pods.iter().filter(|pod| pod.created + delay > at).count();
            prop_assert!(recent <= size, "{recent} within {delay:?}");
            prop_assert!(plan.wake.is_none_or(|wake| wake > at), "a wake-up in the past is a hot loop");
            if plan.is_empty() {
                let Some(wake) = plan.wake else { break };
                at = wake;
            }
        }
        prop_assert_eq!(live(&world), usize::try_from(wanted).unwrap());
    }
}
