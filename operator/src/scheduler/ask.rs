//! One question to a scheduler, and what its answer means; `operator/preload/README.md` is the contract.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dask_operator_plan::{Ask, Facts, Order};
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::rpc::Talk;

/// What an order may take, from the connection to the last byte.
const ORDER_WITHIN: Duration = Duration::from_secs(5);
/// The same of facts, beyond the time that they wait for news.
const FACTS_WITHIN: Duration = Duration::from_secs(5);
/// So many pods fit well into the 64 KiB that a scheduler reads, and into the time of one order: to have one go on
/// takes a scheduler 20 ms.
const PODS_AT_ONCE: usize = 50;

/// How schedulers are reached.
pub trait Schedulers: Send + Sync {
    /// Asks once.
    fn ask(&self, request: Request) -> BoxFuture<'static, Result<Answer, AskError>>;

    /// Says something in Dask's own protocol, and returns the answers.
    fn talk(&self, talk: Talk) -> BoxFuture<'static, Result<Vec<Vec<u8>>, AskError>>;
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Whom.
    pub address: SocketAddr,
    /// The path with its query.
    pub path: String,
    /// What the cluster's pods and we have in common.
    pub token: String,
    /// The body of a POST; a GET has none.
    pub body: Option<Value>,
    /// The answer has to be complete by then.
    pub within: Duration,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's.
    pub status: u16,
    /// All of it.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// The connection or the answer failed.
    #[error("{0}")]
    Call(String),
    /// Somebody tries to fill our memory.
    #[error("it answers with more than {0} bytes")]
    TooLong(usize),
    /// It speaks to nobody who comes without TLS, it seems.
    #[error("it hangs up before it says anything, as one does that listens to TLS alone")]
    Tls,
}

/// What a request for facts came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answered {
    Facts(Arc<Facts>),
    /// By Dask's own protocol.
    Rpc(Arc<Facts>),
    /// Nothing answers on this path.
    NotThere,
    /// Nobody of us is listened to.
    Tls,
    Failed(String),
}

/// Asks for the facts that come after these, for so long.
pub(super) fn facts(address: SocketAddr, token: &str, after: u64, wait: Duration) -> Request {
    Request {
        address,
        path: format!("/dask-operator/v1/facts?after={after}&wait={}", wait.as_secs()),
        token: token.to_owned(),
        body: None,
        within: wait + FACTS_WITHIN,
    }
}

/// What the answer says of the scheduler in this pod.
pub(super) fn told(answer: Result<Answer, AskError>, pod_uid: &str) -> Answered {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Answered::Failed(error.to_string()),
    };
    match answer.status {
        200 => match Facts::read(&answer.body) {
            Ok(facts) if facts.pod_uid == pod_uid => Answered::Facts(Arc::new(facts)),
            Ok(_) => Answered::Failed("another scheduler answers at its address".to_owned()),
            Err(why) => Answered::Failed(why),
        },
        404 => Answered::NotThere,
        401 => Answered::Failed("it does not know the cluster's token".to_owned()),
        status => Answered::Failed(format!("it answers with the HTTP status {status}")),
    }
}

/// The orders that can be given in one request: those of a kind go together.
pub(super) fn batches(asks: &[Ask]) -> Vec<Vec<&Ask>> {
    let mut alike = BTreeMap::<Order, Vec<&Ask>>::new();
    for ask in asks {
        alike.entry(ask.order).or_default().push(ask);
    }
    alike.values().flat_map(|some| some.chunks(PODS_AT_ONCE)).map(<[_]>::to_vec).collect()
}

/// Gives an order about these pods. It is answered at once: how it goes on is told among the facts.
pub(super) fn order(address: SocketAddr, token: &str, order: Order, asks: &[&Ask]) -> Request {
    let pods: Vec<_> = asks.iter().map(|ask| json!({"name": ask.pod, "ip": ask.ip})).collect();
    let (path, body) = match order {
        Order::Retire { seconds } => ("retire", json!({"pods": pods, "deadline": seconds, "wait": 0})),
        Order::Uncordon => ("uncordon", json!({"pods": pods})),
        Order::Forget => ("forget", json!({"pods": pods})),
    };
    let path = format!("/dask-operator/v1/{path}");
    Request { address, path, token: token.to_owned(), body: Some(body), within: ORDER_WITHIN }
}

