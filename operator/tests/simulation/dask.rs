//! Schedulers as the operator reaches them: their workers have work, and drain when they are asked to.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dask_operator::scheduler::{Answer, AskError, Request, Schedulers, Talk};
use dask_operator_testkit::server::{ApiServer, World};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::chance::Chance;
use crate::invariants::{is_live, uid};

/// How often a poll looks for news.
const GLANCE: Duration = Duration::from_millis(500);

/// All schedulers of a world. Clones are the same.
#[derive(Clone)]
pub(crate) struct Dask {
    server: ApiServer,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    /// By the UIDs of their pods.
    schedulers: HashMap<String, Scheduler>,
    faults: Option<Chance>,
}

#[derive(Default)]
struct Scheduler {
    revision: u64,
    told: Value,
    /// By the names of worker pods.
    drains: BTreeMap<String, Drain>,
}

#[derive(Clone)]
struct Drain {
    /// When the work of its workers ends.
    done: Instant,
    until: Instant,
    verdict: Option<&'static str>,
}

/// What a worker has to do, which its pod's UID decides.
struct Work {
    time: Duration,
    bytes: u64,
    actors: u64,
}

fn number(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

fn work(uid: &str) -> Work {
    let number = number(uid);
    let time = [0, 0, 1, 5, 40, 300][usize::try_from(number % 6).unwrap()];
    Work {
        time: Duration::from_secs(time),
        bytes: number % 1000,
        actors: u64::from(number.is_multiple_of(11)),
    }
}

/// Some have not loaded what answers.
fn is_stock(scheduler: &str) -> bool {
    number(scheduler).is_multiple_of(8)
}

enum Fault {
    Refused,
    Silent,
    Nonsense,
    Broken,
    AnswerLost,
}

impl Dask {
    pub(crate) fn new(server: &ApiServer, faults: Option<u64>) -> Self {
        let faults = faults.map(|seed| Chance::from_seed(seed ^ 0xda5c));
        let inner = Inner { schedulers: HashMap::new(), faults };
        Self { server: server.clone(), inner: Arc::new(Mutex::new(inner)) }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm(&self) {
        self.inner().faults = None;
    }

    /// Whether a scheduler has nothing against the end of this worker's pod.
    pub(crate) fn may_go(&self, scheduler: &str, worker: &Value) -> bool {
        let name = worker["metadata"]["name"].as_str().unwrap_or_default();
        let done = |drain: &Drain| matches!(drain.state(true), "ready" | "forgotten" | "lost");
        let inner = self.inner();
        let drain = inner.schedulers.get(scheduler).and_then(|one| one.drains.get(name));
        is_stock(scheduler) || drain.is_some_and(done)
    }

    /// Whether a worker takes no work, by the word of any scheduler that is still there.
    pub(crate) fn is_paused(&self, world: &World, worker: &str) -> bool {
        let inner = self.inner();
        let lives =
            |scheduler: &str| world.all("pods", "").any(|(_, pod)| uid(pod) == scheduler && is_live(pod));
        let paused = |drain: &Drain| matches!(drain.state(true), "waiting" | "ready" | "interrupted");
        inner
            .schedulers
            .iter()
            .any(|(uid, scheduler)| lives(uid) && scheduler.drains.get(worker).is_some_and(paused))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn fault(&self) -> Option<Fault> {
        let mut inner = self.inner();
        let chance = inner.faults.as_mut()?;
        match chance.below(30) {
            0 => Some(Fault::Refused),
            1 => Some(Fault::Silent),
            2 => Some(Fault::Nonsense),
            3 => Some(Fault::Broken),
            4 => Some(Fault::AnswerLost),
            _ => None,
        }
    }

    async fn answer(&self, request: &Request) -> Result<Answer, AskError> {
        let fault = self.fault();
        sleep(Duration::from_millis(5)).await;
        match fault {
            Some(Fault::Refused) => return Err(AskError::Call("connection refused".to_owned())),
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Nonsense) => return Ok(answer(200, "<html>")),
            Some(Fault::Broken) => return Ok(answer(500, "")),
            Some(Fault::AnswerLost) | None => {}
        }
        let Some(scheduler) = self.at(request) else {
            return Err(AskError::Call("no route to host".to_owned()));
        };
        if is_stock(&scheduler) {
            return Ok(answer(404, ""));
        }
        let told = match &request.body {
            Some(body) => self.order(&scheduler, &request.path, body),
            None => self.poll(&scheduler, request).await,
        };
        match fault {
            Some(_) => Err(AskError::Call("connection reset".to_owned())),
            None => Ok(answer(200, &told)),
        }
    }

    /// The UID of the scheduler's pod at an address.
    fn at(&self, request: &Request) -> Option<String> {
        let ip = request.address.ip().to_string();
        let world = self.server.world();
        let mut pods = world.all("pods", "").map(|(_, pod)| pod);
        pods.find(|pod| pod["status"]["podIP"] == ip && pod["status"]["phase"] == "Running")
            .map(|pod| uid(pod))
    }

    fn order(&self, scheduler: &str, path: &str, body: &Value) -> String {
        let pods = body["pods"].as_array().cloned().unwrap_or_default();
        let mut unknown = Vec::new();
        for pod in pods {
            let name = pod["name"].as_str().unwrap_or_default().to_owned();
            let worker = self.workers(scheduler).into_iter().find(|(known, _)| *known == name);
            let mut inner = self.inner();
            let drains = &mut inner.schedulers.entry(scheduler.to_owned()).or_default().drains;
            let Some((_, uid)) = worker else {
                unknown.push(json!({"name": name, "state": "unknown"}));
                continue;
            };
            match path.rsplit('/').next() {
                Some("retire") => retire(drains, &name, &uid, body["deadline"].as_u64().unwrap_or(120)),
                Some("uncordon") => drop(drains.remove(&name)),
                _ => {
                    let now = Instant::now();
                    drains.insert(name, Drain { done: now, until: now, verdict: Some("forgotten") });
                }
            }
        }
        json!({"pods": unknown}).to_string()
    }

    async fn poll(&self, scheduler: &str, request: &Request) -> String {
        let number = |what: &str| -> u64 {
            let query = request.path.split(['?', '&']).find_map(|part| part.strip_prefix(what));
            query.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        let (after, until) = (number("after="), Instant::now() + Duration::from_secs(number("wait=")));
        loop {
            let (revision, told) = self.facts(scheduler);
            if revision != after || Instant::now() >= until {
                return told.to_string();
            }
            sleep(GLANCE).await;
        }
    }

    fn facts(&self, scheduler: &str) -> (u64, Value) {
        let workers = self.workers(scheduler);
        let mut inner = self.inner();
        let known = inner.schedulers.entry(scheduler.to_owned()).or_default();
        let told_worker = |(name, uid): &(String, String)| {
            let Work { time, bytes, actors } = work(uid);
            let paused = |drain: &Drain| matches!(drain.state(true), "waiting" | "ready" | "interrupted");
            let cordoned = known.drains.get(name).is_some_and(paused);
            let status = if cordoned { "closing_gracefully" } else { "running" };
            json!({"name": name, "status": status, "processing": time.as_secs(), "unique_bytes": bytes,
                "actors": actors})
        };
        let lives = |name: &String| workers.iter().any(|(known, _)| known == name);
        let drains: Vec<_> = known
            .drains
            .iter()
            .map(|(name, drain)| json!({"name": name, "state": drain.state(lives(name))}))
            .collect();
        let told = json!({"workers": workers.iter().map(told_worker).collect::<Vec<_>>(), "drains": drains});
        if known.told != told {
            known.revision += 1;
            known.told = told.clone();
        }
        let mut told = told;
        told["schema"] = 1.into();
        told["pod_uid"] = scheduler.into();
        told["revision"] = known.revision.into();
        (known.revision, told)
    }

    /// The names and UIDs of the worker pods that have registered: all that run.
    fn workers(&self, scheduler: &str) -> Vec<(String, String)> {
        let world = self.server.world();
        let pods: Vec<_> = world.all("pods", "").collect();
        let Some((own, pod)) = pods.iter().find(|(_, pod)| uid(pod) == scheduler) else { return Vec::new() };
        let cluster = &pod["metadata"]["labels"]["dask.org/cluster-name"];
        let of_cluster = |pod: &Value| {
            pod["metadata"]["labels"]["dask.org/component"] == "worker"
                && pod["metadata"]["labels"]["dask.org/cluster-name"] == *cluster
                && pod["status"]["phase"] == "Running"
        };
        let workers = pods.iter().filter(|(id, pod)| id.namespace == own.namespace && of_cluster(pod));
        workers.map(|(id, pod)| (id.name.clone(), uid(pod))).collect()
    }
}

impl Schedulers for Dask {
    fn ask(&self, request: Request) -> BoxFuture<'static, Result<Answer, AskError>> {
        let dask = self.clone();
        async move {
            let answer = timeout(request.within, dask.answer(&request)).await;
            answer.unwrap_or_else(|_| Err(AskError::Call("no answer in time".to_owned())))
        }
        .boxed()
    }

    /// Those that have not loaded what answers listen to TLS alone.
    fn talk(&self, _: Talk) -> BoxFuture<'static, Result<Vec<Vec<u8>>, AskError>> {
        async { Err(AskError::Tls) }.boxed()
    }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, body: body.as_bytes().to_vec() }
}

/// One that was refused or interrupted is begun again; its work has gone on meanwhile.
fn retire(drains: &mut BTreeMap<String, Drain>, name: &str, worker: &str, deadline: u64) {
    let (now, work) = (Instant::now(), work(worker));
    let until = now + Duration::from_secs(deadline);
    let verdict = (work.actors > 0).then_some("refused");
    let drain = drains.entry(name.to_owned()).or_insert(Drain { done: now + work.time, until, verdict });
    drain.until = until;
}

impl Drain {
    fn state(&self, lives: bool) -> &'static str {
        let now = Instant::now();
        match self.verdict {
            Some(verdict) => verdict,
            None if self.done <= now && self.done <= self.until => "ready",
            None if !lives => "lost",
            None if self.until <= now => "interrupted",
            None => "waiting",
        }
    }
}
