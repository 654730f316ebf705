//! The README's first command as it stands there, on the embedded cluster.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::bed::Bed;
use e2e::bed::namespace::OF_DEMO;
use e2e::commands;

use crate::demo::{COMMAND, ONE_AT_A_TIME};

/// What a server answers to a browser.
fn answer(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("nobody listens at {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test]
async fn the_demo_ends_with_the_address_of_a_dashboard_that_answers_and_how_to_stop_it() -> Result<()> {
    let bed = Bed::new("demo-here").await?;
    let _only = ONE_AT_A_TIME.lock().await;
    let printed = commands::output(Command::new(COMMAND).arg("demo"));
    let shown = printed.and_then(|printed| {
        let url = printed.lines().find_map(|line| line.trim().strip_prefix("http://"));
        let (address, path) = url.and_then(|url| url.split_once('/')).context("no dashboard")?;
        Ok((answer(address, &format!("/{path}"))?, printed))
    });
    bed.cluster.kubectl(&["delete", "namespace", "--selector", OF_DEMO])?;
    let (page, printed) = shown?;
    assert!(page.contains(" 200 OK") && page.contains("<title>Dask"), "{page}");
    assert_eq!(printed.matches(": correct.").count(), 2, "the graph and the array: {printed}");
    let (_, after) = printed.split_once("# Two more workers").context("no scale-up")?;
    assert_eq!(after.matches("pod/demo-default-worker-").count(), 4, "{printed}");
    assert!(printed.trim_end().ends_with("cargo e2e down"), "{printed}");
    Ok(())
}
