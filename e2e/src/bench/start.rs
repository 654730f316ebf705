//! How soon a cluster works, beside the same objects made by hand: `cargo e2e bench start`.

mod client;
mod objects;
mod one;
mod writes;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::bed::Bed;
use e2e::cluster::Cluster;
use e2e::manifests;
use e2e::progress::{Progress, say};
use jiff::Timestamp;
use serde_json::{Value, json};

use self::client::Client;
use super::figures::{Figures, Shape, Starter, Starts, Times};
use super::machine::{self, Machine};
use super::page;
use crate::args::{Nanny, StartOptions};

const SOON: Duration = Duration::from_mins(1);
/// Each starter runs first, second and last equally often, and after each of the others.
const ORDERS: [[Starter; 3]; 6] = {
    use Starter::{Hand, HandWithoutWait, Operator};
    [
        [Operator, Hand, HandWithoutWait],
        [Hand, Operator, HandWithoutWait],
        [HandWithoutWait, Operator, Hand],
        [HandWithoutWait, Hand, Operator],
        [Operator, HandWithoutWait, Hand],
        [Hand, HandWithoutWait, Operator],
    ]
};

/// Where everything starts.
struct Ground {
    bed: Bed,
    client: Client,
    /// Names never repeat: the DNS of the cluster remembers for a while where a Service was.
    names: u32,
}

/// What the operator made of a shape.
struct Template {
    cluster: String,
    objects: Vec<Value>,
    writes: BTreeMap<String, usize>,
}

pub(super) async fn bench(options: &StartOptions, cluster: &Cluster, progress: &mut Progress) -> Result<()> {
    let mut figures = page::kept(&Machine::this(cluster)?)?;
    let client = Client::start(progress).await?;
    let mut ground = Ground { bed: Bed::new("start").await?, client, names: 0 };
    let mut measured = Figures { starts: Vec::new(), memory: None, ..figures.clone() };
    let until = Instant::now() + Duration::from_mins(options.minutes.into());
    for shape in shapes(options).take_while(|_| Instant::now() < until) {
        let older = figures.starts.iter().find(|starts| options.add && starts.shape == shape).cloned();
        let first = older.as_ref().map_or(0, Starts::pairs);
        let pairs = first..first + usize::from(options.pairs);
        let starts = ground.measure(shape, pairs, until, progress).await?;
        let starts = older.into_iter().fold(starts, Starts::after);
        measured.put(starts.clone());
        if options.add || starts.are_enough() {
            figures.put(starts);
            page::keep(&figures)?;
        }
    }
    say(&page::figures(&measured));
    Ok(())
}

fn shapes(options: &StartOptions) -> impl Iterator<Item = Shape> {
    let wanted = |nanny: &bool| options.nanny.is_none_or(|wanted| (wanted == Nanny::With) == *nanny);
    let nannies = [true, false].into_iter().filter(wanted);
    nannies.flat_map(move |nanny| {
        options.sizes.iter().map(move |&workers| Shape { workers, nanny, late: options.late })
    })
}

impl Ground {
    async fn measure(
        &mut self,
        shape: Shape,
        pairs: Range<usize>,
        until: Instant,
        progress: &mut Progress,
    ) -> Result<Starts> {
        let mut task = progress.task(shape.to_string(), 1 + pairs.len() * ORDERS[0].len());
        let load = machine::load()?;
        task.step("a first start, not timed");
        let template = self.template(shape).await?;
        let mut times: BTreeMap<Starter, Vec<Times>> = BTreeMap::new();
        for pair in pairs.take_while(|_| Instant::now() < until) {
            for starter in ORDERS[pair % ORDERS.len()] {
                task.step(&format!("pair {}: {starter}", pair + 1));
                times.entry(starter).or_default().push(self.time(shape, starter, &template).await?);
            }
        }
        task.done();
        let date = Timestamp::now().strftime("%Y-%m-%d").to_string();
        let distributed = self.client.version.clone();
        Ok(Starts { shape, date, loads: vec![load], distributed, times, writes: template.writes })
    }

