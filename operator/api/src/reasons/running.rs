//! The reasons of trouble with what runs: workers that leave or are replaced, schedulers that are asked, autoscalers,
//! versions.

/// Adds them to those before, and makes the enum of all.
macro_rules! running {
    ($($before:tt)*) => {
        reasons! {
            $($before)*

            /// Workers find no `python3` in their `PATH`, by which they would ask the scheduler before they end: what only they have is
            /// lost when they are evicted or deleted. When fewer are wanted, the operator asks all the same.
            PythonMissing in DrainUnprotected {
                cure: "Have the image's own `PATH`, or that of the container's `env`, lead to a `python3` of any version. Workers with a `preStop` of your own need none.",
                look: "kubectl exec POD -- python3 --version"
            }
            /// The scheduler's pod is ready, and for 30 seconds has not answered the operator, or not with sense. Its workers go
            /// on. Meanwhile no autoscaler scales by what it tells, and a worker that leaves may lose what only that worker has.
            Unreachable in SchedulerLink {
                cure: "The message says what is wrong. See why: the scheduler hangs, its image was changed, its dashboard is at another port or served by TLS, or a NetworkPolicy keeps the operator away.",
                look: "kubectl logs deployment/NAME-scheduler"
            }
            /// The scheduler does not answer, so nobody knows what the workers hold that are to leave. They go when their time
            /// is over, unless `onTimeout` says that they stay.
            SchedulerUnreachable in DrainDelayed {
                cure: "See why: the scheduler cannot start or crashes, as its cluster tells; hangs, serves its dashboard on another port or by TLS, or a NetworkPolicy keeps the operator away from it.",
                look: "kubectl logs deployment/NAME-scheduler"
            }
            /// A worker that is to leave cannot do so without a loss: it has actors, takes part in a shuffle, is the last one, or
            /// all others are short of memory. It is asked again until its time is over.
            DrainRefused in DrainDelayed {
                cure: "Wait, or release what the message names. `worker.drain.timeoutSeconds` says how long it is waited for.",
                look: "kubectl get pods --selector dask.org/component=worker"
            }
            /// The time of workers that are to leave is over, and the scheduler, which answers, neither lets them go nor says why. They
            /// go all the same some seconds later.
            NotLetGo in DrainDelayed {
                cure: "Look at the scheduler's log: it answers what cannot be, or does not get round to it.",
                look: "kubectl logs deployment/NAME-scheduler"
            }
            /// A worker could not leave in time without a loss, and `worker.drain.onTimeout` says that it stays.
            WorkersKept in DrainDelayed {
                cure: "Scale again when its work is done, or set `onTimeout: Delete`.",
                look: "kubectl describe daskworkergroup NAME"
            }
            /// A worker that was to leave is gone, and with it unfinished tasks or results that nobody else has: its time was over,
            /// or it was killed before. Dask runs the tasks again where it can. This is told for 10 minutes from the first of
            /// several on; each has an Event.
            WorkInterrupted in WorkLost {
                cure: "Give `worker.drain.timeoutSeconds` the time of the longest task, or set `onTimeout: Keep`. Of a worker that was killed, see why it was.",
                look: "kubectl describe daskworkergroup NAME"
            }
            /// Workers made from the changed template do not start, or the scheduler cannot be asked what the old ones hold. Those
            /// stay, as far as `updateStrategy` allows.
            UpdateStalled in WorkersOutdated {
                cure: "Correct the template, or put it back: either is followed at once. Where a quota has no room for one more, set `maxSurge: 0`.",
                look: "kubectl describe daskworkergroup NAME"
            }
            /// `minimum` of an autoscaler, of one of its groups, or of these together, is more than `maximum`, or less than 0.
            InvalidBounds in Ready {
                cure: "Correct them. They are followed at once.",
                look: "kubectl get daskautoscalers"
            }
            /// An older autoscaler scales the same cluster, and this one does nothing.
            OlderAutoscaler in NotInCharge {
                cure: "Delete one of them. One autoscaler can scale several groups: name them under `groups`.",
                look: "kubectl get daskautoscalers"
            }
            /// A group that an autoscaler names does not exist, or belongs to another cluster. The others are scaled.
            NoSuchGroup in GroupNotFound {
                cure: "Make the group, or correct its name: it is the full one, as in `demo-default`.",
                look: "kubectl get daskworkergroups"
            }
            /// The scheduler does not run, or does not answer. Nothing is scaled, and no idle cluster deleted, by what it said before.
            SchedulerSilent in FactsStale {
                cure: "See why: the scheduler cannot start or crashes, as its cluster tells; hangs, serves its dashboard on another port or by TLS, or a NetworkPolicy keeps the operator away from it.",
                look: "kubectl logs deployment/NAME-scheduler"
            }
            /// The scheduler has loaded nothing of ours, so nobody can know whether the cluster is idle; or it speaks to nobody
            /// without TLS besides, and cannot be asked how many workers it would have.
            SchedulerTellsNothing in FactsStale {
                cure: "Restart it with `dask.org/restart-scheduler`, or take its own preload or `dask.org/stock-scheduler` away.",
                look: "kubectl get dsk NAME --output yaml"
            }
            /// Somebody else, an autoscaler of Kubernetes or whoever applies manifests, has changed `worker.replicas` of a group twice
            /// within an hour since the autoscaler did. The group is left to them for ten minutes after their last change, and for
            /// twice as long whenever they do it again afterwards, up to four hours; or until the autoscaler's spec is changed.
            AnotherWriter in ReplicasContested {
                cure: "Let one of them scale: delete the autoscaler or take the group from it, or delete the other; a GitOps tool should not set `replicas`.",
                look: "kubectl get daskworkergroup NAME --show-managed-fields --output yaml"
            }
            /// Tasks wait that no worker of any group may run: they ask for a resource that none offers, or for a worker that is
            /// not there. No workers are made for them.
            NobodyOffers in WorkUnrunnable {
                cure: "Add a group whose workers offer it (`worker.daskResources`) to the autoscaler, or submit the tasks without it.",
                look: "kubectl get daskworkergroups --output yaml"
            }
            /// Workers of a group do not start or do not stay, so no more are made on top of them. The message says what ails the
            /// group.
            GroupCannotGrow in ScalingLimited {
                cure: "See the group's own conditions. It goes on as soon as its workers start.",
                look: "kubectl describe daskworkergroup NAME"
            }
            /// The spec of the scheduler, or of its Service, changed after it was made. A running scheduler is never restarted
            /// unasked, for it holds all work.
            SpecChanged in SchedulerOutdated {
                cure: "Run the command of the message when the work may be lost, or change the spec back.",
                look: "kubectl describe dsk NAME"
            }
            /// Workers have another version of dask, of distributed, or another minor version of Python than the scheduler, so that
            /// one may not understand what the other sends. The work goes on as far as it does.
            WorkersDiffer in VersionSkew {
                cure: "Give the scheduler and all groups the same image. If only workers were made anew since it changed, restart the scheduler with `dask.org/restart-scheduler` when the work may be lost.",
                look: "kubectl get pods --output custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image"
            }
            /// A client that is connected, or was within the last minutes, has other versions than the scheduler; the workers do
            /// not. Clients are looked at while the scheduler is asked for some other reason, and for a minute after pods came.
            ClientsDiffer in VersionSkew {
                cure: "Install the versions of the message where the client runs, or give the cluster an image that has the client's.",
                look: "kubectl describe dsk NAME"
            }
            /// A group has no workers, its container starts something else than `dask worker`, and none has told yet what it offers.
            /// An autoscaler makes no workers there for tasks that need a resource.
            CommandTellsNothing in OffersUnknown {
                cure: "Say what they offer in `worker.daskResources`, or have a first worker start by `kubectl scale`.",
                look: "kubectl get daskworkergroup NAME --output yaml"
            }
        }
    };
}
