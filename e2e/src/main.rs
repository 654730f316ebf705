//! The command `cargo e2e`.

mod args;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use e2e::progress::{Progress, complain, say};
use e2e::{cluster, down, images, up};

use crate::args::{Arguments, Command};

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
        Command::Kubectl { arguments } => cluster::become_kubectl(&arguments),
        Command::Images { kinds } => {
            let cluster = up::up(progress)?;
            images::import(&cluster, &kinds, progress).map(|names| say(&names.join("\n")))
        }
    }
}