/// The pods that an answer to an order calls unknown: no worker of theirs has registered.
pub(super) fn unknown(body: &[u8]) -> HashSet<String> {
    #[derive(Default, Deserialize)]
    struct Told {
        pods: Vec<Pod>,
    }
    #[derive(Deserialize)]
    struct Pod {
        name: String,
        state: String,
    }
    let told: Told = serde_json::from_slice(body).unwrap_or_default();
    told.pods.into_iter().filter(|pod| pod.state == "unknown").map(|pod| pod.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(order: Order, pod: &str) -> Ask {
        Ask { order, pod: pod.to_owned(), ip: Some([10, 0, 0, 1].into()) }
    }

    fn address() -> SocketAddr {
        ([10, 0, 0, 9], 8787).into()
    }

    fn answered(status: u16, body: &str) -> Answered {
        told(Ok(Answer { status, body: body.as_bytes().to_vec() }), "uid")
    }

    #[test]
    fn orders_of_a_kind_go_together_and_wait_for_nothing() {
        let retire = Order::Retire { seconds: 90 };
        let asks = [ask(retire, "a"), ask(Order::Forget, "b"), ask(retire, "c")];
        let batches = batches(&asks);
        let requests: Vec<_> =
            batches.iter().map(|batch| order(address(), "secret", batch[0].order, batch)).collect();
        let told: Vec<_> =
            requests.iter().map(|one| (one.path.as_str(), one.body.clone().unwrap())).collect();
        let pod = |name: &str| json!({"name": name, "ip": "10.0.0.1"});
        let both = json!({"pods": [pod("a"), pod("c")], "deadline": 90, "wait": 0});
        assert_eq!(
            told,
            [("/dask-operator/v1/retire", both), ("/dask-operator/v1/forget", json!({"pods": [pod("b")]}))]
        );
        let many: Vec<_> = (0..120).map(|number| ask(Order::Uncordon, &number.to_string())).collect();
        assert_eq!(super::batches(&many).iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    }

    #[test]
    fn pods_that_a_scheduler_does_not_know_are_known_by_its_answer() {
        let told =
            br#"{"schema": 1, "pods": [{"name": "a", "state": "unknown"}, {"name": "b", "state": "ready"}]}"#;
        assert_eq!(unknown(told), HashSet::from(["a".to_owned()]));
        assert!(unknown(b"{}").is_empty() && unknown(b"<html>").is_empty());
    }

    #[test]
    fn only_the_scheduler_in_the_pod_is_believed() {
        let text = r#"{"schema": 1, "revision": 7, "pod_uid": "uid", "workers": [], "drains": []}"#;
        let Answered::Facts(facts) = answered(200, text) else { panic!("no facts") };
        assert_eq!(facts.revision, 7);
        let other = text.replace("uid\",", "another\",");
        assert_eq!(
            answered(200, &other),
            Answered::Failed("another scheduler answers at its address".to_owned())
        );
    }

    #[test]
    fn whatever_else_is_answered_is_told_in_a_sentence() {
        assert_eq!(answered(404, ""), Answered::NotThere);
        assert_eq!(answered(302, ""), Answered::Failed("it answers with the HTTP status 302".to_owned()));
        assert_eq!(answered(401, ""), Answered::Failed("it does not know the cluster's token".to_owned()));
        assert!(matches!(answered(200, "{"), Answered::Failed(why) if why.contains("none")));
        let long = told(Err(AskError::TooLong(5)), "uid");
        assert_eq!(long, Answered::Failed("it answers with more than 5 bytes".to_owned()));
    }
}
