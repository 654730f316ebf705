//! Raw DaskAutoscaler → checked, or a list of problems.

use dask_operator_api::autoscaler::{DaskAutoscaler, DaskAutoscalerSpec, DaskAutoscalerStatus, ScaledGroup};
use dask_operator_api::autoscaler::{ScalingPolicy, SelectPolicy};
use dask_operator_api::conditions::Reason;
use dask_operator_api::names::default_group_name;
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::pace::Pace;
use crate::problem::Problem;

/// Who names no maximum is not to have all that a cluster can give by a slip.
const MOST_WORKERS: usize = 1000;
/// No cluster of Kubernetes has so many pods.
pub(super) const MOST_AT_ALL: usize = 1_000_000;
/// Dask's own `distributed.adaptive.target-duration`.
const TARGET_SECONDS: u32 = 5;
/// A worker that stays for less than it takes to start another one is cheaper than that.
const STABILIZATION_SECONDS: u32 = 15;
/// Whatever makes room for pods makes it within so long, mostly.
const FALLBACK_SECONDS: u32 = 60;

/// An autoscaler that can be followed; made by [`check`] alone.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedAutoscaler {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) generation: Option<i64>,
    pub(crate) owners: Vec<OwnerReference>,
    pub(crate) deleting: bool,
    pub(crate) cluster: String,
    /// Of all groups together.
    pub(crate) bounds: Bounds,
    /// Those of the highest priority first.
    pub(crate) groups: Vec<Scaled>,
    /// In how many seconds what is known of the work is to be done.
    pub(crate) target: f64,
    pub(crate) stabilization: SignedDuration,
    pub(crate) up: Pace,
    pub(crate) down: Pace,
    /// How long workers may fail to start before other groups take their work.
    pub(crate) fallback: SignedDuration,
    pub(crate) advisory: bool,
    pub(crate) status: DaskAutoscalerStatus,
}

impl CheckedAutoscaler {
    /// Changes of groups count for no longer.
    pub(crate) fn longest_period(&self) -> SignedDuration {
        self.up.longest().max(self.down.longest())
    }

    /// Where it is, what it is called, and which one it is.
    pub fn identity(&self) -> (&str, &str, &str) {
        (&self.namespace, &self.name, &self.uid)
    }
}

/// From so many to so many workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

/// A group that is scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scaled {
    pub(crate) name: String,
    pub(crate) bounds: Bounds,
    pub(crate) priority: i32,
}

/// Checks everything that does not depend on the world.
pub fn check(autoscaler: &DaskAutoscaler) -> Result<CheckedAutoscaler, Vec<Problem>> {
    let DaskAutoscaler { metadata, spec, status } = autoscaler;
    let bounds = bounds("spec", spec.minimum, spec.maximum, MOST_WORKERS).map_err(|problem| vec![problem])?;
    let stabilization = spec.scale_down.as_ref().and_then(|down| down.stabilization_seconds);
    Ok(CheckedAutoscaler {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        generation: metadata.generation,
        owners: metadata.owner_references.clone().unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        cluster: spec.cluster.clone(),
        bounds,
        groups: groups(spec, bounds)?,
        target: spec.target_duration_seconds.unwrap_or(TARGET_SECONDS).max(1).into(),
        up: spec.scale_up.as_ref().map(|up| pace(&up.policies, up.select_policy)).unwrap_or_default(),
        down: spec
            .scale_down
            .as_ref()
            .map(|down| pace(&down.policies, down.select_policy))
            .unwrap_or_default(),
        stabilization: SignedDuration::from_secs(stabilization.unwrap_or(STABILIZATION_SECONDS).into()),
        fallback: SignedDuration::from_secs(spec.fallback_after_seconds.unwrap_or(FALLBACK_SECONDS).into()),
        advisory: spec.advisory,
        status: status.clone().unwrap_or_default(),
    })
}

fn pace(policies: &[ScalingPolicy], select: Option<SelectPolicy>) -> Pace {
    Pace { policies: policies.to_vec(), select: select.unwrap_or_default() }
}

