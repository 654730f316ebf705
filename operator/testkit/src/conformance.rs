//! What the operator relies on in an API server, so that the one within the process stays honest: the same cases hold
//! of it and of a real one.

mod server;

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use server::{Server, is_refused};

/// A watch shows a change this soon.
const SHOWN: Duration = Duration::from_secs(30);

/// What was expected of a server, and what of it did not hold.
#[derive(Debug, Default)]
pub struct Found {
    /// How many expectations were checked.
    pub checked: usize,
    /// Those that did not hold.
    pub broken: Vec<String>,
}

/// Checks every case in an empty namespace in which nobody else acts.
pub async fn check(client: Client, namespace: &str) -> Found {
    let mut server = Server { client, namespace: namespace.to_owned(), found: Found::default() };
    server.names_are_taken_once().await;
    for plural in ["configmaps", "daskworkergroups", "pods"] {
        server.writes_are_of_what_was_seen(plural).await;
    }
    server.patches_say_what_changes().await;
    server.status_and_spec_are_apart().await;
    server.a_watch_shows_what_matches().await;
    server.a_pod_without_a_node_goes_at_once().await;
    server.a_lease_has_one_next_holder().await;
    server.what_an_object_owns_goes_with_it().await;
    server.found
}

impl Server {
    async fn names_are_taken_once(&mut self) {
        let first = self.create("daskworkergroups", "taken").await.unwrap_or_default();
        self.expect("a new object has a UID", first["metadata"]["uid"].is_string());
        self.expect("a new object is of generation 1", first["metadata"]["generation"] == 1);
        let again = self.create("daskworkergroups", "taken").await;
        self.expect("a name is taken once", is_refused(&again, 409, "AlreadyExists"));
        let other = self.call(Method::GET, "daskworkergroups", "/other", Value::Null).await;
        self.expect("what does not exist is not found", is_refused(&other, 404, "NotFound"));
        let gone = self.call(Method::DELETE, "daskworkergroups", "/other", json!({})).await;
        self.expect("what does not exist cannot be deleted", is_refused(&gone, 404, "NotFound"));
    }

    /// A patch of another UID or of an older version does nothing, nor does a deletion of another UID.
    async fn writes_are_of_what_was_seen(&mut self, plural: &str) {
        let old = self.create(plural, "seen").await.unwrap_or_default();
        let new = self.patch(plural, "/seen", json!({"metadata": {"labels": {"a": "b"}}})).await;
        self.expect(&format!("{plural} can be labelled"), new.is_ok());
        let version = old["metadata"]["resourceVersion"].clone();
        let late = json!({"metadata": {"resourceVersion": version, "labels": {"a": "c"}}});
        let late = self.patch(plural, "/seen", late).await;
        self.expect(&format!("{plural}: no patch of an older version"), is_refused(&late, 409, "Conflict"));
        let another = json!({"metadata": {"uid": "another", "labels": {"a": "c"}}});
        let another = self.patch(plural, "/seen", another).await;
        self.expect(&format!("{plural}: no patch of another object"), is_refused(&another, 422, "Invalid"));
        let another = json!({"preconditions": {"uid": "another"}});
        let another = self.call(Method::DELETE, plural, "/seen", another).await;
        self.expect(&format!("{plural}: no deletion of another"), is_refused(&another, 409, "Conflict"));
        let own = json!({"preconditions": {"uid": old["metadata"]["uid"]}});
        let own = self.call(Method::DELETE, plural, "/seen", own).await;
        self.expect(&format!("{plural}: the one that was seen is deleted"), own.is_ok());
    }

    async fn patches_say_what_changes(&mut self) {
        let body = json!({"metadata": {"name": "patched"}, "data": {"stays": "1", "goes": "2"}});
        let old = self.call(Method::POST, "configmaps", "", body).await.unwrap_or_default();
        let same = self.patch("configmaps", "/patched", json!({"data": {"stays": "1"}})).await;
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        let same = same.unwrap_or_default();
        self.expect("a patch that changes nothing makes no version", version(&same) == version(&old));
        let less = self.patch("configmaps", "/patched", json!({"data": {"goes": null}})).await;
        let less = less.unwrap_or_default();
        self.expect("null removes a field", less["data"] == json!({"stays": "1"}));
        self.expect("a patch that changes something makes a version", version(&less) != version(&old));
    }

    async fn status_and_spec_are_apart(&mut self) {
        let plural = "daskworkergroups";
        let _ = self.create(plural, "apart").await;
        let both = json!({"spec": {"worker": {"replicas": 3}}, "status": {"replicas": 7}});
        let spec = self.patch(plural, "/apart", both.clone()).await.unwrap_or_default();
        self.expect("a spec is changed", spec["spec"]["worker"]["replicas"] == 3);
        self.expect("a change of the spec is a generation", spec["metadata"]["generation"] == 2);
        self.expect("a status is not changed with the spec", spec["status"]["replicas"] != 7);
        let other = json!({"spec": {"worker": {"replicas": 4}}, "status": {"replicas": 7}});
        let status = self.patch(plural, "/apart/status", other).await.unwrap_or_default();
        self.expect("a status is changed by its path", status["status"]["replicas"] == 7);
        self.expect("a spec is not changed by it", status["spec"]["worker"]["replicas"] == 3);
        self.expect("a status is no generation", status["metadata"]["generation"] == 2);
        let label = self.patch(plural, "/apart", json!({"metadata": {"labels": {"a": "b"}}})).await;
        self.expect("a label is no generation", label.unwrap_or_default()["metadata"]["generation"] == 2);
    }

