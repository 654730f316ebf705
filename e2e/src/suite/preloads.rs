//! What is loaded into Dask, and what speaks to it, against real processes of it: of the newest version, and of the oldest
//! that is supported.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use e2e::progress::Progress;
use e2e::python;

use super::{pytest, succeed};

const FOLDER: &str = "operator/preload";

/// The interpreters of both versions.
struct Versions {
    newest: PathBuf,
    both: String,
}

/// The tests of what is loaded, and of what speaks to Dask from outside.
pub(super) fn tests(progress: &mut Progress) -> Result<[Command; 2]> {
    let versions = Versions::prepared(progress)?;
    // They wait most of the time, so several run at once; then a start takes longer than on a quiet machine.
    let loaded = versions.pytest(&[("PATIENCE", "5"), ("PYTEST_ADDOPTS", "--numprocesses=4")]);
    let mut spoken = super::tests(&["--lib", "--", "--ignored", "real_dask"]);
    spoken.env("DASK_VENVS", &versions.both);
    Ok([loaded, spoken])
}

/// What is promised of it, as the tests that assert it print it.
pub(crate) fn bench(progress: &mut Progress) -> Result<()> {
    let versions = Versions::prepared(progress)?;
    succeed(&mut versions.pytest(&[("PATIENCE", "1"), ("PYTEST_ADDOPTS", "-m promised --capture=no")]))
}

impl Versions {
    fn prepared(progress: &mut Progress) -> Result<Self> {
        let newest = python::environment("preload-newest", &["operator/preload/tests/newest.txt"], progress)?;
        let oldest = python::environment("preload-oldest", &["operator/preload/tests/oldest.txt"], progress)?;
        let both = format!("{}:{}", newest.display(), oldest.display());
        Ok(Self { newest, both })
    }

    fn pytest(&self, options: &[(&str, &str)]) -> Command {
        let versions = [("DASK_VENVS", self.both.as_str())];
        pytest(&self.newest, FOLDER, &[&versions, options].concat())
    }
}
