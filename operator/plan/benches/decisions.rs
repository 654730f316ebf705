//! How long it takes to read the facts of a large cluster, and to decide about it: `cargo bench -p dask-operator-plan`.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "it is for people")]

#[path = "../tests/plan/scaling/large.rs"]
mod large;

fn main() {
    let (read, decided) = large::took();
    println!(
        "facts of 5,000 workers and 100,000 tasks read   {read:>10.2?}   promised {:?}",
        large::READ_WITHIN
    );
    println!(
        "a decision about them                          {decided:>10.2?}   promised {:?}",
        large::DECIDED_WITHIN
    );
}
