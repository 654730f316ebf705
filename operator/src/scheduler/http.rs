//! Schedulers over the network: HTTP, and beside it what those speak that have no routes of ours.

use std::error::Error;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use super::ask::{Answer, AskError, Request, Schedulers};
use super::rpc::{self, Talk};

/// Facts about ten thousand workers, all of them leaving, have some 6 MiB.
const MOST_BYTES: usize = 8 << 20;
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

/// A client that follows nobody anywhere: no redirects, no proxies.
pub struct Http(Client);

impl Http {
    /// It can be made wherever there is a network.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder().no_proxy().redirect(Policy::none()).connect_timeout(CONNECTED_WITHIN);
        Ok(Self(client.pool_max_idle_per_host(1).build()?))
    }
}

impl Schedulers for Http {
    fn ask(&self, request: Request) -> BoxFuture<'static, Result<Answer, AskError>> {
        let url = format!("http://{}{}", request.address, request.path);
        let asked = match request.body {
            Some(body) => self.0.post(url).body(body.to_string()),
            None => self.0.get(url),
        };
        let answer = asked.bearer_auth(request.token).timeout(request.within).send();
        async move { read(answer.await.map_err(in_words)?).await }.boxed()
    }

    fn talk(&self, talk: Talk) -> BoxFuture<'static, Result<Vec<Vec<u8>>, AskError>> {
        rpc::talk(talk).boxed()
    }
}

async fn read(mut response: Response) -> Result<Answer, AskError> {
    let (status, mut body) = (response.status().as_u16(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(in_words)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(AskError::TooLong(MOST_BYTES));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}

/// The innermost cause is the one that people know: refused, timed out. Addresses stay out, for they change.
#[expect(clippy::needless_pass_by_value, reason = "it maps the errors of results")]
fn in_words(error: reqwest::Error) -> AskError {
    if error.is_timeout() {
        return AskError::Call("no answer in time".to_owned());
    }
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    AskError::Call(cause.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    use super::*;

    static PAGE: &[u8] = &[b' '; 4096];

    /// A scheduler that answers one request like this, and goes on for as long as somebody listens.
    fn scheduler(head: &'static str, body: &'static [u8], times: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut link, _) = listener.accept().unwrap();
            let _ = link.read(&mut [0; 4096]);
            let _ = link.write_all(head.as_bytes());
            (0..times).all(|_| link.write_all(body).is_ok());
        });
        address
    }

    async fn ask(address: SocketAddr) -> Result<Answer, AskError> {
        let (path, token) = ("/facts".to_owned(), "secret".to_owned());
        let within = Duration::from_secs(30);
        Http::new().unwrap().ask(Request { address, path, token, body: None, within }).await
    }

    #[tokio::test]
    async fn an_answer_is_read_whole() {
        let address = scheduler("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{}", 1);
        assert_eq!(ask(address).await, Ok(Answer { status: 200, body: b"{}".to_vec() }));
    }

    #[tokio::test]
    async fn a_body_without_an_end_is_cut_off() {
        let address = scheduler("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", PAGE, 1 << 18);
        assert_eq!(ask(address).await, Err(AskError::TooLong(MOST_BYTES)));
    }

    #[tokio::test]
    async fn nobody_is_followed_elsewhere() {
        let head = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask(scheduler(head, b"", 0)).await.map(|answer| answer.status), Ok(302));
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_told_in_words() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let Err(AskError::Call(why)) = ask(gone).await else { panic!("it answered") };
        assert!(why.to_lowercase().contains("refused"), "{why}");
    }

    #[tokio::test]
    async fn one_that_never_answers_is_not_waited_for() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let request = Request {
            address: silent.local_addr().unwrap(),
            path: "/facts".to_owned(),
            token: String::new(),
            body: None,
            within: Duration::from_millis(100),
        };
        let answer = Http::new().unwrap().ask(request).await;
        assert_eq!(answer, Err(AskError::Call("no answer in time".to_owned())));
    }
}
