//! What holds at every change, whatever happens.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dask_operator_api::labels;
use dask_operator_testkit::server::{ApiServer, Change, Id, World};
use serde_json::Value;
use tokio::time::Instant;

use crate::dask::Dask;
use crate::vanished::Vanished;

/// What happened is acted upon after this long at the latest: the API server was away, a list had no answer, a watch
/// waited before it tried again, and calls are on their way.
pub(crate) const STALE: Duration = Duration::from_mins(3);

/// So long after its last renewal a leader may still change something: for ten seconds it calls, and what it sent is on
/// its way for two. The lease itself lasts fifteen.
const LEASE: Duration = Duration::from_secs(12);

/// So long a worker may take to leave.
const DRAIN: Duration = Duration::from_mins(2);

/// Looks at every change.
pub(crate) struct Invariants {
    broken: Arc<Mutex<Vec<String>>>,
    /// Replicas of each group, by UID, and since when.
    replicas: HashMap<String, Vec<(Instant, u64)>>,
    /// Every UID of a cluster or group that ever was.
    parents: HashSet<String>,
    /// The namespace and the cluster of each group, by UID.
    groups: HashMap<String, (String, String)>,
    /// By namespace and name of the cluster.
    suspended: HashMap<(String, String), Suspension>,
    /// When the image of each cluster, by UID, changed last.
    changed: HashMap<String, Instant>,
    /// When each cluster was deleted last: nobody can tell any more what its workers should have been.
    deleted: HashMap<(String, String), Instant>,
    holder: Option<String>,
    /// When the lease was written last.
    renewed: Option<Instant>,
    dask: Dask,
    /// When each scheduler's pod became ready, by UID.
    ready: HashMap<String, Instant>,
    /// Since when each worker's pod is to leave, by UID.
    leaving: HashMap<String, Instant>,
    /// When workers of each group, by UID, were lost otherwise than by us: a look may not know yet.
    lost: HashMap<String, Vec<Instant>>,
    vanished: Vanished,
}

/// Since when a cluster has been suspended, and until when it was.
#[derive(Clone, Copy)]
struct Suspension {
    since: Instant,
    until: Option<Instant>,
}

impl Invariants {
    /// Looks at every change from now on, and lists what is broken.
    pub(crate) fn watch(server: &ApiServer, dask: &Dask, broken: &Arc<Mutex<Vec<String>>>) {
        let mut invariants = Self {
            dask: dask.clone(),
            ready: HashMap::new(),
            leaving: HashMap::new(),
            broken: Arc::clone(broken),
            replicas: HashMap::new(),
            groups: HashMap::new(),
            suspended: HashMap::new(),
            parents: HashSet::new(),
            changed: HashMap::new(),
            deleted: HashMap::new(),
            holder: None,
            renewed: None,
            lost: HashMap::new(),
            vanished: Vanished::default(),
        };
        server.world().inspect(Box::new(move |world, change| invariants.look(world, change)));
    }

    fn look(&mut self, world: &World, change: &Change) {
        self.remember(change);
        // Most of all changes renew leases, and concern nobody else.
        if change.id.plural == "leases" {
            return;
        }
        let found = [
            one_scheduler(world, change),
            self.never_more_than_wanted(world, change),
            self.only_surplus_is_deleted(world, change),
            self.no_work_is_lost(world, change),
            self.others_are_at_work(world, change),
            self.owners_are_ours(change),
            others_are_left_alone(change),
            status_goes_forward(change),
            self.only_the_leader_writes(change),
            self.hardly_anything_for_the_gone(world, change),
            pods_stay_as_they_were_made(change),
        ];
        for what in found.into_iter().flatten() {
            let told = format!("after {:?}: {what}: {} by {}", world.elapsed(), change.id.name, change.by);
            self.broken.lock().unwrap().push(told);
        }
    }

