//! The command line of `dask-operator replay`.

use std::path::PathBuf;

use clap::Args;

/// Which looks are decided again, and how.
#[derive(Clone, Debug, Args)]
pub struct ReplayOptions {
    /// The file that the operator wrote with --record-decisions.
    pub(crate) trace: PathBuf,
    /// Which autoscaler, as NAMESPACE/NAME; needed where the file has several.
    #[arg(long)]
    pub(crate) autoscaler: Option<String>,
    /// A field of its spec and what it is set to, such as maximum=20 or scaleDown.stabilizationSeconds=300.
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// Draw both courses into this file.
    #[arg(long)]
    pub(crate) svg: Option<PathBuf>,
}
