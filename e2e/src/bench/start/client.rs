//! The client of Dask that tells when a cluster works: `e2e/workloads/first_result.py`.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use e2e::progress::Progress;
use e2e::python;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/first_result.py");

/// One process for all starts; it ends with this.
pub(super) struct Client {
    _process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// The version of distributed.
    pub(super) version: String,
}

impl Client {
    pub(super) async fn start(progress: &mut Progress) -> Result<Self> {
        let mut command = Command::new(python::client(progress)?);
        command.arg(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context("cannot run a client of Dask")?;
        let orders = process.stdin.take().context("no standard input")?;
        let output = process.stdout.take().context("no standard output")?;
        let mut client = Self {
            _process: process,
            orders,
            answers: BufReader::new(output).lines(),
            version: String::new(),
        };
        client.version = client.answer().await?;
        Ok(client)
    }

    /// Returns when all workers were registered at the scheduler of this address, and when they had given a result.
    pub(super) async fn follow(&mut self, host: &str, workers: u32) -> Result<[Instant; 2]> {
        let order = json!({"host": host, "workers": workers});
        self.orders.write_all(format!("{order}\n").as_bytes()).await?;
        Ok([self.told("registered").await?, self.told("result").await?])
    }

    async fn told(&mut self, what: &str) -> Result<Instant> {
        let answer = self.answer().await?;
        ensure!(answer == what, "the client said {answer:?} instead of {what:?}");
        Ok(Instant::now())
    }

    async fn answer(&mut self) -> Result<String> {
        self.answers.next_line().await?.context("the client of Dask has ended")
    }
}
