//! Schedulers as the operator reaches them: their workers have work, and drain when they are asked to.

mod stock;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dask_operator::scheduler::{Answer, AskError, Request, Schedulers, Talk};
use dask_operator_api::labels;
use dask_operator_testkit::server::{ApiServer, Id, World};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::chance::Chance;
use crate::invariants::{STALE, is_live, uid};
use stock::Stock;
pub(crate) use work::Kind;
use work::{Work, Worker};

/// How often a poll looks for news.
const GLANCE: Duration = Duration::from_millis(500);

/// So long after its deletion a scheduler may still be asked by a call that is on its way.
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// All schedulers of a world. Clones are the same.
#[derive(Clone)]
pub(crate) struct Dask {
    server: ApiServer,
    /// What every scheduler has loaded, where that is not left to chance.
    schedulers: Option<Kind>,
    /// Whether nothing ever goes wrong, so that it is known at once who is on its way out.
    calm: bool,
    broken: Arc<Mutex<Vec<String>>>,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    /// By the UIDs of their pods.
    schedulers: HashMap<String, Scheduler>,
    faults: Option<Chance>,
    /// Whether some lie or forget, so that what they say excuses a lot.
    lies: bool,
}

#[derive(Default)]
struct Scheduler {
    revision: u64,
    told: Value,
    /// By the names of worker pods.
    drains: BTreeMap<String, Drain>,
    /// The same of one that has not loaded what answers.
    stock: Stock,
    /// Of which worker pods it has said what is not true, or what is so no more.
    lied: HashMap<String, Instant>,
}

#[derive(Clone)]
struct Drain {
    /// When the work of its workers ends.
    done: Instant,
    until: Instant,
    verdict: Option<&'static str>,
}

enum Fault {
    Refused,
    Silent,
    Nonsense,
    Broken,
    AnswerLost,
    /// It says of every drain that it is over.
    Lies,
    /// It knows of no drain any more, and its workers go on.
    Forgets,
}

impl Dask {
    pub(crate) fn new(
        server: &ApiServer,
        schedulers: Option<Kind>,
        faults: Option<u64>,
        broken: &Arc<Mutex<Vec<String>>>,
    ) -> Self {
        let calm = faults.is_none();
        let lies = faults.is_some_and(|seed| seed.is_multiple_of(2));
        let faults = faults.map(|seed| Chance::from_seed(seed ^ 0xda5c));
        let inner = Inner { schedulers: HashMap::new(), faults, lies };
        let (server, broken) = (server.clone(), Arc::clone(broken));
        Self { server, schedulers, calm, broken, inner: Arc::new(Mutex::new(inner)) }
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
        let known = inner.schedulers.get(scheduler);
        let lied = |known: &Scheduler| known.lied.get(name).is_some_and(|at| at.elapsed() < STALE);
        self.kind(scheduler) == Kind::Mute
            || known.is_some_and(|one| {
                one.drains.get(name).is_some_and(done) || one.stock.may_go(name) || lied(one)
            })
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
            .filter(|(uid, _)| lives(uid))
            .any(|(_, one)| one.drains.get(worker).is_some_and(paused) || one.stock.is_paused(worker))
    }

    pub(crate) fn kind(&self, scheduler: &str) -> Kind {
        self.schedulers.unwrap_or_else(|| Kind::of(scheduler))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn fault(&self) -> Option<Fault> {
        let mut inner = self.inner();
        let lies = inner.lies;
        let chance = inner.faults.as_mut()?;
        match chance.below(if lies { 30 } else { 25 }) {
            0 => Some(Fault::Refused),
            1 => Some(Fault::Silent),
            2 => Some(Fault::Nonsense),
            3 => Some(Fault::Broken),
            4 => Some(Fault::AnswerLost),
            25 => Some(Fault::Lies),
            26 => Some(Fault::Forgets),
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
            Some(Fault::AnswerLost | Fault::Lies | Fault::Forgets) | None => {}
        }
        let scheduler = self.at(request.address)?;
        if self.kind(&scheduler) != Kind::Ours {
            return Ok(answer(404, ""));
        }
        if matches!(fault, Some(Fault::Forgets)) {
            self.forget(&scheduler);
        }
        let told = match &request.body {
            Some(body) => self.order(&scheduler, &request.path, body),
            None if matches!(fault, Some(Fault::Lies)) => self.lie(&scheduler).to_string(),
            None => self.poll(&scheduler, request).await,
        };
        match fault {
            Some(Fault::AnswerLost) => Err(AskError::Call("connection reset".to_owned())),
            _ => Ok(answer(200, &told)),
        }
    }

    /// By Dask's own protocol; to a worker nothing is said but that it goes on.
    async fn converse(&self, talk: &Talk) -> Result<Vec<Vec<u8>>, AskError> {
        let fault = self.fault();
        sleep(Duration::from_millis(5)).await;
        match fault {
            Some(Fault::Refused) => return Err(AskError::Call("connection refused".to_owned())),
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Nonsense | Fault::Broken) => return Ok(vec![Vec::new(); talk.messages.len()]),
            Some(Fault::AnswerLost | Fault::Lies | Fault::Forgets) | None => {}
        }
        let at = self.at(talk.address)?;
        if !talk.answered {
            self.inner().schedulers.values_mut().for_each(|one| one.stock.go_on(&at));
            return Ok(Vec::new());
        }
        if self.kind(&at) != Kind::Speaks {
            return Err(AskError::Tls);
        }
        if matches!(fault, Some(Fault::Forgets)) {
            self.forget(&at);
        }
        let workers = self.workers(&at);
        let mut inner = self.inner();
        let known = inner.schedulers.entry(at.clone()).or_default();
        let lies = matches!(fault, Some(Fault::Lies));
        let mut answers = Vec::new();
        for message in &talk.messages {
            let message = rmp_serde::from_slice::<Value>(message).unwrap();
            if lies {
                known.lied.extend(stock::asked_about(&message, &workers).map(|pod| (pod, Instant::now())));
            }
            let answer = known.stock.answer(&at, &message, &workers, lies);
            answers.push(rmp_serde::to_vec(&answer).unwrap());
        }
        match fault {
            Some(Fault::AnswerLost) => Err(AskError::Call("connection reset".to_owned())),
            _ => Ok(answers),
        }
    }