/// Those of the highest priority first; among equals the order of the list counts.
fn groups(spec: &DaskAutoscalerSpec, all: Bounds) -> Result<Vec<Scaled>, Vec<Problem>> {
    if spec.groups.is_empty() {
        let name = default_group_name(&spec.cluster);
        return Ok(vec![Scaled { name, bounds: all, priority: 0 }]);
    }
    let mut groups: Vec<_> = spec
        .groups
        .iter()
        .map(|group| scaled(group, all))
        .collect::<Result<_, _>>()
        .map_err(|one| vec![one])?;
    groups.sort_by_key(|group| std::cmp::Reverse(group.priority));
    let least: usize = groups.iter().map(|group| group.bounds.least).sum();
    let most: usize = groups.iter().map(|group| group.bounds.most).sum();
    let message = if least > all.most {
        format!("minimum of all groups together is {least}, and maximum of spec is {}", all.most)
    } else if most < all.least {
        format!("maximum of all groups together is {most}, and minimum of spec is {}", all.least)
    } else {
        return Ok(groups);
    };
    Err(vec![Problem { reason: Reason::InvalidBounds, message }])
}

fn scaled(group: &ScaledGroup, all: Bounds) -> Result<Scaled, Problem> {
    let of = format!("the group \"{}\"", group.name);
    let bounds = bounds(&of, group.minimum.map(i64::from), group.maximum.map(i64::from), all.most)?;
    Ok(Scaled { name: group.name.clone(), bounds, priority: group.priority.unwrap_or(0) })
}

fn bounds(of: &str, least: Option<i64>, most: Option<i64>, limit: usize) -> Result<Bounds, Problem> {
    let problem = |message| Problem { reason: Reason::InvalidBounds, message };
    let whole = |name: &str, value: i64| {
        let told = || problem(format!("{name} of {of} is {value}; it must be from 0 to {MOST_AT_ALL}"));
        usize::try_from(value).ok().filter(|count| *count <= MOST_AT_ALL).ok_or_else(told)
    };
    let least = whole("minimum", least.unwrap_or(0))?;
    let most = most.map_or(Ok(limit.max(least)), |most| whole("maximum", most))?;
    if least > most {
        return Err(problem(format!("minimum of {of} is {least}, and maximum is {most}")));
    }
    Ok(Bounds { least, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(spec: DaskAutoscalerSpec) -> Result<CheckedAutoscaler, Vec<Problem>> {
        check(&DaskAutoscaler::new("demo", spec))
    }

    fn between(minimum: i64, maximum: i64) -> DaskAutoscalerSpec {
        DaskAutoscalerSpec { minimum: Some(minimum), maximum: Some(maximum), ..DaskAutoscalerSpec::default() }
    }

    #[test]
    fn bounds_that_exclude_each_other_are_a_problem() {
        let told = |spec| checked(spec).unwrap_err()[0].message.clone();
        assert_eq!(told(between(3, 2)), "minimum of spec is 3, and maximum is 2");
        assert_eq!(told(between(-1, 2)), "minimum of spec is -1; it must be from 0 to 1000000");
        let group = ScaledGroup {
            name: "gpu".to_owned(),
            minimum: Some(9),
            maximum: Some(8),
            ..ScaledGroup::default()
        };
        let spec = |group: &ScaledGroup| DaskAutoscalerSpec { groups: vec![group.clone()], ..between(0, 8) };
        assert_eq!(told(spec(&group)), "minimum of the group \"gpu\" is 9, and maximum is 8");
        let alone = told(spec(&ScaledGroup { maximum: None, ..group }));
        assert_eq!(alone, "minimum of all groups together is 9, and maximum of spec is 8");
        let few = ScaledGroup { maximum: Some(2), ..ScaledGroup::default() };
        let spec = DaskAutoscalerSpec { groups: vec![few], ..between(3, 8) };
        assert_eq!(told(spec), "maximum of all groups together is 2, and minimum of spec is 3");
        assert!(told(between(0, i64::MAX)).contains("from 0 to 1000000"));
    }

    #[test]
    fn without_groups_the_default_group_is_scaled_and_without_bounds_there_are_some() {
        let spec = DaskAutoscalerSpec { cluster: "demo".to_owned(), ..DaskAutoscalerSpec::default() };
        let checked = checked(spec).unwrap();
        let bounds = Bounds { least: 0, most: MOST_WORKERS };
        assert_eq!(checked.groups, [Scaled { name: "demo-default".to_owned(), bounds, priority: 0 }]);
    }

    #[test]
    fn groups_of_a_higher_priority_come_first() {
        let group =
            |name: &str, priority| ScaledGroup { name: name.to_owned(), priority, ..ScaledGroup::default() };
        let groups = vec![group("b", None), group("a", None), group("spot", Some(10))];
        let checked = checked(DaskAutoscalerSpec { groups, ..between(0, 20) }).unwrap();
        let names: Vec<_> = checked.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["spot", "b", "a"]);
    }
}
