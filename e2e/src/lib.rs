//! What `cargo e2e` is made of: a Kubernetes of this machine's own, and what the demo, the tests and the
//! benchmarks need to use it.
//!
//! - [`up`] and [`down`] start and end it; [`cluster`] is the handle that everything else works with.
//! - [`control_plane`] and [`node`] are its two halves, in the [`network`] of their own, with the certificates of
//!   [`pki`], as [`processes`] that outlive the command; [`layout`] names their files.
//! - [`binaries`] compiles Kubernetes, [`images`] makes and imports container images, [`packages`] finds the
//!   programs of the host; what they make is kept in the [`cache`].
//! - [`operator`] installs what is tested, [`helm`] a second one by the chart, [`namespaced`] one for each test,
//!   [`python_operator`] that of dask-kubernetes in its place; [`bed`] is where a test lies, [`evidence`] what it
//!   tells of a wait in vain, [`manifests`] what it applies, [`at_work`] a cluster that is busy, [`audit`] what it can
//!   count, [`latency`] what is promised, [`statistics`] what measurements come to, [`python`] what a client on the host
//!   runs in, [`dask`] which release it and its cluster have, [`workload`] what it runs meanwhile, [`route`] how it
//!   reaches a scheduler, [`admission`] what forbids its pods; [`drains`] has workers leave by [`chance`].
//! - [`histories`] has people at random under autoscalers, of which [`autoscalers`] asks; [`mixed`] is work that
//!   comes and goes, [`bodies`] logs each task, [`liars`] are schedulers that schedule nothing, [`turncoats`] such
//!   that turn, and [`quiet`] counts calls.
//! - [`progress`] says what is going on, [`commands`] runs other programs, and [`mounts`] undoes mounts.

pub mod admission;
pub mod at_work;
pub mod audit;
pub mod autoscalers;
pub mod bed;
pub mod binaries;
pub mod bodies;
pub mod cache;
pub mod chance;
pub mod cluster;
pub mod commands;
pub mod control_plane;
pub mod dask;
pub mod down;
pub mod drains;
pub mod evidence;
pub mod helm;
pub mod histories;
pub mod images;
pub mod latency;
pub mod layout;
pub mod liars;
pub mod manifests;
pub mod mixed;
pub mod mounts;
pub mod namespaced;
pub mod network;
pub mod node;
pub mod operator;
pub mod packages;
pub mod pki;
pub mod processes;
pub mod progress;
pub mod python;
pub mod python_operator;
pub mod quiet;
pub mod registered;
pub mod route;
pub mod statistics;
pub mod turncoats;
pub mod up;
pub mod workload;
