//! `--record-decisions`: each look of an autoscaler as a line of a file, for `dask-operator replay`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use dask_operator_api::autoscaler::DaskAutoscalerSpec;
use dask_operator_plan::Plan;
use dask_operator_plan::autoscaler::{CheckedAutoscaler, Look, Observed};
use jiff::Timestamp;

/// No file grows beyond this; the one before it is kept beside it.
const LARGEST: u64 = 32 * 1024 * 1024;
/// Looks that wait for a slow disk; those beyond are not recorded.
const WAITING: usize = 1000;

/// Takes looks, and never keeps anybody waiting.
pub struct Record {
    lines: SyncSender<String>,
    since: Timestamp,
    /// Nobody waits for it when the operator ends: what it did not write by then is lost.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests wait for it"))]
    writer: JoinHandle<()>,
}

impl Record {
    /// Goes on with this file, or begins it.
    pub fn to(path: &Path, now: Timestamp) -> io::Result<Self> {
        let mut trace = Trace::open(path)?;
        let (lines, receiver): (_, Receiver<String>) = sync_channel(WAITING);
        let writer = thread::Builder::new().name("record".to_owned()).spawn(move || {
            for line in receiver {
                if let Err(error) = trace.write(&line) {
                    tracing::warn!(%error, "a decision is not recorded");
                }
            }
        })?;
        Ok(Self { lines, since: now, writer })
    }

    /// Waits until everything is written.
    #[cfg(test)]
    pub(crate) fn close(self) {
        drop(self.lines);
        if self.writer.join().is_err() {
            tracing::warn!("the last decisions are not recorded");
        }
    }

    /// Notes one look.
    pub(crate) fn look(
        &self,
        checked: &CheckedAutoscaler,
        spec: &DaskAutoscalerSpec,
        observed: &Observed,
        plan: &Plan,
        now: Timestamp,
    ) {
        let look = Look::of(checked, spec, observed, plan, (now, self.since));
        let Some(Ok(line)) = look.map(|look| serde_json::to_string(&look)) else { return };
        if let Err(TrySendError::Full(_)) = self.lines.try_send(line) {
            tracing::warn!("a decision is not recorded: the disk is slow");
        }
    }
}

/// The file, of which one older one is kept.
struct Trace {
    path: PathBuf,
    file: File,
    size: u64,
    largest: u64,
}

impl Trace {
    /// The last line may have been cut when its writer ended.
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let text = fs::read(path)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let size = u64::try_from(whole).unwrap_or(u64::MAX);
        file.set_len(size)?;
        Ok(Self { path: path.to_owned(), file, size, largest: LARGEST })
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let more = u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_add(1);
        if self.size > 0 && self.size.saturating_add(more) > self.largest {
            fs::rename(&self.path, older(&self.path))?;
            self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            self.size = 0;
        }
        self.size = self.size.saturating_add(more);
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

/// `decisions.jsonl.1` of `decisions.jsonl`.
fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("record-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_file_that_is_full_becomes_the_older_one() {
        let folder = folder("full");
        let path = folder.join("trace");
        let mut trace = Trace { largest: 10, ..Trace::open(&path).unwrap() };
        for line in ["one", "two", "three", "four"] {
            trace.write(line).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
        assert_eq!(fs::read_to_string(older(&path)).unwrap(), "three\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_line_that_was_cut_is_removed_before_others_follow() {
        let folder = folder("cut");
        let path = folder.join("trace");
        fs::write(&path, "whole\ncu").unwrap();
        Trace::open(&path).unwrap().write("next").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole\nnext\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
