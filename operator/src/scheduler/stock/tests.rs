//! What a stock scheduler is asked, in which order, and what follows from its answers.

use std::collections::HashMap;
use std::sync::Mutex;

use dask_operator_plan::{DrainState, Link};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::super::ask::{Answer, Request};
use super::*;

/// A scheduler with one worker, which is retired in no time, unless it is stuck.
#[derive(Clone, Default)]
struct Scheduler {
    status: Arc<Mutex<HashMap<String, &'static str>>>,
    told: Arc<Mutex<Vec<Value>>>,
    stuck: bool,
    /// It answers no question but who it is.
    broken: bool,
    id: &'static str,
}

impl Scheduler {
    fn with(workers: &[&str]) -> Self {
        let status = workers.iter().map(|name| ((*name).to_owned(), "running")).collect();
        Self { status: Arc::new(Mutex::new(status)), ..Self::default() }
    }

    fn ops(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter().map(|message| message["op"].as_str().unwrap().to_owned()).collect()
    }

    fn answer(&self, message: &Value) -> Value {
        self.told.lock().unwrap().push(message.clone());
        let mut status = self.status.lock().unwrap();
        let named: Vec<_> = message["workers"].as_array().into_iter().flatten().collect();
        match message["op"].as_str().unwrap() {
            "identity" => {
                let worker = |(name, status): (&String, &&str)| {
                    (format!("tcp://{name}:1"), json!({"name": name, "nthreads": 2, "status": status}))
                };
                json!({"id": self.id, "workers": status.iter().map(worker).collect::<serde_json::Map<_, _>>()})
            }
            "adaptive_target" | "workers_to_close" if self.broken => json!({"status": "uncaught-error"}),
            "adaptive_target" => json!(3),
            "workers_to_close" => status.keys().map(|name| format!("tcp://{name}:1")).collect(),
            "processing" => named.iter().map(|name| (name.as_str().unwrap().to_owned(), json!([]))).collect(),
            _ => {
                status.values_mut().for_each(|status| *status = "closing_gracefully");
                named.iter().map(|name| (name.as_str().unwrap().to_owned(), json!({}))).collect()
            }
        }
    }
}

impl Schedulers for Scheduler {
    fn ask(&self, _: Request) -> BoxFuture<'static, Result<Answer, AskError>> {
        std::future::pending().boxed()
    }

    fn talk(&self, talk: Talk) -> BoxFuture<'static, Result<Vec<Vec<u8>>, AskError>> {
        let messages: Vec<Value> =
            talk.messages.iter().map(|message| rmp_serde::from_slice(message).unwrap()).collect();
        if self.stuck && messages[0]["op"] == "retire_workers" {
            return async { Err(AskError::Call("no answer in time".to_owned())) }.boxed();
        }
        let answers =
            messages.iter().map(|message| rmp_serde::to_vec(&self.answer(message)).unwrap()).collect();
        async { Ok(answers) }.boxed()
    }
}

fn place() -> Place {
    let address = ([127, 0, 0, 1], 8787).into();
    Place { pod_uid: "uid".to_owned(), address, comm: address, token: String::new() }
}

fn retire(pod: &str) -> Ask {
    Ask { order: Order::Retire { seconds: 60 }, pod: pod.to_owned(), ip: None }
}

#[tokio::test]
async fn it_tells_the_same_facts_as_any_other() {
    let scheduler = Scheduler::with(&["a", "b"]);
    let facts = Stock::default().turn(&scheduler, &place()).await.unwrap();
    assert_eq!(facts.pod_uid, "uid");
    assert_ne!(Link::Rpc(Arc::new(facts)), Link::Rpc(Arc::default()));
    assert_eq!(scheduler.ops(), ["identity", "adaptive_target", "workers_to_close"]);
}

