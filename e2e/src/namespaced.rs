//! Operators that have Roles only: one for each test, in a home beside its namespace, in place of the one for all.

use std::env;

use anyhow::Result;

use crate::audit::{Audit, Request};
use crate::bed::namespace;
use crate::cluster::Cluster;
use crate::helm::Release;

/// By this variable `cargo e2e test --namespaced` tells the tests to have operators of their own.
pub const VARIABLE: &str = "E2E_NAMESPACED";
/// The values of a release that has Roles only.
pub const VALUES: [&str; 3] = ["rbac.cluster=false", "crds.install=false", "fullnameOverride=own"];
/// Its name, and its service account's.
pub const NAME: &str = "own";
const HOME: &str = "-home";
const ACCOUNT: &str = "system:serviceaccount:";

/// The namespace of a test's own operator, removed with the test's.
pub struct Home {
    cluster: Cluster,
    pub namespace: String,
}

/// Whether each test is to have one.
pub fn is_wanted() -> bool {
    env::var_os(VARIABLE).is_some()
}

impl Home {
    /// With an operator that watches this namespace.
    pub fn beside(cluster: &Cluster, watched: &str) -> Result<Self> {
        let namespace = format!("{watched}{HOME}");
        namespace::create(cluster, &namespace)?;
        let home = Self { cluster: cluster.clone(), namespace };
        let watched = format!("watchNamespaces={{{watched}}}");
        Release::new(cluster, &home.namespace, NAME)?.apply(&[&VALUES[..], &[&watched]].concat())?;
        Ok(home)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.cluster.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
    }
}

/// How many of these operators made pods, and what any of them asked about elsewhere, or was refused.
pub fn trespasses(audit: &Audit) -> Result<(usize, Vec<Request>)> {
    let requests = audit.requests(|request| home_of(request).is_some())?;
    let mut makers: Vec<_> =
        requests.iter().filter(|one| one.summary() == "create pods").filter_map(home_of).collect();
    makers.sort_unstable();
    makers.dedup();
    let makers = makers.len();
    let abroad = |request: &Request| {
        let home = home_of(request).unwrap_or_default();
        is_trespass(request, |namespace| namespace == home || format!("{namespace}{HOME}") == home)
    };
    Ok((makers, requests.into_iter().filter(abroad).collect()))
}

/// Whether it was about another namespace than its own ones, or was refused for want of a right.
pub fn is_trespass(request: &Request, is_own: impl Fn(&str) -> bool) -> bool {
    // What every account may ask, as the server's version, is about no object.
    let about_an_object = !request.object_ref.resource.is_empty();
    (about_an_object && !is_own(&request.object_ref.namespace)) || request.is_forbidden()
}

/// The namespace of the account that asked, if that is one of these operators'.
fn home_of(request: &Request) -> Option<&str> {
    let (home, name) = request.user.username.strip_prefix(ACCOUNT)?.split_once(':')?;
    (name == NAME && home.ends_with(HOME)).then_some(home)
}
