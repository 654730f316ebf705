//! What a group's workers offer, as far as it is known: told by one that has registered, else by what they are made from.

use std::collections::BTreeMap;

use dask_operator_api::parts::WorkerSpec;
use dask_operator_api::worker_group::{DaskWorkerGroup, Offers};
use dask_operator_api::{RawJson, labels};
use serde_json::Value;

use crate::command::{self, Process};
use crate::container;
use crate::facts::{Index, Worker};
use crate::pod_spec::PodSpec;
use crate::worker_group::WorkerPod;

/// No more resources of a worker are written down, and none of a longer name: they are a tenant's words.
const MOST_RESOURCES: usize = 20;
const LONGEST_NAME: usize = 253;

/// What is known while none of them has registered: what one has told, else what they are made from. What was told of an
/// earlier template counts until the group has looked at the change, so that a change of `replicas` forgets nothing.
pub fn known(group: &DaskWorkerGroup) -> Offers {
    let said = group.status.as_ref().and_then(|status| status.offers.clone());
    said.filter(|offers| offers.template.is_some()).unwrap_or_else(|| declared(&group.spec.worker))
}

/// By what the group's pods are made from: flags win over fields, as they do there. Dask itself takes as many threads
/// as the container may use processors.
pub(crate) fn declared(worker: &WorkerSpec) -> Offers {
    let pod = PodSpec::check(worker.spec.as_ref(), labels::component::WORKER).ok();
    let container = pod.as_ref().map(PodSpec::main).cloned().unwrap_or_default();
    let flag = |name| command::flag_value(&container, name);
    let number = |name| flag(name).and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    let resources = worker.resources.as_ref().map(RawJson::value);
    let limit = |what| {
        let of = |resources: Option<&Value>| quantity(&resources?["limits"][what]);
        of(container.get("resources")).or_else(|| of(resources.as_ref()))
    };
    let processes = number("--nworkers").or(worker.processes);
    let share = |limit: f64| whole(limit / f64::from(processes.unwrap_or(1)));
    let cpus = || limit("cpu").map(|cpus| u32::try_from(share(cpus.ceil())).unwrap_or(u32::MAX).max(1));
    // Only with one of these fields do we say how much of the limit is whose.
    let is_shared = is_dask(&container) && worker.threads.or(worker.processes).is_some();
    let memory = limit("memory").filter(|_| is_shared && !command::has_flag(&container, "--memory-limit"));
    let none = || is_dask(&container).then(BTreeMap::new);
    Offers {
        processes,
        threads: number("--nthreads").or(worker.threads).or_else(cpus),
        memory: memory.map(share),
        resources: flag("--resources")
            .map(amounts)
            .or_else(|| worker.dask_resources.clone())
            .map(few)
            .or_else(none),
        template: None,
    }
}

/// By the first of these pods whose workers have registered.
pub(crate) fn seen<'a>(mut pods: impl Iterator<Item = &'a WorkerPod>, index: &Index<'_>) -> Option<Offers> {
    pods.find_map(|pod| {
        let (worker, load) = (index.worker(&pod.name, pod.ip)?, index.load(&pod.name, pod.ip)?);
        Some(registered(worker, load.processes))
    })
}

fn registered(worker: &Worker, processes: u32) -> Offers {
    Offers {
        processes: Some(processes.max(1)),
        threads: Some(u32::try_from(worker.threads).unwrap_or(u32::MAX).max(1)),
        memory: Some(i64::try_from(worker.memory_limit).unwrap_or(i64::MAX)),
        resources: Some(few(worker.resources.clone())),
        template: None,
    }
}

/// Those that can be written down; no number of JSON is infinite.
fn few(resources: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let can_be = |(name, amount): &(String, f64)| name.len() <= LONGEST_NAME && amount.is_finite();
    resources.into_iter().filter(can_be).take(MOST_RESOURCES).collect()
}

/// Whether the pod runs `dask worker` or its like, so that its flags are all that there is to know; of a script or an
/// image's own command nobody knows what it adds.
fn is_dask(container: &container::Container) -> bool {
    let completed = container::is_ours_to_complete(container) && command::all_words(container).is_empty();
    completed || matches!(command::process(container), Process::Worker | Process::CudaWorker)
}

/// As `dask worker --resources "GPU=1 MEM=2"` has them.
fn amounts(text: &str) -> BTreeMap<String, f64> {
    let pairs = text.split([' ', ',']).filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, amount)| Some((name.to_owned(), amount.parse().ok()?))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "it is within bounds")]
fn whole(number: f64) -> i64 {
    number.clamp(0.0, 1e18) as i64
}

