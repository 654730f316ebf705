//! Plays a history: people, Kubernetes and the operator's replicas, in time that passes as fast as it can be computed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dask_operator::{Chance, Clock, LeaseName, Operator, Replica, Shutdown, Stop};
use dask_operator_plan::Settings;
use dask_operator_testkit::server::{ApiServer, Change, Faults, Life};
use jiff::SignedDuration;
use tokio::task::JoinHandle;

use crate::dask::Dask;
use crate::end::{self, End};
use crate::history::{History, Step};
use crate::invariants::Invariants;
use crate::people;
use crate::script::Calm;
use crate::within_namespaces::WithinNamespaces;

/// How often it is looked whether something is broken, which ends a history.
const GLANCE: Duration = Duration::from_secs(5);
/// Two hours of leases and watches are a third of this: what calls more often goes round and round.
const MOST_CALLS: u64 = 30_000;
/// A process that died is started again after this long: longer than anything it sent is on its way.
const DOWN: Duration = Duration::from_secs(3);
/// Nothing was written for this long: longer than a crash is told after it, and than any wait of the operator's.
const REST: Duration = Duration::from_mins(15);
/// After the last disturbance everything must be at rest by then.
const PATIENCE: Duration = Duration::from_hours(2);

/// Plays it, with the disturbances that it has and these faults or without any; the end, or what was broken on the way.
pub(crate) fn play(history: &History, faults: Option<Box<dyn Faults>>) -> Result<End, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (ended, world) = runtime.block_on(async {
        let disturbed = faults.is_some();
        let mut stage = Stage::new(history, faults);
        let ended = stage.play(history, disturbed).await;
        (stage.told(ended, history), stage.server.handle())
    });
    drop(runtime);
    // A hundred thousand are played in one process.
    let left = || format!("its world is still in memory, after {:?}", history.steps);
    ended.and_then(|end| if world.is_alive() { Err(left()) } else { Ok(end) })
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.world().end();
    }
}

struct Stage {
    server: ApiServer,
    dask: Dask,
    broken: Arc<Mutex<Vec<String>>>,
    processes: Vec<Process>,
}

impl Stage {
    fn new(history: &History, faults: Option<Box<dyn Faults>>) -> Self {
        let replicas = if faults.is_some() { history.replicas } else { 1 };
        let seed = faults.is_some().then_some(history.seed);
        let broken = Arc::default();
        let faults = faults.unwrap_or_else(|| Box::new(Calm));
        let server = ApiServer::new(WithinNamespaces::boxed(faults, history, &broken));
        let dask = Dask::new(&server, history.schedulers, seed, &broken);
        tokio::spawn(Life::new(&server, history.seed).run());
        Invariants::watch(&server, &dask, &broken);
        let processes = (0..replicas).map(|number| Process::new(&server, &dask, history, number)).collect();
        Self { server, dask, broken, processes }
    }

    async fn play(&mut self, history: &History, disturbed: bool) -> Result<End, String> {
        for (quiet, step) in &history.steps {
            self.wait(*quiet).await;
            if !step.disturbs() {
                self.follow(step, history).await?;
            } else if disturbed {
                self.disturb(step);
            }
        }
        self.server.set_faults(WithinNamespaces::boxed(Box::new(Calm), history, &self.broken));
        self.dask.calm();
        self.rest().await?;
        end::check(&self.server, &self.dask, history)?;
        Ok(End::of(&self.server, history))
    }

    /// The end, or what was broken before it.
    fn told(&self, ended: Result<End, String>, history: &History) -> Result<End, String> {
        if std::env::var_os("SIMULATION_LOG").is_some() {
            self.log();
        }
        let broken = self.broken.lock().unwrap();
        match broken.first() {
            Some(first) => Err(format!("{first} (and {} more) in {:?}", broken.len() - 1, history.steps)),
            None => ended.map_err(|why| format!("{why} in {:?}", history.steps)),
        }
    }

    fn is_broken(&self) -> bool {
        let mut broken = self.broken.lock().unwrap();
        if self.server.calls() > MOST_CALLS {
            broken.push(format!("{} calls: it goes round and round", self.server.calls()));
        }
        !broken.is_empty()
    }

    /// Lets time pass, and starts again who dies.
    async fn wait(&mut self, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while !self.is_broken() {
            let died = async {
                futures::future::select_all(self.processes.iter_mut().map(|one| Box::pin(one.ended())))
                    .await
                    .1
            };
            tokio::select! {
                biased;
                user = self.server.crash() => {
                    let died = user.and_then(|user| self.processes.iter_mut().find(|one| one.user == user));
                    if let Some(died) = died { died.start(DOWN) }
                }
                who = died => self.processes[who].start(DOWN),
                () = tokio::time::sleep_until(until.min(tokio::time::Instant::now() + GLANCE)) => {
                    if tokio::time::Instant::now() >= until {
                        return;
                    }
                }
            }
        }
    }

    async fn follow(&mut self, step: &Step, history: &History) -> Result<(), String> {
        for _ in 0..1800 {
            if self.is_broken() {
                break;
            }
            if people::act(&self.server, step, history) {
                return Ok(());
            }
            self.wait(Duration::from_secs(1)).await;
        }
        Err(format!("half an hour was not enough for {step:?} to become possible"))
    }

