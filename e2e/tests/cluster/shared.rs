//! Tests on a cluster that leave the operator alone, so that several run at once.

mod autoscaling;
mod bad_input;
mod configuration;
mod dashboard;
mod examples;
mod idle;
mod image;
mod late_scheduler;
mod leaving;
mod losses;
mod offers;
mod old_commands;
mod protection;
mod python_client;
mod restarting;
mod rolling;
mod scaling;
mod seen;
mod shuffles;
mod skew;
mod suspend;
mod troubles;
pub(crate) mod workloads;
