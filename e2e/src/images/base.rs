//! The root file system under the image of Dask: the host's own release, so that a client on the host has the same
//! Python and the two can talk.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, Key};
use crate::commands;
use crate::images::archive;
use crate::progress::Progress;

const PACKAGES: &str = "python3,python3-venv,ca-certificates,tini";
/// Nobody reads them in a container.
const LEFT_OUT: [&str; 3] = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"];

/// A docker-archive, which a Dockerfile can start from.
pub fn build(progress: &mut Progress) -> Result<PathBuf> {
    let release = fs::read_to_string("/etc/os-release").context("which release this host is")?;
    let suite = field(&release, "VERSION_CODENAME").context("a release without a name")?;
    // Ubuntu has Python's venv module among the packages that the community looks after.
    let components = if field(&release, "ID") == Some("ubuntu") { "main,universe" } else { "main" };
    let key = Key::new().with(suite).with(components).with(PACKAGES).with(LEFT_OUT.join(" "));
    let folder = cache::artefact("base-image", key, progress, |folder, progress| {
        let mut task = progress.task("Base image", 1);
        task.step(&format!("the packages of {suite} (a minute)"));
        let root = folder.join("root.tar");
        let excludes = LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}"));
        commands::run(
            Command::new("mmdebstrap")
                .args(["--variant=minbase", "--skip=output/dev"])
                .args([format!("--include={PACKAGES}"), format!("--components={components}")])
                .args(excludes)
                .arg(suite)
                .arg(&root),
        )?;
        archive::write(&folder.join("image.tar"), "localhost/base:1", &root, &[])?;
        fs::remove_file(root)?;
        task.done();
        Ok(())
    })?;
    Ok(folder.join("image.tar"))
}

fn field<'a>(release: &'a str, name: &str) -> Option<&'a str> {
    let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_with_and_without_quotes_and_not_out_of_a_longer_name() {
        let release = "VERSION_ID=\"12\"\nID=debian\nVERSION_CODENAME=\"bookworm\"\n";
        assert_eq!(field(release, "ID"), Some("debian"));
        assert_eq!(field(release, "VERSION_CODENAME"), Some("bookworm"));
        assert_eq!(field(release, "VERSION"), None);
    }
}
