//! Unmounts what is mounted below a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::mount::{UnmountFlags, unmount};

/// Nothing may stay mounted below a folder that is about to be removed: it can be a folder of the host.
pub fn unmount_below(folder: &Path) -> Result<()> {
    for target in mounts_below(folder)?.into_iter().rev() {
        unmount(&target, UnmountFlags::DETACH)
            .with_context(|| format!("cannot unmount {}", target.display()))?;
    }
    if let Some(left) = mounts_below(folder)?.first() {
        bail!("{} is still mounted", left.display());
    }
    Ok(())
}

/// In the order they were mounted.
fn mounts_below(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(parse(&fs::read_to_string("/proc/self/mountinfo")?, folder))
}

fn parse(mountinfo: &str, folder: &Path) -> Vec<PathBuf> {
    let targets = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    let paths = targets.map(|target| PathBuf::from(target.replace("\\040", " ")));
    paths.filter(|path| path.starts_with(folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_mounted_below_the_folder_is_found() {
        let mountinfo = "1 0 0:1 / /cache rw - ext4 x rw\n\
                         2 1 0:2 / /cache/cluster/kubelet/a\\040b rw - tmpfs t rw\n\
                         3 1 0:3 / /cache/cluster-of-another rw - tmpfs t rw\n";
        assert_eq!(
            parse(mountinfo, Path::new("/cache/cluster")),
            [PathBuf::from("/cache/cluster/kubelet/a b")]
        );
    }
}
