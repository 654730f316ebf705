//! What the apiserver was asked, by whom and when: the cheapest way to count and to time the operator.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// Every replica of an operator has the same account; this tells them apart.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";

/// What authorization came to.
const DECISION: &str = "authorization.k8s.io/decision";

/// The audit log of the embedded cluster, or the end of it: in a run of all tests it becomes long.
#[derive(Debug, Clone)]
pub struct Audit {
    log: PathBuf,
    /// The byte where it begins.
    from: u64,
}

/// One answered request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub verb: String,
    pub user: User,
    #[serde(default)]
    pub object_ref: Object,
    #[serde(default)]
    pub response_status: Status,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// To the microsecond.
    pub request_received_timestamp: Timestamp,
    /// When it was answered.
    pub stage_timestamp: Timestamp,
    pub stage: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct User {
    pub username: String,
    /// What its token says beside the name.
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Object {
    pub api_group: String,
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub subresource: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Status {
    #[serde(default)]
    pub code: u16,
}

/// How many bytes there are by now.
pub fn length(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |file| file.len())
}

impl Audit {
    /// Reads this file from this byte on.
    pub fn new(log: PathBuf, from: u64) -> Self {
        Self { log, from }
    }

    /// Every request answered so far, a watch from its beginning, that `wanted` accepts, in the order in which they were
    /// received.
    pub fn requests(&self, wanted: impl Fn(&Request) -> bool) -> Result<Vec<Request>> {
        let text = self.text().with_context(|| format!("cannot read {}", self.log.display()))?;
        // The first and the last line may be half there.
        let parsed = text.lines().filter_map(|line| serde_json::from_str::<Request>(line).ok());
        let mut requests: Vec<_> =
            parsed.filter(|request| request.is_answered() && wanted(request)).collect();
        requests.sort_by_key(|request| request.request_received_timestamp);
        Ok(requests)
    }

    fn text(&self) -> io::Result<String> {
        let mut log = File::open(&self.log)?;
        log.seek(SeekFrom::Start(self.from))?;
        let mut text = Vec::new();
        log.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// What the operator wrote in one namespace.
    pub fn writes_of_operator(&self, namespace: &str) -> Result<Vec<Request>> {
        self.requests(|request| request.is_operators_write() && request.object_ref.namespace == namespace)
    }
}

impl Object {
    /// `pods`, `daskclusters/status`
    pub fn kind(&self) -> String {
        let Self { resource, subresource, .. } = self;
        let separator = if subresource.is_empty() { "" } else { "/" };
        format!("{resource}{separator}{subresource}")
    }
}

impl Request {
    /// Whether the operator changed something, or tried to.
    pub fn is_operators_write(&self) -> bool {
        self.user.username == crate::operator::USER && self.is_write()
    }

    /// A watch is logged twice: when it begins and when it ends.
    fn is_answered(&self) -> bool {
        self.stage == if self.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" }
    }

    /// The pod whose token it came with.
    pub fn pod(&self) -> Option<&str> {
        self.user.extra.get(POD_NAME)?.first().map(String::as_str)
    }

    /// Whether the caller had no right to it; admission refuses with the same code.
    pub fn is_forbidden(&self) -> bool {
        self.annotations.get(DECISION).is_some_and(|decision| decision == "forbid")
    }

    /// Whether it changed something, or was to.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// `create pods`, `patch daskclusters/status`
    pub fn summary(&self) -> String {
        format!("{} {}", self.verb, self.object_ref.kind())
    }
}
