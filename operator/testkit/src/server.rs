//! An API server within the process: its clock is tokio's, so that tests may stop it, and things go wrong by a script.

mod call;
mod faults;
mod life;
mod refusal;
mod resource;
mod verbs;
mod watch;
mod world;

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use serde_json::Value;
use tokio::sync::{mpsc, watch as signal};
use tokio::time::Instant;

pub use call::{Call, Verb};
pub use faults::{End, Fate, Faults, NoFaults};
pub use life::{Life, end as end_pod};
pub use refusal::Refusal;
pub use resource::{RESOURCES, Resource};
pub use world::{Change, Id, Inspector, World};

type BoxError = tower::BoxError;
type Answer = Result<Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>;

/// The server. Clones are the same server.
#[derive(Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
    deaths: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>>,
}

/// Of a server that may be gone.
pub struct Handle(Weak<Shared>);

impl Handle {
    /// Whether anybody still has it.
    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

struct Shared {
    world: Mutex<World>,
    faults: Mutex<Box<dyn Faults>>,
    changed: signal::Sender<u64>,
    down: AtomicBool,
    calls: AtomicU64,
    /// When it did last what a client asked it to write, leases aside.
    written: Mutex<Option<Instant>>,
    crashed: mpsc::UnboundedSender<String>,
}

impl ApiServer {
    /// An empty one.
    pub fn new(faults: Box<dyn Faults>) -> Self {
        let (crashed, deaths) = mpsc::unbounded_channel();
        let shared = Shared {
            world: Mutex::default(),
            faults: Mutex::new(faults),
            changed: signal::Sender::new(0),
            down: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            written: Mutex::default(),
            crashed,
        };
        Self { shared: Arc::new(shared), deaths: Arc::new(tokio::sync::Mutex::new(deaths)) }
    }

    /// A client whose calls are this user's.
    pub fn client(&self, user: &str) -> kube::Client {
        let (shared, user) = (Arc::clone(&self.shared), user.to_owned());
        let service = tower::service_fn(move |request| serve(Arc::clone(&shared), user.clone(), request));
        kube::Client::new(service, "default")
    }

    /// What tells whether it is still in memory, and does not keep it there.
    pub fn handle(&self) -> Handle {
        Handle(Arc::downgrade(&self.shared))
    }

    /// What there is. It must not be kept over an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// How many calls it was sent so far.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// When it did last what a client asked it to write, leases aside, even if that changed nothing.
    pub fn written(&self) -> Option<Instant> {
        *self.shared.written()
    }

    /// From now on this goes wrong.
    pub fn set_faults(&self, faults: Box<dyn Faults>) {
        *self.shared.faults() = faults;
    }

    /// A server that is down answers nobody, and its watches end.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
        self.shared.changed.send_modify(|_| {});
    }

    /// Returns when a call killed who made it: the user.
    pub async fn crash(&self) -> Option<String> {
        self.deaths.lock().await.recv().await
    }

    /// One call as a person makes it: at once, and nothing goes wrong.
    pub fn person(&self, verb: Verb, id: &Id, body: Value) -> Result<Value, Refusal> {
        let resource =
            resource::resource(id.plural).ok_or_else(|| Refusal::not_found("resource", id.plural))?;
        let (of_status, query) = (body["status"].is_object() && verb == Verb::Patch, [].into());
        let (namespace, name) = (id.namespace.clone(), id.name.clone());
        let call =
            Call { user: "person".to_owned(), verb, resource, namespace, name, of_status, query, body };
        self.shared.answer(&call)
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Box<dyn Faults>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> MutexGuard<'_, Option<Instant>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_down(&self) -> bool {
        self.down.load(Ordering::SeqCst)
    }

    /// Wakes whoever watches, if there is something new.
    fn tell(&self) {
        let version = self.world().newest_watched;
        self.changed.send_if_modified(|told| mem::replace(told, version) != version);
    }

    fn answer(&self, call: &Call) -> Result<Value, Refusal> {
        let answer = verbs::answer(&mut self.world(), call);
        self.tell();
        answer
    }
}

async fn serve(shared: Arc<Shared>, user: String, request: Request<Body>) -> Answer {
    let (head, body) = request.into_parts();
    let body = body.collect_bytes().await?;
    let head = Request::from_parts(head, ());
    let Some(call) = Call::of(&user, &head, &body) else {
        return refuse(&Refusal::not_found("path", head.uri().path()));
    };
    // What was sent arrives, whatever becomes of its sender.
    tokio::spawn(answer(shared, call)).await?
}

async fn answer(shared: Arc<Shared>, call: Call) -> Answer {
    shared.calls.fetch_add(1, Ordering::Relaxed);
    let fate = shared.faults().fate(&call);
    tokio::time::sleep(fate.way).await;
    if shared.is_down() || fate.end == End::Lost {
        return Err("connection refused".into());
    }
    match fate.end {
        End::Refused(code) => return refuse(&Refusal::of_code(code)),
        End::CrashBefore => return crash(&shared, &call).await,
        _ => {}
    }
    if call.verb == Verb::Watch {
        return Ok(Response::new(watch::Watch::new(shared, call).body()));
    }
    let answer = shared.answer(&call);
    if answer.is_ok() && call.verb.writes() && call.resource.plural != "leases" {
        *shared.written() = Some(Instant::now());
    }
    match fate.end {
        End::CrashAfter => return crash(&shared, &call).await,
        End::NeverAnswered => std::future::pending().await,
        End::AnswerLost => return Err("connection reset by peer".into()),
        End::GivenUp => return refuse(&Refusal::of_code(504)),
        _ => tokio::time::sleep(fate.way_back).await,
    }
    match answer {
        Ok(object) => respond(if call.verb == Verb::Create { 201 } else { 200 }, &object),
        Err(refusal) => refuse(&refusal),
    }
}

async fn crash(shared: &Shared, call: &Call) -> Answer {
    let _ = shared.crashed.send(call.user.clone());
    std::future::pending().await
}

fn refuse(refusal: &Refusal) -> Answer {
    respond(refusal.code, &refusal.body())
}

fn respond(code: u16, body: &Value) -> Answer {
    let body = Full::from(body.to_string()).map_err(|never| match never {}).boxed_unsync();
    Ok(Response::builder().status(code).header("content-type", "application/json").body(body)?)
}
