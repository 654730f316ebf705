//! `--record-decisions`: each look of an autoscaler as a line of a file, for `dask-operator replay`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
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
    /// Goes on with this file, or begins it, once there is something to write: only the replica that leads looks, and
    /// several may have the same file.
    pub fn to(path: &Path, now: Timestamp) -> io::Result<Self> {
        may_be_written(path)?;
        let path = path.to_owned();
        let (lines, receiver): (_, Receiver<String>) = sync_channel(WAITING);
        let writer =
            thread::Builder::new().name("record".to_owned()).spawn(move || write(&path, receiver))?;
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

/// What is no file, as a pipe, could keep its writer waiting for ever.
fn may_be_written(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            fs::metadata(folder.unwrap_or(Path::new("."))).map(|_| ())
        }
        about => about.map(|_| ()),
    }
}

/// After an error the file is opened anew, which takes away what was written of a line. The same is not told twice.
fn write(path: &Path, lines: Receiver<String>) {
    let (mut trace, mut is_told) = (None, false);
    for line in lines {
        let opened = trace.take().map_or_else(|| Trace::open(path), Ok);
        let written = opened.and_then(|mut trace: Trace| trace.write(&line).map(|()| trace));
        match written {
            Ok(written) => (trace, is_told) = (Some(written), false),
            Err(error) if !is_told => {
                tracing::warn!(%error, path = %path.display(), "decisions are not recorded");
                is_told = true;
            }
            Err(_) => {}
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
        let size = whole_lines(path)?;
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
        self.file.write_all(format!("{line}\n").as_bytes())?;
        self.size = self.size.saturating_add(more);
        Ok(())
    }
}

/// How many bytes of a file are whole lines.
fn whole_lines(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut last = [0];
    if size > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if size == 0 || last == *b"\n" {
        return Ok(size);
    }
    let text = fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Ok(u64::try_from(whole).unwrap_or(u64::MAX))
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
    fn nothing_is_touched_before_there_is_something_to_write_and_what_is_no_file_is_refused() {
        let folder = folder("early");
        let path = folder.join("trace");
        Record::to(&path, Timestamp::UNIX_EPOCH).unwrap().close();
        assert!(!path.exists());
        assert!(Record::to(&folder, Timestamp::UNIX_EPOCH).is_err());
        assert!(Record::to(&path.join("below"), Timestamp::UNIX_EPOCH).is_err());
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
