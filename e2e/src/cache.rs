//! Keeps what was built, under a name made of everything it was built from.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::mounts;
use crate::progress::Progress;

/// How many versions of a thing are kept: those of two or three checkouts.
const KEPT: usize = 3;

pub fn folder() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => env::home_dir().context("no home folder")?.join(".cache"),
    };
    let folder = base.join("dask-operator");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Whatever decides what comes out of a build.
#[derive(Default)]
pub struct Key(Sha256);

impl Key {
    pub fn new() -> Self {
        Self::default()
    }

    /// Lengths keep two neighbouring values from running into each other.
    #[must_use]
    pub fn with(mut self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.0.update((value.len() as u64).to_le_bytes());
        self.0.update(value);
        self
    }

    pub fn with_file(self, path: &Path) -> Result<Self> {
        let contents = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(self.with(contents))
    }

    /// Names and contents of all files below a folder.
    pub fn with_folder(mut self, folder: &Path) -> Result<Self> {
        for path in files_below(folder)? {
            self = self.with(path.strip_prefix(folder)?.as_os_str().as_encoded_bytes()).with_file(&path)?;
        }
        Ok(self)
    }

    fn finish(self) -> String {
        format!("{:x}", self.0.finalize())[..16].to_owned()
    }
}

/// The folder `<what>-<key>`, built by `build` if it is not there. It appears complete or not at all.
pub fn artefact(
    what: &str,
    key: Key,
    progress: &mut Progress,
    build: impl FnOnce(&Path, &mut Progress) -> Result<()>,
) -> Result<PathBuf> {
    let cache = folder()?;
    let finished = cache.join(format!("{what}-{}", key.finish()));
    let _lock = lock(what, progress)?;
    if !finished.exists() {
        let partial = cache.join(format!("{what}.partial"));
        remove(&partial)?;
        fs::create_dir(&partial)?;
        build(&partial, progress)?;
        fs::rename(&partial, &finished)?;
    }
    File::open(&finished)?.set_modified(SystemTime::now())?;
    forget_oldest(&cache, what)?;
    Ok(finished)
}

/// Holds off others who do the same, until dropped.
pub fn lock(what: &str, progress: &mut Progress) -> Result<File> {
    let path = folder()?.join(format!("{what}.lock"));
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.note(&format!("{what}: waiting for another run that is at it"));
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    Ok(file)
}

/// A folder that may not be there, and never what is mounted in it.
pub fn remove(folder: &Path) -> Result<()> {
    mounts::unmount_below(folder)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn forget_oldest(cache: &Path, what: &str) -> Result<()> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_version = name.rsplit_once('-').is_some_and(|(prefix, key)| prefix == what && key.len() == 16);
        if is_version {
            versions.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    versions.sort_by(|left, right| right.cmp(left));
    versions.into_iter().skip(KEPT).try_for_each(|(_, path)| remove(&path))
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_where_one_value_ends_and_the_next_begins() {
        assert_ne!(Key::new().with("ab").with("c").finish(), Key::new().with("a").with("bc").finish());
    }

    #[test]
    fn a_key_of_a_folder_changes_with_names_and_contents_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        let key = || Key::new().with_folder(folder.path()).unwrap().finish();
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("inner/a"), "1").unwrap();
        let first = key();
        assert_eq!(first, key());
        fs::write(folder.path().join("inner/a"), "2").unwrap();
        let second = key();
        assert_ne!(first, second);
        fs::rename(folder.path().join("inner/a"), folder.path().join("inner/b")).unwrap();
        assert_ne!(second, key());
    }

    #[test]
    fn only_the_versions_used_last_are_kept() {
        let cache = tempfile::tempdir().unwrap();
        for (age, key) in ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc", "dddddddddddddddd"]
            .iter()
            .enumerate()
        {
            let version = cache.path().join(format!("thing-{key}"));
            fs::create_dir(&version).unwrap();
            let used = SystemTime::now() - std::time::Duration::from_secs(age as u64 * 60);
            File::open(&version).unwrap().set_modified(used).unwrap();
        }
        fs::create_dir(cache.path().join("other-thing-dddddddddddddddd")).unwrap();
        forget_oldest(cache.path(), "thing").unwrap();
        assert!(cache.path().join("thing-cccccccccccccccc").exists());
        assert!(!cache.path().join("thing-dddddddddddddddd").exists());
        assert!(cache.path().join("other-thing-dddddddddddddddd").exists());
    }
}
