//! The reasons of what is as it should be, or on its way there.

/// Hands them on, with the condition of each, to the list of troubles.
macro_rules! fine {
    () => {
        starting! {
            fine:
            /// All that was asked for is ready.
            AllReady in Ready,
            /// The scheduler's pod is ready.
            SchedulerReady in SchedulerReady,
            /// The scheduler's pod does not exist yet.
            SchedulerMissing in SchedulerReady,
            /// The scheduler's pod exists and is not ready yet; its status tells no trouble.
            SchedulerNotReady in SchedulerReady,
            /// Fewer, or more, workers than wanted are ready.
            WorkersNotReady in Ready,
            /// More workers than wanted are there, and the surplus is leaving.
            WorkersLeaving in Ready,
            /// Workers of an earlier template are being replaced, a few at a time.
            RollingUpdate in WorkersOutdated,
            /// Workers of an earlier template stay until somebody deletes their pods, as `updateStrategy` says.
            ReplacedOnDelete in WorkersOutdated,
            /// The object is being deleted.
            Deleting in Ready,
            /// An autoscaler follows the work of its cluster.
            FollowsWork in Ready,
            /// An autoscaler says what it would do, and does nothing.
            Advises in Ready,
            /// An autoscaler waits for its cluster's scheduler, which starts, to answer for the first time.
            AwaitsFacts in Ready,
            /// A cluster with `idleTimeout` has had nothing to do for more than half of that. The message says since when, and who
            /// would lose what.
            SoonDeleted in Idle,
            /// A cluster has had nothing to do for longer than `idleTimeout` and stays, since datasets are published in it.
            DatasetsPublished in Idle,
            /// More workers would be of use than `maximum` allows.
            AtMaximum in ScalingLimited,
            /// More workers are needed than `scaleUp` of the autoscaler allows yet.
            ScaleUpLimit in ScalingLimited,
            /// Fewer workers are enough, and `scaleDown` of the autoscaler lets no more of them go yet.
            ScaleDownLimit in ScalingLimited,
            /// A container sets `DASK_CONFIG` itself.
            SetByUser in ConfigFallback,
            /// The cluster has it so, the scheduler's own command or variables leave no room, or it has run since before the
            /// operator came. Workers that are scaled away leave by Dask's own protocol and lose nothing; those that are evicted
            /// or deleted lose what only they have.
            Stock in SchedulerLink,
            /// The scheduler answers what the operator has loaded into it.
            Preload in SchedulerLink,
            /// The worker's container has a `preStop` of its user's own: an evicted or deleted worker does what that does. When
            /// fewer are wanted, the operator asks all the same.
            OwnPreStop in DrainUnprotected,
            /// `spec.suspend` of the cluster says so: it has neither scheduler nor workers.
            SuspendedOnRequest in Suspended,
            /// The cluster had nothing to do for `idleTimeout`, and `idleAction` is `Suspend`. The message says how it resumes.
            SuspendedWhenIdle in Suspended,
            /// The cluster of a group or of an autoscaler is suspended, so there are no workers.
            ClusterSuspended in Ready,
            /// A cluster with `idleTimeout` and `idleAction: Suspend` has had nothing to do for more than half of that. The message
            /// says since when, and who would lose what.
            SoonSuspended in Idle,
        }
    };
}
