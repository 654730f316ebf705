//! Installs the Debian packages whose programs the host does not have yet.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::commands;
use crate::progress::Progress;

/// A package, and the program that is wanted of it: found by any name, the package is not needed. A host with
/// Docker has containerd out of a package that the distribution's own would replace.
type Package = (&'static str, &'static str);

pub const FOR_THE_CLUSTER: &[Package] = &[
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("containernetworking-plugins", "/usr/lib/cni/bridge"),
    ("iproute2", "ip"),
    ("iptables", "iptables"),
    ("nftables", "nft"),
    ("conntrack", "conntrack"),
];

pub const FOR_IMAGES: &[Package] = &[("buildah", "buildah"), ("mmdebstrap", "mmdebstrap")];

/// Driven by a test that looks at the dashboard, by the full paths.
pub const FOR_THE_BROWSER: &[Package] =
    &[("chromium", "/usr/bin/chromium"), ("chromium-driver", "/usr/bin/chromedriver")];

pub fn install(packages: &[Package], progress: &mut Progress) -> Result<()> {
    let missing: Vec<&str> =
        packages.iter().filter(|(_, wanted)| find(wanted).is_none()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !rustix::process::geteuid().is_root() {
        bail!("these Debian packages are missing: {names} (apt-get install {names})");
    }
    find("apt-get").with_context(|| {
        format!("not a Debian system, and programs of these packages are missing: {names}")
    })?;
    let mut task = progress.task("Debian packages", 2);
    task.step("lists");
    commands::run(apt_get().arg("update"))?;
    task.step(&names);
    // Never at the price of something that is installed already.
    commands::run(apt_get().args(["install", "--yes", "--no-remove"]).args(&missing))?;
    task.done();
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Where a program is, if it is on this host.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Administrators' programs are often not in a user's PATH.
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(Path::new(program))).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_or_by_its_full_path() {
        assert!(find("sh").is_some());
        assert_eq!(find("/bin/sh"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("no-such-program"), None);
    }
}
