//! Workers leave at random while a workload counts whatever is lost or done twice.

mod shape;
mod way;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::bodies::Bodies;
use crate::chance::Chance;
use crate::dask::Dask;
use crate::manifests;
use crate::workload::Workload;

pub use shape::Shape;
pub use way::Way;

const WORKERS: u32 = 3;
/// So many leave at once, at most.
const MOST_AT_ONCE: u32 = 2;
const PODS: &str = "dask.org/component=worker";
const SOON: Duration = Duration::from_mins(2);
/// What is counted, and is to be zero.
pub const LOSSES: [&str; 6] = ["begun_twice", "recomputed", "unreadable", "suspicious", "killed", "wrong"];

/// One run: a cluster, a workload, and so many times that one or two of its workers leave.
#[derive(Clone, Debug)]
pub struct Drains {
    /// The beginning of its namespace's name.
    pub name: String,
    /// Of the scheduler, the workers and the client.
    pub dask: Dask,
    pub shape: Shape,
    pub ways: &'static [Way],
    pub count: u32,
    pub seed: u64,
    /// Whether workers ask before they leave; without it a loss is to be seen.
    pub protected: bool,
    /// Whether its manifest leaves nothing to the operator, as those that were written for dask-kubernetes.
    pub written_out: bool,
}

/// One that has begun.
struct UnderWay {
    bed: Bed,
    workload: Workload,
    /// The folder goes with it.
    _bodies: Bodies,
}

impl fmt::Display for Drains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, shape, dask, seed, .. } = self;
        write!(f, "{count} drains, {shape:?}, {dask:?} Dask, E2E_SEED={seed}")
    }
}

impl Drains {
    /// What follows from a seed beside who leaves, when and how.
    pub fn at_random(name: &str, seed: u64) -> Self {
        let mut chance = Chance::from_seed(seed);
        let shape = *chance.one_of(&Shape::ALL).unwrap_or(&Shape::Nanny);
        let dask = chance.one_of(&Dask::ALL).copied().unwrap_or_default();
        let name = name.to_owned();
        let ways = shape.asked(&Way::ALL);
        Self { name, dask, shape, ways, count: 3, seed, protected: true, written_out: false }
    }

    /// What was counted; it fails when workers do not leave, or others do not take their places.
    pub async fn run(&self) -> Result<Value> {
        self.run_here().await.with_context(|| self.to_string())
    }

    /// The same, and when they do not, what was counted until then: `drains` says how many left, `stuck` why no more.
    pub async fn run_as_far_as_it_goes(&self) -> Result<Value> {
        self.run_until_stuck().await.with_context(|| self.to_string())
    }

    async fn run_here(&self) -> Result<Value> {
        let under_way = self.begin().await?;
        self.leave_all(&under_way.bed).await.1?;
        under_way.end()
    }

    async fn run_until_stuck(&self) -> Result<Value> {
        let under_way = self.begin().await?;
        let (left, stuck) = self.leave_all(&under_way.bed).await;
        let mut counted = under_way.end()?;
        counted["drains"] = json!(left);
        // The other lines are all that was seen.
        let why = stuck.err().map(|error| format!("{error:#}"));
        counted["stuck"] = json!(why.as_deref().and_then(|why| why.lines().next()));
        Ok(counted)
    }

    fn all(&self) -> u64 {
        u64::from(WORKERS * self.shape.processes())
    }

    async fn until_all_registered(&self, bed: &Bed) -> Result<()> {
        let all = (WORKERS as usize, self.shape.processes() as usize);
        bed.until_all_registered("demo", all, SOON).await
    }

    async fn begin(&self) -> Result<UnderWay> {
        let bodies = Bodies::new()?;
        let bed = Bed::new(&self.name).await?;
        bed.apply(&self.cluster(&bodies))?;
        self.until_all_registered(&bed).await?;
        let workload = bodies.workload("draining", &bed.address("demo")?, self.seed).by(self.dask);
        let mut workload = workload.with("WORKERS", &self.all().to_string()).start()?;
        workload.until("ready")?;
        Ok(UnderWay { bed, workload, _bodies: bodies })
    }

    /// How often workers left, and why not more often.
    async fn leave_all(&self, bed: &Bed) -> (u32, Result<()>) {
        let mut chance = Chance::from_seed(self.seed);
        for number in 0..self.count {
            let left = self.leave(bed, &mut chance).await.with_context(|| format!("drain {number}"));
            if left.is_err() {
                return (number, left);
            }
        }
        (self.count, Ok(()))
    }

    /// One worker leaves, or two do shortly one after the other, and others take their places.
    async fn leave(&self, bed: &Bed, chance: &mut Chance) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(chance.below(2000).into())).await;
        let pods = bed.until(PODS, "workers", SOON, |pods: &[Arc<Pod>]| !pods.is_empty()).await?;
        let mut names: Vec<_> = pods.iter().map(|pod| pod.name_any()).collect();
        names.sort();
        let first = chance.below(WORKERS) as usize;
        let count = 1 + chance.below(MOST_AT_ONCE) as usize;
        let victims: Vec<_> = names.iter().cycle().skip(first).take(count.min(names.len())).collect();
        let way = chance.one_of(self.ways).context("no way to leave")?;
        way.go(bed, &victims, chance).await.with_context(|| format!("{way:?} {victims:?}"))?;
        self.until_all_registered(bed).await
    }

    fn cluster(&self, bodies: &Bodies) -> String {
        let image = self.dask.image();
        let resources = json!({"requests": {"cpu": "20m", "memory": "200Mi"}});
        let spec = if self.written_out {
            let mut container = self.hooked(self.shape.written_out());
            container["image"] = json!(image);
            container["resources"] = resources;
            let worker = json!({"replicas": WORKERS, "spec": bodies.pod(container)});
            json!({"scheduler": manifests::scheduler_of("demo", image), "worker": worker})
        } else {
            let worker = json!({
                "replicas": WORKERS,
                "threads": 1,
                "processes": self.shape.processes(),
                "resources": resources,
                "spec": bodies.pod(self.hooked(self.shape.container())),
            });
            json!({"image": image, "worker": worker})
        };
        if self.shape == Shape::StockScheduler {
            return manifests::exact_stock_cluster_of("demo", &spec);
        }
        manifests::exact_cluster_of("demo", &spec)
    }

    fn hooked(&self, mut container: Value) -> Value {
        if !self.protected {
            container["lifecycle"] = json!({"preStop": {"exec": {"command": ["true"]}}});
        }
        container
    }
}

impl UnderWay {
    /// What was counted.
    fn end(self) -> Result<Value> {
        let mut workload = self.workload;
        workload.say("enough")?;
        let (counted, succeeded) = workload.finish()?;
        ensure!(succeeded, "{counted}");
        Ok(counted)
    }
}

/// How many losses there are of all kinds.
pub fn losses(counted: &Value) -> u64 {
    LOSSES.iter().map(|kind| counted[kind].as_u64().unwrap_or(u64::MAX / 8)).sum()
}
