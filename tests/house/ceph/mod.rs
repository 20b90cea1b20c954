//! The house on a real Ceph with a real Redis, in processes of its own.

mod bad_input;
mod cephx;
mod failures;
mod jobs;
mod lab;
mod members;
mod offloads;
mod starts;
