//! `dask-operator replay`: the looks of an autoscaler decided again, by other settings, beside what was decided.

mod course;
mod picture;
mod setting;
mod trace;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use thiserror::Error;

use crate::args::ReplayOptions;
use course::{Course, Step};

/// Why there is no replay; each is a whole sentence.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The trace.
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    /// What is no look of an autoscaler.
    #[error("line {line} of {} is no look of an autoscaler: {error}", path.display())]
    NotATrace { path: PathBuf, line: usize, error: serde_json::Error },
    /// Its writer ended meanwhile, or it was copied in part.
    #[error("the last line of {} is cut", path.display())]
    Cut { path: PathBuf },
    /// Nothing to decide.
    #[error("{} has no look of {of}", path.display())]
    Nothing { path: PathBuf, of: String },
    /// Nobody knows which.
    #[error("{} has looks of several autoscalers, so name one with --autoscaler: {names}", path.display())]
    Several { path: PathBuf, names: String },
    /// A setting that is none.
    #[error("--set {setting} cannot be followed: {why}")]
    Setting { setting: String, why: String },
    /// A look that nobody can have had, or not by these settings.
    #[error("the look at {time} has more workers than a scheduler tells of, or no time that can be")]
    TooLarge { time: Timestamp },
    /// The picture, or standard output.
    #[error("{what} cannot be written: {error}")]
    Unwritten { what: String, error: std::io::Error },
}

/// Does it.
pub fn replay(options: &ReplayOptions) -> Result<(), ReplayError> {
    let looks = trace::read(&options.trace, options.autoscaler.as_deref())?;
    let course = course::replay(&looks, &options.set)?;
    if let Some(path) = &options.svg {
        let unwritten = |error| ReplayError::Unwritten { what: path.display().to_string(), error };
        std::fs::write(path, picture::picture(&course)).map_err(unwritten)?;
    }
    let unwritten = |error| ReplayError::Unwritten { what: "standard output".to_owned(), error };
    std::io::stdout().write_all(table(&course).as_bytes()).map_err(unwritten)
}

/// Whatever changed a group, then or now.
fn table(course: &Course) -> String {
    let mut text = row(["TIME", "GROUP", "RECORDED", "REPLAYED"].map(str::to_owned));
    for step in course.steps.iter().filter(|step| step.changes()) {
        let Step { time, group, recorded, replayed } = step;
        let words = |decided: &Option<_>| decided.as_ref().map(course::words).unwrap_or_default();
        text += &row([format!("{time:.3}"), group.clone(), words(recorded), words(replayed)]);
    }
    let (recorded, replayed) = course.worker_seconds();
    let _ = writeln!(text, "worker-seconds wanted: recorded {recorded:.0}, replayed {replayed:.0}");
    text
}

fn row([time, group, recorded, replayed]: [String; 4]) -> String {
    format!("{time:<26} {group:<30} {recorded:<24} {replayed}\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use dask_operator_plan::autoscaler::{self, Cluster, Group, Observed};
    use dask_operator_plan::worker_group::WorkerPod;
    use dask_operator_plan::{Facts, Link, Outcome};
    use dask_operator_testkit::an_autoscaler;
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;
    use crate::record::Record;

    fn pod(number: usize) -> WorkerPod {
        WorkerPod::ready(&format!("demo-{number}"), Timestamp::UNIX_EPOCH)
    }

    /// Workers that register at once, and so many tasks, of which each worker has one.
    fn observed(replicas: usize, tasks: usize) -> Observed {
        let worker = |number| json!({"name": format!("demo-{number}"), "threads": 1, "processing": usize::from(number < tasks)});
        let facts = json!({
            "schema": 1, "revision": 1, "pod_uid": "", "drains": [],
            "workers": (0..replicas).map(worker).collect::<Vec<_>>(),
            "demand": [{"tasks": {"queued": {"count": tasks, "seconds": tasks * 5}}}],
        });
        let facts = Facts::read(facts.to_string().as_bytes()).unwrap();
        let pods = (0..replicas).map(pod).collect();
        let group = Group { name: "demo-default".to_owned(), replicas, pods, ..Group::default() };
        let cluster = Cluster { name: "demo".to_owned(), scheduler_ready: true, ..Cluster::default() };
        let link = Link::Preload(Arc::new(facts));
        Observed { cluster: Some(cluster), link, groups: vec![group], ..Observed::default() }
    }

    /// A minute of work, a short pause, ever less work, and none, recorded each second as the operator does.
    fn record(path: &Path) {
        let object = an_autoscaler().between(0, 10).build();
        let checked = autoscaler::check(&object).unwrap();
        let (mut memory, mut replicas) = (autoscaler::Course::default(), 0);
        let record = Record::to(path, Timestamp::UNIX_EPOCH).unwrap();
        for second in 0..150 {
            let tasks = match second {
                0..60 => 8,
                60..70 => 0,
                _ => usize::try_from(100 - second.min(100)).unwrap() / 2,
            };
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            let observed = observed(replicas, tasks);
            let plan = autoscaler::plan(&checked, &observed, &memory, now);
            memory = autoscaler::course(&Outcome::done(&plan), now).unwrap();
            record.look(&checked, &object.spec, &observed, &plan, now);
            replicas = plan.scaling.unwrap().decisions[0].to;
        }
        record.close();
    }

    fn course(path: &Path, settings: &[&str]) -> Course {
        let settings: Vec<_> = settings.iter().map(|text| (*text).to_owned()).collect();
        course::replay(&trace::read(path, None).unwrap(), &settings).unwrap()
    }

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("replay-{name}-{}", std::process::id()))
    }

    #[test]
    fn the_same_settings_decide_the_same_and_others_do_not() {
        let path = file("same");
        record(&path);
        let same = course(&path, &[]);
        assert!(same.steps.iter().filter(|step| step.changes()).count() > 3);
        assert!(same.steps.iter().all(|step| step.recorded == step.replayed));
        let fewer = course(&path, &["maximum=4"]);
        assert!(fewer.totals.iter().all(|(_, recorded, replayed)| *replayed <= 4 && *recorded <= 10));
        let (recorded, replayed) = course(&path, &["scaleDown.stabilizationSeconds=60"]).worker_seconds();
        assert!(replayed > recorded, "{replayed} {recorded}");
        let (recorded, replayed) = course(&path, &["scaleDown.stabilizationSeconds=1"]).worker_seconds();
        assert!(replayed < recorded, "{replayed} {recorded}");
        assert!(picture::picture(&same).contains("class=\"replayed\""));
        assert!(table(&same).contains("0 -> 8 Work"), "{}", table(&same));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_is_no_trace_ends_with_a_sentence() {
        let path = file("wrong");
        let told = |text: &str, of: Option<&str>| {
            std::fs::write(&path, text).unwrap();
            trace::read(&path, of).unwrap_err().to_string()
        };
        record(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(told(&text[..text.len() - 9], None).contains("the last line of"));
        assert!(told(&text, Some("team/other")).ends_with("has no look of team/other"));
        assert!(told("", None).contains("no look of any"));
        assert!(told(&format!("{text}hello\n"), None).starts_with("line 151 of"));
        let other = text.replace("\"name\":\"demo\"", "\"name\":\"other\"");
        assert!(told(&format!("{text}{other}"), None).ends_with("team/demo, team/other"));
        std::fs::remove_file(&path).unwrap();
        assert!(trace::read(&path, None).unwrap_err().to_string().contains("cannot be read"));
    }
}