    fn remember(&mut self, change: &Change) {
        if let Some(before) = change.before.as_ref().filter(|before| is_live(before) && !is_operator(change))
            && let Some(group) = worker_of(change, before)
            && !change.after.as_ref().is_some_and(|after| is_live(after))
        {
            self.lost.entry(group).or_default().push(change.at);
        }
        let Some(after) = &change.after else { return self.remember_deletion(change) };
        match change.id.plural {
            "leases" => {
                self.holder = after["spec"]["holderIdentity"].as_str().map(str::to_owned);
                self.renewed = Some(change.at);
            }
            "daskclusters" => {
                self.parents.insert(uid(after));
                let before = change.before.as_ref().filter(|before| uid(before) == uid(after));
                if before.is_some_and(|before| before["spec"]["image"] != after["spec"]["image"]) {
                    self.changed.insert(uid(after), change.at);
                }
                self.remember_suspension(change, after["spec"]["suspend"] == true);
            }
            "daskworkergroups" => {
                self.parents.insert(uid(after));
                let replicas = after["spec"]["worker"]["replicas"].as_u64().unwrap_or(1);
                let cluster = after["spec"]["cluster"].as_str().unwrap_or_default().to_owned();
                self.groups.insert(uid(after), (change.id.namespace.clone(), cluster));
                self.replicas.entry(uid(after)).or_default().push((change.at, replicas));
            }
            "pods" if after["status"]["phase"] == "Running" => {
                self.ready.entry(uid(after)).or_insert(change.at);
                match after["metadata"]["annotations"][labels::DRAINING].as_str() {
                    Some(_) => drop(self.leaving.entry(uid(after)).or_insert(change.at)),
                    None => drop(self.leaving.remove(&uid(after))),
                }
            }
            _ => {}
        }
    }

    fn remember_deletion(&mut self, change: &Change) {
        if change.id.plural == "daskclusters" {
            self.deleted.insert((change.id.namespace.clone(), change.id.name.clone()), change.at);
        }
    }

    fn remember_suspension(&mut self, change: &Change, suspend: bool) {
        let key = (change.id.namespace.clone(), change.id.name.clone());
        let last = self.suspended.get(&key).copied();
        let goes_on = last.filter(|last| last.until.is_none());
        match (goes_on, suspend) {
            (None, true) => self.suspended.insert(key, Suspension { since: change.at, until: None }),
            (Some(last), false) => self.suspended.insert(key, Suspension { until: Some(change.at), ..last }),
            _ => None,
        };
    }

    /// Whether the pod's cluster is suspended, or somebody may still think so.
    fn is_suspended(&self, change: &Change, pod: &Value) -> bool {
        let cluster = pod["metadata"]["labels"][labels::CLUSTER_NAME].as_str().unwrap_or_default();
        let of = (change.id.namespace.clone(), cluster.to_owned());
        self.suspended.get(&of).is_some_and(Suspension::may_be_seen)
    }

    /// A worker that we delete has nothing that only it has, by the word of its scheduler; or it had its time, or
    /// there is no scheduler that we could have asked.
    fn no_work_is_lost(&self, world: &World, change: &Change) -> Option<String> {
        let before = change.before.as_ref().filter(|before| is_live(before) && is_operator(change))?;
        worker_of(change, before)?;
        let gone = change.after.as_ref().is_none_or(|after| !is_live(after));
        let since = self.leaving.get(&uid(before));
        if self.is_suspended(change, before)
            || !gone
            || !self.has_worked(before)
            || since.is_some_and(|since| since.elapsed() >= DRAIN)
        {
            return None;
        }
        let of_cluster = |pod: &Value| {
            pod["metadata"]["labels"][labels::COMPONENT] == labels::component::SCHEDULER
                && pod["metadata"]["labels"][labels::CLUSTER_NAME]
                    == before["metadata"]["labels"][labels::CLUSTER_NAME]
        };
        let mut pods = world.all("pods", &change.id.namespace).map(|(_, pod)| pod);
        let scheduler = pods.find(|pod| of_cluster(pod) && is_live(pod) && self.has_worked(pod))?;
        (!self.dask.may_go(&uid(scheduler), before)).then(|| "a worker with work is deleted".to_owned())
    }

    /// A worker that is at work, as everybody can know by now, is told to leave only while as many as are wanted are at
    /// work without it.
    fn others_are_at_work(&self, world: &World, change: &Change) -> Option<String> {
        let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
        let group = worker_of(change, after).filter(|_| is_operator(change))?;
        let is_at_work = |pod: &Value| pod["status"]["phase"] == "Running" && !leaves(pod);
        if !leaves(after) || leaves(before) || !self.has_worked(before) {
            return None;
        }
        let others = workers(world, change, &group).filter(|(_, pod)| is_at_work(pod));
        let working = others.count() as u64 + self.lost_lately(&group);
        let least = self.wanted(&group).min().unwrap_or(0);
        (working < least).then(|| format!("is to leave while {working} are at work of {least} wanted"))
    }

    fn has_worked(&self, pod: &Value) -> bool {
        self.ready.get(&uid(pod)).is_some_and(|ready| ready.elapsed() > STALE)
    }

    fn lost_lately(&self, group: &str) -> u64 {
        let lost = self.lost.get(group).map(Vec::as_slice).unwrap_or_default();
        lost.iter().filter(|at| at.elapsed() < STALE).count() as u64
    }

