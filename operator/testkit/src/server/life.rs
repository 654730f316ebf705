//! The rest of Kubernetes: pods of Deployments, nodes that run pods, and the collector of what nobody owns.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::verbs::{self, has_ended};
use super::world::{Change, Id, World, address, identify};
use super::{ApiServer, Shared, resource};

/// Who it acts as.
const NAME: &str = "kubernetes";
const TEMPLATE: &str = "simulation/template";

/// What happens by itself, each thing some time after its cause.
pub struct Life {
    shared: Arc<Shared>,
    chance: u64,
    agenda: BTreeMap<(Instant, u64), Step>,
    planned: u64,
    seen: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Deploy(Id),
    Schedule(Id),
    Start(Id),
    Remove(Id),
    Collect,
}

impl Life {
    /// The same seed gives the same waits.
    pub fn new(server: &ApiServer, seed: u64) -> Self {
        let shared = Arc::clone(&server.shared);
        Self { shared, chance: seed, agenda: BTreeMap::new(), planned: 0, seen: 0 }
    }

    /// Goes on for ever.
    pub async fn run(mut self) {
        let mut changed = self.shared.changed.subscribe();
        loop {
            self.notice();
            let due = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let far = Instant::now() + Duration::from_hours(1);
            tokio::select! {
                biased;
                changed = changed.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(due.unwrap_or(far)) => self.act(),
            }
        }
    }

    fn notice(&mut self) {
        let shared = Arc::clone(&self.shared);
        let world = shared.world();
        let changes = world.since(self.seen).to_vec();
        self.seen = world.version();
        drop(world);
        for change in &changes {
            self.follow(change);
        }
    }

    fn follow(&mut self, change: &Change) {
        let id = change.id.clone();
        let Some(after) = &change.after else {
            self.plan(Duration::from_secs(1), Step::Collect);
            return self.deploy_again(change);
        };
        if !after["metadata"]["ownerReferences"].is_null() || is_leaving(after) {
            self.plan(Duration::from_secs(1), Step::Collect);
        }
        match change.id.plural {
            "deployments" => self.plan(Duration::from_millis(300), Step::Deploy(id)),
            "pods" if is_leaving(after) => self.plan(Duration::from_secs(3), Step::Remove(id)),
            "pods" if has_ended(after) => self.deploy_again(change),
            "pods" if after["spec"]["nodeName"].is_null() && after["spec"]["schedulerName"].is_null() => {
                self.plan(Duration::from_millis(500), Step::Schedule(id));
            }
            "pods" if !is_ready(after) => self.plan(Duration::from_secs(5), Step::Start(id)),
            _ => {}
        }
    }

    fn deploy_again(&mut self, change: &Change) {
        let pod = change.before.as_ref().or(change.after.as_ref()).filter(|_| change.id.plural == "pods");
        let owner = pod.and_then(|pod| pod["metadata"]["annotations"]["simulation/deployment"].as_str());
        if let Some(owner) = owner {
            let id = Id::new("deployments", &change.id.namespace, owner);
            self.plan(Duration::from_millis(300), Step::Deploy(id));
        }
    }

    /// Some time from now, at most this long.
    fn plan(&mut self, longest: Duration, step: Step) {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = u32::try_from(self.chance >> 40).unwrap_or(0) % 1000;
        self.planned += 1;
        self.agenda.insert((Instant::now() + longest * share / 1000, self.planned), step);
    }

    fn act(&mut self) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > Instant::now() {
                break;
            }
            let step = entry.remove();
            self.step(&step);
        }
        self.shared.tell();
    }

    fn step(&mut self, step: &Step) {
        let shared = Arc::clone(&self.shared);
        let mut world = shared.world();
        match step {
            Step::Deploy(id) => deploy(&mut world, id),
            Step::Schedule(id) => change(&mut world, id, schedule),
            Step::Start(id) => change(&mut world, id, start),
            Step::Remove(id) => remove(&mut world, id),
            Step::Collect => collect(&mut world),
        }
    }
}

/// Marks a pod as ended, as its node would: with this exit code.
pub fn end(world: &mut World, id: &Id, exit_code: i32) {
    let now = world.now().to_string();
    change(world, id, |pod| {
        let terminated =
            json!({"exitCode": exit_code, "reason": "Error", "message": "bye", "finishedAt": now});
        pod["status"]["phase"] = if exit_code == 0 { "Succeeded" } else { "Failed" }.into();
        pod["status"]["conditions"] = json!([]);
        pod["status"]["containerStatuses"] = json!([{"name": "worker", "state": {"terminated": terminated}}]);
    });
}

fn is_leaving(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running"
}

