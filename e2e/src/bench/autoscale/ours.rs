//! Our own autoscaler: the very code, given what it would be told.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use dask_operator_api::autoscaler::{DaskAutoscaler, DaskAutoscalerSpec, ScaleDown};
use dask_operator_plan::autoscaler::{self, CheckedAutoscaler, Cluster, Course, Group, Observed, Offer};
use dask_operator_plan::worker_group::{Stage, WorkerPod};
use dask_operator_plan::{Facts, Kind, Link, Outcome};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::policy::{MAXIMUM, Policy};
use super::world::{THREADS, Worker, World};

const GROUP: &str = "demo-default";

pub(super) struct Ours {
    autoscaler: CheckedAutoscaler,
    course: Course,
}

impl Ours {
    /// With the defaults, but for the maximum and this window.
    pub(super) fn new(stabilization_seconds: Option<u32>) -> Result<Self> {
        let maximum = i64::try_from(MAXIMUM)?;
        let spec = DaskAutoscalerSpec {
            cluster: "demo".to_owned(),
            maximum: Some(maximum),
            scale_down: Some(ScaleDown { stabilization_seconds, ..ScaleDown::default() }),
            ..DaskAutoscalerSpec::default()
        };
        let autoscaler = autoscaler::check(&DaskAutoscaler::new("demo", spec));
        let autoscaler = autoscaler.map_err(|problems| anyhow!("{problems:?}"))?;
        Ok(Self { autoscaler, course: Course::default() })
    }
}

impl Policy for Ours {
    /// Ours is told at once of a graph that was submitted, and within so long of anything else.
    fn every(&self) -> f64 {
        0.25
    }

    fn look(&mut self, world: &mut World<'_>) -> Result<()> {
        let observed = observed(world)?;
        let now = time(world.now)?;
        let plan = autoscaler::plan(&self.autoscaler, &observed, &self.course, now);
        if let Some(course) = autoscaler::course(&Outcome::done(&plan), now) {
            self.course = course;
        }
        let scaled = plan
            .apply
            .iter()
            .filter_map(|apply| apply.patch())
            .find(|patch| patch.kind == Kind::DaskWorkerGroup);
        if let Some(replicas) = scaled.and_then(|patch| patch.body["spec"]["worker"]["replicas"].as_u64()) {
            world.scale(usize::try_from(replicas)?);
        }
        Ok(())
    }
}

fn time(seconds: f64) -> Result<Timestamp> {
    Ok(Timestamp::UNIX_EPOCH + SignedDuration::try_from_secs_f64(seconds)?)
}

fn observed(world: &World<'_>) -> Result<Observed> {
    let facts = Facts::read(facts(world).to_string().as_bytes()).map_err(|error| anyhow!(error))?;
    let pods = world.workers.iter().map(|(number, worker)| pod(*number, worker));
    let group = Group {
        name: GROUP.to_owned(),
        replicas: world.staying(),
        declared: Offer { threads: f64::from(u32::try_from(THREADS)?), ..Offer::default() },
        pods: pods.collect::<Result<_>>()?,
        ..Group::default()
    };
    let cluster = Cluster { name: "demo".to_owned(), scheduler_ready: true, ..Cluster::default() };
    let link = Link::Preload(Arc::new(facts));
    Ok(Observed { cluster: Some(cluster), link, groups: vec![group], ..Observed::default() })
}

/// What the scheduler would answer, as `operator/preload/README.md` has it. Results are small, and taken at once.
fn facts(world: &World<'_>) -> Value {
    let workers = world.workers.iter().filter(|(_, worker)| worker.registered).map(|(number, worker)| {
        json!({
            "name": name(*number),
            "status": if worker.leaving { "closing_gracefully" } else { "running" },
            "threads": THREADS,
            "processing": worker.running.len(),
        })
    });
    let tasks = |(count, seconds): (usize, f64)| json!({"count": count, "seconds": seconds});
    let scheduler = &world.scheduler;
    let ready = (scheduler.queued(), scheduler.queued_seconds(usize::MAX));
    let queued = if world.workers.values().any(|worker| worker.registered) { "queued" } else { "unrunnable" };
    json!({
        "schema": 1,
        "revision": 1,
        "pod_uid": "",
        "workers": workers.collect::<Vec<_>>(),
        "drains": [],
        "demand": [{"tasks": {
            "processing": tasks(scheduler.processing()), "next": tasks(scheduler.next()), queued: tasks(ready),
        }}],
    })
}

fn name(number: usize) -> String {
    format!("{GROUP}-worker-{number:010x}")
}

fn pod(number: usize, worker: &Worker) -> Result<WorkerPod> {
    let stage = if worker.registered { Stage::Ready } else { Stage::NotReady };
    Ok(WorkerPod { stage, ..WorkerPod::ready(&name(number), time(worker.created)?) })
}
