//! What people, nodes and machines do: a list of steps that makes sense.

use std::time::Duration;

use dask_operator::Scope;

use crate::chance::Chance;
use crate::dask::Kind;

/// The namespaces there are.
pub(crate) const NAMESPACES: [&str; 2] = ["team", "other"];

/// A cluster or a group: namespace and name.
pub(crate) type Name = (&'static str, String);

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    CreateCluster {
        cluster: Name,
        workers: u64,
        config: bool,
    },
    ScaleCluster {
        cluster: Name,
        workers: u64,
    },
    ChangeImage {
        cluster: Name,
        image: String,
    },
    /// A cluster, if it is there, is suspended or resumed.
    Suspend {
        cluster: Name,
        suspend: bool,
    },
    DeleteCluster {
        cluster: Name,
    },
    CreateGroup {
        group: Name,
        cluster: String,
        workers: u64,
    },
    ScaleGroup {
        group: Name,
        workers: u64,
    },
    DeleteGroup {
        group: Name,
    },
    /// A worker's pod ends by itself.
    EndPod {
        group: Name,
        which: u64,
        exit_code: i32,
    },
    /// Somebody deletes a worker's pod.
    DeletePod {
        group: Name,
        which: u64,
    },
    DeleteScheduler {
        cluster: Name,
    },
    /// Somebody deletes what the operator made: a kind, as in paths.
    DeleteChild {
        cluster: Name,
        plural: &'static str,
    },
    /// Somebody else has an object of the name that a child is to have.
    Foreign {
        cluster: Name,
        plural: &'static str,
    },
    /// And takes it away again.
    RemoveForeign {
        cluster: Name,
        plural: &'static str,
    },
    Quota {
        namespace: &'static str,
        pods: Option<usize>,
    },
    /// The operator is told to stop and started again.
    Restart {
        replica: usize,
    },
    /// The operator dies.
    Kill {
        replica: usize,
    },
    /// The operator's process stands still.
    Pause {
        replica: usize,
        seconds: u64,
    },
    /// The API server is away.
    Outage {
        seconds: u64,
    },
    /// Watches that lag have to list anew.
    Compact,
}

impl Step {
    /// Whether it disturbs the operator rather than asking something of it.
    pub(crate) fn disturbs(&self) -> bool {
        use Step::{Compact, Kill, Outage, Pause, Restart};
        matches!(self, Restart { .. } | Kill { .. } | Pause { .. } | Outage { .. } | Compact)
    }
}

/// Steps, each so long after the one before.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) replicas: usize,
    /// What the operator watches, by names or patterns; everything when empty.
    pub(crate) watched: Vec<String>,
    /// What every scheduler has loaded, where that is not left to chance.
    pub(crate) schedulers: Option<Kind>,
    pub(crate) steps: Vec<(Duration, Step)>,
}

#[derive(Default)]
struct Model {
    clusters: Vec<Name>,
    groups: Vec<(Name, Name)>,
    foreign: Vec<(Name, &'static str)>,
}

impl History {
    /// The history of a seed.
    pub(crate) fn generate(seed: u64) -> Self {
        let mut chance = Chance::from_seed(seed);
        let (mut model, mut steps) = (Model::default(), Vec::new());
        for _ in 0..4 + chance.below(16) {
            let quiet = chance.one_of(&[0, 50, 1000, 1000, 5000, 30_000]);
            if let Some(step) = model.step(&mut chance) {
                steps.push((chance.millis(quiet), step));
            }
        }
        suspend(seed, &mut steps);
        for namespace in NAMESPACES {
            let quiet = chance.one_of(&[0, 1000, 30_000]);
            steps.push((chance.millis(quiet), Step::Quota { namespace, pods: None }));
        }
        let replicas = if chance.happens(300) { 2 } else { 1 };
        let watched =
            chance.one_of(&[vec![], vec![], vec!["team".to_owned()], NAMESPACES.map(str::to_owned).to_vec()]);
        Self { seed, replicas, schedulers: None, watched, steps }
    }

    /// What the operator watches.
    pub(crate) fn scope(&self) -> Scope {
        Scope::of(&self.watched.iter().map(|watched| watched.parse().unwrap()).collect::<Vec<_>>())
    }

    /// Whether the operator watches a namespace.
    pub(crate) fn watches(&self, namespace: &str) -> bool {
        self.scope().includes(namespace)
    }
}

impl Model {
    fn step(&mut self, chance: &mut Chance) -> Option<Step> {
        match chance.below(20) {
            0..4 => self.create_cluster(chance),
            4 => self.create_group(chance),
            5 => self.delete_cluster(chance),
            6 => self.delete_group(chance),
            7..10 => self.scale(chance),
            10..14 => self.lose(chance),
            14 => Some(Step::Quota { namespace: chance.one_of(&NAMESPACES), pods: Some(3) }),
            15 => self.foreign(chance),
            _ => Some(disturbance(chance)),
        }
    }

