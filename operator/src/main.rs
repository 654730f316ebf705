//! The operator's binary: parses the command line and picks a subcommand.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use dask_operator::{args, crds, replay, run, telemetry};

fn main() -> anyhow::Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match args::Arguments::parse().command() {
        args::Command::Run(options) => {
            telemetry::init(&options);
            for (flag, why) in options.without_effect() {
                tracing::warn!(flag, why, "a flag of dask-kubernetes that has no effect here");
            }
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?
                .block_on(run::run(&options))
                .map(done)
        }
        args::Command::Replay(options) => match replay::replay(&options) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) => {
                // Whoever typed it needs a sentence, and no trace of calls.
                writeln!(std::io::stderr(), "dask-operator: {error}")?;
                Ok(ExitCode::FAILURE)
            }
        },
        args::Command::Crds(action) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(crds::crds(action))
            .map(done),
    }
}
