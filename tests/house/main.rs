//! What holds for the house as a whole: its plan, its main job, and what bad input does to it.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

mod answers;
mod api;
mod bad_input;
#[cfg(feature = "ceph")]
mod ceph;
mod equality;
mod jobs;
mod lab;
mod main_job;
mod plan;
mod process;
mod processes;
mod program;
#[cfg(feature = "ceph")] // and all else that `./test` installs
mod project;
mod sdk;
mod suite;
