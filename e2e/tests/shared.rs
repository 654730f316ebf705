//! Tests on a cluster that leave the operator alone, so that several run at once.
#![cfg(feature = "cluster")]

#[path = "shared/autoscaling.rs"]
mod autoscaling;
#[path = "shared/bad_input.rs"]
mod bad_input;
#[path = "shared/configuration.rs"]
mod configuration;
#[path = "shared/dashboard.rs"]
mod dashboard;
#[path = "shared/examples.rs"]
mod examples;
#[path = "shared/idle.rs"]
mod idle;
#[path = "shared/late_scheduler.rs"]
mod late_scheduler;
#[path = "shared/leaving.rs"]
mod leaving;
#[path = "shared/losses.rs"]
mod losses;
#[path = "shared/offers.rs"]
mod offers;
#[path = "shared/old_commands.rs"]
mod old_commands;
#[path = "shared/protection.rs"]
mod protection;
#[path = "shared/python_client.rs"]
mod python_client;
#[path = "shared/restarting.rs"]
mod restarting;
#[path = "shared/rolling.rs"]
mod rolling;
#[path = "shared/scaling.rs"]
mod scaling;
#[path = "shared/seen.rs"]
mod seen;
#[path = "shared/skew.rs"]
mod skew;
#[path = "shared/suspend.rs"]
mod suspend;
#[path = "shared/troubles.rs"]
mod troubles;
#[path = "shared/workloads.rs"]
mod workloads;
