//! etcd, the apiserver, the controller-manager and the scheduler.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::cluster::Cluster;
use crate::layout::Layout;
use crate::{network, pki, processes};

pub const ETCD: &str = "etcd";
pub const APISERVER: &str = "kube-apiserver";
pub const CONTROLLER_MANAGER: &str = "kube-controller-manager";
pub const SCHEDULER: &str = "kube-scheduler";

/// etcd and the apiserver, which waits for the former by itself.
pub fn start_store(layout: &Layout, binaries: &Path) -> Result<()> {
    processes::start(layout, ETCD, &binaries.join("etcd"), &etcd(layout))?;
    processes::start(layout, APISERVER, &binaries.join("kube-apiserver"), &apiserver(layout)?)
}

/// The other two end for want of rights when they meet an apiserver that is not ready.
pub fn wait_for_store(layout: &Layout, cluster: &Cluster) -> Result<()> {
    processes::wait_until(layout, "the apiserver is ready", &[ETCD, APISERVER], || cluster.is_ready())
}

pub fn start_controllers(layout: &Layout, binaries: &Path) -> Result<()> {
    processes::start(
        layout,
        CONTROLLER_MANAGER,
        &binaries.join("kube-controller-manager"),
        &controller_manager(layout),
    )?;
    processes::start(layout, SCHEDULER, &binaries.join("kube-scheduler"), &scheduler(layout))
}

fn etcd(layout: &Layout) -> Vec<String> {
    vec![
        flag("data-dir", layout.etcd().display()),
        flag("name", "node0"),
        flag("listen-client-urls", "http://127.0.0.1:2379"),
        flag("advertise-client-urls", "http://127.0.0.1:2379"),
        flag("listen-peer-urls", "http://127.0.0.1:2380"),
        flag("initial-advertise-peer-urls", "http://127.0.0.1:2380"),
        flag("initial-cluster", "node0=http://127.0.0.1:2380"),
        flag("quota-backend-bytes", 8_589_934_592_u64),
        // Nothing in it is worth a wait for the disk.
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn apiserver(layout: &Layout) -> Result<Vec<String>> {
    let certificate = |name| pki::certificate(layout, name).display().to_string();
    let key = |name| pki::key(layout, name).display().to_string();
    Ok(vec![
        flag("etcd-servers", "http://127.0.0.1:2379"),
        flag("bind-address", "0.0.0.0"),
        flag("secure-port", 6443),
        flag("advertise-address", network::NODE),
        flag("tls-cert-file", certificate("apiserver")),
        flag("tls-private-key-file", key("apiserver")),
        flag("client-ca-file", certificate("ca")),
        flag("authorization-mode", "Node,RBAC"),
        flag("enable-admission-plugins", "NodeRestriction"),
        flag("service-cluster-ip-range", network::SERVICES),
        flag("allow-privileged", true),
        flag("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
        flag("service-account-key-file", layout.configuration("service-accounts.pub").display()),
        flag("service-account-signing-key-file", key("service-accounts")),
        flag("kubelet-client-certificate", certificate("apiserver-kubelet")),
        flag("kubelet-client-key", key("apiserver-kubelet")),
        flag("kubelet-preferred-address-types", "InternalIP"),
        flag("requestheader-client-ca-file", certificate("front-proxy-ca")),
        flag("requestheader-allowed-names", "front-proxy"),
        flag("requestheader-username-headers", "X-Remote-User"),
        flag("requestheader-group-headers", "X-Remote-Group"),
        flag("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        flag("proxy-client-cert-file", certificate("front-proxy")),
        flag("proxy-client-key-file", key("front-proxy")),
        flag("audit-policy-file", audit_policy(layout)?),
        flag("audit-log-path", layout.audit_log().display()),
        // In megabytes. The default of 100 is rotated away under a test that reads it.
        flag("audit-log-maxsize", 4096),
    ])
}

/// Every request once, when it has been answered.
fn audit_policy(layout: &Layout) -> Result<String> {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    });
    Ok(layout.configure("audit.yaml", policy.to_string())?.display().to_string())
}

fn controller_manager(layout: &Layout) -> Vec<String> {
    let mut flags = as_user(layout, pki::CONTROLLER_MANAGER);
    flags.extend([
        flag("root-ca-file", pki::certificate(layout, "ca").display()),
        flag("service-account-private-key-file", pki::key(layout, "service-accounts").display()),
        flag("cluster-signing-cert-file", pki::certificate(layout, "ca").display()),
        flag("cluster-signing-key-file", pki::key(layout, "ca").display()),
        flag("use-service-account-credentials", true),
        flag("allocate-node-cidrs", true),
        flag("cluster-cidr", network::PODS),
        flag("service-cluster-ip-range", network::SERVICES),
        // Its default is 15 s, and a test of autoscaling takes a few rounds.
        flag("horizontal-pod-autoscaler-sync-period", "2s"),
    ]);
    flags
}

fn scheduler(layout: &Layout) -> Vec<String> {
    as_user(layout, pki::SCHEDULER)
}

/// Alone on their cluster, and never held back by their own client.
fn as_user(layout: &Layout, user: &str) -> Vec<String> {
    let kubeconfig = layout.kubeconfig(user);
    vec![
        flag("kubeconfig", kubeconfig.display()),
        flag("authentication-kubeconfig", kubeconfig.display()),
        flag("authorization-kubeconfig", kubeconfig.display()),
        flag("leader-elect", false),
        flag("kube-api-qps", 5000),
        flag("kube-api-burst", 10000),
    ]
}

pub(crate) fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}
