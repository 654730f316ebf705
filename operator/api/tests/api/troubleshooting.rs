//! `docs/troubleshooting.md` is what the reasons themselves say.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use dask_operator_api::conditions::{ConditionType, Reason};

const HEAD: &str = "# When something goes wrong

<!-- Made from operator/api/src/reasons/: UPDATE_DOCS=1 cargo units -->

`kubectl get dsk,daskworkergroups --output wide` shows a reason beside everything that is not ready, and

```console
$ kubectl describe dsk NAME
$ kubectl describe daskworkergroup NAME-default
```

show it with the words of Kubernetes, under `Conditions`, and in a Warning Event of the same name. When it is over, the
condition is gone, and an Event `Recovered` says so, or `Ready` where a scheduler was in trouble. `dask_operator_troubles` counts the objects by `kind`, `condition`
and `reason`. What concerns workers is told of their group; what concerns the scheduler's pod is the reason of the
cluster's `SchedulerReady`, whichever condition is named below. What was refused is tried again after half a second, one,
two, up to a minute, and at once when the spec changes. Nobody else's cluster waits for it.

POD is the name in the message; add `--namespace`.
";

const FINE: &str = "
## Reasons that are no trouble

| reason | condition | what it says |
| --- | --- | --- |
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut condition: Option<ConditionType> = None;
    for reason in Reason::ALL {
        let Some(advice) = reason.advice() else { continue };
        if condition.replace(reason.condition()) != Some(reason.condition()) {
            write!(page, "\n## {}\n", reason.condition()).unwrap();
        }
        write!(page, "\n### {reason}\n\n{}\n\n", reason.meaning()).unwrap();
        write!(page, "**What helps:** {}\n\n```console\n$ {}\n```\n", advice.cure, advice.look).unwrap();
    }
    page + &no_trouble()
}

/// The others, so that none is missing.
fn no_trouble() -> String {
    let mut table = FINE.to_owned();
    for reason in Reason::ALL.iter().filter(|reason| reason.advice().is_none()) {
        writeln!(table, "| `{reason}` | `{}` | {} |", reason.condition(), reason.meaning()).unwrap();
    }
    table
}

#[test]
fn every_reason_is_on_the_page_and_each_trouble_with_its_cause_and_its_cure() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/troubleshooting.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/troubleshooting.md is stale; refresh it with: UPDATE_DOCS=1 cargo units"
    );
}

#[test]
fn a_trouble_says_what_it_is_and_what_to_do_in_sentences() {
    for reason in Reason::ALL {
        assert!(reason.meaning().ends_with('.'), "{reason}");
        let Some(advice) = reason.advice() else { continue };
        assert!(advice.cure.ends_with('.') && advice.look.starts_with("kubectl "), "{reason}");
    }
}
