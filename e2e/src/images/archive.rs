//! Reads and writes docker-archives: a tar of layers, a configuration, and a manifest that names them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::commands;

/// What an archive holds: the digest of an image's configuration stands for all of the image.
#[derive(Debug)]
pub struct Contents {
    name: String,
    configuration: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    config: String,
    repo_tags: Vec<String>,
}

pub fn read(archive: &Path) -> Result<Contents> {
    let manifest = commands::output(Command::new("tar").arg("-xOf").arg(archive).arg("manifest.json"))?;
    let manifests: Vec<Manifest> = serde_json::from_str(&manifest)?;
    let manifest = manifests.into_iter().next().context("an archive without an image")?;
    let name = manifest.repo_tags.into_iter().next().context("an image without a name")?;
    Ok(Contents { name, configuration: manifest.config.trim_end_matches(".json").to_owned() })
}

/// Whether the listing of `ctr images` has the image. For every image it also has one named after its configuration;
/// the two have the same digest, the third column, as long as the name has not moved on.
pub fn is_listed(contents: &Contents, listing: &str) -> bool {
    let digest = |name: &str| {
        let mut rows = listing.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.find(|row| row.first() == Some(&name)).and_then(|row| row.get(2).copied())
    };
    let by_name = digest(&contents.name);
    by_name.is_some() && by_name == digest(&format!("sha256:{}", contents.configuration))
}

/// Writes an image of a single program, the same bytes every time.
pub fn write_program(archive: &Path, name: &str, program: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = program.file_name().context("a program without a name")?;
    let layer = folder.path().join("layer.tar");
    commands::run(tar(&layer, program.parent().context("a program without a folder")?).arg(file))?;
    write(archive, name, &layer, &[format!("/{}", file.display())])
}

/// Writes an image of a single layer.
pub fn write(archive: &Path, name: &str, layer: &Path, entrypoint: &[String]) -> Result<()> {
    let configuration = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": entrypoint},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(File::open(layer)?)?)]},
    })
    .to_string();
    let configuration_file = format!("{}.json", digest(configuration.as_bytes())?);
    let layer_file = layer.file_name().context("a layer without a name")?.display().to_string();
    let manifest = json!([{"Config": configuration_file, "RepoTags": [name], "Layers": [layer_file]}]);
    let folder = layer.parent().context("a layer without a folder")?;
    fs::write(folder.join(&configuration_file), &configuration)?;
    fs::write(folder.join("manifest.json"), manifest.to_string())?;
    commands::run(tar(archive, folder).args([&layer_file, &configuration_file, "manifest.json"]))
}

fn tar(archive: &Path, folder: &Path) -> Command {
    let mut command = Command::new("tar");
    command.args(["--create", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--file"]);
    command.arg(archive).arg("--directory").arg(folder);
    command
}

fn digest(mut contents: impl Read) -> Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut contents, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

/// As Go names it, and so do images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(program: &str) -> (tempfile::TempDir, Contents) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("program"), program).unwrap();
        write_program(&folder.path().join("image.tar"), "localhost/a:1", &folder.path().join("program"))
            .unwrap();
        let contents = read(&folder.path().join("image.tar")).unwrap();
        (folder, contents)
    }

    #[test]
    fn an_image_is_told_by_its_program() {
        let (first, second, other) = (written("a").1, written("a").1, written("b").1);
        assert_eq!(first.name, "localhost/a:1");
        assert_eq!(first.configuration, second.configuration);
        assert_ne!(first.configuration, other.configuration);
    }

    #[test]
    fn an_image_is_there_only_when_its_name_leads_to_its_configuration() {
        let contents = Contents { name: "localhost/a:1".to_owned(), configuration: "c1".to_owned() };
        let listing = |named: &str| {
            format!(
                "REF TYPE DIGEST SIZE\nlocalhost/a:1 t {named} 1 MiB\nsha256:c1 t sha256:m1 1 MiB\nsha256:c2 t sha256:m2 1 MiB\n"
            )
        };
        assert!(is_listed(&contents, &listing("sha256:m1")));
        assert!(!is_listed(&contents, &listing("sha256:m2")));
        assert!(!is_listed(&contents, "REF TYPE DIGEST SIZE\n"));
    }
}
