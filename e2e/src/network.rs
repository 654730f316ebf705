//! The cluster's network: a namespace, one link to the host, and no way to anywhere else.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::commands;

const NAMESPACE: &str = "dask-operator";
pub const NAMESPACE_FILE: &str = "/run/netns/dask-operator";
/// At most 15 characters.
const HOST_LINK: &str = "dask-operator";

pub const NODE: &str = "10.99.0.1";
pub const SERVICES: &str = "10.96.0.0/16";
pub const PODS: &str = "10.244.0.0/16";
/// The apiserver's own Service has the first address of the range.
pub const APISERVER_SERVICE: &str = "10.96.0.1";
const NODES: &str = "10.99.0.0/24";
const NODE_ADDRESS: &str = "10.99.0.1/24";
const HOST_ADDRESS: &str = "10.99.0.2/24";

/// Behind every other route there may be.
const LAST: &str = "4278198272";

pub fn create() -> Result<()> {
    refuse_taken_ranges()?;
    // These come first and stay for good: a client that outlives the cluster gets an error at once, and no packet
    // for these ranges ever leaves by the host's default route.
    for range in [NODES, SERVICES, PODS] {
        ip(&["route", "replace", "unreachable", range, "metric", LAST])?;
    }
    ip(&["netns", "add", NAMESPACE])?;
    ip(&["link", "add", HOST_LINK, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE])?;
    inside()?;
    ip(&["address", "add", HOST_ADDRESS, "dev", HOST_LINK])?;
    ip(&["link", "set", HOST_LINK, "up"])?;
    for range in [SERVICES, PODS] {
        ip(&["route", "add", range, "via", NODE])?;
    }
    raise_inotify_limits()
}

pub fn delete() -> Result<()> {
    if Path::new("/sys/class/net").join(HOST_LINK).exists() {
        ip(&["link", "delete", HOST_LINK])?;
    }
    if exists() {
        ip(&["netns", "delete", NAMESPACE])?;
    }
    Ok(())
}

pub fn exists() -> bool {
    Path::new(NAMESPACE_FILE).exists()
}

fn inside() -> Result<()> {
    let inside = |arguments: &[&str]| ip(&[&["-netns", NAMESPACE], arguments].concat());
    inside(&["link", "set", "lo", "up"])?;
    inside(&["address", "add", NODE_ADDRESS, "dev", "eth0"])?;
    inside(&["link", "set", "eth0", "up"])?;
    // There is no default route, so without this one a Service is unreachable before kube-proxy's rules see it.
    inside(&["route", "add", SERVICES, "dev", "eth0", "scope", "link"])?;
    commands::run(Command::new("nsenter").arg(format!("--net={NAMESPACE_FILE}")).args([
        "sh",
        "-c",
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
    ]))
}

/// Two clusters on one host with the same ranges would take each other's packets.
fn refuse_taken_ranges() -> Result<()> {
    for range in [NODES, SERVICES, PODS] {
        let routes = commands::output(Command::new("ip").args(["-4", "route", "show", "root", range]))?;
        if let Some(route) = routes.lines().find(|route| !is_ours(route)) {
            bail!("another network of this host uses the range {range}: {route}");
        }
    }
    Ok(())
}

fn is_ours(route: &str) -> bool {
    route.starts_with("unreachable") || route.contains(&format!("dev {HOST_LINK}"))
}

/// Every container and every server watches files; the default is 128 for all of them.
fn raise_inotify_limits() -> Result<()> {
    for (name, wanted) in [("max_user_instances", 8192), ("max_user_watches", 524_288)] {
        let path = format!("/proc/sys/fs/inotify/{name}");
        let now: u64 = fs::read_to_string(&path)?.trim().parse()?;
        if now < wanted {
            fs::write(&path, wanted.to_string()).with_context(|| format!("cannot raise {path}"))?;
        }
    }
    Ok(())
}

fn ip(arguments: &[&str]) -> Result<()> {
    commands::run(Command::new("ip").args(arguments))
}
