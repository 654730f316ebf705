//! The releases of Dask that tests run, in the cluster and on this host.

use std::path::PathBuf;

use anyhow::Result;

use crate::manifests::{OLDEST_DASK_IMAGE, dask_image};
use crate::progress::Progress;
use crate::python;

/// One of them, with the other packages as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Dask {
    /// What the project's own image has.
    #[default]
    Newest,
    /// What is still supported.
    Oldest,
}

impl Dask {
    pub const ALL: [Self; 2] = [Self::Newest, Self::Oldest];

    /// For the scheduler and its workers.
    pub fn image(self) -> &'static str {
        match self {
            Self::Newest => dask_image(),
            Self::Oldest => OLDEST_DASK_IMAGE,
        }
    }

    /// For clients on this host, which are to have the release that the scheduler has.
    pub fn client(self, progress: &mut Progress) -> Result<PathBuf> {
        match self {
            Self::Newest => python::client(progress),
            Self::Oldest => python::oldest_client(progress),
        }
    }
}
