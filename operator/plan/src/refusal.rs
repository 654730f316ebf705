//! Why the API server will not have an object, read from its answer.

use dask_operator_api::conditions::Reason;
use kube::core::Status;

/// What only such an answer says. The first that is found counts: what a webhook or a policy says is its own affair.
const MARKS: [(&str, Reason); 15] = [
    ("admission webhook \"", Reason::RefusedByAdmission),
    ("failed calling webhook \"", Reason::RefusedByAdmission),
    ("ValidatingAdmissionPolicy '", Reason::RefusedByAdmission),
    ("because it is being terminated", Reason::NamespaceTerminating),
    ("error looking up service account ", Reason::ServiceAccountMissing),
    ("violates PodSecurity ", Reason::PodSecurityViolated),
    ("exceeded quota: ", Reason::QuotaExceeded),
    ("failed quota: ", Reason::QuotaExceeded),
    ("insufficient quota to ", Reason::QuotaExceeded),
    (" usage per ", Reason::LimitRangeViolated),
    (" max limit to request ratio per ", Reason::LimitRangeViolated),
    ("\" cannot create resource ", Reason::RightsMissing),
    ("\" cannot patch resource ", Reason::RightsMissing),
    ("\" cannot delete resource ", Reason::RightsMissing),
    ("cannot set blockOwnerDeletion ", Reason::RightsMissing),
];

/// What a patch meets that was meant for an object whose name another one has by now; the next look sees that one.
const OF_ANOTHER: &str = " is invalid: metadata.uid: Invalid value: ";

/// None when the server may well have it the next time.
pub fn refusal(answer: &Status) -> Option<Reason> {
    if answer.message.contains(OF_ANOTHER) {
        return None;
    }
    let causes = answer.details.iter().flat_map(|details| &details.causes);
    if causes.into_iter().any(|cause| cause.reason == Reason::NamespaceTerminating.to_string()) {
        return Some(Reason::NamespaceTerminating);
    }
    let refused = matches!(answer.code, 400 | 403 | 422);
    marked(&answer.message).or_else(|| refused.then_some(Reason::RefusedByServer))
}

/// The same from the server's words alone, as other controllers pass them on.
pub(crate) fn refusal_in(words: &str) -> Reason {
    marked(words).unwrap_or(Reason::RefusedByServer)
}

fn marked(words: &str) -> Option<Reason> {
    MARKS.iter().find(|(mark, _)| words.contains(mark)).map(|(_, reason)| *reason)
}

/// The words without the name of the pod, which is drawn anew at each try and would make each status a new one.
pub(crate) fn without_name(words: &str) -> String {
    match words.splitn(3, '"').collect::<Vec<_>>()[..] {
        [before @ ("pods " | "Pod "), name, after] => format!("{before}\"…\"{}", after.replace(name, "…")),
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(code: u16, message: &str) -> Option<Reason> {
        refusal(&Status { code, message: message.to_owned(), ..Status::default() })
    }

    #[test]
    fn a_patch_of_an_object_that_was_replaced_is_no_refusal() {
        let words =
            "ConfigMap \"demo-config\" is invalid: metadata.uid: Invalid value: \"1\": field is immutable";
        assert_eq!(refused(422, words), None);
        assert_eq!(refused(422, "Pod \"a\" is invalid: spec.x: no"), Some(Reason::RefusedByServer));
    }

    const WORDS: [(u16, Reason, &str); 11] = [
        (
            403,
            Reason::QuotaExceeded,
            "forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
        ),
        (403, Reason::QuotaExceeded, "forbidden: failed quota: q: must specify limits.cpu for: w"),
        (
            403,
            Reason::ServiceAccountMissing,
            "forbidden: error looking up service account x/nobody: serviceaccount \"nobody\" not found",
        ),
        (
            403,
            Reason::LimitRangeViolated,
            "forbidden: minimum memory usage per Container is 9Gi, but request is 100Mi",
        ),
        (
            403,
            Reason::PodSecurityViolated,
            "forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"w\" \
             must set securityContext.allowPrivilegeEscalation=false)",
        ),
        (
            403,
            Reason::NamespaceTerminating,
            "forbidden: unable to create new content in namespace x because it is being terminated",
        ),
        (
            422,
            Reason::RefusedByAdmission,
            "forbidden: ValidatingAdmissionPolicy 'x' with binding 'x' denied request: who pays for it?",
        ),
        (
            403,
            Reason::RefusedByAdmission,
            "admission webhook \"w.example.com\" denied the request: exceeded quota: of patience",
        ),
        (
            500,
            Reason::RefusedByAdmission,
            "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: Post \
             \"https://nope.x.svc:443/?timeout=1s\": service \"nope\" not found",
        ),
        (
            403,
            Reason::RightsMissing,
            "pods is forbidden: User \"system:serviceaccount:x:default\" cannot create resource \"pods\" in API group \
             \"\" in the namespace \"x\"",
        ),
        (
            422,
            Reason::RefusedByServer,
            "invalid: spec.restartPolicy: Unsupported value: \"Nope\": supported values: \"Always\"",
        ),
    ];

    #[test]
    fn each_refusal_is_known_by_the_servers_words() {
        for (code, reason, words) in WORDS {
            assert_eq!(refused(code, words), Some(reason), "{words}");
            assert_eq!(refused(code, &format!("pods \"p\" is {words}")), Some(reason), "{words}");
        }
    }

    #[test]
    fn what_may_work_the_next_time_is_no_refusal() {
        assert_eq!(
            refused(
                409,
                "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified"
            ),
            None
        );
        assert_eq!(refused(500, "etcdserver: request timed out"), None);
        assert_eq!(refused(429, "too many requests"), None);
    }

    #[test]
    fn a_namespace_that_goes_is_known_by_its_cause() {
        let answer = json!({"status": "Failure", "message": "in other words", "reason": "Forbidden", "code": 403, "details": {"causes": [
            {"reason": "NamespaceTerminating", "message": "namespace x is being terminated", "field": "metadata.namespace"},
        ]}});
        let answer: Status = serde_json::from_value(answer).unwrap();
        assert_eq!(refusal(&answer), Some(Reason::NamespaceTerminating));
    }

    #[test]
    fn the_name_of_a_pod_is_left_out_and_nothing_else() {
        let words = "pods \"dep-7cf6df4b86-dxh5l\" is forbidden: exceeded quota: q";
        assert_eq!(without_name(words), "pods \"…\" is forbidden: exceeded quota: q");
        let others = "Service \"demo\" is invalid";
        assert_eq!(without_name(others), others);
    }
}
