//! Workers leave at random while a workload counts whatever is lost or done twice.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{EvictParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::bodies::Bodies;
use crate::chance::Chance;
use crate::manifests;

const WORKERS: u32 = 3;
/// So many leave at once, at most.
const MOST_AT_ONCE: u32 = 2;
/// Those that do are told so many milliseconds one after the other, at most.
const APART: u32 = 300;
const PODS: &str = "dask.org/component=worker";
const SOON: Duration = Duration::from_mins(2);
/// What is counted, and is to be zero.
pub const LOSSES: [&str; 6] = ["begun_twice", "recomputed", "unreadable", "suspicious", "killed", "wrong"];

/// How the processes of a worker's pod are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Nanny,
    WithoutNanny,
    TwoProcesses,
    ShellAsProcessOne,
    PreloadOfTheUsers,
}

/// How a worker leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ScaleDown,
    Evict,
    Delete,
    DrainNode,
}

/// One run: a cluster, a workload, and so many times that one or two of its workers leave.
#[derive(Clone, Debug)]
pub struct Drains {
    /// The beginning of its namespace's name.
    pub name: String,
    pub shape: Shape,
    pub ways: &'static [Way],
    pub count: u32,
    pub seed: u64,
    /// Whether workers ask before they leave; without it a loss is to be seen.
    pub protected: bool,
}

impl Shape {
    pub const ALL: [Self; 5] = [
        Self::Nanny,
        Self::WithoutNanny,
        Self::TwoProcesses,
        Self::ShellAsProcessOne,
        Self::PreloadOfTheUsers,
    ];

    fn processes(self) -> u32 {
        if self == Self::TwoProcesses { 2 } else { 1 }
    }

    fn container(self) -> Value {
        let worker = ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"];
        let with = |more: &[&str]| json!({"args": ([&worker[..], more].concat())});
        match self {
            Self::Nanny | Self::TwoProcesses => json!({}),
            Self::WithoutNanny => with(&["--no-nanny"]),
            Self::ShellAsProcessOne => {
                let script = "dask worker --name $DASK_WORKER_NAME --nthreads 1; echo it has ended";
                json!({"command": ["sh", "-c", script]})
            }
            Self::PreloadOfTheUsers => {
                with(&["--preload", "def dask_setup(worker):\n    worker.of_the_users = True"])
            }
        }
    }
}

impl Way {
    pub const ALL: [Self; 4] = [Self::ScaleDown, Self::Evict, Self::Delete, Self::DrainNode];

    /// Has them leave, almost at once, and returns when they are gone.
    async fn go(self, bed: &Bed, victims: &[&String], chance: &mut Chance) -> Result<()> {
        match self {
            Self::ScaleDown => {
                let stay = WORKERS as usize - victims.len();
                bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={stay}")])?;
                bed.until(PODS, "fewer workers", SOON, |pods: &[Arc<Pod>]| pods.len() == stay).await?;
                bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={WORKERS}")])?;
                return Ok(());
            }
            Self::DrainNode => drain_node(bed, victims).await?,
            Self::Evict | Self::Delete => {
                for victim in victims {
                    self.remove(bed, victim).await?;
                    tokio::time::sleep(Duration::from_millis(chance.below(APART).into())).await;
                }
            }
        }
        let gone = |pods: &[Arc<Pod>]| pods.iter().all(|pod| !victims.contains(&&pod.name_any()));
        bed.until(PODS, &format!("{victims:?} are gone"), SOON, gone).await.map(drop)
    }

    async fn remove(self, bed: &Bed, victim: &str) -> Result<()> {
        match self {
            Self::Evict => bed.api::<Pod>().evict(victim, &EvictParams::default()).await.map(drop)?,
            _ => bed.kubectl(&["delete", "pod", victim, "--wait=false"]).map(drop)?,
        }
        Ok(())
    }
}

/// As somebody does who takes a node out of service; yet only these pods are to go.
async fn drain_node(bed: &Bed, victims: &[&String]) -> Result<()> {
    let nodes = Api::<Node>::all(bed.client.clone()).list(&ListParams::default()).await?;
    let node = nodes.items.first().context("no node")?.name_any();
    for victim in victims {
        bed.kubectl(&["label", "pod", victim, "victim=yes"])?;
    }
    let drain = ["drain", &node, "--pod-selector=victim=yes", "--force", "--delete-emptydir-data"];
    let drained = bed.cluster.kubectl(&[&drain[..], &["--ignore-daemonsets", "--timeout=120s"]].concat());
    bed.cluster.kubectl(&["uncordon", &node])?;
    drained.map(drop)
}

impl fmt::Display for Drains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} drains, {:?}, E2E_SEED={}", self.count, self.shape, self.seed)
    }
}

impl Drains {
    /// What was counted.
    pub async fn run(&self) -> Result<Value> {
        self.run_here().await.with_context(|| self.to_string())
    }

    async fn run_here(&self) -> Result<Value> {
        let bodies = Bodies::new()?;
        let bed = Bed::new(&self.name).await?;
        bed.apply(&self.cluster(&bodies))?;
        let all = u64::from(WORKERS * self.shape.processes());
        bed.until_registered("demo", all, SOON).await?;
        let scheduler = bed.address("demo")?;
        let workload = bodies.workload("draining", &scheduler, self.seed);
        let mut workload = workload.with("WORKERS", &all.to_string()).start()?;
        workload.until("ready")?;
        let mut chance = Chance::from_seed(self.seed);
        for number in 0..self.count {
            let done = self.leave(&bed, &mut chance, all).await;
            done.with_context(|| format!("drain {number}"))?;
        }
        workload.say("enough")?;
        let (counted, succeeded) = workload.finish()?;
        ensure!(succeeded, "{counted}");
        Ok(counted)
    }

    /// One worker leaves, or two do shortly one after the other, and others take their places.
    async fn leave(&self, bed: &Bed, chance: &mut Chance, all: u64) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(chance.below(2000).into())).await;
        let pods = bed.until(PODS, "workers", SOON, |pods: &[Arc<Pod>]| !pods.is_empty()).await?;
        let mut names: Vec<_> = pods.iter().map(|pod| pod.name_any()).collect();
        names.sort();
        let first = chance.below(WORKERS) as usize;
        let count = 1 + chance.below(MOST_AT_ONCE) as usize;
        let victims: Vec<_> = names.iter().cycle().skip(first).take(count.min(names.len())).collect();
        let way = chance.one_of(self.ways).context("no way to leave")?;
        way.go(bed, &victims, chance).await.with_context(|| format!("{way:?} {victims:?}"))?;
        bed.until_registered("demo", all, SOON).await
    }

    fn cluster(&self, bodies: &Bodies) -> String {
        let mut container = self.shape.container();
        if !self.protected {
            container["lifecycle"] = json!({"preStop": {"exec": {"command": ["true"]}}});
        }
        let worker = json!({
            "replicas": WORKERS,
            "threads": 1,
            "processes": self.shape.processes(),
            "resources": {"requests": {"cpu": "20m", "memory": "200Mi"}},
            "spec": bodies.pod(container),
        });
        manifests::cluster_of("demo", &json!({"worker": worker}))
    }
}

/// How many losses there are of all kinds.
pub fn losses(counted: &Value) -> u64 {
    LOSSES.iter().map(|kind| counted[kind].as_u64().unwrap_or(u64::MAX / 8)).sum()
}
