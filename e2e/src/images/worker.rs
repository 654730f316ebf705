//! The image of Dask, for schedulers, workers and job runners.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, Key};
use crate::commands;
use crate::images::buildah::{self, Build};
use crate::images::{Image, base, name};
use crate::progress::Progress;

const CONTEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../worker-image");
const REQUIREMENTS: &str = "requirements.txt";
/// Where the preloads' tests say what the oldest release is.
const OLDEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../operator/preload/tests/oldest.txt");

pub fn build(progress: &mut Progress) -> Result<Image> {
    build_with("dask", None, progress)
}

/// The same with the oldest release of Dask that is supported.
pub fn build_oldest(progress: &mut Progress) -> Result<Image> {
    let read =
        |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let requirements = read(&Path::new(CONTEXT).join(REQUIREMENTS))?;
    let requirements = with_others(&requirements, &read(Path::new(OLDEST))?);
    build_with("dask-oldest", Some(&requirements), progress)
}

/// Builds it with its own requirements, or with these.
fn build_with(image: &str, requirements: Option<&str>, progress: &mut Progress) -> Result<Image> {
    let context = Path::new(CONTEXT).canonicalize()?;
    let base = base::build(progress)?;
    let name = name(image);
    let key = Key::new().with(&name).with(base.as_os_str().as_encoded_bytes()).with_folder(&context)?;
    let key = requirements.into_iter().fold(key, Key::with);
    let folder = cache::artefact(&format!("{image}-image"), key, progress, |folder, progress| {
        let mut task = progress.task(format!("Image {image}"), 1);
        task.step("its Python packages (half a minute)");
        let copy = folder.join("context");
        commands::run(Command::new("cp").arg("--recursive").arg(&context).arg(&copy))?;
        if let Some(requirements) = requirements {
            fs::write(copy.join(REQUIREMENTS), requirements)?;
        }
        let dockerfile = copy.join("Dockerfile");
        let build = Build { name: &name, dockerfile: &dockerfile, context: &copy, base: Some(&base) };
        buildah::build(&folder.join("image.tar"), &build)?;
        task.done();
        cache::remove(&copy)
    })?;
    Ok(Image { name, archive: folder.join("image.tar") })
}

/// These requirements, but for the packages that others name: those in the versions of the others.
fn with_others(requirements: &str, others: &str) -> String {
    let package = |line: &str| line.split_once("==").map(|(package, _)| package.to_owned());
    let other =
        |line: &str| others.lines().find(|other| package(other).is_some_and(|it| Some(it) == package(line)));
    let lines = requirements.lines().map(|line| other(line).unwrap_or(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_others_name_get_their_versions_and_no_other_line_changes() {
        let requirements = "# What it offers.\n-c constraints.txt\n\ndask==3\ndask-expr==3\nnumpy==2\n";
        let others = "# The oldest.\ndask==1\nabsent==1\n";
        let expected = "# What it offers.\n-c constraints.txt\n\ndask==1\ndask-expr==3\nnumpy==2\n";
        assert_eq!(with_others(requirements, others), expected);
    }
}
