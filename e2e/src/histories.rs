//! People at random, with a cluster that an autoscaler scales, while their workload counts whatever is lost or wrong.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::autoscalers::{Course, until_replicas};
use crate::bed::Bed;
use crate::bodies::Bodies;
use crate::chance::Chance;
use crate::manifests;

/// Of plain workers, and of those that offer what some tasks need.
const MOST: u32 = 4;
const MOST_RARE: u32 = 2;
/// Between two acts, in milliseconds.
const PAUSE: u32 = 3000;
const SOON: Duration = Duration::from_mins(2);
/// Which group gets how many workers for which work.
const PLAIN: &str = "demo-default";
const RARE: &str = "demo-gpu";

/// One run: a cluster, people who submit, wait and cancel, and others who change how many workers there may be.
#[derive(Clone, Debug)]
pub struct History {
    /// The beginning of its namespace's name.
    pub name: String,
    pub seed: u64,
    /// How often something about the workers is changed.
    pub acts: u32,
}

/// What somebody changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Bounds,
    Window,
    Scale,
}

/// What an autoscaler is told.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    minimum: u32,
    maximum: u32,
    window: u32,
}

impl Bounds {
    fn new(chance: &mut Chance) -> Self {
        let minimum = chance.below(3);
        Self { minimum, maximum: minimum.max(1) + chance.below(MOST - 1), window: 1 + chance.below(4) }
    }

    fn autoscaler(self) -> String {
        let groups = json!([
            {"name": PLAIN, "minimum": self.minimum, "maximum": self.maximum.min(MOST)},
            {"name": RARE, "maximum": MOST_RARE},
        ]);
        let down = json!({"stabilizationSeconds": self.window});
        let spec = json!({"groups": groups, "targetDurationSeconds": 2, "scaleDown": down});
        manifests::autoscaler("demo", "demo", &spec)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} changes, E2E_SEED={}", self.acts, self.seed)
    }
}

impl History {
    /// What was counted.
    pub async fn play(&self) -> Result<Value> {
        self.play_here().await.with_context(|| self.to_string())
    }

    async fn play_here(&self) -> Result<Value> {
        let bodies = Bodies::new()?;
        let bed = Bed::new(&self.name).await?;
        let mut chance = Chance::from_seed(self.seed);
        let mut bounds = Bounds::new(&mut chance);
        bed.apply(&cluster(&bodies))?;
        bed.apply(&rare_workers(&bodies))?;
        bed.apply(&bounds.autoscaler())?;
        bed.until_ready("demo", SOON).await?;
        let course = Course::of(&bed);
        let mut workload = bodies.workload("histories", &bed.address("demo")?, self.seed).start()?;
        workload.until("ready")?;
        // Who scales twice is another one that scales, and the group is left to them.
        let mut acts = vec![Act::Bounds, Act::Bounds, Act::Window, Act::Scale];
        for _ in 0..self.acts {
            tokio::time::sleep(Duration::from_millis(chance.below(PAUSE).into())).await;
            let act = *chance.one_of(&acts).context("nothing to do")?;
            acts.retain(|other| *other != Act::Scale || act != Act::Scale);
            bounds = act.go(&bed, bounds, &mut chance)?;
        }
        workload.say("enough")?;
        let (mut counted, succeeded) = workload.finished().await?;
        ensure!(succeeded, "{counted}");
        // Nobody wants anything any more.
        until_replicas(&bed, PLAIN, i32::try_from(bounds.minimum)?, SOON).await?;
        until_replicas(&bed, RARE, 0, SOON).await?;
        let most = course.numbers().into_values().flatten().max().unwrap_or_default();
        counted["most_workers"] = json!(most);
        counted["turns"] = json!(course.turns());
        Ok(counted)
    }
}

impl Act {
    /// Does it; what the autoscaler is told from now on.
    fn go(self, bed: &Bed, mut bounds: Bounds, chance: &mut Chance) -> Result<Bounds> {
        match self {
            Self::Bounds => {
                let others = Bounds::new(chance);
                bounds = Bounds { window: bounds.window, ..others };
            }
            Self::Window => bounds.window = 1 + chance.below(4),
            Self::Scale => {
                let count = 1 + chance.below(MOST);
                let group = format!("daskworkergroup/{PLAIN}");
                bed.kubectl(&["scale", &group, &format!("--replicas={count}")])?;
                return Ok(bounds);
            }
        }
        bed.apply(&bounds.autoscaler())?;
        Ok(bounds)
    }
}

fn workers(bodies: &Bodies) -> Value {
    let resources = json!({"requests": {"cpu": "20m", "memory": "200Mi"}});
    json!({"replicas": 0, "threads": 1, "resources": resources, "spec": bodies.pod(json!({}))})
}

fn cluster(bodies: &Bodies) -> String {
    manifests::exact_cluster_of("demo", &json!({"worker": workers(bodies)}))
}

fn rare_workers(bodies: &Bodies) -> String {
    let mut worker = workers(bodies);
    worker["daskResources"] = json!({"GPU": 1});
    manifests::exact_group_of(RARE, &json!({"cluster": "demo", "worker": worker}))
}