fn change(world: &mut World, id: &Id, act: impl FnOnce(&mut Value)) {
    let Some(object) = world.get(id) else { return };
    if is_leaving(object) || has_ended(object) {
        return;
    }
    let mut object = (**object).clone();
    act(&mut object);
    world.commit(NAME, id.clone(), Some(object));
}

fn schedule(pod: &mut Value) {
    pod["spec"]["nodeName"] = "node".into();
    pod["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "True"}]);
}

fn start(pod: &mut Value) {
    let condition = |type_: &str| json!({"type": type_, "status": "True"});
    let conditions = [condition("PodScheduled"), condition("Ready")];
    pod["status"] = json!({"phase": "Running", "podIP": address(&uid(pod)), "conditions": conditions});
}

fn remove(world: &mut World, id: &Id) {
    if world.get(id).is_some_and(|pod| is_leaving(pod)) {
        world.commit(NAME, id.clone(), None);
    }
}

/// One pod of the present template; an old one goes first, as `Recreate` says.
fn deploy(world: &mut World, id: &Id) {
    let Some(deployment) = world.get(id).cloned().filter(|deployment| !is_leaving(deployment)) else {
        return;
    };
    let template = deployment["spec"]["template"].clone();
    let mine = |pod: &Value| pod["metadata"]["ownerReferences"][0]["uid"] == deployment["metadata"]["uid"];
    let pods: Vec<_> =
        world.all("pods", &id.namespace).map(|(id, pod)| (id.clone(), Arc::clone(pod))).collect();
    let live: Vec<_> = pods.into_iter().filter(|(_, pod)| mine(pod) && !has_ended(pod)).collect();
    let (text, is_stopped) = (template.to_string(), deployment["spec"]["replicas"] == 0);
    let is_present = |pod: &Value| !is_stopped && pod["metadata"]["annotations"][TEMPLATE] == *text;
    if live.iter().any(|(_, pod)| !is_leaving(pod) && is_present(pod)) {
        return;
    }
    let old = live.iter().filter(|(_, pod)| !is_leaving(pod));
    let ended = old.map(|(id, _)| verbs::end(world, NAME, id, false)).count();
    if ended > 0 || is_stopped {
        return;
    }
    let pod_id = Id::new("pods", &id.namespace, &format!("{}-{}", id.name, world.version()));
    let pod = scheduler_pod(world, &deployment, &text, &pod_id);
    world.commit(NAME, pod_id, Some(pod));
}

fn scheduler_pod(world: &World, deployment: &Value, text: &str, id: &Id) -> Value {
    let template = &deployment["spec"]["template"];
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
        "name": format!("{}-1", id.name), "uid": deployment["metadata"]["uid"]});
    let mut pod = json!({"metadata": {
        "uid": format!("pods-{}", world.version() + 1),
        "creationTimestamp": world.now().to_string(),
        "labels": template["metadata"]["labels"],
        "annotations": {TEMPLATE: text, "simulation/deployment": deployment["metadata"]["name"]},
        "ownerReferences": [owner],
    }, "spec": template["spec"], "status": {"phase": "Pending"}});
    if let Some(pods) = resource::resource("pods") {
        identify(&mut pod, pods, id);
    }
    pod
}

/// What has owners, and none of them is there any more, goes; who goes after its children goes when it has none.
fn collect(world: &mut World) {
    let uids: HashSet<String> = world.objects().map(|(_, object)| uid(object)).collect();
    let waiting = |object: &Value| object["metadata"]["finalizers"] == json!(["foregroundDeletion"]);
    let leaving: HashSet<String> = world.objects().filter(|(_, o)| waiting(o)).map(|(_, o)| uid(o)).collect();
    let owners = |object: &Value| -> Vec<String> {
        let owners = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        owners.iter().map(|owner| owner["uid"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let orphaned = |object: &Value| {
        let owners = owners(object);
        !owners.is_empty() && owners.iter().all(|uid| !uids.contains(uid) || leaving.contains(uid))
    };
    let orphans: Vec<_> =
        world.objects().filter(|(_, o)| orphaned(o) && !is_leaving(o)).map(|(id, _)| id.clone()).collect();
    for id in &orphans {
        verbs::end(world, NAME, id, false);
    }
    let owned: HashSet<String> = world.objects().flat_map(|(_, object)| owners(object)).collect();
    let done: Vec<_> = world.objects().filter(|(_, o)| waiting(o) && !owned.contains(&uid(o))).collect();
    let done: Vec<_> = done.into_iter().map(|(id, _)| id.clone()).collect();
    for id in done {
        world.commit(NAME, id, None);
    }
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}
