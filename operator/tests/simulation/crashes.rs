//! The operator dies at each of its writes in turn, before and after it: nothing but time is lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dask_operator_testkit::server::{Call, End, Fate, Faults};

use crate::history::{History, Step};
use crate::{end, play};

/// What it writes, as `verb plural`; a status is `plural/status`. Leases aside: they are another matter. A budget is made
/// as a Service is, and what an object needs is changed as a Deployment is.
const WRITES: [&str; 13] = [
    "Create configmaps",
    "Create daskworkergroups",
    "Create deployments",
    "Create events",
    "Create pods",
    "Create services",
    "Delete pods",
    "Patch daskclusters/status",
    "Patch daskworkergroups",
    "Patch daskworkergroups/status",
    "Patch deployments",
    "Patch events",
    "Patch pods",
];

/// It dies at the write of this number.
struct CrashAt {
    number: usize,
    end: End,
    writes: Arc<Mutex<Vec<String>>>,
}

impl Faults for CrashAt {
    fn fate(&mut self, call: &Call) -> Fate {
        let leads = call.resource.plural == "leases";
        if leads || !call.user.starts_with("operator-") || !call.verb.writes() {
            return Fate::default();
        }
        let mut writes = self.writes.lock().unwrap();
        writes.push(name(call));
        let end = if writes.len() == self.number { self.end } else { End::Answered };
        Fate { end, ..Fate::default() }
    }

    fn lag(&mut self, _: &str) -> Duration {
        Duration::ZERO
    }

    fn cut(&mut self, _: &str) -> Option<bool> {
        None
    }
}

fn name(call: &Call) -> String {
    let part = if call.of_status { "/status" } else { "" };
    format!("{:?} {}{part}", call.verb, call.resource.plural)
}

fn history() -> History {
    let (cluster, more) = (("team", "a".to_owned()), ("team", "a-more".to_owned()));
    let group = ("team", "a-default".to_owned());
    let steps = [
        (0, Step::CreateCluster { cluster: cluster.clone(), workers: 2, config: true }),
        (30_000, Step::CreateGroup { group: more.clone(), cluster: cluster.1.clone(), workers: 2 }),
        (300_000, Step::ScaleCluster { cluster: cluster.clone(), workers: 1 }),
        (300_000, Step::ChangeImage { cluster: cluster.clone(), image: "image:2".to_owned() }),
        (300_000, Step::EndPod { group, which: 0, exit_code: 1 }),
        (60_000, Step::Suspend { cluster: cluster.clone(), suspend: true }),
        (60_000, Step::Suspend { cluster: cluster.clone(), suspend: false }),
        (60_000, Step::DeleteGroup { group: more }),
        // Faults end with the last step.
        (60_000, Step::Quota { namespace: "team", pods: None }),
    ];
    let steps = steps.map(|(quiet, step)| (Duration::from_millis(quiet), step)).to_vec();
    // Of an odd seed schedulers do not lie.
    History { seed: 1, replicas: 1, watched: Vec::new(), schedulers: None, steps }
}

/// Plays it with a crash there; what was written.
fn written(number: usize, end: End, calm: Option<&end::End>) -> Result<Vec<String>, String> {
    let writes = Arc::<Mutex<Vec<String>>>::default();
    let faults = CrashAt { number, end, writes: Arc::clone(&writes) };
    let found = play::play(&history(), Some(Box::new(faults)))?;
    if let Some(calm) = calm {
        end::same(calm, &found)?;
    }
    let writes = writes.lock().unwrap().clone();
    if writes.len() < number {
        return Err(format!("there were only {} writes", writes.len()));
    }
    Ok(writes)
}

#[test]
fn a_crash_before_or_after_any_write_changes_nothing_but_time() {
    let calm = play::play(&history(), None).unwrap();
    let all = written(0, End::Answered, None).unwrap();
    let kinds: BTreeSet<_> = all.iter().map(String::as_str).collect();
    assert_eq!(kinds, WRITES.into());
    for number in 1..=all.len() {
        for end in [End::CrashBefore, End::CrashAfter] {
            written(number, end, Some(&calm))
                .unwrap_or_else(|why| panic!("{end:?} of write {number}, {}: {why}", all[number - 1]));
        }
    }
}
