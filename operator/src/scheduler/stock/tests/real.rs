//! The same with Dask itself, of each environment that `DASK_VENVS` names: Python executables, with colons between.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use dask_operator_plan::DrainState;
use tokio::time::sleep;

use super::super::super::http::Http;
use super::super::super::rpc::Told;
use super::*;

/// Busy machines are slow; nothing here takes so long.
const PATIENCE: Duration = Duration::from_mins(2);

/// A graph whose tasks write down when they begin: some execute for long, and many have not begun when it says `go`.
const CLIENT: &str = r#"
import sys, time
from distributed import Client, wait

def begin(path, name, seconds, *needed):
    with open(path, "a") as log:
        log.write(name + "\n")
    time.sleep(seconds)
    return 1

def submit(name, seconds, *needed, on=None):
    return client.submit(begin, path, name, seconds, *needed, key=name, workers=on, allow_other_workers=bool(on))

address, path = sys.argv[1:]
client = Client(address)
client.wait_for_workers(2)
data = client.scatter([1, 2, 3], workers=["demo-worker-aaaaaaaaaa"])
early = [submit(f"early-{i}", 0.01, on="demo-worker-aaaaaaaaaa") for i in range(10)]
wait(early)
late = [submit(f"late-{i}", 2, early[i % 10], on="demo-worker-aaaaaaaaaa") for i in range(8)]
next = [submit(f"next-{i}", 0.01, late[i % 8]) for i in range(20)]
time.sleep(0.5)
print("go", flush=True)
done = sum(client.gather(late + next)) + sum(client.gather(early)) + sum(client.gather(data))
blamed = client.run_on_scheduler(lambda dask_scheduler: sum(t.suspicious for t in dask_scheduler.tasks.values()))
print("done", done, blamed, flush=True)
"#;
const TASKS: usize = 38;
/// As pods are called: both have the same address.
const LEAVES: &str = "demo-worker-aaaaaaaaaa";
const STAYS: &str = "demo-worker-bbbbbbbbbb";

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(python: &str, arguments: &[&str]) -> Process {
    let mut command = Command::new(python);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    Process(command.spawn().unwrap())
}

fn worker(python: &str, scheduler: &str, name: &str) -> Process {
    let arguments = ["-m", "dask", "worker", scheduler, "--name", name, "--nthreads", "2", "--no-nanny"];
    start(python, &[&arguments[..], &["--no-dashboard"]].concat())
}

/// Takes turns, as often as a session does, until something is so.
async fn turns(stock: &mut Stock, place: &Place, mut until: impl FnMut(&Stock, &[Told]) -> bool) {
    let http = Http::new().unwrap();
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < end, "it does not come: {:?}", stock.drains);
        if stock.turn(&http, place).await.is_ok() {
            let (identity, _) = facts(&http, place).await.unwrap();
            if until(stock, &identity.workers) {
                return;
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
}

fn has(workers: &[Told], name: &str, status: &str) -> bool {
    workers.iter().any(|told| told.worker.name == name && told.worker.status == status)
}

fn order(order: Order) -> [Ask; 1] {
    [Ask { order, pod: LEAVES.to_owned(), ip: Some([127, 0, 0, 1].into()) }]
}

async fn nothing_is_lost_and_nothing_begun_twice(python: &str) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("tcp://127.0.0.1:{port}");
    let number = port.to_string();
    let beside = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"];
    let scheduler = [&["-m", "dask", "scheduler", "--port", &number], &beside[..]].concat();
    let _scheduler = start(python, &scheduler);
    let (leaves, _stays) = (worker(python, &address, LEAVES), worker(python, &address, STAYS));
    let comm = ([127, 0, 0, 1], port).into();
    let (place, mut stock) = (Place { comm, ..place() }, Stock::default());
    turns(&mut stock, &place, |_, workers| workers.len() == 2).await;

    let log = env::temp_dir().join(format!("dask-operator-stock-{}-{port}", std::process::id()));
    let mut client = start(python, &["-c", CLIENT, &address, &log.to_string_lossy()]);
    let mut said = BufReader::new(client.0.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "go\n");

    stock.order(&order(Order::Retire { seconds: 100 }));
    turns(&mut stock, &place, |_, workers| has(workers, LEAVES, "closing_gracefully")).await;
    stock.order(&order(Order::Uncordon));
    turns(&mut stock, &place, |stock, workers| stock.drains.is_empty() && has(workers, LEAVES, "running"))
        .await;
    stock.order(&order(Order::Retire { seconds: 100 }));
    turns(&mut stock, &place, |stock, _| stock.drains[LEAVES].report("").state == DrainState::Ready).await;
    drop(leaves);

    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, format!("done {} 0\n", TASKS + 6));
    let mut begun: Vec<_> = fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
    let _ = fs::remove_file(&log);
    begun.sort();
    let all = begun.len();
    begun.dedup();
    assert_eq!((all, begun.len()), (TASKS, TASKS));
}

#[tokio::test]
#[ignore = "the suite names the environments that it needs"]
async fn a_worker_leaves_real_dask_under_load_without_a_loss() {
    for python in env::var("DASK_VENVS").unwrap().split(':') {
        nothing_is_lost_and_nothing_begun_twice(python).await;
    }
}
