//! A script of `e2e/workloads` that goes on while a test acts.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::commands;
use crate::dask::Dask;
use crate::progress::Progress;

const WORKLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads");

/// One that is to be started.
pub struct Start {
    name: String,
    dask: Dask,
    environment: Vec<(&'static str, String)>,
}

/// A running one. It ends with its owner.
pub struct Workload {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Start {
    /// Against a scheduler.
    pub fn new(name: &str, scheduler: &str) -> Self {
        let start = Self { name: name.to_owned(), dask: Dask::default(), environment: Vec::new() };
        start.with("DASK_SCHEDULER_ADDRESS", scheduler)
    }

    /// By a client of this release.
    #[must_use]
    pub fn by(mut self, dask: Dask) -> Self {
        self.dask = dask;
        self
    }

    /// With this variable.
    #[must_use]
    pub fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.environment.push((variable, value.to_owned()));
        self
    }

    /// Starts it.
    pub fn start(self) -> Result<Workload> {
        let mut command = Command::new(self.dask.client(&mut Progress::new())?);
        command.arg(format!("{WORKLOADS}/{}.py", self.name)).envs(self.environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {}", self.name))?;
        let output = child.stdout.take().context("its output")?;
        Ok(Workload { child, lines: BufReader::new(output).lines() })
    }
}

impl Workload {
    /// Starts it against a scheduler.
    pub fn start(name: &str, scheduler: &str) -> Result<Self> {
        Start::new(name, scheduler).start()
    }

    /// Has it read this line.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("its input")?;
        writeln!(input, "{line}").context("it does not listen")
    }

    /// Has it act by this word, and waits until that is done.
    pub fn act(&mut self, word: &str) -> Result<()> {
        self.say(word)?;
        self.until("done")
    }

    /// Waits until it prints this line.
    pub fn until(&mut self, line: &str) -> Result<()> {
        loop {
            match commands::wait_aside(|| self.lines.next()) {
                Some(printed) if printed.as_deref().is_ok_and(|printed| printed == line) => return Ok(()),
                Some(printed) => drop(printed?),
                None => bail!("it ended before it was \"{line}\""),
            }
        }
    }

    /// Waits for its end; what it reported in its last line, and whether it succeeded.
    pub fn finish(mut self) -> Result<(Value, bool)> {
        let mut last = String::new();
        for line in self.lines.by_ref() {
            last = line?;
        }
        let reported = serde_json::from_str(&last).with_context(|| format!("no result: {last}"))?;
        Ok((reported, self.child.wait()?.success()))
    }

    /// The same, while others go on.
    pub async fn finished(self) -> Result<(Value, bool)> {
        tokio::task::spawn_blocking(|| self.finish()).await.context("waiting for its end")?
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
