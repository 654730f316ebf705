//! Builds objects of the kind DaskAutoscaler as the API server would return them.

use dask_operator_api::autoscaler::{
    DaskAutoscaler, DaskAutoscalerSpec, DaskAutoscalerStatus, ScaledGroup, ScalingPolicy, SelectPolicy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// One of the cluster `demo` in the namespace `team`, of the same name, without bounds.
pub fn an_autoscaler() -> AutoscalerBuilder {
    let spec = DaskAutoscalerSpec { cluster: "demo".to_owned(), ..DaskAutoscalerSpec::default() };
    let mut autoscaler = DaskAutoscaler::new("demo", spec);
    autoscaler.metadata = ObjectMeta {
        name: Some("demo".to_owned()),
        namespace: Some("team".to_owned()),
        uid: Some("autoscaler-uid".to_owned()),
        resource_version: Some("1".to_owned()),
        generation: Some(1),
        ..ObjectMeta::default()
    };
    AutoscalerBuilder(autoscaler)
}

/// Changes to [`an_autoscaler`].
pub struct AutoscalerBuilder(DaskAutoscaler);

impl AutoscalerBuilder {
    /// From so many to so many workers.
    #[must_use]
    pub fn between(mut self, minimum: i64, maximum: i64) -> Self {
        self.0.spec.minimum = Some(minimum);
        self.0.spec.maximum = Some(maximum);
        self
    }

    /// With one more group, of this priority and between these bounds.
    #[must_use]
    pub fn group(mut self, name: &str, priority: i32, (minimum, maximum): (u32, u32)) -> Self {
        self.0.spec.groups.push(ScaledGroup {
            name: name.to_owned(),
            minimum: Some(minimum),
            maximum: Some(maximum),
            priority: Some(priority),
        });
        self
    }

    /// Workers leave when fewer have been enough for so long.
    #[must_use]
    pub fn stabilization(mut self, seconds: u32) -> Self {
        self.0.spec.scale_down.get_or_insert_default().stabilization_seconds = Some(seconds);
        self
    }

    /// No more come within some time than one of these allows, or all of them.
    #[must_use]
    pub fn grows_by(mut self, policies: &[ScalingPolicy], select: SelectPolicy) -> Self {
        let up = self.0.spec.scale_up.get_or_insert_default();
        (up.policies, up.select_policy) = (policies.to_vec(), Some(select));
        self
    }

    /// No more leave within some time than one of these allows, or all of them.
    #[must_use]
    pub fn shrinks_by(mut self, policies: &[ScalingPolicy], select: SelectPolicy) -> Self {
        let down = self.0.spec.scale_down.get_or_insert_default();
        (down.policies, down.select_policy) = (policies.to_vec(), Some(select));
        self
    }

    /// Controlled by this object, and named by another beside it.
    #[must_use]
    pub fn controlled_by(mut self, kind: &str, name: &str, uid: &str) -> Self {
        let owner = |kind: &str, uid: &str, controls| OwnerReference {
            api_version: "kubernetes.dask.org/v1".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            controller: Some(controls),
            block_owner_deletion: None,
        };
        let owners = vec![owner("Application", "beside", false), owner(kind, uid, true)];
        self.0.metadata.owner_references = Some(owners);
        self
    }

    /// It says what it would do, and does nothing.
    #[must_use]
    pub fn advisory(mut self) -> Self {
        self.0.spec.advisory = true;
        self
    }

    /// With a status.
    #[must_use]
    pub fn status(mut self, status: DaskAutoscalerStatus) -> Self {
        self.0.status = Some(status);
        self
    }

    /// The object.
    pub fn build(self) -> DaskAutoscaler {
        self.0
    }
}