    /// As many workers as somebody may think that are wanted, by what they saw last of the group and of its cluster:
    /// one that is suspended wants none.
    fn wanted(&self, group: &str) -> impl Iterator<Item = u64> {
        let all = self.replicas.get(group).map(Vec::as_slice).unwrap_or_default();
        let old = all.iter().rposition(|(at, _)| at.elapsed() > STALE).unwrap_or(0);
        let suspension = self.groups.get(group).and_then(|cluster| self.suspended.get(cluster));
        let is_known = suspension.is_some_and(Suspension::is_known);
        let none = suspension.filter(|suspension| suspension.may_be_seen()).map(|_| 0);
        all[old..].iter().map(|(_, replicas)| *replicas).filter(move |_| !is_known).chain(none)
    }

    fn never_more_than_wanted(&self, world: &World, change: &Change) -> Option<String> {
        let (None, Some(pod)) = (&change.before, &change.after) else { return None };
        // Whoever does not know yet that it is gone may not know what was wanted of it last, either.
        let group = worker_of(change, pod).filter(|_| !self.is_of_a_deleted_cluster(change, pod))?;
        let live = live_workers(world, change, &group);
        let most = self.wanted(&group).max().unwrap_or(0) + u64::from(self.rolls(world, change, &group));
        (live > most).then(|| format!("{live} workers where {most} are wanted"))
    }

    fn only_surplus_is_deleted(&self, world: &World, change: &Change) -> Option<String> {
        let before = change.before.as_ref().filter(|before| is_live(before))?;
        let group = worker_of(change, before).filter(|_| is_operator(change))?;
        if change.after.as_ref().is_some_and(|after| is_live(after)) {
            return None;
        }
        // That it has started may not be known yet.
        let started = self.has_worked(before);
        let outdated = is_outdated(world, &change.id, before) || self.has_changed(world, &change.id, before);
        if !started && (outdated || self.is_of_a_deleted_cluster(change, before)) {
            return None;
        }
        let live = live_workers(world, change, &group) + 1 + self.lost_lately(&group);
        let least = self.wanted(&group).min().unwrap_or(0);
        (live <= least).then(|| format!("one of {live} workers deleted where {least} are wanted"))
    }

    /// Whether its cluster is gone, and somebody may not know yet.
    fn is_of_a_deleted_cluster(&self, change: &Change, pod: &Value) -> bool {
        let cluster = pod["metadata"]["labels"][labels::CLUSTER_NAME].as_str().unwrap_or_default();
        let at = self.deleted.get(&(change.id.namespace.clone(), cluster.to_owned()));
        at.is_some_and(|at| at.elapsed() < STALE)
    }

    /// Whether workers of the group are being replaced, or the operator may still think so.
    fn rolls(&self, world: &World, change: &Change, group: &str) -> bool {
        workers(world, change, group)
            .any(|(id, pod)| is_outdated(world, id, pod) || self.has_changed(world, id, pod))
    }

    fn has_changed(&self, world: &World, id: &Id, pod: &Value) -> bool {
        let cluster = cluster_of(world, id, pod).map(|cluster| uid(cluster));
        cluster.and_then(|uid| self.changed.get(&uid)).is_some_and(|at| at.elapsed() < STALE)
    }

    /// What we make has one of ours as its owner, and what others made never gets one, but a group its cluster.
    fn owners_are_ours(&self, change: &Change) -> Option<String> {
        let ours = is_operator(change) && !matches!(change.id.plural, "events" | "leases");
        let after = change.after.as_ref().filter(|_| ours)?;
        let owners = |object: &Value| object["metadata"]["ownerReferences"].clone();
        let before = change.before.as_ref().map(|before| owners(before));
        if before.as_ref() == Some(&owners(after)) {
            return None;
        }
        let owner = &owners(after)[0];
        let known =
            self.parents.contains(owner["uid"].as_str().unwrap_or_default()) && owner["controller"] == true;
        let joins = before.is_none() || change.id.plural == "daskworkergroups";
        (!known || !joins).then(|| format!("{} written with the owner {owner}", change.id.plural))
    }

    fn only_the_leader_writes(&self, change: &Change) -> Option<String> {
        let who =
            change.by.split('/').next().filter(|_| is_operator(change) && change.id.plural != "leases")?;
        let holder = self.holder.as_deref()?;
        if holder != who {
            return Some(format!("written while \"{holder}\" leads"));
        }
        let ended = self.renewed.is_some_and(|renewed| renewed.elapsed() > LEASE);
        ended.then(|| "written after the lease ended".to_owned())
    }

    fn hardly_anything_for_the_gone(&mut self, world: &World, change: &Change) -> Option<String> {
        let mut vanished = std::mem::take(&mut self.vanished);
        let found = vanished.look(world, change, |group| self.wanted(group).max().unwrap_or(0));
        self.vanished = vanished;
        found
    }
}