    fn disturb(&mut self, step: &Step) {
        let process = |replica: usize| replica % self.processes.len();
        match step {
            Step::Restart { replica } => self.processes[process(*replica)].stop.as_ref().unwrap().stop(),
            Step::Kill { replica } => {
                let at = process(*replica);
                self.processes[at].start(DOWN);
            }
            Step::Pause { replica, seconds } => {
                let paused = self.processes[process(*replica)].paused.clone();
                paused.send_replace(true);
                after(*seconds, move || {
                    paused.send_replace(false);
                });
            }
            Step::Outage { seconds } => {
                let server = self.server.clone();
                server.set_down(true);
                // A server that comes back knows no change from before.
                after(*seconds, move || {
                    server.world().compact();
                    server.set_down(false);
                });
            }
            _ => self.server.world().compact(),
        }
    }

    /// Every change, for a person who looks into one history.
    fn log(&self) {
        let world = self.server.world();
        for change in world.history().iter().filter(|change| counts(change)) {
            let what = match (&change.before, &change.after) {
                (None, _) => "created".to_owned(),
                (_, None) => "gone".to_owned(),
                (Some(before), Some(after)) => differences(before, after),
            };
            let at = world.elapsed().saturating_sub(change.at.elapsed());
            let dask_operator_testkit::server::Id { plural, namespace, name } = &change.id;
            println!("{at:>9.3?} {} {plural} {namespace}/{name} {what}", change.by);
        }
    }

    async fn rest(&mut self) -> Result<(), String> {
        let began = tokio::time::Instant::now();
        while began.elapsed() < PATIENCE && !self.is_broken() {
            self.wait(Duration::from_secs(30)).await;
            if began.elapsed() > REST && self.last_change() > REST {
                return Ok(());
            }
        }
        let world = self.server.world();
        let last: Vec<_> = world.history().iter().rev().filter(|change| counts(change)).take(6).collect();
        let told = last.iter().map(|change| format!("{} {:?} {:?}", change.by, change.id, change.after));
        Err(format!("it never rests; its last changes: {}", told.collect::<Vec<_>>().join("\n")))
    }

    /// Since anything changed, or an operator wrote what was there already. What is refused is tried again for ever.
    fn last_change(&self) -> Duration {
        let world = self.server.world();
        let changed = world.history().iter().rev().find(|change| counts(change)).map(|change| change.at);
        changed.max(self.server.written()).map_or(PATIENCE, |last| last.elapsed())
    }
}

/// Everything but the lease.
fn counts(change: &Change) -> bool {
    change.id.plural != "leases"
}

/// One replica, which dies and comes back under the same name.
struct Process {
    server: ApiServer,
    dask: Dask,
    history: History,
    number: usize,
    starts: u64,
    user: String,
    stop: Option<Stop>,
    paused: tokio::sync::watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Process {
    fn new(server: &ApiServer, dask: &Dask, history: &History, number: usize) -> Self {
        let mut process = Self {
            server: server.clone(),
            dask: dask.clone(),
            history: history.clone(),
            number,
            starts: 0,
            user: String::new(),
            stop: None,
            paused: tokio::sync::watch::Sender::new(false),
            running: tokio::spawn(async {}),
        };
        process.start(Duration::ZERO);
        process
    }

    /// Dies, if it lives, and lives after a while.
    fn start(&mut self, down: Duration) {
        self.running.abort();
        self.starts += 1;
        self.user = format!("operator-{}/{}", self.number, self.starts);
        let (stop, shutdown) = Shutdown::by_hand();
        let operator = Operator::new(self.replica());
        let mut paused = self.paused.subscribe();
        self.running = tokio::spawn(async move {
            tokio::time::sleep(down).await;
            let mut running = Box::pin(operator.run(&shutdown));
            loop {
                tokio::select! {
                    biased;
                    () = until(&mut paused, true) => until(&mut paused, false).await,
                    _ = &mut running => return,
                }
            }
        });
        self.stop = Some(stop);
    }

    async fn ended(&mut self) -> usize {
        let _ = (&mut self.running).await;
        self.number
    }

    fn replica(&self) -> Replica {
        // The clocks of machines may be an hour apart.
        let skew = SignedDuration::from_hours(i64::try_from(self.number).unwrap());
        let server = self.server.clone();
        let seed = self.history.seed ^ (self.number as u64) << 32 ^ self.starts << 48;
        Replica {
            client: self.server.client(&self.user),
            scope: self.history.scope(),
            schedulers: Arc::new(self.dask.clone()),
            settings: Settings {
                cluster_domain: "cluster.local".to_owned(),
                default_image: "image".to_owned(),
                worker_batch: None,
            },
            lease: LeaseName {
                namespace: "operators".to_owned(),
                identity: format!("operator-{}", self.number),
            },
            clock: Clock::new(move || server.world().now() + skew),
            chance: Chance::from_seed(seed),
            record: None,
        }
    }
}

/// Does something later, while the history goes on.
fn after(seconds: u64, act: impl FnOnce() + Send + 'static) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        act();
    });
}

async fn until(paused: &mut tokio::sync::watch::Receiver<bool>, wanted: bool) {
    let _ = paused.wait_for(|paused| *paused == wanted).await.is_ok();
}

fn differences(before: &serde_json::Value, after: &serde_json::Value) -> String {
    let parts = ["metadata", "spec", "status"].into_iter().filter(|part| before[part] != after[part]);
    parts
        .filter(|part| {
            *part != "metadata"
                || before["metadata"]["deletionTimestamp"] != after["metadata"]["deletionTimestamp"]
        })
        .map(|part| format!("{part} {}", after[part]))
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(400)
        .collect()
}
