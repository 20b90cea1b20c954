//! [`ganglion_store::RadosStore`] at a real Ceph cluster, which the tests bring up and end. Needs `ceph-mon`, `ceph-osd` and `ceph-common`.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod conformance;
mod failures;
mod homes;
mod lab;
mod near;
mod objects;
mod refusals;
