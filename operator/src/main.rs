//! The operator's binary: parses the command line and picks a subcommand.

use clap::Parser;
use dask_operator::{args, crds, replay, run, telemetry};

fn main() -> anyhow::Result<()> {
    let arguments = args::Arguments::parse();
    match arguments.command() {
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
        }
        args::Command::Replay(options) => Ok(replay::replay(&options)?),
        args::Command::Crds(action) => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(crds::crds(action))
        }
    }
}
