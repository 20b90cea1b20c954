//! What holds for the house as a whole: its plan, its main job, and what bad input does to it.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

mod answers;
mod bad_input;
mod lab;
mod main_job;
mod plan;
mod program;
