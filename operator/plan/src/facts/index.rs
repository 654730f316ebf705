//! Facts by pod.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{Drain, Facts, MOST_WORKERS, Worker};

/// What Dask calls a worker that is cordoned, and one that takes work.
const CORDONED: &str = "closing_gracefully";
const RUNNING: &str = "running";

/// What is known of the drain of each pod, and of its workers.
pub(crate) struct Index<'a> {
    /// A pod's one worker has its name; of several, each has a number behind it.
    by_name: HashMap<&'a str, Known<'a>>,
    /// Workers may have any name, if their command says so; that of a pod makes them its own, wherever they are.
    by_host: HashMap<&'a str, Known<'a>>,
    drains: HashMap<&'a str, &'a Drain>,
    is_whole: bool,
}

/// The workers of one pod.
#[derive(Clone, Copy)]
struct Known<'a> {
    load: Load,
    first: &'a Worker,
}

/// What would be lost with a pod, what is least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    pub(crate) hold: Hold,
    pub(crate) unique_bytes: u64,
    pub(crate) tasks: u64,
    /// One of its workers takes work.
    pub(crate) runs: bool,
    /// One of its workers has been told to take none.
    pub(crate) is_cordoned: bool,
    /// How many workers there are.
    pub(crate) processes: u32,
    /// Bytes of results that they hold.
    pub(crate) bytes: u64,
}

/// What keeps a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hold {
    #[default]
    Idle,
    Busy,
    /// It cannot be drained now.
    Held,
}

impl<'a> Index<'a> {
    pub(crate) fn of(facts: &'a Facts) -> Self {
        let (mut by_name, mut by_host) = (HashMap::new(), HashMap::new());
        let add = |pods: &mut HashMap<&'a str, Known<'a>>, key, worker: &'a Worker| {
            let known = pods.entry(key).or_insert(Known { load: Load::default(), first: worker });
            known.load = known.load.with(worker);
        };
        for worker in &facts.workers {
            worker.pods().for_each(|pod| add(&mut by_name, pod, worker));
            worker.host().into_iter().for_each(|host| add(&mut by_host, host, worker));
        }
        let drains = facts.drains.iter().map(|drain| (drain.name.as_str(), drain)).collect();
        Self { by_name, by_host, drains, is_whole: facts.workers.len() < MOST_WORKERS }
    }

    /// How far a pod's drain has come, if one was begun.
    pub(crate) fn drain(&self, pod: &str) -> Option<&'a Drain> {
        self.drains.get(pod).copied()
    }

    /// What a pod's workers have; None when none has registered.
    pub(crate) fn load(&self, pod: &str, ip: Option<IpAddr>) -> Option<Load> {
        let known = self.known(pod, ip).map(|known| known.load);
        known.or_else(|| (!self.is_whole).then(Load::default))
    }

    /// One of a pod's workers, which are all alike.
    pub(crate) fn worker(&self, pod: &str, ip: Option<IpAddr>) -> Option<&'a Worker> {
        self.known(pod, ip).map(|known| known.first)
    }

    fn known(&self, pod: &str, ip: Option<IpAddr>) -> Option<Known<'a>> {
        let by_host = || self.by_host.get(ip?.to_string().as_str());
        self.by_name.get(pod).or_else(by_host).copied()
    }
}

impl Load {
    fn with(self, worker: &Worker) -> Self {
        Self {
            hold: self.hold.max(Hold::of(worker)),
            unique_bytes: self.unique_bytes.saturating_add(worker.unique_bytes),
            tasks: self.tasks.saturating_add(worker.processing),
            runs: self.runs || worker.status == RUNNING,
            is_cordoned: self.is_cordoned || worker.status == CORDONED,
            processes: self.processes.saturating_add(1),
            bytes: self.bytes.saturating_add(worker.bytes),
        }
    }
}

impl Worker {
    /// The pods that it may be of, by its name.
    pub fn pods(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(without_number(&self.name))
    }

    /// Where it is, if its pod is found by that: its name is none of ours.
    pub fn host(&self) -> Option<&str> {
        host(&self.address).filter(|_| !is_ours(&self.name))
    }
}

impl Hold {
    fn of(worker: &Worker) -> Self {
        if worker.actors > 0 || worker.long_running > 0 || worker.vetoed {
            Self::Held
        } else if worker.processing > 0 {
            Self::Busy
        } else {
            Self::Idle
        }
    }
}

fn without_number(name: &str) -> Option<&str> {
    let (pod, number) = name.rsplit_once('-')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(pod)
}

/// Whether it is the name of one of our pods, or of a process of one.
fn is_ours(name: &str) -> bool {
    let is_pod = |name: &str| {
        let suffix = name.rsplit_once("-worker-").map(|(_, suffix)| suffix);
        suffix.is_some_and(|suffix| suffix.len() == 10 && suffix.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    is_pod(name) || without_number(name).is_some_and(is_pod)
}

/// Of `tcp://10.0.0.1:1234` or `tls://[fd00::1]:1234`.
fn host(address: &str) -> Option<&str> {
    let (_, place) = address.split_once("://")?;
    let (host, _) = place.rsplit_once(':')?;
    Some(host.trim_start_matches('[').trim_end_matches(']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(workers: &str) -> Facts {
        let text =
            format!(r#"{{"schema": 1, "revision": 2, "pod_uid": "u", "workers": {workers}, "drains": []}}"#);
        Facts::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_a_pod_holds_is_the_sum_of_its_processes_whichever_of_them_are_there() {
        let facts = facts(
            r#"[{"name": "p-3", "unique_bytes": 3}, {"name": "p-1", "unique_bytes": 4, "processing": 1}, {"name": "q"}]"#,
        );
        let index = Index::of(&facts);
        let both = index.load("p", None).unwrap();
        assert_eq!((both.unique_bytes, both.hold), (7, Hold::Busy));
        assert_eq!(both.processes, 2);
        assert_eq!(index.load("q", None), Some(Load { processes: 1, ..Load::default() }));
        assert_eq!(index.worker("p", None).map(|worker| worker.name.as_str()), Some("p-3"));
        assert_eq!(index.load("p-worker", None), None);
    }

    #[test]
    fn a_worker_of_another_name_is_found_by_the_address_of_its_pod() {
        let facts = facts(
            r#"[{"name": "a", "address": "tcp://10.0.0.1:1", "processing": 1}, {"name": "b", "address": "tls://[fd00::1]:2"}]"#,
        );
        let index = Index::of(&facts);
        let at = |ip: &str| index.load("pod", Some(ip.parse().unwrap())).map(|load| load.hold);
        assert_eq!(
            (at("10.0.0.1"), at("fd00::1"), at("10.0.0.2")),
            (Some(Hold::Busy), Some(Hold::Idle), None)
        );
    }

    #[test]
    fn a_worker_of_another_pod_that_had_the_address_before_is_not_taken_for_this_ones() {
        let facts = facts(r#"[{"name": "demo-default-worker-0123456789-1", "address": "tcp://10.0.0.1:1"}]"#);
        assert_eq!(Index::of(&facts).load("pod", Some([10, 0, 0, 1].into())), None);
    }
}
