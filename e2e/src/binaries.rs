//! Compiles Kubernetes and what it stands on, out of the Go module `e2e/kubernetes`, and Helm out of `e2e/helm`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, Key};
use crate::commands;
use crate::progress::Progress;

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kubernetes");
const HELM_MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/helm");

/// Without the version's flags the servers call themselves `v0.0.0-master`, and some clients balk at that.
const VERSION_PACKAGES: [&str; 2] = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

/// Each program and its main package, the longest build first.
const CLUSTER: [(&str, &str); 9] = [
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("coredns", "github.com/coredns/coredns"),
    ("pause", "./pause"),
];

const KUBECTL: [(&str, &str); 1] = [("kubectl", "k8s.io/kubernetes/cmd/kubectl")];

const KWOK: [(&str, &str); 1] = [("kwok", "sigs.k8s.io/kwok/cmd/kwok")];

const HELM: [(&str, &str); 1] = [("helm", "helm.sh/helm/v4/cmd/helm")];

/// The folder with all programs of the cluster.
pub fn cluster(progress: &mut Progress) -> Result<PathBuf> {
    kubernetes("kubernetes", &CLUSTER, progress)
}

/// For a cluster that is there already, on a host without kubectl.
pub fn kubectl(progress: &mut Progress) -> Result<PathBuf> {
    Ok(kubernetes("kubectl", &KUBECTL, progress)?.join("kubectl"))
}

/// Pretends to run pods; only the benchmarks want it.
pub fn kwok(progress: &mut Progress) -> Result<PathBuf> {
    Ok(kubernetes("kwok", &KWOK, progress)?.join("kwok"))
}

/// For the tests of the chart; whoever installs by manifest needs none.
pub fn helm(progress: &mut Progress) -> Result<PathBuf> {
    Ok(build("helm", Path::new(HELM_MODULE), "-s -w", &HELM, progress)?.join("helm"))
}

fn kubernetes(what: &str, programs: &[(&str, &str)], progress: &mut Progress) -> Result<PathBuf> {
    let module = Path::new(MODULE);
    let flags = link_flags(&kubernetes_version(&fs::read_to_string(module.join("go.mod"))?)?);
    build(what, module, &flags, programs, progress)
}

fn build(
    what: &str,
    module: &Path,
    flags: &str,
    programs: &[(&str, &str)],
    progress: &mut Progress,
) -> Result<PathBuf> {
    let go = commands::output(Command::new("go").arg("version").current_dir(module))
        .with_context(|| format!("Go is needed to build {what}"))?;
    let mut key = Key::new().with(go).with(flags).with_folder(module)?;
    for (name, package) in programs {
        key = key.with(name).with(package);
    }
    cache::artefact(what, key, progress, |folder, progress| {
        let mut task = progress.task(format!("Compiling {what} (minutes, the first time)"), programs.len());
        for (name, package) in programs {
            task.step(name);
            commands::run(&mut go_build(module, flags, &folder.join(name), package))?;
        }
        task.done();
        Ok(())
    })
}

fn go_build(module: &Path, flags: &str, target: &Path, package: &str) -> Command {
    let mut command = Command::new("go");
    command
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o"])
        .args([target.as_os_str(), package.as_ref()]);
    command
}

fn link_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    VERSION_PACKAGES.iter().fold(String::from("-s -w"), |flags, package| {
        format!("{flags} -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}")
    })
}

fn kubernetes_version(go_mod: &str) -> Result<String> {
    let words = go_mod
        .lines()
        .find_map(|line| line.trim_start_matches("require ").trim().strip_prefix("k8s.io/kubernetes "));
    Ok(words
        .and_then(|rest| rest.split_whitespace().next())
        .context("no k8s.io/kubernetes in go.mod")?
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_kubernetes_is_the_one_that_go_mod_requires() {
        assert_eq!(kubernetes_version("module m\n\nrequire k8s.io/kubernetes v1.36.3\n").unwrap(), "v1.36.3");
        assert_eq!(kubernetes_version("require (\n\tk8s.io/kubernetes v1.35.4 // x\n)").unwrap(), "v1.35.4");
        assert!(kubernetes_version("module m").is_err());
    }

    #[test]
    fn every_server_is_told_its_version() {
        let flags = link_flags("v1.36.3");
        assert!(flags.contains("-X k8s.io/component-base/version.gitMinor=36"), "{flags}");
        assert!(flags.contains("-X k8s.io/client-go/pkg/version.gitVersion=v1.36.3"), "{flags}");
    }
}
