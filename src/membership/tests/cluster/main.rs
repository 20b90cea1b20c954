//! What membership promises, against a real Redis.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod bed;
mod joining;
mod rubbish;
mod trouble;
