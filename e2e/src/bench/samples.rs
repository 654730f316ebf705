//! Figures that tests draw and compare.

use std::collections::BTreeMap;

use super::figures::{Figures, Memory, Shape, Starter, Starts, Times};
use super::machine::Machine;

pub(super) fn starts(workers: u32, nanny: bool, operator: f64, hand: f64) -> Starts {
    let times = |result| Times { made: 0.25, ready: result / 2.0, registered: result, result };
    Starts {
        shape: Shape { workers, nanny, late: 0 },
        date: "2026-01-02".to_owned(),
        loads: vec![0.5],
        distributed: "2026.1.0".to_owned(),
        times: BTreeMap::from([
            (Starter::Operator, vec![times(operator), times(operator * 2.0), times(operator / 2.0)]),
            (Starter::Hand, vec![times(hand)]),
        ]),
        writes: BTreeMap::from([("create pods".to_owned(), 1)]),
    }
}

pub(super) fn figures() -> Figures {
    let machine = Machine {
        cpus: 2,
        model: "A < B & C".to_owned(),
        memory_gib: 8,
        linux: "6.1".to_owned(),
        kubernetes: "v1.33.0".to_owned(),
    };
    let growth = vec![(150, 10_000_000), (650, 10_500_000), (1150, 11_000_000)];
    let memory = Memory {
        date: "2026-01-03".to_owned(),
        idle: 9 << 20,
        clusters: 50,
        workers_of_each: 3,
        with_clusters: 10 << 20,
        growth,
    };
    Figures { machine, starts: vec![starts(1, true, 2.2, 2.0)], memory: Some(memory) }
}
