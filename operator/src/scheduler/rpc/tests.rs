//! What is understood of real schedulers, and what hostile ones come to.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use super::*;

/// What schedulers of the newest and of the oldest supported version said on one connection: the greeting, and answers
/// to `identity`, `adaptive_target`, `workers_to_close` and `processing`.
const RECORDED: [&[u8]; 2] = [include_bytes!("recorded/newest.bin"), include_bytes!("recorded/oldest.bin")];
/// What one said to a question about a worker that it does not know, without the greeting.
const ERROR: &[u8] = include_bytes!("recorded/error.bin");

/// Somebody who says this to whoever comes, so many times, for as long as it is listened to.
fn peer(says: Vec<u8>, times: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut link, _) = listener.accept().unwrap();
        (0..times).all(|_| link.write_all(&says).is_ok());
        let _ = link.shutdown(std::net::Shutdown::Write);
        let _ = link.read_to_end(&mut Vec::new());
    });
    address
}

fn framed(message: &[u8]) -> Vec<u8> {
    let size = message.len() as u64;
    [[size + 16, 1, size].map(u64::to_le_bytes).concat().as_slice(), message].concat()
}

fn greeted_and(says: &[u8]) -> Vec<u8> {
    [framed(&message::greeting()).as_slice(), says].concat()
}

async fn ask(address: SocketAddr, count: usize) -> Result<Vec<Vec<u8>>, AskError> {
    let messages = vec![question("identity"); count];
    talk(Talk { address, messages, answered: true, most: 16 << 20, within: Duration::from_secs(20) }).await
}

fn workers(answer: &[u8]) -> Result<Vec<Told>, String> {
    identity(answer).map(|identity| identity.workers)
}

fn packed(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

#[tokio::test]
async fn what_real_schedulers_said_is_understood() {
    for recorded in RECORDED {
        let answers = ask(peer(recorded.to_vec(), 1), 4).await.unwrap();
        let Identity { id, workers: mut told } = identity(&answers[0]).unwrap();
        assert!(id.starts_with("Scheduler-"), "{id}");
        told.sort_by(|one, other| one.worker.name.cmp(&other.worker.name));
        let names: Vec<_> =
            told.iter().map(|one| (one.worker.name.as_str(), one.worker.status.as_str())).collect();
        assert_eq!(
            names,
            [("demo-default-worker-0123456789", "running"), ("demo-gpu-worker-0123456789", "running")]
        );
        let (plain, gpu) = (&told[0], &told[1]);
        assert_eq!((plain.worker.threads, plain.worker.processing, plain.executing), (2, 5, Some(2)));
        assert_eq!((plain.worker.bytes, plain.worker.memory_limit), (1000, 1 << 30));
        assert_eq!((gpu.worker.resources["GPU"], gpu.worker.long_running, gpu.executing), (2.0, 1, Some(1)));
        assert!(plain.seen > 0.0 && plain.worker.address.starts_with("tcp://127.0.0.1:"));
        assert_eq!(target(&answers[1]).unwrap(), 3);
        assert_eq!(closable(&answers[2]).unwrap(), [plain.worker.address.clone()].into());
        assert_eq!(processing(&answers[3]).unwrap()[&plain.worker.address], 5);
    }
}

#[tokio::test]
async fn an_error_is_told_in_its_own_words_and_what_is_pickled_stays_so() {
    let answers = ask(peer(greeted_and(ERROR), 1), 1).await.unwrap();
    for why in [processing(&answers[0]).unwrap_err(), retired(&answers[0]).unwrap_err()] {
        assert_eq!(why, "it fails with KeyError('tcp://1.2.3.4:5')");
    }
}

#[tokio::test]
async fn one_that_never_ends_or_says_too_much_is_not_listened_to() {
    let endless = peer(vec![1; 4096], 1 << 20);
    assert!(matches!(ask(endless, 1).await, Err(AskError::TooLong(_))));
    let announced = greeted_and(&(1_u64 << 40).to_le_bytes());
    assert!(matches!(ask(peer(announced, 1), 1).await, Err(AskError::TooLong(_))));
}

#[tokio::test]
async fn many_answers_are_no_more_than_one_may_be() {
    let says = greeted_and(&framed(&[0; 600]).repeat(2));
    let (address, messages) = (peer(says, 1), vec![question("identity"); 2]);
    let talk = talk(Talk { address, messages, answered: true, most: 1000, within: Duration::from_secs(20) });
    assert_eq!(talk.await, Err(AskError::TooLong(1000)));
}

#[tokio::test]
async fn one_that_hangs_up_is_told_in_words() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(ask(gone, 1).await, Err(AskError::Call(why)) if why.contains("refused")));
    assert_eq!(ask(peer(Vec::new(), 0), 1).await, Err(AskError::Tls));
    let short = ask(peer(greeted_and(b"1234"), 1), 1).await;
    assert_eq!(short, Err(AskError::Call("it hangs up without an answer".to_owned())));
}

#[tokio::test]
async fn one_that_is_silent_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, within) = (silent.local_addr().unwrap(), Duration::from_millis(100));
    let answer = talk(Talk { address, messages: vec![], answered: true, most: 0, within }).await;
    assert_eq!(answer, Err(AskError::Call("no answer in time".to_owned())));
}

#[test]
fn nonsense_is_no_answer() {
    let deep = [vec![0x91; 100_000], vec![0xc0]].concat();
    let names = |count: usize| {
        (0..count).map(|number| (number.to_string(), json!({}))).collect::<serde_json::Map<_, _>>()
    };
    let many = packed(&json!({"workers": names(10_001)}));
    let announced =
        [0x81, 0xa7].iter().chain(b"workers").chain(&[0xdf, 255, 255, 255, 255]).copied().collect::<Vec<_>>();
    for answer in [&b""[..], b"\xc1", b"GET / HTTP/1.1", &deep, &many, &announced, &packed(&json!({}))] {
        assert!(workers(answer).is_err(), "{:?}", &answer[..answer.len().min(20)]);
    }
    assert!(workers(&packed(&json!({"workers": names(10_000)}))).is_ok());
    assert!(closable(&deep).is_err() && target(&deep).is_err() && processing(&deep).is_err());
    assert_eq!(target(&packed(&json!(-5))).unwrap() + target(&packed(&json!("many"))).unwrap(), 0);
}

#[test]
fn odd_values_are_read_as_far_as_they_make_sense() {
    let metrics = json!({"task_counts": {"executing": 1, "pondering": 1, "ready": 2.0, "memory": 9}, "managed_bytes": -1});
    let worker = json!({"name": 7, "nthreads": null, "resources": {"GPU": "two", "A": 1}, "metrics": metrics, "x": [[{}]]});
    let told =
        workers(&packed(&json!({"workers": {"tcp://a:1": worker, "b": {"name": "x".repeat(900)}}}))).unwrap();
    let worker = |name: &str| told.iter().find(|one| one.worker.name.starts_with(name)).unwrap();
    let seven = worker("7");
    assert_eq!((seven.worker.threads, seven.worker.bytes, seven.executing), (0, 0, Some(2)));
    assert_eq!((seven.worker.processing, seven.worker.resources["GPU"]), (4, 0.0));
    assert_eq!((worker("x").worker.name.len(), worker("x").executing), (253, None));
}
