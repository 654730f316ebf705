//! What is promised, measured: `cargo e2e bench`.

mod autoscale;
mod drawing;
mod figures;
mod latency;
mod machine;
mod memory;
mod mixed;
mod page;
mod rest;
#[cfg(test)]
mod samples;
mod start;
mod svg;

use anyhow::Result;
use e2e::progress::Progress;
use e2e::{operator, python, up};

use crate::args::Benchmark;
use crate::suite::preloads;

/// Needs a quiet machine to mean anything.
pub(crate) fn bench(what: &Benchmark, progress: &mut Progress) -> Result<()> {
    // These need no cluster.
    match what {
        Benchmark::Autoscale => return autoscale::bench(),
        Benchmark::Facts => return preloads::bench(progress),
        _ => {}
    }
    let cluster = up::up(progress)?;
    operator::install(&cluster, progress)?;
    python::client(progress)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match what {
        Benchmark::Latency => runtime.block_on(latency::bench(&cluster)),
        Benchmark::Start(options) => runtime.block_on(start::bench(options, &cluster, progress)),
        Benchmark::Autoscale | Benchmark::Facts => Ok(()),
        Benchmark::Mixed => runtime.block_on(mixed::bench()),
        Benchmark::Rest => runtime.block_on(rest::bench()),
        Benchmark::Memory => runtime.block_on(memory::bench(&cluster, progress)),
    }
}
