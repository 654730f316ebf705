//! What there is, and every change that led to it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use super::resource::Resource;

/// The hour at which every world begins.
const BEGINNING: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its kind, as in paths.
    pub plural: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Id {
    /// From its parts.
    pub fn new(plural: &'static str, namespace: &str, name: &str) -> Self {
        Self { plural, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resource version that it led to.
    pub version: u64,
    /// When.
    pub at: Instant,
    /// Who.
    pub by: String,
    /// Which object.
    pub id: Id,
    /// What it was; None when it is new.
    pub before: Option<Arc<Value>>,
    /// What it is; None when it is gone.
    pub after: Option<Arc<Value>>,
}

/// Looks at every change, when it is made.
pub type Inspector = Box<dyn FnMut(&World, &Change) + Send>;

/// Everything.
pub struct World {
    began: Instant,
    version: u64,
    objects: BTreeMap<Id, Arc<Value>>,
    history: Vec<Change>,
    /// Watches cannot begin before this version.
    pub(super) compacted: u64,
    /// One that goes on has seen what is as new as this, or has to list anew.
    pub(super) forgotten: u64,
    /// The newest version of what anybody watches: nobody watches leases.
    pub(super) newest_watched: u64,
    inspectors: Vec<Inspector>,
    /// How many pods each namespace may hold.
    pub quotas: HashMap<String, usize>,
    /// Namespaces in which nothing new may be made.
    pub terminating: HashSet<String>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            version: 1,
            objects: BTreeMap::new(),
            history: Vec::new(),
            compacted: 0,
            forgotten: 0,
            newest_watched: 1,
            inspectors: Vec::new(),
            quotas: HashMap::new(),
            terminating: HashSet::new(),
        }
    }
}

impl World {
    /// The time of day.
    pub fn now(&self) -> Timestamp {
        BEGINNING + SignedDuration::try_from(self.elapsed()).unwrap_or_default()
    }

    /// How long the world has been.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The newest resource version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// One object.
    pub fn get(&self, id: &Id) -> Option<&Arc<Value>> {
        self.objects.get(id)
    }

    /// All objects of a kind, in one namespace or everywhere.
    pub fn all<'a>(
        &'a self,
        plural: &'a str,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Id, &'a Arc<Value>)> {
        let wanted =
            move |id: &Id| id.plural == plural && (namespace.is_empty() || id.namespace == namespace);
        self.objects.iter().filter(move |(id, _)| wanted(id))
    }

    /// Every object.
    pub fn objects(&self) -> impl Iterator<Item = (&Id, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Every change so far.
    pub fn history(&self) -> &[Change] {
        &self.history
    }

    /// Has every further change looked at.
    pub fn inspect(&mut self, inspector: Inspector) {
        self.inspectors.push(inspector);
    }

    /// Lets go of all that look, who may know this world and would keep it in memory for ever.
    pub fn end(&mut self) {
        self.inspectors.clear();
    }

    /// Forgets the past: watches that lag behind have to list anew.
    pub fn compact(&mut self) {
        (self.compacted, self.forgotten) = (self.version, self.newest_watched);
    }

    /// Makes a change, or none when it would be none.
    pub(super) fn commit(&mut self, by: &str, id: Id, mut after: Option<Value>) -> Option<Arc<Value>> {
        let before = self.objects.get(&id).cloned();
        if let (Some(before), Some(after)) = (&before, &after)
            && **before == *after
        {
            return Some(Arc::clone(before));
        }
        self.version += 1;
        if id.plural != "leases" {
            self.newest_watched = self.version;
        }
        if let Some(object) = &mut after {
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
        }
        let after = after.map(Arc::new);
        match &after {
            Some(object) => self.objects.insert(id.clone(), Arc::clone(object)),
            None => self.objects.remove(&id),
        };
        let result = after.clone().or_else(|| before.clone());
        let change =
            Change { version: self.version, at: Instant::now(), by: by.to_owned(), id, before, after };
        self.show(change);
        result
    }

    fn show(&mut self, change: Change) {
        let mut inspectors = std::mem::take(&mut self.inspectors);
        for inspector in &mut inspectors {
            inspector(self, &change);
        }
        self.inspectors = inspectors;
        self.history.push(change);
    }

    /// The changes after a version, oldest first.
    pub(super) fn since(&self, version: u64) -> &[Change] {
        let from = self.history.partition_point(|change| change.version <= version);
        &self.history[from..]
    }
}

/// The parts of a kind's objects that are the same for all.
pub(super) fn identify(object: &mut Value, resource: &Resource, id: &Id) {
    object["apiVersion"] = resource.api_version.into();
    object["kind"] = resource.kind.into();
    object["metadata"]["name"] = id.name.clone().into();
    object["metadata"]["namespace"] = id.namespace.clone().into();
}

/// Every pod has an address of its own, made from the number in its UID.
pub(super) fn address(uid: &str) -> String {
    let number: u32 = uid.rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    std::net::Ipv4Addr::from_bits(0x0a00_0000 | number).to_string()
}
