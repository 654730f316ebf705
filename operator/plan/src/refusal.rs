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

/// None when the server may well have it the next time.
pub fn refusal(answer: &Status) -> Option<Reason> {
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
