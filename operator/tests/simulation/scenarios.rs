//! Coincidences too rare to wait for: a few steps each, with exactly the faults that make them dangerous.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dask_operator_testkit::server::{Call, End, Fate, Faults, Verb};

use crate::dask::Kind;
use crate::history::{History, Name, Step};

/// One coincidence.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    steps: Vec<(u64, Step)>,
    replicas: usize,
    schedulers: Option<Kind>,
    faults: Targeted,
}

/// Faults of chosen calls, and a watch that is late.
#[derive(Clone, Default)]
pub(crate) struct Targeted {
    rules: Vec<Rule>,
    late: Option<(&'static str, Duration)>,
}

/// So many calls of a kind, after some others, end this way.
#[derive(Clone)]
struct Rule {
    verb: Verb,
    plural: &'static str,
    skip: u32,
    times: u32,
    end: End,
    /// Whether it ever came to that.
    met: Arc<AtomicBool>,
}

impl Scenario {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let writes = [Self::of_writes(), Self::of_services(), Self::of_changes()];
        writes.into_iter().chain([Self::of_the_gone(), Self::of_leaving()]).flatten()
    }

    fn of_writes() -> Vec<Self> {
        let lost = |verb, times| Rule::new(verb, "pods", 0, times, End::AnswerLost);
        vec![
            Self::new("workers are created without an answer, and seen late", vec![(0, a_cluster(3))])
                .with(lost(Verb::Create, 3))
                .are_late("pods"),
            Self::new(
                "nobody waited for the creation of workers, which is seen late",
                vec![(0, a_cluster(3))],
            )
            .with(Rule::new(Verb::Create, "pods", 0, 3, End::GivenUp))
            .are_late("pods"),
            Self::new(
                "workers are deleted without an answer while others become ready, and that is seen late",
                vec![(0, a_cluster(4)), (10_000, scale(1))],
            )
            .with(lost(Verb::Delete, 12))
            .are_late("pods"),
            Self::new("workers go while the API server is away, which then only knows who is there", {
                let outage = Step::Outage { seconds: 5 };
                vec![(0, a_cluster(4)), (60_000, outage), (100, lose_worker()), (0, lose_worker())]
            }),
            Self::new(
                "a worker crashes again and again, and nothing else happens",
                vec![(0, a_cluster(1)), (60_000, crash()), (30_000, crash()), (30_000, crash())],
            ),
        ]
    }

    fn of_services() -> Vec<Self> {
        let refused = || Rule::new(Verb::Create, "services", 1, 5, End::Refused(500));
        vec![
            Self::new(
                "a Service is deleted and cannot be made again for a while",
                vec![(0, a_cluster(1)), (60_000, lose("services"))],
            )
            .with(refused()),
            Self::new(
                "a Service is deleted while the cluster's own status is seen late",
                vec![(0, a_cluster(1)), (7000, lose("services"))],
            )
            .with(refused())
            .are_late("daskclusters"),
            Self::new(
                "a Service is deleted while the cluster's own status, whose writes have no answer, is seen late",
                vec![(0, a_cluster(1)), (1000, lose("services"))],
            )
            .with(refused())
            .with(Rule::new(Verb::Patch, "daskclusters", 0, 9, End::AnswerLost))
            .are_late("daskclusters"),
        ]
    }

    fn of_the_gone() -> Vec<Self> {
        let deleted = || vec![(0, a_cluster(3)), (60_000, Step::DeleteCluster { cluster: cluster() })];
        vec![
            Self::new("a cluster is deleted, and that is seen late", deleted()).are_late("daskclusters"),
            Self::new("a cluster is deleted, and that its groups go is seen late", deleted())
                .are_late("daskworkergroups"),
            Self::new("a cluster is made anew with one more group, and that is seen late", {
                let more = ("team", "a-more".to_owned());
                let group = Step::CreateGroup { group: more, cluster: cluster().1, workers: 1 };
                deleted().into_iter().chain([(1000, a_cluster(3)), (0, group)]).collect()
            })
            .are_late("daskclusters"),
        ]
    }

    fn of_changes() -> Vec<Self> {
        let change = Step::ChangeImage { cluster: cluster(), image: "image:2".to_owned() };
        let steps = vec![(0, a_cluster(4)), (600_000, change)];
        vec![Self::new("the image of workers that have been at work changes", steps).by(Kind::Ours)]
    }

