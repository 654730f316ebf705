//! A file is a room: it opens with what it is for, and is small enough to be read at once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Lines of a file, its tests left out.
const MOST: usize = 250;
const ROOTS: [&str; 5] =
    ["operator/src", "operator/api/src", "operator/plan/src", "operator/testkit/src", "e2e/src"];

/// Names every file that is not so.
pub(crate) fn check(workspace: &Path) -> Result<()> {
    let mut faults = Vec::new();
    for root in ROOTS {
        for file in rust_files(&workspace.join(root))? {
            faults.extend(
                faults_of(&fs::read_to_string(&file)?).map(|fault| format!("{}: {fault}", file.display())),
            );
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn faults_of(text: &str) -> Option<String> {
    if !text.starts_with("//! ") {
        return Some("does not open with `//!` and what it is for".to_owned());
    }
    let lines = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count();
    (lines > MOST).then(|| format!("{lines} lines without its tests; at most {MOST}"))
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_has_a_first_line_and_a_size() {
        assert_eq!(faults_of("//! For this.\nfn f() {}\n"), None);
        assert!(faults_of("fn f() {}\n").is_some());
        let long = format!("//! For this.\n{}", "\n".repeat(MOST));
        assert!(faults_of(&long).is_some());
        assert_eq!(faults_of(&long.replacen("\n\n", "\n\n#[cfg(test)]\nmod tests {\n", 1)), None);
    }
}
