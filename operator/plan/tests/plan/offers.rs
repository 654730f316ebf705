//! What the status of a group says of what its workers offer.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::sync::Arc;

use dask_operator_api::DaskWorkerGroup;
use dask_operator_api::worker_group::{DaskWorkerGroupStatus, Offers};
use dask_operator_plan::autoscaler::Offer;
use dask_operator_plan::worker_group::{self, Cluster, Observed, WorkerPod};
use dask_operator_plan::{Apply, Facts, Link, Outcome, Settings, Suffixes, offers};
use dask_operator_testkit::a_group;
use jiff::Timestamp;
use serde_json::json;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn script() -> serde_json::Value {
    json!({"containers": [{"name": "worker", "image": "mine", "args": ["./start"]}]})
}

fn world(pods: Vec<WorkerPod>, link: Link) -> Observed {
    let cluster = Cluster { uid: "cluster-uid".to_owned(), scheduler_ready: true, ..Cluster::default() };
    Observed { cluster: Some(cluster), pods, link, ..Observed::default() }
}

fn status(group: &DaskWorkerGroup, observed: &Observed) -> DaskWorkerGroupStatus {
    worker_group::status(&worker_group::check(group).unwrap(), observed, &Outcome::default(), now())
}

/// A pod as the group makes it now.
fn a_pod(group: &DaskWorkerGroup) -> WorkerPod {
    let settings =
        Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None };
    let checked = worker_group::check(group).unwrap();
    let plan =
        worker_group::plan(&checked, &world(vec![], Link::Unasked), &settings, Suffixes::from_seed(1), now());
    let template = plan.apply.iter().find_map(|apply| match apply {
        Apply::Create(create) => create.object["metadata"]["annotations"]["dask.org/template-hash"].as_str(),
        Apply::Patch(_) => None,
    });
    WorkerPod { template: Some(template.unwrap().to_owned()), ..WorkerPod::ready("p", now()) }
}

fn told(threads: u64) -> Link {
    let worker = json!({"name": "p", "threads": threads, "memory_limit": 1000, "resources": {"GPU": 2}});
    let facts = json!({"schema": 1, "revision": 1, "pod_uid": "", "drains": [], "workers": [worker]});
    Link::Preload(Arc::new(Facts::read(facts.to_string().as_bytes()).unwrap()))
}

fn unknown(status: &DaskWorkerGroupStatus) -> Option<&str> {
    let told = status.conditions.iter().find(|one| one.type_ == "OffersUnknown");
    told.map(|one| one.reason.as_str())
}

#[test]
fn from_zero_it_is_what_the_spec_says() {
    let group = a_group().replicas(0).worker(|worker| worker.threads = Some(4)).build();
    let status = status(&group, &world(vec![], Link::Unasked));
    let expected = Offers { threads: Some(4), resources: Some(BTreeMap::new()), ..Offers::default() };
    assert_eq!((status.offers.as_ref(), unknown(&status)), (Some(&expected), None));
}

#[test]
fn what_a_worker_told_is_known_when_there_is_none_any_more_and_until_the_template_changes() {
    let group = |replicas| a_group().replicas(replicas).pod(script());
    let pod = a_pod(&group(1).build());
    let before = status(&group(1).build(), &world(vec![pod], told(3)));
    let offers = before.offers.clone().unwrap();
    assert_eq!((offers.threads, offers.memory), (Some(3), Some(1000)));
    assert_eq!(offers.resources, Some(BTreeMap::from([("GPU".to_owned(), 2.0)])));

    let empty = group(0).status(before.clone()).build();
    let after = status(&empty, &world(vec![], Link::Unasked));
    assert_eq!((after.offers.as_ref(), unknown(&after)), (Some(&offers), None));

    let changed = a_group().replicas(0).pod(script()).worker(|worker| worker.threads = Some(9));
    let changed = status(&changed.status(before).build(), &world(vec![], Link::Unasked));
    assert_eq!(changed.offers, Some(Offers { threads: Some(9), ..Offers::default() }));
    assert_eq!(unknown(&changed), Some("CommandTellsNothing"));
}

#[test]
fn workers_of_an_earlier_template_do_not_tell_it() {
    let group = a_group().replicas(1).build();
    let outdated = WorkerPod { template: Some("other".to_owned()), ..a_pod(&group) };
    let status = status(&group, &world(vec![outdated], told(3)));
    assert_eq!(status.offers.unwrap().threads, None);
}

#[test]
fn while_there_are_workers_what_they_tell_is_no_write_of_its_own() {
    let group = |status| a_group().replicas(1).status(status).build();
    let pod = a_pod(&group(DaskWorkerGroupStatus::default()));
    let ready = status(&group(DaskWorkerGroupStatus::default()), &world(vec![pod.clone()], Link::Unasked));
    assert_eq!(status(&group(ready.clone()), &world(vec![pod.clone()], told(3))), ready);
    let lost =
        status(&group(ready), &world(vec![pod.clone(), WorkerPod { name: "q".to_owned(), ..pod }], told(3)));
    assert_eq!(lost.offers.unwrap().threads, Some(3), "it goes with another");
}

#[test]
fn of_a_group_from_zero_that_starts_a_script_it_is_said_that_nobody_knows() {
    let of = |replicas, pods| {
        unknown(&status(&a_group().replicas(replicas).pod(script()).build(), &world(pods, Link::Unasked)))
            .map(str::to_owned)
    };
    assert_eq!(of(0, vec![]).as_deref(), Some("CommandTellsNothing"));
    assert_eq!(of(1, vec![]), None, "the first one will tell");
    assert_eq!(of(0, vec![WorkerPod::ready("p", now())]), None);
    let declared = a_group().replicas(0).pod(script()).worker(|worker| {
        worker.dask_resources = Some(BTreeMap::from([("GPU".to_owned(), 1.0)]));
    });
    assert_eq!(unknown(&status(&declared.build(), &world(vec![], Link::Unasked))), None);
}

#[test]
fn an_autoscaler_goes_by_what_a_worker_told_also_when_it_has_just_changed_how_many_there_are_to_be() {
    let group = || a_group().replicas(5).generation(2).worker(|worker| worker.threads = Some(4));
    let status = |template: Option<&str>| DaskWorkerGroupStatus {
        offers: Some(Offers {
            threads: Some(3),
            processes: Some(2),
            memory: Some(1000),
            template: template.map(str::to_owned),
            ..Offers::default()
        }),
        observed_generation: Some(1),
        ..DaskWorkerGroupStatus::default()
    };
    let offer = |template| Offer::from(&offers::known(&group().status(status(template)).build()));
    let told = Offer { processes: 2.0, threads: 3.0, memory: 1000.0, ..Offer::default() };
    assert_eq!(offer(Some("t")), told);
    assert_eq!(offer(None), Offer { threads: 4.0, ..Offer::default() }, "the spec may have changed");
}
