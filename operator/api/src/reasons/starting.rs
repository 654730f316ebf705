//! The reasons why something is not made or does not run, each with what ends it and the command that shows more.

/// Adds them to those before, and hands all on to the troubles of what runs.
macro_rules! starting {
    ($($before:tt)*) => {
        running! {
            $($before)*

            troubles:
            /// The objects that the operator would make could not have names that derive from this one.
            InvalidName in Ready {
                cure: "Make the object anew. A cluster's name is a DNS label of at most 53 characters, a group's of at most 63.",
                look: "kubectl get dsk,daskworkergroups --output wide"
            }
            /// `spec.worker.replicas` is negative.
            InvalidReplicas in Ready {
                cure: "Ask for 0 workers or more.",
                look: "kubectl get daskworkergroups --output wide"
            }
            /// A template has a shape that no pod can have. Nothing is tried before the spec changes.
            InvalidTemplate in Ready {
                cure: "Change the field that the message names.",
                look: "kubectl explain daskcluster.spec --recursive"
            }
            /// `spec.cluster` of a group names a cluster that this namespace does not have, or one with an invalid name.
            ClusterNotFound in ClusterNotFound {
                cure: "Make the cluster, or correct the name. The group goes on by itself.",
                look: "kubectl get dsk"
            }
            /// A group was made for one cluster and now names another one.
            NotItsCluster in ClusterMismatch {
                cure: "Put `spec.cluster` back, or delete the group and make one for the other cluster.",
                look: "kubectl get daskworkergroups --output yaml"
            }
            /// An object that the cluster needs has a name that is taken. What exists is left as it is.
            OwnedByAnother in NameTaken {
                cure: "Delete or rename that object, or give the cluster another name.",
                look: "kubectl get services,deployments,configmaps,poddisruptionbudgets,daskworkergroups --show-labels"
            }
            /// A pod spec has fields that this API server does not know. The pod was made without them.
            DroppedByServer in UnknownFields {
                cure: "Correct the spelling, or upgrade Kubernetes.",
                look: "kubectl explain pod.spec --recursive"
            }
            /// Somebody changed the label of an object of ours by which it is found.
            LabelLost in Refused {
                cure: "Put the label back that the message names, or delete the object: it is made anew.",
                look: "kubectl get services,deployments,configmaps,poddisruptionbudgets --show-labels"
            }
            /// The namespace is being deleted, and nothing can be made in it any more.
            NamespaceTerminating in Refused {
                cure: "None: the cluster goes with its namespace. Apply it in another one to keep it.",
                look: "kubectl get namespace NAMESPACE --output yaml"
            }
            /// `serviceAccountName` of a pod spec names an account that this namespace does not have.
            ServiceAccountMissing in Refused {
                cure: "Make the account, or correct the name. It is tried again by itself.",
                look: "kubectl get serviceaccounts"
            }
            /// The namespace enforces a level of Pod Security that the pod does not keep to. The message lists what it lacks.
            PodSecurityViolated in Refused {
                cure: "Set these fields under `securityContext` of the pod spec and of its containers.",
                look: "kubectl get namespace NAMESPACE --show-labels"
            }
            /// A `LimitRange` of the namespace wants other requests or limits.
            LimitRangeViolated in Refused {
                cure: "Change `worker.resources` or `scheduler.resources`, or the LimitRange.",
                look: "kubectl describe limitranges"
            }
            /// A webhook or a `ValidatingAdmissionPolicy` forbids the object, or the webhook does not answer. The message names it.
            RefusedByAdmission in Refused {
                cure: "Do what it asks for, or ask whoever runs it.",
                look: "kubectl get validatingadmissionpolicies,validatingwebhookconfigurations,mutatingwebhookconfigurations"
            }
            /// The operator's own service account lacks a right.
            RightsMissing in Refused {
                cure: "Install the roles of the operator's version: the chart's, or those of `install/operator.yaml`.",
                look: "kubectl auth can-i --list --as system:serviceaccount:dask-operator:dask-operator"
            }
            /// The API server will not have the object. The message has its words.
            RefusedByServer in Refused {
                cure: "Change the spec. A change is tried at once, the same again at least every minute.",
                look: "kubectl describe dsk NAME"
            }
            /// A `ResourceQuota` of the namespace is used up, or wants requests or limits that the pod does not have. What fits
            /// was made.
            QuotaExceeded in Refused {
                cure: "Raise the quota, ask for fewer or smaller workers, or set `resources`. Missing workers follow within a minute, a missing scheduler when Kubernetes' own controller tries again.",
                look: "kubectl describe resourcequotas"
            }
            /// The image does not exist, or its registry wants credentials or cannot be reached.
            ImageCannotBePulled in WorkersCannotStart {
                cure: "Correct `image`, or set `imagePullSecrets`: workers are made anew. For a scheduler delete its Deployment.",
                look: "kubectl describe pod POD"
            }
            /// The kubelet cannot make a container: a ConfigMap or a Secret is missing, a mount is impossible, a user not allowed.
            ContainerCannotStart in WorkersCannotStart {
                cure: "Make what the message names. The kubelet tries again by itself.",
                look: "kubectl describe pod POD"
            }
            /// No node has room for the pod's requests, or none fits its selectors, affinities and tolerations.
            Unschedulable in WorkersCannotStart {
                cure: "Ask for less, for fewer workers, or add nodes. The pod starts as soon as it fits.",
                look: "kubectl describe nodes"
            }
            /// The program that a container is to run does not exist in its image.
            CommandNotFound in WorkersFailing {
                cure: "Correct the first word of `command` or `args`, or take an image that has it.",
                look: "kubectl get pod POD --output yaml"
            }
            /// A container used more memory than its limit, and the kernel killed it.
            OutOfMemory in WorkersFailing {
                cure: "Raise the limit, use smaller chunks or fewer threads; `worker.spill` gives a worker room on a disk.",
                look: "kubectl get pod POD --output yaml"
            }
            /// The node gave the pod up: it ran out of memory or disk, was drained or shut down, or made room for another pod.
            Evicted in WorkersFailing {
                cure: "Set requests near to what is really used. The pod is replaced by itself.",
                look: "kubectl describe nodes"
            }
            /// A container ended with an error. The message has its exit code and its last words.
            ContainerFailed in WorkersFailing {
                cure: "Read them. Workers are replaced, and a scheduler restarted, by themselves, ever more slowly.",
                look: "kubectl logs POD --previous"
            }
        }
    };
}
