//! How workers leave.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{EvictParams, ListParams};
use kube::{Api, ResourceExt};

use super::{PODS, SOON, WORKERS};
use crate::bed::Bed;
use crate::chance::Chance;

/// Those that leave at once are told so many milliseconds one after the other, at most.
const APART: u32 = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ScaleDown,
    Evict,
    Delete,
    DrainNode,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::ScaleDown, Self::Evict, Self::Delete, Self::DrainNode];

    /// Has them leave, almost at once, and returns when they are gone.
    pub(super) async fn go(self, bed: &Bed, victims: &[&String], chance: &mut Chance) -> Result<()> {
        match self {
            Self::ScaleDown => {
                let stay = WORKERS as usize - victims.len();
                bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={stay}")])?;
                bed.until(PODS, "fewer workers", SOON, |pods: &[Arc<Pod>]| pods.len() == stay).await?;
                bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={WORKERS}")])?;
                return Ok(());
            }
            Self::DrainNode => drain_node(bed, victims).await?,
            Self::Evict | Self::Delete => {
                for victim in victims {
                    self.remove(bed, victim).await?;
                    tokio::time::sleep(Duration::from_millis(chance.below(APART).into())).await;
                }
            }
        }
        let gone = |pods: &[Arc<Pod>]| pods.iter().all(|pod| !victims.contains(&&pod.name_any()));
        bed.until(PODS, &format!("{victims:?} are gone"), SOON, gone).await.map(drop)
    }

    async fn remove(self, bed: &Bed, victim: &str) -> Result<()> {
        match self {
            Self::Evict => bed.api::<Pod>().evict(victim, &EvictParams::default()).await.map(drop)?,
            _ => bed.kubectl(&["delete", "pod", victim, "--wait=false"]).map(drop)?,
        }
        Ok(())
    }
}

/// As somebody does who takes a node out of service; yet only these pods are to go.
async fn drain_node(bed: &Bed, victims: &[&String]) -> Result<()> {
    let nodes = Api::<Node>::all(bed.client.clone()).list(&ListParams::default()).await?;
    let node = nodes.items.first().context("no node")?.name_any();
    for victim in victims {
        bed.kubectl(&["label", "pod", victim, "victim=yes"])?;
    }
    let drain = ["drain", &node, "--pod-selector=victim=yes", "--force", "--delete-emptydir-data"];
    let drained = bed.cluster.kubectl(&[&drain[..], &["--ignore-daemonsets", "--timeout=120s"]].concat());
    bed.cluster.kubectl(&["uncordon", &node])?;
    drained.map(drop)
}
