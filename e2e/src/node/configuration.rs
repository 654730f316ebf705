//! The configuration files of the node's programs.

use serde_json::json;

use crate::images::pause;
use crate::layout::Layout;
use crate::{network, pki};

const CLUSTER_DOMAIN: &str = "cluster.local";

pub(super) fn containerd(layout: &Layout) -> String {
    let (root, state) = (layout.images(), layout.containerd());
    let (root, state) = (root.display(), state.display());
    let (socket, cni) = (layout.containerd_socket(), layout.cni_configuration());
    let (socket, cni, sandbox) = (socket.display(), cni.display(), pause::NAME);
    // The score: without CAP_SYS_RESOURCE runc fails on what the kubelet asks for. The namespaces: below the state
    // folder they are known to be ours when the cluster is taken down.
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{sandbox}"
restrict_oom_score_adj = true
disable_apparmor = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{cni}"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"#
    )
}

pub(super) fn cni(layout: &Layout) -> String {
    json!({
        "cniVersion": "0.4.0",
        "name": "dask-operator",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": layout.cni_addresses(),
                    "ranges": [[{"subnet": "10.244.0.0/24"}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
    .to_string()
}

pub(super) fn kubelet(layout: &Layout) -> String {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": format!("unix://{}", layout.containerd_socket().display()),
        "failSwapOn": false,
        "clusterDNS": [network::NODE],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": layout.configuration("resolv.conf"),
        "podLogsDir": layout.pod_logs(),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": pki::certificate(layout, "ca")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": pki::certificate(layout, "kubelet"),
        "tlsPrivateKeyFile": pki::key(layout, "kubelet"),
        "localStorageCapacityIsolation": false,
        // The disk is the host's, and how full it is the host's affair; 100 never removes an image.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        // Images are imported, there is no registry to ask.
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
        "serializeImagePulls": false,
        "enforceNodeAllocatable": ["pods"],
        "maxPods": 250,
        "syncFrequency": "10s",
        "kubeAPIQPS": 500,
        "kubeAPIBurst": 1000,
        "eventRecordQPS": 0,
    })
    .to_string()
}

pub(super) fn kube_proxy(layout: &Layout) -> String {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": layout.kubeconfig(pki::PROXY)},
        "clusterCIDR": network::PODS,
        "hostnameOverride": super::NAME,
        // Limits of the whole host, which are not ours to set.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    })
    .to_string()
}

pub(super) fn coredns(layout: &Layout) -> String {
    let (node, kubeconfig) = (network::NODE, layout.kubeconfig(pki::DNS));
    let kubeconfig = kubeconfig.display();
    format!(
        ".:53 {{
  bind {node}
  kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
    kubeconfig {kubeconfig}
    pods insecure
  }}
  cache 5
}}
"
    )
}
