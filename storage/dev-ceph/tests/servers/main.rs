//! Real clusters of this machine: `cargo test -p ganglion-dev-ceph --features servers`, as root.

#![allow(
    clippy::unwrap_used,
    reason = "a test's helpers fail the test as its own lines do"
)]

mod failures;
mod life;
mod namespaces;
mod owners;
mod support;
mod users;