    fn create_cluster(&mut self, chance: &mut Chance) -> Option<Step> {
        let cluster = (chance.one_of(&NAMESPACES), chance.one_of(&["a", "b"]).to_owned());
        if self.clusters.contains(&cluster) {
            return None;
        }
        self.clusters.push(cluster.clone());
        self.groups.push(((cluster.0, format!("{}-default", cluster.1)), cluster.clone()));
        Some(Step::CreateCluster { cluster, workers: chance.below(5), config: chance.happens(300) })
    }

    fn create_group(&mut self, chance: &mut Chance) -> Option<Step> {
        let (namespace, cluster) = (chance.one_of(&NAMESPACES), chance.one_of(&["a", "b"]).to_owned());
        let group = (namespace, format!("{cluster}-more"));
        if !self.clusters.contains(&(namespace, cluster.clone()))
            || self.groups.iter().any(|(known, _)| *known == group)
        {
            return None;
        }
        self.groups.push((group.clone(), (namespace, cluster.clone())));
        Some(Step::CreateGroup { group, cluster, workers: chance.below(4) })
    }

    fn delete_cluster(&mut self, chance: &mut Chance) -> Option<Step> {
        let cluster = self.cluster(chance)?;
        self.clusters.retain(|known| *known != cluster);
        self.groups.retain(|(_, of)| *of != cluster);
        Some(Step::DeleteCluster { cluster })
    }

    fn delete_group(&mut self, chance: &mut Chance) -> Option<Step> {
        let group = self.group(chance)?;
        // The default group comes back.
        self.groups.retain(|(known, _)| *known != group || known.1.ends_with("-default"));
        Some(Step::DeleteGroup { group })
    }

    fn scale(&mut self, chance: &mut Chance) -> Option<Step> {
        Some(match chance.below(4) {
            0 => Step::ScaleCluster { cluster: self.cluster(chance)?, workers: chance.below(7) },
            1 => Step::ChangeImage {
                cluster: self.cluster(chance)?,
                image: format!("image:{}", chance.below(9)),
            },
            _ => Step::ScaleGroup { group: self.group(chance)?, workers: chance.below(7) },
        })
    }

    fn lose(&mut self, chance: &mut Chance) -> Option<Step> {
        let which = chance.below(8);
        Some(match chance.below(7) {
            0 => Step::DeleteScheduler { cluster: self.cluster(chance)? },
            1 => Step::DeleteChild {
                cluster: self.cluster(chance)?,
                plural: chance.one_of(&["services", "deployments", "configmaps"]),
            },
            2 => Step::DeleteChild { cluster: self.cluster(chance)?, plural: "services" },
            3 | 4 => Step::DeletePod { group: self.group(chance)?, which },
            _ => Step::EndPod { group: self.group(chance)?, which, exit_code: chance.one_of(&[0, 1, 137]) },
        })
    }

    /// Only where no cluster of the name was ever, so that nobody can tell who was first.
    fn foreign(&mut self, chance: &mut Chance) -> Option<Step> {
        let cluster = (chance.one_of(&NAMESPACES), "c".to_owned());
        if let Some(at) = self.foreign.iter().position(|(of, _)| *of == cluster) {
            let (cluster, plural) = self.foreign.remove(at);
            return Some(Step::RemoveForeign { cluster, plural });
        }
        if self.clusters.contains(&cluster) {
            return None;
        }
        self.clusters.push(cluster.clone());
        let plural = chance.one_of(&["services", "deployments", "daskworkergroups"]);
        self.foreign.push((cluster.clone(), plural));
        Some(Step::Foreign { cluster, plural })
    }

    fn cluster(&self, chance: &mut Chance) -> Option<Name> {
        let known: Vec<_> = self.clusters.iter().filter(|(_, name)| name != "c").cloned().collect();
        (!known.is_empty()).then(|| chance.one_of(&known))
    }

    fn group(&self, chance: &mut Chance) -> Option<Name> {
        (!self.groups.is_empty()).then(|| chance.one_of(&self.groups).0)
    }
}

/// In some histories clusters are suspended and resumed between the other steps, which stay what they are without.
fn suspend(seed: u64, steps: &mut Vec<(Duration, Step)>) {
    let mut chance = Chance::from_seed(seed ^ 0x51ee_9000);
    if !chance.happens(300) {
        return;
    }
    for _ in 0..=chance.below(4) {
        let cluster = (chance.one_of(&NAMESPACES), chance.one_of(&["a", "b"]).to_owned());
        let quiet = chance.one_of(&[0, 1000, 30_000, 300_000]);
        let at = usize::try_from(chance.below(steps.len() as u64 + 1)).unwrap();
        let step = Step::Suspend { cluster, suspend: chance.happens(600) };
        steps.insert(at, (chance.millis(quiet), step));
    }
}

fn disturbance(chance: &mut Chance) -> Step {
    let replica = usize::try_from(chance.below(2)).unwrap();
    match chance.below(5) {
        0 => Step::Restart { replica },
        1 => Step::Kill { replica },
        2 => Step::Pause { replica, seconds: chance.one_of(&[1, 12, 60]) },
        3 => Step::Outage { seconds: chance.one_of(&[1, 8, 14, 40]) },
        _ => Step::Compact,
    }
}
