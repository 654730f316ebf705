//! The image of the process that holds a pod's namespaces.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::images::archive;

pub const NAME: &str = "localhost/pause:1";

/// Beside the program, which is as old as the image then.
pub fn build(program: &Path) -> Result<PathBuf> {
    let finished = program.with_extension("tar");
    if !finished.exists() {
        let partial =
            tempfile::NamedTempFile::new_in(program.parent().context("a program without a folder")?)?;
        archive::write_program(partial.path(), NAME, program)?;
        partial.persist(&finished)?;
    }
    Ok(finished)
}