    async fn a_watch_shows_what_matches(&mut self) {
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), &self.namespace);
        let list = self.call(Method::GET, "configmaps", "?labelSelector=watched%3Dyes", Value::Null).await;
        let list = list.unwrap_or_default();
        self.expect("a list shows what matches alone", list["items"] == json!([]));
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        for (name, watched) in [("other", "no"), ("shown", "yes"), ("left", "yes")] {
            let body = json!({"metadata": {"name": name, "labels": {"watched": watched}}});
            let _ = self.call(Method::POST, "configmaps", "", body).await;
        }
        let _ = self.patch("configmaps", "/shown", json!({"data": {"a": "b"}})).await;
        let _ = self.patch("configmaps", "/left", json!({"metadata": {"labels": {"watched": "no"}}})).await;
        let _ = self.call(Method::DELETE, "configmaps", "/shown", json!({})).await;
        let expected = ["added shown", "added left", "modified shown", "deleted left", "deleted shown"];
        let watching = WatchParams::default().labels("watched=yes");
        let shown = async {
            let events = api.watch(&watching, &version).await?.take(expected.len());
            events.map_ok(|event| told(&event)).try_collect::<Vec<_>>().await
        };
        let shown = tokio::time::timeout(SHOWN, shown).await;
        let shown = shown.map(|shown| shown.unwrap_or_else(|error| vec![error.to_string()]));
        self.expect(
            &format!("a watch shows changes in order: {shown:?}"),
            shown.is_ok_and(|shown| shown == expected),
        );
    }

    async fn a_pod_without_a_node_goes_at_once(&mut self) {
        let _ = self.create("pods", "unscheduled").await;
        let deleted = self.call(Method::DELETE, "pods", "/unscheduled", json!({})).await;
        self.expect("a pod without a node can be deleted", deleted.is_ok());
        let gone = self.call(Method::GET, "pods", "/unscheduled", Value::Null).await;
        self.expect("a pod without a node goes at once", is_refused(&gone, 404, "NotFound"));
    }

    /// Who writes by what somebody else has overtaken is refused.
    async fn a_lease_has_one_next_holder(&mut self) {
        let body = json!({"metadata": {"name": "held"}, "spec": {"holderIdentity": "one"}});
        let seen = self.call(Method::POST, "leases", "", body).await.unwrap_or_default();
        let held_by = |holder: &str| {
            let mut next = seen.clone();
            next["spec"]["holderIdentity"] = holder.into();
            next
        };
        let first = self.call(Method::PUT, "leases", "/held", held_by("two")).await;
        self.expect("a lease passes to another", first.is_ok());
        let late = self.call(Method::PUT, "leases", "/held", held_by("three")).await;
        self.expect("a lease passes to one other alone", is_refused(&late, 409, "Conflict"));
        let now = self.call(Method::GET, "leases", "/held", Value::Null).await.unwrap_or_default();
        self.expect("who was first holds the lease", now["spec"]["holderIdentity"] == "two");
    }

    async fn what_an_object_owns_goes_with_it(&mut self) {
        let owner = self.create("daskworkergroups", "owner").await.unwrap_or_default();
        let owned_by = |uid: &Value| {
            let owner = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskWorkerGroup", "name": "owner",
                "uid": uid, "controller": true, "blockOwnerDeletion": true});
            json!([owner])
        };
        for (name, owners) in [("owned", owned_by(&owner["metadata"]["uid"])), ("free", Value::Null)] {
            let body = json!({"metadata": {"name": name, "ownerReferences": owners}});
            let made = self.call(Method::POST, "configmaps", "", body).await;
            self.expect(&format!("{name} can be made"), made.is_ok());
        }
        let deleted = self.call(Method::DELETE, "daskworkergroups", "/owner", json!({})).await;
        self.expect("an owner can be deleted", deleted.is_ok());
        self.expect("what it owns goes", self.goes("configmaps", "/owned").await);
        let late =
            json!({"metadata": {"name": "late", "ownerReferences": owned_by(&owner["metadata"]["uid"])}});
        let made = self.call(Method::POST, "configmaps", "", late).await;
        self.expect("something can be made for an owner that is gone", made.is_ok());
        self.expect("and goes as well", self.goes("configmaps", "/late").await);
        let free = self.call(Method::GET, "configmaps", "/free", Value::Null).await;
        self.expect("what nobody owns stays", free.is_ok());
    }

    async fn goes(&self, plural: &str, rest: &str) -> bool {
        let gone = async {
            while !is_refused(&self.call(Method::GET, plural, rest, Value::Null).await, 404, "NotFound") {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(SHOWN, gone).await.is_ok()
    }
}

fn told(event: &WatchEvent<ConfigMap>) -> String {
    let name = |object: &ConfigMap| object.metadata.name.clone().unwrap_or_default();
    match event {
        WatchEvent::Added(object) => format!("added {}", name(object)),
        WatchEvent::Modified(object) => format!("modified {}", name(object)),
        WatchEvent::Deleted(object) => format!("deleted {}", name(object)),
        WatchEvent::Bookmark(_) => "a bookmark".to_owned(),
        WatchEvent::Error(error) => error.to_string(),
    }
}
