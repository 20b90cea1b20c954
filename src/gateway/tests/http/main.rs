//! The gateway over real sockets. Nodes are stand-ins that do as they are told; everything else is what runs in service.

#![allow(
    clippy::unwrap_used,
    reason = "a test's helpers fail the test as its own lines do"
)]

mod calls;
mod cost;
mod faasm;
mod functions;
mod health;
mod house;
mod jobs;
mod jobs_faults;
mod objects;
mod openapi;
mod placement;
mod serving;
mod stand_in;
mod troubled;