/// A quantity of Kubernetes that is more than nothing, as in `1500m`, `1.5`, `2Gi` or `2e9`.
fn quantity(value: &Value) -> Option<f64> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.as_f64()?.to_string(),
    };
    let units = [("Ki", 1024.0), ("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0), ("Ti", 1_099_511_627_776.0)];
    let decimal = [("m", 1e-3), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)];
    let unit = units.into_iter().chain(decimal).find(|(unit, _)| text.ends_with(unit));
    let (unit, times) = unit.unwrap_or(("", 1.0));
    let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(number * times).filter(|number| number.is_finite() && *number > 0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::Facts;

    fn of(worker: Value) -> Offers {
        declared(&serde_json::from_value(worker).unwrap())
    }

    fn with_args(args: &[&str]) -> Offers {
        of(json!({"spec": {"containers": [{"name": "worker", "image": "i", "args": args}]}}))
    }

    fn gpu() -> BTreeMap<String, f64> {
        BTreeMap::from([("GPU".to_owned(), 1.0)])
    }

    #[test]
    fn what_a_worker_will_offer_is_known_before_there_is_one() {
        let offers = of(json!({"threads": 4, "processes": 2, "daskResources": {"GPU": 1}}));
        let expected =
            Offers { processes: Some(2), threads: Some(4), resources: Some(gpu()), ..Offers::default() };
        assert_eq!(offers, expected);
        let args = ["dask", "worker", "--nthreads=3", "--resources", "GPU=1 X=y"];
        let offers = of(json!({"threads": 9, "spec": {"containers": [{"name": "worker", "args": args}]}}));
        assert_eq!((offers.threads, offers.resources), (Some(3), Some(gpu())));
    }

    #[test]
    fn without_a_word_on_threads_the_processors_of_the_container_count() {
        let limited = |cpu: Value| of(json!({"resources": {"limits": {"cpu": cpu}}})).threads;
        let counted = [json!("1500m"), json!("1.5"), json!(3), json!("4")].map(limited);
        assert_eq!(counted, [2, 2, 3, 4].map(Some));
        let shared = of(json!({"processes": 4, "resources": {"limits": {"cpu": "2"}}}));
        assert_eq!((shared.processes, shared.threads), (Some(4), Some(1)));
    }

    #[test]
    fn processes_share_the_memory_that_we_divide_and_of_any_other_nothing_is_said() {
        let limits = json!({"limits": {"memory": "3Gi"}});
        let memory = |fields: Value| {
            let mut worker = fields;
            worker["resources"] = limits.clone();
            of(worker).memory
        };
        assert_eq!(memory(json!({"processes": 2})), Some(3 << 29));
        assert_eq!(memory(json!({"threads": 2})), Some(3 << 30));
        assert_eq!(memory(json!({})), None);
        let args = ["dask", "worker", "--memory-limit", "1GiB"];
        assert_eq!(
            memory(json!({"threads": 2, "spec": {"containers": [{"name": "w", "args": args}]}})),
            None
        );
    }

    #[test]
    fn nothing_is_known_of_what_a_script_starts_but_what_is_declared() {
        assert_eq!(with_args(&["dask", "worker"]).resources, Some(BTreeMap::new()));
        assert_eq!(with_args(&["dask-cuda-worker"]).resources, Some(BTreeMap::new()));
        assert_eq!(with_args(&["sh", "-c", "dask worker --resources GPU=1"]), Offers::default());
        assert_eq!(with_args(&[]), Offers::default(), "whatever the image starts");
        assert_eq!(with_args(&["tini", "dask", "worker", "--resources", "GPU=1"]).resources, Some(gpu()));
        let script = json!([{"name": "worker", "image": "i", "args": ["./start"]}]);
        let declared = of(json!({"daskResources": {"GPU": 1}, "spec": {"containers": script}}));
        assert_eq!(declared.resources, Some(gpu()));
        assert_eq!(of(json!({"spec": 7})).threads, None);
        assert_eq!(of(json!({})).resources, Some(BTreeMap::new()));
    }

    #[test]
    fn of_what_is_declared_only_so_much_is_taken_and_no_number_that_is_none() {
        let odd = with_args(&["dask", "worker", "--resources", "A=inf B=nan C=2"]);
        assert_eq!(odd.resources, Some(BTreeMap::from([("C".to_owned(), 2.0)])));
        let many: Vec<_> = (0..1000).map(|n| format!("R{n}=1")).collect();
        let many = with_args(&["dask", "worker", "--resources", &many.join(" ")]);
        assert_eq!(many.resources.unwrap().len(), MOST_RESOURCES);
    }

    #[test]
    fn quantities_are_read_and_what_is_none_is_not() {
        let read =
            [json!("1500m"), json!("2Gi"), json!("2e9"), json!("1M"), json!(3)].map(|one| quantity(&one));
        assert_eq!(read, [1.5, 2_147_483_648.0, 2e9, 1e6, 3.0].map(Some));
        let none = [json!("-1"), json!("0"), json!("Gi"), json!("x"), json!(null), json!("1e999")];
        assert!(none.iter().all(|one| quantity(one).is_none()));
    }

    #[test]
    fn a_worker_that_has_registered_tells_it_in_bounded_words() {
        let many: BTreeMap<_, _> = (0..100).map(|n| (format!("R{n:03}"), 1)).collect();
        let worker = json!({"name": "p-0", "threads": 4, "memory_limit": u64::MAX, "resources": many});
        let facts = json!({"schema": 1, "revision": 1, "pod_uid": "", "drains": [], "workers": [worker, {"name": "p-1"}]});
        let facts = Facts::read(facts.to_string().as_bytes()).unwrap();
        let pods = [
            WorkerPod::ready("q", jiff::Timestamp::UNIX_EPOCH),
            WorkerPod::ready("p", jiff::Timestamp::UNIX_EPOCH),
        ];
        let told = seen(pods.iter(), &Index::of(&facts)).unwrap();
        assert_eq!((told.processes, told.threads, told.memory), (Some(2), Some(4), Some(i64::MAX)));
        assert_eq!(told.resources.unwrap().len(), MOST_RESOURCES);
    }
}