    /// The UID of the pod at an address.
    fn at(&self, address: SocketAddr) -> Result<String, AskError> {
        let ip = address.ip().to_string();
        let world = self.server.world();
        let mut pods = world.all("pods", "").map(|(_, pod)| pod);
        let found = pods.find(|pod| pod["status"]["podIP"] == ip && pod["status"]["phase"] == "Running");
        let found = found.ok_or_else(|| AskError::Call("no route to host".to_owned()))?;
        self.is_not_leaving(&world, found);
        Ok(uid(found))
    }

    fn is_not_leaving(&self, world: &World, pod: &Value) {
        let deleted =
            pod["metadata"]["deletionTimestamp"].as_str().map(|at| at.parse::<Timestamp>().unwrap());
        let of_scheduler = pod["metadata"]["labels"][labels::COMPONENT] == labels::component::SCHEDULER;
        if self.calm && of_scheduler && deleted.is_some_and(|at| world.now().duration_since(at) > SOON) {
            let name = &pod["metadata"]["name"];
            let told =
                format!("after {:?}: {name} is asked, which was deleted at {deleted:?}", world.elapsed());
            self.broken.lock().unwrap().push(told);
        }
    }

    /// Whoever was just told of a drain may still believe in it.
    fn forget(&self, scheduler: &str) {
        let mut inner = self.inner();
        let known = inner.schedulers.entry(scheduler.to_owned()).or_default();
        let drained = known.drains.keys().chain(known.stock.paused()).cloned();
        known.lied.extend(drained.map(|pod| (pod, Instant::now())).collect::<Vec<_>>());
        known.drains.clear();
        known.stock = Stock::default();
    }

    fn lie(&self, scheduler: &str) -> Value {
        let (revision, mut told) = self.facts(scheduler);
        let mut inner = self.inner();
        let known = inner.schedulers.entry(scheduler.to_owned()).or_default();
        for drain in told["drains"].as_array_mut().into_iter().flatten() {
            drain["state"] = "ready".into();
            known.lied.insert(drain["name"].as_str().unwrap_or_default().to_owned(), Instant::now());
        }
        // So that the truth is news again.
        told["revision"] = (revision + 1).into();
        known.revision += 2;
        told
    }

    fn order(&self, scheduler: &str, path: &str, body: &Value) -> String {
        let pods = body["pods"].as_array().cloned().unwrap_or_default();
        let mut unknown = Vec::new();
        for pod in pods {
            let name = pod["name"].as_str().unwrap_or_default().to_owned();
            let worker = self.workers(scheduler).into_iter().find(|known| known.name == name);
            let mut inner = self.inner();
            let drains = &mut inner.schedulers.entry(scheduler.to_owned()).or_default().drains;
            let Some(Worker { uid, .. }) = worker else {
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
        let told_worker = |Worker { name, uid, .. }: &Worker| {
            let Work { time, bytes, actors } = Work::of(uid);
            let paused = |drain: &Drain| matches!(drain.state(true), "waiting" | "ready" | "interrupted");
            let cordoned = known.drains.get(name).is_some_and(paused);
            let status = if cordoned { "closing_gracefully" } else { "running" };
            json!({"name": name, "status": status, "processing": time.as_secs(), "unique_bytes": bytes,
                "actors": actors})
        };
        let lives = |name: &String| workers.iter().any(|known| known.name == *name);
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

    /// The workers that have registered: all whose pods run.
    fn workers(&self, scheduler: &str) -> Vec<Worker> {
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
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let worker = |(id, pod): (&Id, &Arc<Value>)| Worker {
            name: id.name.clone(),
            uid: uid(pod),
            ip: text(&pod["status"]["podIP"]),
        };
        workers.map(|(id, pod)| worker((id, pod))).collect()
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

    fn talk(&self, talk: Talk) -> BoxFuture<'static, Result<Vec<Vec<u8>>, AskError>> {
        let dask = self.clone();
        async move {
            let answers = timeout(talk.within, dask.converse(&talk)).await;
            answers.unwrap_or_else(|_| Err(AskError::Call("no answer in time".to_owned())))
        }
        .boxed()
    }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, body: body.as_bytes().to_vec() }
}

/// One that was refused or interrupted is begun again; its work has gone on meanwhile.
fn retire(drains: &mut BTreeMap<String, Drain>, name: &str, worker: &str, deadline: u64) {
    let (now, work) = (Instant::now(), Work::of(worker));
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