    fn of_leaving() -> Vec<Self> {
        let lost_scheduler =
            || vec![(0, a_cluster(6)), (600_000, scale(1)), (5000, lose_scheduler()), (600_000, scale(2))];
        let wanted_again =
            || vec![(0, a_cluster(6)), (600_000, scale(1)), (20_000, scale(4)), (600_000, scale(2))];
        vec![
            Self::new(
                "workers with work are to leave, and some are wanted again before they are gone",
                wanted_again(),
            )
            .by(Kind::Ours),
            Self::new(
                "workers that leave by Dask's own protocol are wanted again before they are gone",
                wanted_again(),
            )
            .by(Kind::Speaks),
            Self::new(
                "a worker is told to leave, which meets with a conflict",
                vec![(0, a_cluster(3)), (600_000, scale(2))],
            )
            .by(Kind::Ours)
            .with(Rule::new(Verb::Patch, "pods", 0, 1, End::Refused(409))),
            Self::new("a scheduler is lost while workers leave", lost_scheduler()).by(Kind::Ours),
            Self::new(
                "a scheduler that has loaded nothing of ours is lost while workers leave",
                lost_scheduler(),
            )
            .by(Kind::Speaks),
            // Whichever leads, the other follows.
            Self::new(
                "a replica with another clock takes over while workers leave",
                vec![(0, a_cluster(8)), (600_000, scale(1)), (5000, pause(0)), (70_000, pause(1))],
            )
            .with_two_replicas(),
        ]
    }

    fn new(name: &'static str, steps: Vec<(u64, Step)>) -> Self {
        Self { name, steps, replicas: 1, schedulers: None, faults: Targeted::default() }
    }

    fn with(mut self, rule: Rule) -> Self {
        self.faults.rules.push(rule);
        self
    }

    fn by(self, schedulers: Kind) -> Self {
        Self { schedulers: Some(schedulers), ..self }
    }

    fn with_two_replicas(self) -> Self {
        Self { replicas: 2, ..self }
    }

    fn are_late(mut self, plural: &'static str) -> Self {
        self.faults.late = Some((plural, Duration::from_secs(8)));
        self
    }

    /// The history with these waits of nodes and choices of the operator.
    pub(crate) fn history(&self, seed: u64) -> History {
        // Faults end with the last step.
        let last = (60_000, Step::Quota { namespace: "team", pods: None });
        let steps = self.steps.iter().chain([&last]);
        let steps = steps.map(|(quiet, step)| (Duration::from_millis(*quiet), step.clone())).collect();
        let Self { replicas, schedulers, .. } = *self;
        History { seed, replicas, watched: Vec::new(), schedulers, steps }
    }

    /// Whether everything has gone wrong that was to.
    pub(crate) fn is_met(&self) -> bool {
        self.faults.rules.iter().all(|rule| rule.met.load(Ordering::Relaxed))
    }

    /// What goes wrong.
    pub(crate) fn faults(&self) -> Targeted {
        self.faults.clone()
    }
}

impl Faults for Targeted {
    fn fate(&mut self, call: &Call) -> Fate {
        let concerns = |rule: &&mut Rule| rule.verb == call.verb && rule.plural == call.resource.plural;
        let end = self.rules.iter_mut().find(concerns).map_or(End::Answered, Rule::end);
        Fate { end, ..Fate::default() }
    }

    fn lag(&mut self, plural: &str) -> Duration {
        self.late.filter(|(late, _)| *late == plural).map_or(Duration::ZERO, |(_, lag)| lag)
    }

    fn cut(&mut self, _: &str) -> Option<bool> {
        None
    }
}

impl Rule {
    fn new(verb: Verb, plural: &'static str, skip: u32, times: u32, end: End) -> Self {
        Self { verb, plural, skip, times, end, met: Arc::default() }
    }

    fn end(&mut self) -> End {
        if self.skip > 0 {
            self.skip -= 1;
            return End::Answered;
        }
        if self.times == 0 {
            return End::Answered;
        }
        self.times -= 1;
        self.met.store(true, Ordering::Relaxed);
        self.end
    }
}

fn cluster() -> Name {
    ("team", "a".to_owned())
}

fn group() -> Name {
    ("team", "a-default".to_owned())
}

fn a_cluster(workers: u64) -> Step {
    Step::CreateCluster { cluster: cluster(), workers, config: false }
}

fn scale(workers: u64) -> Step {
    Step::ScaleGroup { group: group(), workers }
}

fn lose(plural: &'static str) -> Step {
    Step::DeleteChild { cluster: cluster(), plural }
}

fn lose_scheduler() -> Step {
    Step::DeleteScheduler { cluster: cluster() }
}

fn lose_worker() -> Step {
    Step::DeletePod { group: group(), which: 0 }
}

fn pause(replica: usize) -> Step {
    Step::Pause { replica, seconds: 60 }
}

fn crash() -> Step {
    Step::EndPod { group: group(), which: 0, exit_code: 1 }
}
