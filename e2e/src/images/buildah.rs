//! Builds a Dockerfile with buildah, leaving nothing behind but the archive.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{cache, commands};

/// Where Debian's own Python and pip look; mounting over a file of the image leaves no trace in it.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How the host says which certificates to trust.
const CERTIFICATE_SETTINGS: [&str; 3] = ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"];
/// How the host says where packages come from.
const PIP_SETTINGS: [&str; 5] =
    ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES"];

pub(super) struct Build<'a> {
    pub(super) name: &'a str,
    pub(super) dockerfile: &'a Path,
    pub(super) context: &'a Path,
    /// A docker-archive for the build argument `BASE`.
    pub(super) base: Option<&'a Path>,
}

/// Writes a docker-archive. The layers are kept beside it meanwhile, away from other images of the host.
pub(super) fn build(archive: &Path, build: &Build) -> Result<()> {
    let storage = archive.with_extension("storage");
    let mut command = Command::new("buildah");
    command
        .env("BUILDAH_ISOLATION", "chroot")
        .arg("--root")
        .arg(storage.join("root"))
        .arg("--runroot")
        .arg(storage.join("run"))
        .args(["--storage-driver", "vfs", "build", "--pull=never", "--quiet"])
        .arg("--file")
        .arg(build.dockerfile)
        .arg("--tag")
        .arg(format!("docker-archive:{}:{}", archive.display(), build.name));
    if let Some(base) = build.base {
        command
            .arg("--build-arg")
            .arg(format!("BASE=docker-archive:{}", base.display()))
            .args(host_settings());
    }
    commands::run(command.arg(build.context))?;
    cache::remove(&storage)
}

/// For the commands of the build, not for the image.
fn host_settings() -> Vec<String> {
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let settings = PIP_SETTINGS.into_iter().filter(is_set);
    let settings = settings.flat_map(|name| [format!("--env={name}"), format!("--unsetenv={name}")]);
    let certificates = CERTIFICATE_SETTINGS.into_iter().filter_map(env::var_os).map(PathBuf::from);
    let certificates = certificates.into_iter().find(|path| path.is_file());
    let mount = certificates.map(|file| format!("--volume={}:{CERTIFICATES}:ro", file.display()));
    settings.chain(mount).collect()
}
