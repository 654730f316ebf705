//! Ends what a killed run left behind, known by marks that only our own processes bear.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::layout::Layout;
use crate::network;
use crate::processes::{self, Process};

/// Device and inode: two files with the same are the same namespace.
type Namespace = (u64, u64);

/// Ends what lives in the network of the cluster or of one of its pods, and the shims of its containerd.
pub(super) fn kill_processes(layout: &Layout) -> Result<()> {
    const ROUNDS: usize = 5;
    let namespaces = namespaces(layout);
    // A process may have started another while the list was made.
    for _ in 0..ROUNDS {
        let ours: Vec<Process> =
            processes::all()?.into_iter().filter(|process| is_ours(*process, &namespaces, layout)).collect();
        if ours.is_empty() {
            return Ok(());
        }
        ours.into_iter().try_for_each(Process::kill)?;
    }
    bail!("processes keep appearing in the network of the cluster")
}

fn is_ours(process: Process, namespaces: &HashSet<Namespace>, layout: &Layout) -> bool {
    if process.pid().cast_unsigned() == std::process::id() {
        return false;
    }
    let folder = PathBuf::from(format!("/proc/{}", process.pid()));
    namespace(&folder.join("ns/net")).is_some_and(|network| namespaces.contains(&network))
        || fs::read(folder.join("cmdline")).is_ok_and(|line| is_shim(&line, &layout.containerd_socket()))
}

fn namespaces(layout: &Layout) -> HashSet<Namespace> {
    let pods = layout.containerd().join("io.containerd.grpc.v1.cri/netns");
    let pods = fs::read_dir(pods).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut all: HashSet<_> =
        pods.chain([network::NAMESPACE_FILE.into()]).filter_map(|path| namespace(&path)).collect();
    // Never the one of everybody else.
    if let Some(host) = namespace(Path::new("/proc/1/ns/net")) {
        all.remove(&host);
    }
    all
}

fn namespace(path: &Path) -> Option<Namespace> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn is_shim(command_line: &[u8], socket: &Path) -> bool {
    let words: Vec<&[u8]> = command_line.split(|byte| *byte == 0).collect();
    words[0].ends_with(b"containerd-shim-runc-v2")
        && words.windows(2).any(|pair| pair[0] == b"-address" && pair[1] == socket.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shims_of_our_own_containerd_are_ours() {
        let line = b"/usr/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-address\0/a/containerd.sock\0";
        assert!(is_shim(line, Path::new("/a/containerd.sock")));
        assert!(!is_shim(line, Path::new("/b/containerd.sock")));
        assert!(!is_shim(b"/bin/cat\0-address\0/a/containerd.sock\0", Path::new("/a/containerd.sock")));
        assert!(!is_shim(b"", Path::new("/a/containerd.sock")));
    }
}
