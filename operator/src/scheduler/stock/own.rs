//! Which workers are of which pod: found out once for all pods, however many there are.

use std::collections::HashMap;
use std::net::IpAddr;

use super::super::rpc::Told;
use super::drain::MOST_WORKERS;

/// Workers by their pods.
pub(super) struct Own<'a> {
    by_name: HashMap<&'a str, Vec<&'a Told>>,
    by_host: HashMap<&'a str, Vec<&'a Told>>,
}

impl<'a> Own<'a> {
    pub(super) fn of(workers: &'a [Told]) -> Self {
        let (mut by_name, mut by_host) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for told in workers {
            told.worker.pods().for_each(|pod| by_name.entry(pod).or_default().push(told));
            told.worker.host().into_iter().for_each(|host| by_host.entry(host).or_default().push(told));
        }
        Self { by_name, by_host }
    }

    /// The workers of a pod; of too many no more than show that.
    pub(super) fn workers(&self, pod: &str, ip: Option<IpAddr>) -> Vec<&'a Told> {
        let by_name = self.by_name.get(pod).into_iter().flatten();
        let at_host = ip.and_then(|ip| self.by_host.get(ip.to_string().as_str())).into_iter().flatten();
        let more = at_host.filter(|told| told.worker.pods().all(|name| name != pod));
        by_name.chain(more).copied().take(MOST_WORKERS + 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use dask_operator_plan::Worker;

    use super::*;

    fn told(name: &str, address: &str) -> Told {
        let (name, address) = (name.to_owned(), address.to_owned());
        Told { worker: Worker { name, address, ..Worker::default() }, ..Told::default() }
    }

    #[test]
    fn a_worker_is_found_by_its_name_or_by_its_host_and_never_twice() {
        let workers = [
            told("pod", "tcp://10.0.0.1:1"),
            told("pod-1", "tcp://10.0.0.1:2"),
            told("any", "tcp://10.0.0.1:3"),
            told("demo-default-worker-0123456789", "tcp://10.0.0.1:4"),
            told("other", "tcp://10.0.0.2:5"),
        ];
        let own = Own::of(&workers);
        let names = |pod: &str, ip: Option<[u8; 4]>| -> Vec<_> {
            own.workers(pod, ip.map(IpAddr::from)).iter().map(|told| told.worker.name.as_str()).collect()
        };
        assert_eq!(names("pod", None), ["pod", "pod-1"]);
        assert_eq!(names("pod", Some([10, 0, 0, 1])), ["pod", "pod-1", "any"]);
        assert_eq!(names("elsewhere", Some([10, 0, 0, 2])), ["other"]);
        assert!(names("elsewhere", None).is_empty());
    }

    #[test]
    fn of_too_many_workers_of_a_pod_no_more_are_looked_at_than_show_that() {
        let workers: Vec<_> = (0..9_999).map(|number| told(&format!("pod-{number}"), "")).collect();
        assert_eq!(Own::of(&workers).workers("pod", None).len(), MOST_WORKERS + 1);
    }
}