    /// Starts a cluster of this shape for what the operator makes of it.
    async fn template(&mut self, shape: Shape) -> Result<Template> {
        let cluster = self.name();
        let began = Timestamp::now();
        let objects = [manifest(&cluster, shape)?];
        one::start(&self.bed, &mut self.client, &cluster, shape.workers, &objects).await?;
        self.bed.until_ready(&cluster, SOON).await?;
        let writes = writes::of_one_start(&self.bed, began).await?;
        let list = self.bed.kubectl(&["get", "deployments,services,pods", "--output", "json"])?;
        let list: Value = serde_json::from_str(&list)?;
        let found = list["items"].as_array().context("kubectl gave no list")?.iter();
        // The scheduler's pod is made from its Deployment.
        let of_operator =
            found.filter(|object| object["metadata"]["ownerReferences"][0]["kind"] != "ReplicaSet");
        let objects = of_operator.cloned().map(objects::as_sent).collect();
        one::remove_all(&self.bed)?;
        Ok(Template { cluster, objects, writes })
    }

    async fn time(&mut self, shape: Shape, starter: Starter, template: &Template) -> Result<Times> {
        let name = self.name();
        let objects = match starter {
            Starter::Operator => vec![manifest(&name, shape)?],
            Starter::Hand => template.named(&name)?,
            Starter::HandWithoutWait => {
                template.named(&name)?.into_iter().map(objects::without_waiting).collect()
            }
        };
        let seen = one::start(&self.bed, &mut self.client, &name, shape.workers, &objects).await?;
        let made = writes::until_made(&self.bed, &name, seen.from)?;
        one::remove_all(&self.bed)?;
        Ok(Times {
            made: rounded(made),
            ready: rounded(seen.ready),
            registered: rounded(seen.registered),
            result: rounded(seen.result),
        })
    }

    /// Of the same length every time, for the same bytes on the wire.
    fn name(&mut self) -> String {
        self.names += 1;
        format!("start-{:04}", self.names)
    }
}

impl Template {
    fn named(&self, name: &str) -> Result<Vec<Value>> {
        self.objects.iter().map(|object| objects::renamed(object, &self.cluster, name)).collect()
    }
}

/// To the millisecond, which is as fine as anything here is worth.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Requests so small that 16 workers fit on a small machine.
fn manifest(name: &str, shape: Shape) -> Result<Value> {
    let resources = json!({"requests": {"cpu": "1m", "memory": "10Mi"}});
    let mut worker = json!({"replicas": shape.workers, "threads": 1, "resources": resources});
    if !shape.nanny {
        let container = json!({"name": "worker", "args": manifests::WITHOUT_NANNY});
        worker["spec"] = json!({"containers": [container]});
    }
    let mut spec = json!({"worker": worker});
    if shape.late > 0 {
        let sleep = ["sleep".to_owned(), shape.late.to_string()];
        let wait = json!({"name": "late", "image": manifests::dask_image(), "command": sleep});
        spec["scheduler"]["spec"] = json!({"initContainers": [wait], "containers": [{"name": "scheduler"}]});
    }
    Ok(serde_json::from_str(&manifests::exact_cluster_of(name, &spec))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_starter_runs_in_every_place_and_after_every_other() {
        for starter in ORDERS[0] {
            for place in 0..3 {
                assert_eq!(ORDERS.iter().filter(|order| order[place] == starter).count(), 2);
            }
            for other in ORDERS[0].into_iter().filter(|other| *other != starter) {
                let follows = |order: &[Starter; 3]| order.windows(2).any(|two| two == [other, starter]);
                assert_eq!(ORDERS.iter().filter(|order| follows(order)).count(), 2);
            }
        }
    }

    #[test]
    fn only_the_scheduler_of_a_late_cluster_is_held_back() {
        let shape = Shape { workers: 1, nanny: true, late: 15 };
        let late = manifest("a", shape).unwrap();
        assert_eq!(late["spec"]["scheduler"]["spec"]["initContainers"][0]["command"], json!(["sleep", "15"]));
        let other = manifest("a", Shape { late: 0, ..shape }).unwrap();
        assert_eq!(other["spec"]["worker"], late["spec"]["worker"]);
        assert_eq!(other["spec"]["scheduler"], Value::Null);
    }

    #[test]
    fn options_choose_among_the_shapes() {
        let options =
            StartOptions { pairs: 1, sizes: vec![1, 4], add: false, minutes: 1, late: 0, nanny: None };
        let all: Vec<_> = shapes(&options).map(|shape| shape.to_string()).collect();
        assert_eq!(
            all,
            [
                "1 worker with nanny",
                "4 workers with nanny",
                "1 worker without nanny",
                "4 workers without nanny"
            ]
        );
        let options = StartOptions { nanny: Some(Nanny::Without), ..options };
        assert_eq!(shapes(&options).filter(|shape| shape.nanny).count(), 0);
        assert_eq!(shapes(&options).count(), 2);
    }
}
