//! How fast workers of an autoscaler become more and fewer, in the manner of `behavior` of HPA.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How workers become more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::chosen_of_some()))]
pub struct ScaleUp {
    /// How many workers each group may get within so long; by default as many as its work needs, at once. Workers of a
    /// `minimum` always come at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub policies: Vec<ScalingPolicy>,
    /// Which of several policies holds; `Max` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<SelectPolicy>,
}

/// How workers become fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::chosen_of_some()))]
pub struct ScaleDown {
    /// Workers leave when fewer have been enough for so many seconds; 15 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub stabilization_seconds: Option<u32>,
    /// How many workers of each group may be asked to leave within so long; by default all that have been too many for
    /// the whole of `stabilizationSeconds`. What is more than a `maximum` goes all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-validations" = schema::no_more_than_all()))]
    pub policies: Vec<ScalingPolicy>,
    /// Which of several policies holds; `Max` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<SelectPolicy>,
}

/// So many workers within so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicy {
    /// What `value` counts: `Workers` of each group, or `Percent` of those that it had when the period began, which are
    /// one worker at least.
    #[serde(rename = "type")]
    pub type_: PolicyType,
    /// So many may come, or go.
    #[schemars(range(min = 1, max = 100_000))]
    pub value: u32,
    /// Within any so many seconds.
    #[schemars(range(min = 1, max = 1800))]
    pub period_seconds: u32,
}

/// What a policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum PolicyType {
    /// Workers of a group.
    Workers,
    /// Hundredths of those that it had.
    Percent,
}

/// Which of several policies holds: `Max`, by default, the one that allows the largest change, `Min` the one that allows
/// the smallest. With `Disabled` nothing changes but for the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest.
    Min,
    /// No change is allowed.
    Disabled,
}
