//! The image of the operator: its binary and nothing else.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache::{self, Key};
use crate::commands;
use crate::images::buildah::{self, Build};
use crate::images::{Image, name};
use crate::progress::Progress;

const PROGRAM: &str = "dask-operator";
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

pub fn build(progress: &mut Progress) -> Result<Image> {
    let binary = binary(progress)?;
    let dockerfile = Path::new(WORKSPACE).join("operator/Dockerfile").canonicalize()?;
    let name = name(PROGRAM);
    let key = Key::new().with(&name).with_file(&dockerfile)?.with_file(&binary)?;
    let folder = cache::artefact("operator-image", key, progress, |folder, _| {
        // The folder that the binary lies in holds everything else that cargo ever made.
        let context = folder.join("context");
        fs::create_dir(&context)?;
        fs::copy(&binary, context.join(PROGRAM))?;
        let build = Build { name: &name, dockerfile: &dockerfile, context: &context, base: None };
        buildah::build(&folder.join("image.tar"), &build)?;
        cache::remove(&context)
    })?;
    Ok(Image { name, archive: folder.join("image.tar") })
}

/// The operator, compiled for release and for any Linux.
pub fn binary(progress: &mut Progress) -> Result<PathBuf> {
    let mut task = progress.task("Operator", 1);
    task.step("compiling");
    // The cargo that runs this tool, if one does.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let messages = commands::output(Command::new(cargo).current_dir(WORKSPACE).args([
        "build",
        "--release",
        "--package",
        PROGRAM,
        "--message-format=json-render-diagnostics",
    ]))?;
    task.done();
    executable(&messages).context("cargo built no operator")
}

/// Where the binary lies depends on settings of the user; cargo's messages say where.
fn executable(messages: &str) -> Option<PathBuf> {
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.find_map(|message| {
        let is_program = message["target"]["name"] == PROGRAM;
        message["executable"].as_str().filter(|_| is_program).map(PathBuf::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_where_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"dask_operator"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"dask-operator"},"executable":"/t/dask-operator"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/dask-operator")));
        assert_eq!(executable("not JSON"), None);
    }
}
