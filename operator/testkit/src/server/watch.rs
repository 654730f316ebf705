//! A watch: every change that matches, in order, some time after it was made.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::{Call, Selector};
use super::refusal::Refusal;
use super::world::Change;
use super::{BoxError, Shared};

/// One watch.
pub(super) struct Watch {
    shared: Arc<Shared>,
    call: Call,
    selector: Selector,
    version: u64,
    begins: bool,
    changed: watch::Receiver<u64>,
    /// Lines to send, and when.
    lines: VecDeque<(Instant, Bytes)>,
    latest: Instant,
    ends: Instant,
}

impl Watch {
    pub(super) fn new(shared: Arc<Shared>, call: Call) -> Self {
        let number = |key: &str| call.query.get(key).and_then(|text| text.parse::<u64>().ok());
        let version = number("resourceVersion").unwrap_or(0);
        let seconds = number("timeoutSeconds").unwrap_or(300);
        let now = Instant::now();
        Self {
            selector: Selector::parse(call.query.get("labelSelector").map_or("", String::as_str)),
            version,
            begins: true,
            changed: shared.changed.subscribe(),
            lines: VecDeque::new(),
            latest: now,
            ends: now + Duration::from_secs(seconds),
            shared,
            call,
        }
    }

    /// Its lines, as a body.
    pub(super) fn body(self) -> UnsyncBoxBody<Bytes, BoxError> {
        StreamBody::new(self.frames()).boxed_unsync()
    }

    fn frames(self) -> impl Stream<Item = Result<http_body::Frame<Bytes>, BoxError>> {
        stream::unfold(Some(self), |watch| async {
            let mut watch = watch?;
            let (line, over) = watch.next().await?;
            Some((Ok(http_body::Frame::data(line)), (!over).then_some(watch)))
        })
    }

    /// The next line, and whether it is the last.
    async fn next(&mut self) -> Option<(Bytes, bool)> {
        loop {
            if self.shared.is_down() {
                return None;
            }
            if self.is_too_old() {
                return Some((line("ERROR", &Refusal::of_code(410).body()), true));
            }
            self.collect();
            let due = self.lines.front().map(|(at, _)| *at);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due.unwrap_or(self.ends).min(self.ends)) => {
                    let (at, line) = self.lines.pop_front()?;
                    if at > self.ends {
                        return None;
                    }
                    return Some((line, self.is_cut()));
                }
                changed = self.changed.changed() => changed.ok()?,
            }
        }
    }

    fn is_too_old(&mut self) -> bool {
        let world = self.shared.world();
        let oldest = if mem::take(&mut self.begins) { world.compacted } else { world.forgotten };
        self.lines.is_empty() && self.version < oldest
    }

    fn is_cut(&mut self) -> bool {
        let cut = self.shared.faults().cut(self.call.resource.plural);
        if cut == Some(true) {
            self.shared.world().compact();
        }
        cut.is_some()
    }

    fn collect(&mut self) {
        let shared = Arc::clone(&self.shared);
        let world = shared.world();
        for change in world.since(self.version) {
            self.version = change.version;
            if let Some(event) = self.event(change) {
                let lag = shared.faults().lag(change.id.plural);
                // A watch keeps the order.
                self.latest = self.latest.max(change.at + lag);
                self.lines.push_back((self.latest, event));
            }
        }
    }

    fn event(&self, change: &Change) -> Option<Bytes> {
        let of_kind = change.id.plural == self.call.resource.plural;
        let here = self.call.namespace.is_empty() || self.call.namespace == change.id.namespace;
        if !of_kind || !here {
            return None;
        }
        let shown =
            |object: &Option<Arc<Value>>| object.clone().filter(|object| self.selector.matches(object));
        let (before, after) = (shown(&change.before), shown(&change.after));
        let (type_, object) = match (before, after) {
            (None, None) => return None,
            (None, Some(after)) => ("ADDED", after),
            (Some(_), Some(after)) => ("MODIFIED", after),
            (Some(before), None) => ("DELETED", before),
        };
        let mut object = (*object).clone();
        object["metadata"]["resourceVersion"] = change.version.to_string().into();
        Some(line(type_, &object))
    }
}

/// The type first, as Kubernetes writes it: clients read the object as what it is only after they know the type.
fn line(type_: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{{\"type\":\"{type_}\",\"object\":{object}}}\n"))
}
