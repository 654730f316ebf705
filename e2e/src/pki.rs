//! The certificates, keys and kubeconfigs of a new cluster.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use serde_json::json;

use crate::layout::Layout;
use crate::network;

pub const ADMIN: &str = "admin";
pub const CONTROLLER_MANAGER: &str = "controller-manager";
pub const SCHEDULER: &str = "scheduler";
pub const NODE: &str = "node";
pub const PROXY: &str = "proxy";
pub const DNS: &str = "dns";

/// Each with a kubeconfig: file, user, group. DNS is a user of its own, so that the audit log tells its requests
/// from those of the administrator.
const USERS: [(&str, &str, Option<&str>); 6] = [
    (ADMIN, "admin", Some("system:masters")),
    (CONTROLLER_MANAGER, "system:kube-controller-manager", None),
    (SCHEDULER, "system:kube-scheduler", None),
    (NODE, "system:node:node0", Some("system:nodes")),
    (PROXY, "system:kube-proxy", None),
    (DNS, "system:coredns", Some("system:masters")),
];

pub const APISERVER_NAMES: [&str; 8] = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
    "127.0.0.1",
    network::NODE,
    network::APISERVER_SERVICE,
];

type Authority = CertifiedIssuer<'static, KeyPair>;

pub fn create(layout: &Layout) -> Result<()> {
    let authority = authority(layout, "ca", "kubernetes")?;
    serving(layout, &authority, "apiserver", &APISERVER_NAMES)?;
    serving(layout, &authority, "kubelet", &["node0", network::NODE])?;
    client(layout, &authority, "apiserver-kubelet", "kube-apiserver-kubelet-client", Some("system:masters"))?;
    for (file, user, group) in USERS {
        client(layout, &authority, file, user, group)?;
        kubeconfig(layout, file)?;
    }
    // An authority of its own: whoever it vouches for may speak in anyone's name.
    let front_proxy = self::authority(layout, "front-proxy-ca", "front-proxy")?;
    client(layout, &front_proxy, "front-proxy", "front-proxy", None)?;
    let service_accounts = KeyPair::generate()?;
    write(layout, "service-accounts.key", &service_accounts.serialize_pem())?;
    write(layout, "service-accounts.pub", &service_accounts.public_key_pem())
}

pub fn certificate(layout: &Layout, name: &str) -> PathBuf {
    layout.configuration(&format!("{name}.crt"))
}

pub fn key(layout: &Layout, name: &str) -> PathBuf {
    layout.configuration(&format!("{name}.key"))
}

fn authority(layout: &Layout, file: &str, name: &str) -> Result<Authority> {
    let mut parameters = parameters(&[], name, None)?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
    write(layout, &format!("{file}.crt"), &authority.pem())?;
    write(layout, &format!("{file}.key"), &authority.key().serialize_pem())?;
    Ok(authority)
}

fn serving(layout: &Layout, authority: &Authority, file: &str, names: &[&str]) -> Result<()> {
    let mut parameters = parameters(names, file, None)?;
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(layout, authority, file, parameters)
}

fn client(layout: &Layout, authority: &Authority, file: &str, user: &str, group: Option<&str>) -> Result<()> {
    let mut parameters = parameters(&[], user, group)?;
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    sign(layout, authority, file, parameters)
}

fn parameters(names: &[&str], user: &str, group: Option<&str>) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        parameters.distinguished_name.push(DnType::OrganizationName, group);
    }
    Ok(parameters)
}

fn sign(layout: &Layout, authority: &Authority, file: &str, mut parameters: CertificateParams) -> Result<()> {
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    write(layout, &format!("{file}.crt"), &parameters.signed_by(&key, authority)?.pem())?;
    write(layout, &format!("{file}.key"), &key.serialize_pem())
}

/// JSON is YAML.
fn kubeconfig(layout: &Layout, file: &str) -> Result<()> {
    let server = format!("https://{}:6443", network::NODE);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "dask-operator", "cluster": {
            "server": server,
            "certificate-authority": certificate(layout, "ca"),
        }}],
        "users": [{"name": file, "user": {
            "client-certificate": certificate(layout, file),
            "client-key": key(layout, file),
        }}],
        "contexts": [{"name": "dask-operator", "context": {"cluster": "dask-operator", "user": file}}],
        "current-context": "dask-operator",
    });
    write(layout, &format!("{file}.kubeconfig"), &serde_json::to_string_pretty(&config)?)
}

fn write(layout: &Layout, file: &str, contents: &str) -> Result<()> {
    let path = layout.configuration(file);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file.write_all(contents.as_bytes())?)
}
