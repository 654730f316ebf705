//! Every trouble is told where people look: a condition with its reason and Kubernetes' own words, an Event, and an end
//! when it is over. A test asserts ten times what is promised, and prints how long it took.

mod ending;
mod hostile;
mod refused;
mod starting;
mod staying;
mod taken;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dask_operator_api::conditions::Reason;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::bed::{Bed, Watched};
use e2e::progress::say;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

/// Ten times the promise, which is 5 s after the cause.
const TOLD: Duration = Duration::from_secs(50);
/// Less than any trouble lasts that a test makes.
const COUNTED: Duration = Duration::from_secs(10);
/// For pods to start and to end.
const SOON: Duration = Duration::from_mins(4);

/// A kind whose status has conditions.
trait Told: Watched {
    fn conditions(&self) -> &[Condition];
}

impl Told for DaskCluster {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }
}

impl Told for DaskWorkerGroup {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }
}

/// One trouble as it should be told of one object.
struct Trouble<'a> {
    object: &'a str,
    reason: Reason,
    words: &'a [&'a str],
}

impl Trouble<'_> {
    /// Returns when the object has the condition, and the namespace the Event; `cause` is when it began.
    async fn until_told<K: Told>(&self, bed: &Bed, cause: Instant) -> Result<()> {
        self.until_told_within::<K>(bed, cause, TOLD).await
    }

    async fn until_told_within<K: Told>(&self, bed: &Bed, cause: Instant, within: Duration) -> Result<()> {
        let what = format!("{} of {} with {:?}", self.reason, self.object, self.words);
        bed.until("", &what, within, |objects: &[Arc<K>]| self.is_told(objects)).await?;
        let took = cause.elapsed();
        say(&format!("{what}: told after {:.2} s", took.as_secs_f64()));
        ensure!(took <= within, "{what}: told {took:?} after its cause");
        until_counted::<K>(bed, self.reason).await.with_context(|| what.clone())?;
        let event = |events: &[Arc<Event>]| events.iter().any(|event| self.is_event(event));
        bed.until("", &format!("a Warning: {what}"), TOLD, event).await.map(drop)
    }

    fn is_told<K: Told>(&self, objects: &[Arc<K>]) -> bool {
        let conditions = objects.iter().filter(|one| one.name_any() == self.object);
        conditions.flat_map(|one| one.conditions()).any(|one| {
            // What ails a scheduler is told where people look for it, too.
            let types = [&self.reason.condition().to_string(), "SchedulerReady"];
            one.reason == self.reason.to_string()
                && types.contains(&one.type_.as_str())
                && self.has_words(&one.message)
        })
    }

    fn has_words(&self, message: &str) -> bool {
        self.words.iter().all(|words| message.contains(words))
    }

    fn is_event(&self, event: &Event) -> bool {
        event.type_.as_deref() == Some("Warning")
            && event.reason.as_deref() == Some(&self.reason.to_string())
            && event.regarding.as_ref().and_then(|about| about.name.as_deref()) == Some(self.object)
            && self.has_words(event.note.as_deref().unwrap_or_default())
    }

    /// Returns when the object has no condition of this reason any more; a group says so in an Event.
    async fn until_over<K: Told>(&self, bed: &Bed) -> Result<()> {
        let reason = self.reason.to_string();
        let over = |objects: &[Arc<K>]| {
            objects.iter().any(|one| {
                one.name_any() == self.object && one.conditions().iter().all(|one| one.reason != reason)
            })
        };
        bed.until("", &format!("{} has recovered from {reason}", self.object), SOON, over).await?;
        if K::kind(&()) == "DaskCluster" {
            return Ok(());
        }
        let event = |events: &[Arc<Event>]| {
            events.iter().any(|event| {
                event.reason.as_deref() == Some("Recovered")
                    && event.note.as_deref().is_some_and(|note| note.contains(&reason))
            })
        };
        bed.until("", &format!("an Event that {reason} is over"), SOON, event).await.map(drop)
    }
}

/// How often each Event of this reason was sent.
async fn count_events(bed: &Bed, reason: Reason) -> Result<i32> {
    let events = bed.api::<Event>().list(&ListParams::default()).await?.items;
    let of_reason = events.iter().filter(|event| event.reason.as_deref() == Some(&reason.to_string()));
    Ok(of_reason.map(|event| event.series.as_ref().map_or(1, |series| series.count)).sum())
}

/// The operator may see a moment later than others what it wrote.
async fn until_counted<K: Told>(bed: &Bed, reason: Reason) -> Result<()> {
    let counted = async {
        // Whoever asks for it through the API server may be turned away for a moment.
        while !is_counted::<K>(bed, reason).await.unwrap_or(false) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    tokio::time::timeout(COUNTED, counted).await.context("no metric counts it")?
}

/// Whether the operator counts objects of this kind in a trouble of this reason.
async fn is_counted<K: Told>(bed: &Bed, reason: Reason) -> Result<bool> {
    let labels = [format!("kind=\"{}\"", K::kind(&())), format!("reason=\"{reason}\"")];
    let counted = |line: &str| {
        line.starts_with("dask_operator_troubles{") && labels.iter().all(|label| line.contains(label))
    };
    Ok(metrics(bed).await?.lines().any(counted))
}

/// What the operator tells to whoever scrapes it.
async fn metrics(bed: &Bed) -> Result<String> {
    let home = bed.operator_namespace();
    let pods = Api::<Pod>::namespaced(bed.client.clone(), home);
    let pods = pods.list(&ListParams::default()).await?;
    let pod = pods.items.first().context("an operator")?.name_any();
    let path = format!("/api/v1/namespaces/{home}/pods/{pod}:8080/proxy/metrics");
    Ok(bed.client.request_text(http::Request::get(path).body(Vec::new())?).await?)
}

/// Waits for the cause itself, which no one can tell earlier than the kubelet or the scheduler do.
async fn until_cause(bed: &Bed, selector: &str, what: &str, cause: impl Fn(&Pod) -> bool) -> Result<Instant> {
    bed.until(selector, what, SOON, |pods: &[Arc<Pod>]| pods.iter().any(|pod| cause(pod))).await?;
    Ok(Instant::now())
}
