//! What the operator asks for lies within the namespaces that it watches, whatever it only reads.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dask_operator::Scope;
use dask_operator_testkit::server::{Call, Fate, Faults, Verb};

use crate::history::History;

/// Looks at every call before something befalls it.
pub(crate) struct WithinNamespaces {
    faults: Box<dyn Faults>,
    scope: Scope,
    broken: Arc<Mutex<Vec<String>>>,
}

impl WithinNamespaces {
    pub(crate) fn boxed(
        faults: Box<dyn Faults>,
        history: &History,
        broken: &Arc<Mutex<Vec<String>>>,
    ) -> Box<dyn Faults> {
        Box::new(Self { faults, scope: history.scope(), broken: Arc::clone(broken) })
    }
}

impl Faults for WithinNamespaces {
    fn fate(&mut self, call: &Call) -> Fate {
        let exempt = call.resource.plural == "leases" || !call.user.starts_with("operator-");
        // What a pattern means is found by watching all.
        let finds = matches!(self.scope, Scope::Matching(_)) && matches!(call.verb, Verb::List | Verb::Watch);
        if !exempt && !finds && !self.scope.includes(&call.namespace) {
            let Call { user, verb, resource, namespace, .. } = call;
            let told =
                format!("{verb:?} {} in \"{namespace}\", which is not watched, by {user}", resource.plural);
            self.broken.lock().unwrap().push(told);
        }
        self.faults.fate(call)
    }

    fn lag(&mut self, plural: &str) -> Duration {
        self.faults.lag(plural)
    }

    fn cut(&mut self, plural: &str) -> Option<bool> {
        self.faults.cut(plural)
    }
}
