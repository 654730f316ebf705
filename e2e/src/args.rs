//! The command line.

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use e2e::images::Kind;

/// A Kubernetes of this machine's own, and what runs on it.
#[derive(Debug, Parser)]
#[command(name = "cargo e2e", bin_name = "cargo e2e")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the embedded Kubernetes, building it first if need be
    Up,
    /// End the embedded Kubernetes and everything that runs on it
    Down,
    /// Run kubectl against the embedded Kubernetes
    #[command(disable_help_flag = true)]
    Kubectl {
        /// What kubectl is given
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build container images and import them into the embedded Kubernetes
    Images {
        /// Which; all if none is named
        kinds: Vec<Kind>,
    },
}
