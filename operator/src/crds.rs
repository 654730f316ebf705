//! `dask-operator crds`: prints the custom resource definitions, or applies them.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::Condition;
use kube::{Api, Client, ResourceExt};

use crate::args::CrdsAction;

/// Kubernetes accepts a definition within a second or two.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// Does it.
pub async fn crds(action: CrdsAction) -> anyhow::Result<()> {
    match action {
        CrdsAction::Print => print(),
        CrdsAction::Apply => apply().await,
    }
}

fn print() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for text in dask_operator_api::crds::yaml()?.values() {
        writeln!(out, "---\n{text}")?;
    }
    Ok(())
}

/// Takes the definitions over from whoever installed them before us, Helm or kubectl.
async fn apply() -> anyhow::Result<()> {
    let client = Client::try_default().await.context("no way to reach an API server")?;
    let api: Api<CustomResourceDefinition> = Api::all(client);
    let parameters = PatchParams::apply(dask_operator_api::labels::MANAGER).force();
    for crd in dask_operator_api::crds::crds() {
        let name = crd.name_any();
        api.patch(&name, &parameters, &Patch::Apply(&crd))
            .await
            .with_context(|| format!("cannot apply {name}"))?;
        tokio::time::timeout(ESTABLISHED_WITHIN, established(&api, &name))
            .await
            .with_context(|| format!("{name} is applied, and not established after 30 s"))??;
        writeln!(std::io::stdout(), "{name} is established")?;
    }
    Ok(())
}

/// Asks by name: the hook's account may neither list nor watch definitions.
async fn established(api: &Api<CustomResourceDefinition>, name: &str) -> kube::Result<()> {
    loop {
        let crd = api.get(name).await?;
        if is_crd_established().matches_object(Some(&crd)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