#[tokio::test]
async fn a_pod_is_retired_twice_and_then_ready_and_nobody_else_is() {
    let (scheduler, mut stock) = (Scheduler::with(&["a", "b"]), Stock::default());
    stock.order(&[retire("a")]);
    for state in [DrainState::Waiting, DrainState::Ready] {
        stock.turn(&scheduler, &place()).await.unwrap();
        assert_eq!(stock.drains["a"].report("a").state, state);
    }
    let told = scheduler.told.lock().unwrap();
    let retired: Vec<_> = told.iter().filter(|message| message["op"] == "retire_workers").collect();
    assert!(retired.iter().all(|message| message["workers"] == json!(["tcp://a:1"])));
    assert_eq!(retired.len(), 2);
}

#[tokio::test]
async fn whoever_is_stuck_is_tried_after_all_others() {
    let (mut scheduler, mut stock) = (Scheduler::with(&["a", "b"]), Stock::default());
    scheduler.stuck = true;
    stock.order(&[retire("a")]);
    stock.turn(&scheduler, &place()).await.unwrap();
    stock.order(&[retire("b")]);
    let (identity, _) = facts(&scheduler, &place()).await.unwrap();
    let steps = stock.steps(&Own::of(&identity.workers), &BTreeMap::new(), None);
    assert_eq!(steps.iter().map(|(pod, _)| pod.as_str()).collect::<Vec<_>>(), ["b", "a"]);
}

#[tokio::test]
async fn a_pod_that_no_worker_is_of_may_go() {
    let (scheduler, mut stock) = (Scheduler::with(&["a"]), Stock::default());
    stock.order(&[retire("elsewhere")]);
    stock.turn(&scheduler, &place()).await.unwrap();
    assert_eq!(stock.drains["elsewhere"].report("elsewhere").state, DrainState::Ready);
    assert!(!scheduler.ops().contains(&"retire_workers".to_owned()));
}

#[tokio::test]
async fn what_an_extension_breaks_is_not_known_and_all_else_is() {
    let scheduler = Scheduler { broken: true, ..Scheduler::with(&["a"]) };
    let (identity, target) = facts(&scheduler, &place()).await.unwrap();
    assert_eq!((identity.workers.len(), identity.workers[0].worker.vetoed, target), (1, false, None));
}

#[tokio::test]
async fn one_that_was_restarted_is_asked_anew() {
    let (mut scheduler, mut stock) = (Scheduler { id: "one", ..Scheduler::with(&["a"]) }, Stock::default());
    stock.order(&[retire("a")]);
    stock.turn(&scheduler, &place()).await.unwrap();
    assert_eq!(stock.drains.len(), 1);
    scheduler.id = "other";
    assert!(stock.turn(&scheduler, &place()).await.is_err() && stock.drains.is_empty());
    assert!(stock.turn(&scheduler, &place()).await.is_ok());
}

#[test]
fn the_address_of_a_pod_is_the_one_that_was_told_last() {
    let mut stock = Stock::default();
    for (told, known) in [(None, None), (Some(1), Some(1)), (None, Some(1)), (Some(2), Some(2))] {
        let ip = |last: u8| [10, 0, 0, last].into();
        stock.order(&[Ask { ip: told.map(ip), ..retire("a") }]);
        assert_eq!(stock.drains["a"].ip, known.map(ip));
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_paused_for_nobody_is_told_as_one_that_was_interrupted() {
    let (scheduler, mut stock) = (Scheduler::with(&["a", "b"]), Stock::default());
    scheduler.status.lock().unwrap().insert("a".to_owned(), "closing_gracefully");
    for states in [&[][..], &[("a", DrainState::Interrupted)]] {
        stock.turn(&scheduler, &place()).await.unwrap();
        let told: Vec<_> =
            stock.drains.iter().map(|(pod, drain)| (pod.as_str(), drain.report(pod).state)).collect();
        assert_eq!(told, states);
        tokio::time::advance(Duration::from_secs(30)).await;
    }
}

mod real;