impl Suspension {
    /// Whether everybody knows that it goes on.
    fn is_known(&self) -> bool {
        self.until.is_none() && self.since.elapsed() > STALE
    }

    /// Whether it goes on, or somebody may still think so.
    fn may_be_seen(&self) -> bool {
        self.until.is_none_or(|until| until.elapsed() < STALE)
    }
}

pub(crate) fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn is_live(pod: &Value) -> bool {
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    pod["metadata"]["deletionTimestamp"].is_null() && !ended
}

pub(crate) fn is_operator(change: &Change) -> bool {
    change.by.starts_with("operator-")
}

/// The UID of the group that a worker's pod belongs to.
fn worker_of(change: &Change, pod: &Value) -> Option<String> {
    let worker = change.id.plural == "pods" && pod["metadata"]["labels"]["dask.org/component"] == "worker";
    worker.then(|| pod["metadata"]["ownerReferences"][0]["uid"].as_str().unwrap_or_default().to_owned())
}

fn live_workers(world: &World, change: &Change, group: &str) -> u64 {
    workers(world, change, group).count() as u64
}

fn workers<'a>(
    world: &'a World,
    change: &'a Change,
    group: &'a str,
) -> impl Iterator<Item = (&'a Id, &'a Arc<Value>)> {
    let mine = move |pod: &Value| pod["metadata"]["ownerReferences"][0]["uid"] == *group && is_live(pod);
    world.all("pods", &change.id.namespace).filter(move |(_, pod)| mine(pod))
}

fn cluster_of<'a>(world: &'a World, id: &Id, pod: &Value) -> Option<&'a Arc<Value>> {
    let name = pod["metadata"]["labels"][labels::CLUSTER_NAME].as_str()?;
    world.get(&Id::new("daskclusters", &id.namespace, name))
}

/// Whether it is to leave; nobody takes back a time.
fn leaves(pod: &Value) -> bool {
    let mark = pod["metadata"]["annotations"][labels::DRAINING].as_str();
    mark.is_some_and(|mark| mark.starts_with(|first: char| first.is_ascii_digit()))
}

/// Whether its cluster wants another image by now.
pub(crate) fn is_outdated(world: &World, id: &Id, pod: &Value) -> bool {
    let image = cluster_of(world, id, pod).and_then(|cluster| cluster["spec"]["image"].as_str());
    image.is_some_and(|image| pod["spec"]["containers"][0]["image"] != image)
}

fn one_scheduler(world: &World, change: &Change) -> Option<String> {
    let pod = change.after.as_ref().filter(|_| change.id.plural == "pods")?;
    let deployment = &pod["metadata"]["ownerReferences"][0]["uid"];
    let same = |other: &Value| {
        other["metadata"]["labels"]["dask.org/component"] == "scheduler"
            && other["metadata"]["ownerReferences"][0]["uid"] == *deployment
            && is_live(other)
    };
    let count = world.all("pods", &change.id.namespace).filter(|(_, pod)| same(pod)).count();
    (count > 1).then(|| format!("{count} schedulers at once"))
}

/// What we add to a pod is fixed when it is made.
fn pods_stay_as_they_were_made(change: &Change) -> Option<String> {
    let before = change.before.as_ref().filter(|_| is_operator(change) && change.id.plural == "pods")?;
    let after = change.after.as_ref()?;
    (before["spec"] != after["spec"]).then(|| "a pod is made another one".to_owned())
}

fn others_are_left_alone(change: &Change) -> Option<String> {
    let before = change.before.as_ref().filter(|_| is_operator(change))?;
    let foreign = before["metadata"]["labels"]["whose"].is_string();
    let (mut was, mut is) = ((**before).clone(), change.after.as_deref().cloned().unwrap_or_default());
    for object in [&mut was, &mut is] {
        object["status"] = Value::Null;
        object["metadata"]["resourceVersion"] = Value::Null;
    }
    (foreign && was != is).then(|| "somebody else's object was changed".to_owned())
}

fn status_goes_forward(change: &Change) -> Option<String> {
    let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
    if uid(before) != uid(after) {
        return None;
    }
    if before["status"]["phase"] == "Running"
        && after["status"]["phase"] != "Running"
        && change.id.plural == "daskclusters"
    {
        return Some(format!("the phase goes back to {}", after["status"]["phase"]));
    }
    let generation = |object: &Value| object["status"]["observedGeneration"].as_i64().unwrap_or(0);
    (generation(after) < generation(before)).then(|| "the observed generation goes back".to_owned())
}
