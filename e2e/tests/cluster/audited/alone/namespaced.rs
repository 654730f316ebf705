//! An operator that has Roles only, or a pattern: everything works in its namespaces, and nothing is done outside.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::DaskCluster;
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::helm::Release;
use e2e::operator::Replicas;
use e2e::{manifests, namespaced};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

const SOON: Duration = Duration::from_mins(4);
const WORKERS: &str = "dask.org/component=worker";

/// What people do with a cluster: make it, work, scale, lose a worker, delete it.
async fn live(bed: &Bed) -> Result<()> {
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_ready("demo", SOON).await?;
    bed.until_registered("demo", 2, SOON).await?;
    let sum = "print(client.submit(sum, range(100)).result())";
    assert_eq!(bed.client("demo", sum)?.trim(), "4950");
    for count in [3, 1] {
        bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={count}")])?;
        bed.until_registered("demo", count, SOON).await?;
    }
    let one = |pods: &[Arc<Pod>]| pods.len() == 1;
    let lost = bed.until(WORKERS, "one worker", SOON, one).await?[0].name_any();
    bed.kubectl(&["delete", "pod", &lost, "--grace-period=1"])?;
    let replaced = |pods: &[Arc<Pod>]| pods.iter().any(|pod| pod.name_any() != lost);
    bed.until(WORKERS, "a new worker", SOON, replaced).await?;
    bed.until_registered("demo", 1, SOON).await?;
    bed.kubectl(&["delete", "dsk/demo"])?;
    bed.until("dask.org/cluster-name", "no pod is left", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await?;
    Ok(())
}

/// What an account asked about in other namespaces than these, and what it was refused.
fn trespasses(bed: &Bed, account: &str, own: &BTreeSet<&str>) -> Result<Vec<Request>> {
    let user = format!("system:serviceaccount:{account}");
    let requests = bed.audit()?.requests(|request| request.user.username == user)?;
    assert!(requests.iter().any(|one| one.summary() == "create pods"), "what {user} asks is seen");
    let abroad = |one: &Request| namespaced::is_trespass(one, |namespace| own.contains(namespace));
    Ok(requests.into_iter().filter(abroad).collect())
}

/// Installs an operator of these values, lives in the namespaces that it is to watch, and looks for trespasses there
/// and in a neighbour's.
async fn live_within(values: &[&str], home: &Bed, watched: &[&Bed]) -> Result<()> {
    let outside = Bed::new(&format!("not-{}", watched.len())).await?;
    outside.apply(&manifests::cluster("demo", 1))?;
    let release = Release::new(&home.cluster, &home.namespace, namespaced::NAME)?;
    release.apply(&[&namespaced::VALUES[..], values].concat())?;
    for bed in watched {
        live(bed).await?;
    }
    let own: BTreeSet<_> = watched.iter().chain([&home]).map(|bed| bed.namespace.as_str()).collect();
    let trespasses = trespasses(home, &format!("{}:own", home.namespace), &own)?;
    assert!(trespasses.is_empty(), "{trespasses:#?}");
    let untouched = outside.api::<DaskCluster>().get("demo").await?;
    assert!(untouched.status.is_none(), "{untouched:#?}");
    release.uninstall()
}

/// All at once: Helm and kubectl are waited for, each on a thread of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_roles_only_or_by_a_pattern_everything_works_where_it_should_and_nothing_elsewhere() -> Result<()>
{
    let (own, home, third) = (Bed::new("own").await?, Bed::new("home").await?, Bed::new("third").await?);
    // The one that every test uses would act here, too.
    let cluster = own.cluster.clone();
    let _none = Replicas::new(&cluster, 0)?;
    let all = tokio::join!(
        tokio::spawn(in_its_own_namespace(own)),
        tokio::spawn(in_two_namespaces(home)),
        tokio::spawn(by_a_pattern(third)),
    );
    all.0?.and(all.1?).and(all.2?)
}

/// It may do everything everywhere, and does it only where the pattern leads, there also in what is made later.
async fn by_a_pattern(home: Bed) -> Result<()> {
    let outside = Bed::new("plain").await?;
    outside.apply(&manifests::cluster("demo", 1))?;
    let release = Release::new(&home.cluster, &home.namespace, namespaced::NAME)?;
    // Its ClusterRole must be nobody else's.
    let name = format!("fullnameOverride={}", home.namespace);
    release.apply(&["crds.install=false", &name, "kopfArgs={--namespace=patterned-*}"])?;
    let bed = Bed::new("patterned").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    let registered = bed.until_registered("demo", 1, SOON).await;
    // Whatever comes of it, its ClusterRole goes.
    release.uninstall()?;
    registered?;

    let user = format!("system:serviceaccount:{0}:{0}", home.namespace);
    let written = home.audit()?.requests(|request| request.user.username == user && request.is_write())?;
    let written: BTreeSet<_> = written.iter().map(|one| one.object_ref.namespace.as_str()).collect();
    // At home it has its lease.
    assert_eq!(written, BTreeSet::from([bed.namespace.as_str(), home.namespace.as_str()]));
    assert!(outside.api::<DaskCluster>().get("demo").await?.status.is_none());
    Ok(())
}

async fn in_its_own_namespace(home: Bed) -> Result<()> {
    live_within(&[], &home, &[&home]).await
}

/// At home it has only its lease.
async fn in_two_namespaces(home: Bed) -> Result<()> {
    let (one, two) = (Bed::new("one").await?, Bed::new("two").await?);
    home.apply(&manifests::cluster("demo", 1))?;
    let watched = format!("watchNamespaces={{{},{}}}", one.namespace, two.namespace);
    live_within(&[&watched], &home, &[&one, &two]).await?;

    let user = format!("system:serviceaccount:{}:own", home.namespace);
    let at_home =
        |request: &Request| request.user.username == user && request.object_ref.namespace == home.namespace;
    let at_home: BTreeSet<_> =
        home.audit()?.requests(at_home)?.iter().map(|one| one.object_ref.kind()).collect();
    assert_eq!(at_home, BTreeSet::from(["leases".to_owned()]));
    assert!(home.api::<DaskCluster>().get("demo").await?.status.is_none());
    Ok(())
}
