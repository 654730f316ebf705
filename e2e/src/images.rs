//! The container images, made without a container engine and without a registry.

pub mod archive;
pub mod base;
mod buildah;
pub mod operator;
pub mod pause;
pub mod worker;

use std::path::PathBuf;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::packages;
use crate::progress::Progress;

#[derive(Debug, Clone)]
pub struct Image {
    pub name: String,
    /// A docker-archive, for [`crate::cluster::Cluster::import_image`].
    pub archive: PathBuf,
}

/// Those of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Scheduler, workers and job runners
    Dask,
    /// The same with the oldest release of Dask that is supported, for tests
    OldestDask,
    Operator,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Dask, Self::OldestDask, Self::Operator];
    /// What users are given.
    pub const PUBLISHED: [Self; 2] = [Self::Dask, Self::Operator];

    pub fn build(self, progress: &mut Progress) -> Result<Image> {
        packages::install(packages::FOR_IMAGES, progress)?;
        match self {
            Self::Dask => worker::build(progress),
            Self::OldestDask => worker::build_oldest(progress),
            Self::Operator => operator::build(progress),
        }
    }
}

/// Builds the images named, or all of them, and gives them to the cluster; whether it had not all of them already.
pub fn import(cluster: &Cluster, kinds: &[Kind], progress: &mut Progress) -> Result<bool> {
    let kinds = if kinds.is_empty() { &Kind::ALL } else { kinds };
    let mut new = false;
    for kind in kinds {
        let image = kind.build(progress)?;
        new |= cluster.import_image(&image.archive)?;
    }
    Ok(new)
}

/// The images of one version of the project belong together.
fn name(image: &str) -> String {
    format!("ghcr.io/dask-operator/{image}:{}", env!("CARGO_PKG_VERSION"))
}
