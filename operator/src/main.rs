//! The operator's binary: parses the command line and picks a subcommand.

use clap::Parser;
use dask_operator::{args, crds, run, telemetry};

fn main() -> anyhow::Result<()> {
    let arguments = args::Arguments::parse();
    match arguments.command() {
        args::Command::Run(options) => {
            telemetry::init(&options);
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?
                .block_on(run::run(&options))
        }
        args::Command::Crds(action) => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(crds::crds(action))
        }
    }
}
