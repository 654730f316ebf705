//! The command `cargo e2e`.

mod args;
mod bench;
mod demo;
mod many_drains;
mod many_histories;
mod players;
mod sizes;
mod suite;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use e2e::cluster::Cluster;
use e2e::progress::{Progress, complain, say};
use e2e::{cluster, down, images, operator, up};

use crate::args::{Arguments, Benchmark, Command};

fn main() -> ExitCode {
    match run(Arguments::parse().command, &mut Progress::new()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, progress: &mut Progress) -> Result<()> {
    match command {
        Command::Up => up::up(progress).map(|cluster| say(&cluster.how_to_use())),
        Command::Down => down::down(progress),
        Command::Install => operator::install(&up::up(progress)?, progress),
        Command::Demo { kubeconfig } => demo::demo(&chosen(kubeconfig.as_deref(), progress)?, progress),
        Command::Bench { what } => bench::bench(&what.unwrap_or(Benchmark::Latency), progress),
        Command::Test(options) => suite::run(&options, progress),
        Command::Simulate { histories, seed } => suite::simulate(histories, seed),
        Command::Drains(options) => many_drains::run(&options, progress),
        Command::Histories(options) => many_histories::run(&options, progress),
        Command::Kubectl { arguments } => cluster::become_kubectl(&arguments),
        Command::Images { kinds } => {
            let cluster = up::up(progress)?;
            images::import(&cluster, &kinds, progress).map(drop)
        }
    }
}

/// The cluster that a kubeconfig leads to, else the embedded one.
fn chosen(kubeconfig: Option<&Path>, progress: &mut Progress) -> Result<Cluster> {
    match kubeconfig {
        Some(path) => Cluster::from_kubeconfig(path, progress),
        None => up::up(progress),
    }
}
