//! A client whose calls all end: kube's own wait for ever for a server that took a call and never answers it.

use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tower::BoxError;

/// An answer has to be complete by then, a list of everything too; of a watch, its beginning.
const ANSWERED_WITHIN: Duration = Duration::from_mins(1);

/// The same client, with a deadline for each call. What watches then show is watched over by kube's watcher.
pub(crate) fn with_deadline(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| in_time(client.clone(), request));
    Client::new(service, namespace)
}

async fn in_time(client: Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
    let answered = async {
        let answer = client.send(request).await?;
        if is_watch {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        Ok(Response::from_parts(head, Body::from(body.collect_bytes().await?.to_vec())))
    };
    match tokio::time::timeout(ANSWERED_WITHIN, answered).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer from the API server within {} s", ANSWERED_WITHIN.as_secs()).into()),
    }
}
