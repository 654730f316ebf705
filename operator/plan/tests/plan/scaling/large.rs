//! A cluster of five thousand workers with a hundred thousand tasks, and how long it takes to decide about it.
#![expect(clippy::disallowed_methods, reason = "it is time that is measured")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dask_operator_plan::autoscaler::{self, Cluster, Course, Group, Observed};
use dask_operator_plan::worker_group::WorkerPod;
use dask_operator_plan::{Facts, Link, Outcome};
use dask_operator_testkit::an_autoscaler;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const WORKERS: usize = 5_000;
const TASKS: u64 = 100_000;
/// As many kinds as a scheduler tells.
const KINDS: u64 = 100;
const RUNS: usize = 9;

/// How long facts of such a cluster may take to be read, and a decision to be made.
pub(crate) const READ_WITHIN: Duration = Duration::from_millis(50);
pub(crate) const DECIDED_WITHIN: Duration = Duration::from_millis(10);

/// The medians of some runs: of reading, and of a decision.
pub(crate) fn took() -> (Duration, Duration) {
    let text = facts();
    let mut observed = observed();
    let read = median(|| {
        let facts = Facts::read(text.as_bytes()).expect("facts");
        observed.link = Link::Preload(Arc::new(facts));
    });
    let checked = autoscaler::check(&an_autoscaler().between(0, 10_000).build()).expect("bounds");
    let (mut course, mut now) = (Course::default(), Timestamp::UNIX_EPOCH);
    let decided = median(|| {
        now += SignedDuration::from_secs(1);
        let plan = autoscaler::plan(&checked, &observed, &course, now);
        course = autoscaler::course(&Outcome::done(&plan), now).expect("a course");
        assert_eq!(plan.scaling.map(|scaling| scaling.decisions.len()), Some(1));
    });
    (read, decided)
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut took: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    took.sort();
    took[RUNS / 2]
}

fn facts() -> String {
    let worker = |number: usize| {
        json!({
            "name": name(number), "address": format!("tcp://10.{}.{}.1:8789", number / 256, number % 256),
            "status": "running", "threads": 4, "memory_limit": 16_000_000_000_u64, "memory": 1_234_567_890,
            "bytes": 123_456_789, "unique_bytes": 12_345_678, "processing": 5,
        })
    };
    let count = json!({"count": TASKS / KINDS / 4, "seconds": 512.5, "unmeasured": 12});
    let kind = |number: u64| {
        let needs = if number == 0 { json!({}) } else { json!({format!("KIND-{number}"): 1.0}) };
        json!({"resources": needs, "hosts": [], "workers": [], "tasks": {
            "processing": count, "queued": count, "waiting": count, "next": count,
        }})
    };
    json!({
        "schema": 1, "revision": 1, "pod_uid": "", "drains": [],
        "workers": (0..WORKERS).map(worker).collect::<Vec<_>>(),
        "demand": (0..KINDS).map(kind).collect::<Vec<_>>(),
    })
    .to_string()
}

fn observed() -> Observed {
    let pod = |number| WorkerPod::ready(&name(number), Timestamp::UNIX_EPOCH);
    let pods = (0..WORKERS).map(pod).collect();
    let group = Group { name: "demo-default".to_owned(), replicas: WORKERS, pods, ..Group::default() };
    let cluster = Cluster { name: "demo".to_owned(), scheduler_ready: true, ..Cluster::default() };
    Observed { cluster: Some(cluster), groups: vec![group], ..Observed::default() }
}

fn name(number: usize) -> String {
    format!("demo-default-worker-{number:010x}")
}
